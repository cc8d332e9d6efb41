package reactor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/master/reactor/rule"
	"brine/proto"
)

// loaded is what rules were read last.
type loaded struct {
	sum     [sha256.Size]byte
	problem string // why what is served is not used
}

// maxProblems bounds the mistakes that an event lists.
const maxProblems = 20

// load reads the rules if they have changed. Rules with a mistake are not used: those before them stay.
func (r *Reactor) load(ctx context.Context, now time.Time) {
	r.next.load = now.Add(loadEach)
	files, source, err := r.o.Rules(ctx)
	if err != nil {
		r.rules.problem = fmt.Sprintf("the rules can't be read, those before stay: %v", err)
		r.moan("load", now, "rules not read", "err", err)
		return
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s\x00%d\x00%s", f.Name, len(f.Text), f.Text)
	}
	sum := [sha256.Size]byte(h.Sum(nil))
	if sum == r.rules.sum {
		return
	}
	first := r.rules.sum == [sha256.Size]byte{}
	set, problems := rule.Parse(source, files)
	r.rules.sum, r.rules.problem = sum, ""
	if wrong := rule.Mistakes(problems); len(wrong) > 0 {
		r.rules.problem = fmt.Sprintf("the rules of %s are not used, those before stay: %s", source, wrong[0])
		if n := len(wrong) - 1; n > 0 {
			r.rules.problem += fmt.Sprintf(", and %d more (brine rules lint)", n)
		}
		r.tell("brine/rules/refused", map[string]any{"source": source, "mistakes": shown(wrong)})
		r.log.Warn("rules not used", "source", source, "mistakes", len(wrong), "first", wrong[0].String())
		if first {
			r.use(rule.NewSet("", nil, nil))
		}
		return
	}
	r.use(set)
	if !first {
		r.tell("brine/rules/loaded", map[string]any{"source": source, "rules": len(set.Rules)})
	}
	r.log.Info("rules read", "source", source, "rules", len(set.Rules))
}

func shown(all []rule.Problem) []string {
	var texts []string
	for _, p := range all[:min(len(all), maxProblems)] {
		texts = append(texts, p.String())
	}
	return texts
}

// use goes on by a set, and Salt's reactors beside.
func (r *Reactor) use(set *rule.Set) {
	set = set.With(r.o.Salt)
	r.mu.Lock()
	r.set = set
	r.mu.Unlock()
	r.machine.SetRules(set)
}

func (r *Reactor) tell(tag string, data map[string]any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // it has texts and numbers alone
	}
	r.o.Log.Write([]*proto.Event{{Tag: tag, Data: text}}, func() {})
}

// place is how far the log was read.
type place struct {
	Incarnation string `json:"incarnation"`
	Sequence    int64  `json:"sequence"`
}

// startingPlace is from where on the log is read: what may be undecided stands behind it.
func (r *Reactor) startingPlace(ctx context.Context, now time.Time) (int64, error) {
	p := place{}
	if r.o.File != "" {
		data, err := os.ReadFile(r.o.File)
		if err == nil {
			err = json.Unmarshal(data, &p)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.log.Warn("the place in the log is read anew", "file", r.o.File, "err", err)
			p = place{}
		}
	}
	if p.Incarnation == r.o.Log.Incarnation() && p.Sequence <= r.o.Log.Last() {
		return p.Sequence, nil
	}
	return r.o.Log.Place(ctx, now.Add(-freshPlace))
}

// save keeps the place before everything that is not decided about, on the disk.
func (r *Reactor) save() {
	at := r.undecided()
	r.owed = slices.DeleteFunc(r.owed, func(w *owed) bool { return w.kept.Load() })
	for _, w := range r.owed {
		at = min(at, w.from)
	}
	if r.o.File == "" || at == r.saved {
		return
	}
	data, err := json.Marshal(place{r.o.Log.Incarnation(), at})
	if err == nil {
		err = replace(r.o.File, data)
	}
	if err != nil {
		r.moan("save", r.o.Now(), "the place in the log is not kept", "err", err)
		return
	}
	r.saved = at
}

// replace writes a file that is either the old or the new one. It need not survive a power cut: to read more again does no harm.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Files are the rules among the files of a tree, in order of name.
func Files(names []string) []string {
	var found []string
	for _, name := range names {
		if strings.HasPrefix(name, "_rules/") && strings.HasSuffix(name, ".toml") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}
