package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/module"
)

// An entry is an executable that was synced, in the file of them.
type entry struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Path   string `json:"path"` // in the tree that it came from
	SHA256 string `json:"sha256"`
}

func (e entry) file() File { return File{Kind: e.Kind, Name: e.Name, Path: e.Path} }

func (s *Store) list() string { return filepath.Join(s.dir, "synced.json") }

// synced reads what was synced last.
func (s *Store) synced() ([]entry, error) {
	data, err := os.ReadFile(s.list())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []entry
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	for _, e := range all {
		if f, ok := fileOf(e.Kind, path.Base(e.Path)); err == nil && (!ok || f.Path != e.Path || f.Name != e.Name || !sumName().MatchString(e.SHA256)) {
			err = fmt.Errorf("it names %q", e.Path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w (saltutil.sync_all writes it anew)", s.list(), err)
	}
	return all, nil
}

// Sync keeps the executables of a kind that a tree has now, of the job's environment or another one, and forgets those that it has no more. It returns the names
// of those that are new or others than before. The errors name those that can't be used, which are not kept, and those that could not be had, which
// stay as they were, as they do when the run is ended meanwhile. Those that want does not want stay, too.
func (s *Store) Sync(
	ctx context.Context, files host.Files, x *module.Index, kind Kind, env string, want func(name string) bool,
) (changed []string, errs []error) {
	found, err := list(ctx, files, kind, env)
	if err != nil {
		return nil, []error{err}
	}
	before, err := s.synced()
	if err != nil {
		before = nil // it is written anew
	}
	var kept []entry
	for _, f := range found {
		i := slices.IndexFunc(before, func(e entry) bool { return e.Kind == kind && e.Name == f.Name })
		if !want(f.Name) {
			if i >= 0 {
				kept = append(kept, before[i])
			}
			continue
		}
		p, err := s.tried(ctx, files, x, f)
		if err != nil {
			if i >= 0 && (ctx.Err() != nil || errors.As(err, new(*notHad))) {
				err = fmt.Errorf("%w; what was synced before stays", err)
				kept = append(kept, before[i])
			}
			errs = append(errs, err)
			continue
		}
		e := entry{kind, f.Name, f.Path, p.sum}
		if i < 0 || before[i] != e {
			changed = append(changed, f.Name)
		}
		kept = append(kept, e)
	}
	if err := s.replace(kind, kept); err != nil {
		return nil, append(errs, err)
	}
	return changed, errs
}

// ordered puts entries in order of kind and name.
func ordered(all []entry) []entry {
	by := map[string]entry{}
	for _, e := range all {
		by[string(e.Kind)+" "+e.Name] = e
	}
	out := make([]entry, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[key])
	}
	return out
}

// A notHad is why a file could not be had, which says nothing about the file.
type notHad struct{ error }

func (n *notHad) Unwrap() error { return n.error }

// tried fetches a file and sees whether it can be used.
func (s *Store) tried(ctx context.Context, files host.Files, x *module.Index, f File) (*program, error) {
	if err := Shadowed(f, x); err != nil {
		return nil, err
	}
	p, err := s.fetch(ctx, files, f)
	if err == nil && f.Kind != Grains {
		_, err = p.describe(ctx)
	}
	return p, err
}

// replace writes down what is synced of a kind. Of what others write down meanwhile nothing is lost.
func (s *Store) replace(kind Kind, now []entry) error {
	fail := func(err error) error { return fmt.Errorf("cannot keep what was synced: %w", err) }
	if before, err := s.synced(); err == nil && slices.Equal(before, with(before, kind, now)) {
		return nil
	}
	if err := s.private(""); err != nil {
		return fail(err)
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return fail(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil { // no one holds it longer than this
		return fail(err)
	}
	before, err := s.synced()
	if err != nil {
		before = nil // it is written anew
	}
	data, err := json.MarshalIndent(with(before, kind, now), "", "  ")
	if err != nil {
		return fail(err)
	}
	return writeFile(s.list(), append(data, '\n'), 0o600, fail)
}

// with are entries with others of a kind, in order of kind and name.
func with(all []entry, kind Kind, now []entry) []entry {
	all = slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.Kind == kind })
	return ordered(append(all, now...))
}

// A Program is an executable that tells grains.
type Program struct {
	Name string // for messages
	Path string // "" when Err says why it can't be run
	Err  error
}

// TreeGrains returns the executables for grains of a tree, and those that were synced and that the tree does not have.
func (s *Store) TreeGrains(ctx context.Context, files host.Files) []Program {
	found, err := list(ctx, files, Grains, "")
	if err != nil {
		return []Program{{Err: err}}
	}
	var programs []Program
	for _, f := range found {
		p, err := s.fetch(ctx, files, f)
		if err != nil {
			programs = append(programs, Program{Name: f.URL(), Err: err})
			continue
		}
		programs = append(programs, Program{Name: f.URL(), Path: p.path()})
	}
	for _, p := range s.GrainPrograms() {
		if !slices.ContainsFunc(programs, func(o Program) bool { return o.Name == p.Name }) {
			programs = append(programs, p)
		}
	}
	return programs
}

// GrainPrograms returns the executables for grains that were synced, each verified now.
func (s *Store) GrainPrograms() []Program {
	all, err := s.synced()
	if err != nil {
		return []Program{{Err: err}}
	}
	var programs []Program
	for _, e := range all {
		if e.Kind != Grains {
			continue
		}
		p, err := s.kept(e)
		if err != nil {
			programs = append(programs, Program{Name: e.file().URL(), Err: err})
			continue
		}
		programs = append(programs, Program{Name: p.URL(), Path: p.path()})
	}
	return programs
}
