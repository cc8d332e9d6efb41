package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kept is a damaged database that was set aside and has not been removed.
type Kept struct {
	Path string
	KeptNote
}

// KeptNote is what is known of a database that was set aside: a file beside it.
type KeptNote struct {
	At      time.Time `json:"at"`
	Why     string    `json:"why"`
	Settled bool      `json:"settled"` // the store that took its place is filled
	From    []string  `json:"from"`    // by these masters; none: it went on empty
}

// Text tells an operator of it in one line.
func (k Kept) Text() string {
	text := fmt.Sprintf("its database was damaged on %s (%s) and is kept as %s; ", k.At.Format(time.RFC3339), k.Why, k.Path)
	switch {
	case !k.Settled:
		return text + "it is not filled again yet"
	case len(k.From) == 0:
		return text + "it went on with an empty one"
	}
	return text + "filled again from " + strings.Join(k.From, ", ")
}

const (
	asideMark = ".corrupt-"
	noteTail  = ".why"
	asideTime = "20060102T150405.000"
)

// ListKept finds the damaged databases that were set aside of the store at path,
// oldest first. One without a note has its time from its name.
func ListKept(path string) ([]Kept, error) {
	names, err := filepath.Glob(path + asideMark + "*")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Kept
	for _, name := range names {
		stamp := strings.TrimPrefix(name, path+asideMark)
		at, err := time.Parse(asideTime, stamp)
		if err != nil {
			continue // what lies beside one
		}
		n, err := readNote(name)
		if errors.Is(err, fs.ErrNotExist) {
			n, err = KeptNote{At: at, Why: "nothing tells why", Settled: true}, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, Kept{Path: name, KeptNote: n})
	}
	return all, nil
}

func readNote(aside string) (n KeptNote, err error) {
	data, err := os.ReadFile(aside + noteTail)
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	return n, err
}

func note(aside string, n KeptNote) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	tmp := aside + noteTail + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, aside+noteTail)
}
