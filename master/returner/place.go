package returner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/go-hclog"
)

// place is how far returns were given: all up to a sequence of this master's log. A log that begins anew, such as one
// that was restored, keeps its place if the last return that was given is where it was.
type place struct {
	Incarnation string `json:"incarnation"`
	Sequence    int64  `json:"sequence"`
	ID          string `json:"id"`    // the last return that was given
	At          int64  `json:"at"`    // its sequence
	Fresh       bool   `json:"fresh"` // nobody has said yet that all before it was given
}

func loadPlace(ctx context.Context, file string, s Store, log hclog.Logger) (place, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return place{Sequence: s.Last(), Fresh: true}, nil // it begins with what comes from now on
	}
	p := place{}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return p, fmt.Errorf("cannot read how far it came, %s: %w", file, err)
	}
	if p.Incarnation == s.Incarnation() && p.Sequence <= s.Last() {
		return p, nil
	}
	id, err := s.ReturnAt(ctx, p.At)
	if err != nil {
		return p, err
	}
	if p.ID != "" && id == p.ID {
		p.Sequence = min(p.Sequence, s.Last())
		return p, nil
	}
	log.Warn("the store is another one than before: every return in it is given again, unless another master says that it was")
	return place{}, nil
}

// save keeps the place. When that does not work some returns are given twice after a restart.
func (r *Returner) save() {
	r.place.Incarnation = r.o.Store.Incarnation()
	data, err := json.Marshal(r.place)
	if err == nil {
		err = os.WriteFile(r.o.File+".new", append(data, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(r.o.File+".new", r.o.File)
	}
	if err != nil {
		r.log.Warn("cannot keep how far returns were given", "err", err)
	}
}
