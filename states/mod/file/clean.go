package file

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// patterns choose paths: globs in which * also stands for /, or E@ and a regular expression that fits from the start.
type patterns struct{ all []pattern }

type pattern struct {
	text string
	re   *regex.Regexp
}

func (p *patterns) ArgType() string { return "text or list of text" }

func (p *patterns) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("a glob, or E@REGEX")
		}
		if text == "" {
			continue
		}
		expr, isRegex := strings.CutPrefix(text, "E@")
		if isRegex {
			expr = `\A(?:` + expr + `)`
		} else {
			expr = globRegex(text)
		}
		re, err := regex.Compile(expr, 0)
		if err != nil {
			return fmt.Errorf("cannot read the pattern %q: %w", text, err)
		}
		p.all = append(p.all, pattern{text, re})
	}
	return nil
}

// match says whether any of the patterns fits a path.
func (p patterns) match(name string) bool {
	return slices.ContainsFunc(p.all, func(one pattern) bool {
		ok, err := one.re.Match([]byte(name))
		return ok && err == nil
	})
}

// globRegex makes a regular expression of a glob as Python's fnmatch reads it.
func globRegex(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			class, n := globClass(glob[i:])
			b.WriteString(class)
			i += n - 1
		default:
			b.WriteString(regex.QuoteMeta(glob[i : i+1]))
		}
	}
	b.WriteString(`\Z`)
	return b.String()
}

// globClass translates a class at the start of a glob, and says how long it is. One that has no end is a bracket.
func globClass(glob string) (string, int) {
	from := 1
	if from < len(glob) && glob[from] == '!' {
		from++
	}
	to := from
	if to < len(glob) && glob[to] == ']' {
		to++
	}
	for to < len(glob) && glob[to] != ']' {
		to++
	}
	if to >= len(glob) {
		return `\[`, 1
	}
	body := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(glob[from:to])
	if from == 2 {
		return "[^" + body + "]", to + 1
	}
	return "[" + body + "]", to + 1
}

// A keep says what of a directory stays.
type keep struct {
	exclude patterns
	paths   map[string]bool // relative; those above them stay too
	trees   []string        // relative; all below them stays
}

// kept is what the run has below a directory: what any state manages, and all of a directory that the state itself
// requires, as in Salt. Own are relative paths that it manages itself.
func kept(ctx context.Context, s *spot, name string, exclude patterns, own []string) keep {
	k := keep{exclude: exclude, paths: map[string]bool{}}
	for _, rel := range own {
		k.add(rel)
	}
	around := module.AroundOf(ctx)
	below := under{s.host, []string{path.Clean(name), s.path()}}
	for _, b := range around.All {
		k.addState(ctx, below, b, false)
	}
	for b := range around.Needs {
		k.addState(ctx, below, b, true)
	}
	return k
}

// An under tells how names lie below a directory, which has a name for each way to it.
type under struct {
	host *host.Host
	dirs []string
}

// paths are the relative paths of a name that lies below the directory: itself, and what it stands for when symbolic
// links on the way lead there, or with atEnd one that it is.
func (u under) paths(name string, atEnd bool) (all []string) {
	names := []string{path.Clean(name)}
	for _, follow := range []bool{false, atEnd} {
		s, err := seek(u.host, name, follow)
		if err != nil {
			continue // it leads nowhere: nothing is there that has to stay
		}
		s.leave()
		names = append(names, s.path())
	}
	for _, name := range names {
		for _, dir := range u.dirs {
			rel, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
			if ok && !slices.Contains(all, rel) {
				all = append(all, rel)
			}
		}
	}
	return all
}

// add keeps a relative path and the directories above it.
func (k *keep) add(rel string) {
	for rel != "." && rel != "/" && !k.paths[rel] {
		k.paths[rel] = true
		rel = path.Dir(rel)
	}
}

func (k *keep) addState(ctx context.Context, below under, b *module.Bound, required bool) {
	m, ok := b.Args().(manager)
	if !ok {
		return
	}
	_, isLink := m.(*symlinkArgs) // what it leads to is not its own
	for _, name := range m.manages() {
		if full, err := atHome(ctx, below.host, name); err == nil {
			name = full
		}
		for _, rel := range below.paths(name, !isLink) {
			k.add(rel)
			if required || m.wholeTree() {
				k.trees = append(k.trees, rel)
			}
		}
	}
}

// A manager is the arguments of a state that makes or changes files.
type manager interface {
	manages() []string
	wholeTree() bool // also all below
}

func (k *keep) has(rel string) bool {
	if k.paths[rel] || k.exclude.match(rel) {
		return true
	}
	return slices.ContainsFunc(k.trees, func(tree string) bool { return strings.HasPrefix(rel, tree+"/") })
}

// cleaning plans to remove what is not kept below the directory at the spot.
func cleaning(
	ctx context.Context, s *spot, old *info, name string, exclude patterns, own []string,
) ([]module.Step, error) {
	root, err := s.openDir()
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	k := kept(ctx, s, name, exclude, own)
	goes, err := k.leftover(ctx, root, name)
	if err != nil || len(goes) == 0 {
		return nil, err
	}
	removed := &value.List{}
	for _, rel := range goes {
		removed.Items = append(removed.Items, path.Join(name, rel))
	}
	return []module.Step{doing(value.NewDict("removed", removed), func(ctx context.Context) error {
		return s.removeBelow(ctx, old, goes)
	})}, nil
}

// leftover is what is not kept; a directory stands for all in it.
func (k *keep) leftover(ctx context.Context, root int, name string) ([]string, error) {
	stays := map[string]bool{}
	var all []string
	err := walk(ctx, root, name, func(e *entry) error {
		all = append(all, e.rel)
		if k.has(e.rel) {
			for rel := e.rel; rel != "." && !stays[rel]; rel = path.Dir(rel) {
				stays[rel] = true
			}
		}
		return nil
	})
	var goes []string
	last := ""
	for _, rel := range all {
		if stays[rel] || last != "" && strings.HasPrefix(rel, last+"/") {
			continue
		}
		goes, last = append(goes, rel), rel
	}
	return goes, err
}

// removeBelow removes relative paths below the directory at the spot.
func (s *spot) removeBelow(ctx context.Context, old *info, goes []string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	dir, err := s.openSame(old)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for _, rel := range goes {
		at := dir
		if above := path.Dir(rel); above != "." {
			if at, err = openBelow(dir, above); err != nil {
				return fmt.Errorf("cannot remove %s: %w", path.Join(s.path(), rel), err)
			}
		}
		err := removeAt(ctx, at, path.Base(rel), path.Join(s.path(), rel))
		if at != dir {
			unix.Close(at)
		}
		if err != nil {
			return err
		}
	}
	return s.host.Touched(dir, s.real())
}
