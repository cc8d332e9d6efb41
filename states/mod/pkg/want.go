package pkg

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"brine/states/mod/pkg/manager"
	"brine/states/module"
	"brine/states/pkgver"
	"brine/states/value"
)

// A want is a package that a state names.
type want struct {
	name    string
	version spec
	source  string // where the package itself is: a path, salt:// or a URL
}

// String is the package as results name it.
func (w want) String() string {
	if w.version == "" || w.version == latest {
		return w.name
	}
	if strings.ContainsRune("<>=!", rune(w.version[0])) {
		return w.name + string(w.version)
	}
	return w.name + "=" + string(w.version)
}

// Wants are packages: names, each alone or with a version.
type wants struct {
	given bool
	all   []want
}

func (w *wants) ArgType() string { return "list of names, or of NAME: VERSION" }

func (w *wants) ParseArg(v module.Value) error {
	w.given = true
	if text, ok := v.Data.(string); ok {
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				w.all = append(w.all, want{name: name})
			}
		}
		return nil
	}
	items, ok := v.Items()
	if _, isDict := v.Data.(*value.Dict); !ok && isDict {
		items, ok = []module.Value{v}, true
	}
	if !ok {
		return v.Want("a list of names, or of NAME: VERSION")
	}
	var errs []error
	for i, item := range items {
		if err := w.item(item); err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (w *wants) item(v module.Value) error {
	pairs, isDict := v.Pairs()
	if !isDict {
		name, err := v.Str()
		if err != nil || name == "" {
			return v.Want("a name, or NAME: VERSION")
		}
		w.all = append(w.all, want{name: name})
		return nil
	}
	for _, p := range pairs {
		name, err := p[0].Str()
		if err != nil || name == "" {
			return p[0].Want("a name")
		}
		x := want{name: name}
		if p[1].Data != nil {
			text, err := p[1].Str()
			if err != nil {
				return fmt.Errorf("version of %s: %w", name, p[1].Want("text"))
			}
			x.version = spec(text)
		}
		if err := x.version.check(); err != nil {
			return fmt.Errorf("version of %s: %w", name, err)
		}
		w.all = append(w.all, x)
	}
	return nil
}

// Sources are packages in files: NAME: where the file is.
type sources struct {
	given bool
	all   []want
}

func (s *sources) ArgType() string { return "list of NAME: SOURCE" }

func (s *sources) ParseArg(v module.Value) error {
	s.given = true
	var errs []error
	for i, item := range v.Each() {
		pairs, ok := item.Pairs()
		if !ok || len(pairs) == 0 {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, item.Want("NAME: SOURCE")))
		}
		for _, p := range pairs {
			name, err1 := p[0].Str()
			source, err2 := p[1].Str()
			if err1 != nil || err2 != nil || name == "" || source == "" {
				errs = append(errs, fmt.Errorf("item %d: %w", i+1, item.Want("NAME: SOURCE")))
				continue
			}
			s.all = append(s.all, want{name: name, source: source})
		}
	}
	return errors.Join(errs...)
}

// A spec says which versions will do: one, a pattern such as 1.2*, or conditions such as ">=1.2, <2". "" is any, "latest"
// the newest.
type spec string

const latest = spec("latest")

func (s *spec) ArgType() string { return "text" }

func (s *spec) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a version")
	}
	*s = spec(strings.TrimSpace(text))
	return s.check()
}

func (s spec) check() error {
	_, err := s.conditions()
	return err
}

// A condition is one of a spec.
type condition struct {
	op      string // ==, !=, <, <=, >, >=
	version string
}

// conditions reads the spec; none of one that any version meets.
func (s spec) conditions() (all []condition, err error) {
	if s == "" || s == latest {
		return nil, nil
	}
	for part := range strings.SplitSeq(string(s), ",") {
		part = strings.TrimSpace(part)
		n := 0
		for n < len(part) && strings.IndexByte("<>=!", part[n]) >= 0 {
			n++
		}
		c := condition{part[:n], strings.TrimSpace(part[n:])}
		switch c.op {
		case "", "=", "==":
			c.op = "=="
		case "<", "<=", ">", ">=", "!=":
		default:
			return nil, fmt.Errorf("want a version, or conditions such as \">=1.2, <2\", got %q", string(s))
		}
		if _, err := path.Match(c.version, ""); c.version == "" || strings.ContainsAny(c.version, "<>=! ") || err != nil {
			return nil, fmt.Errorf("want a version, or conditions such as \">=1.2, <2\", got %q", string(s))
		}
		all = append(all, c)
	}
	return all, nil
}

// A judge decides whether versions meet specs.
type judge struct {
	compare     pkgver.Compare
	ignoreEpoch *bool // nil: where the spec has none
	atLeast     bool  // one version stands for that and all newer ones
}

// meets says whether a version meets all conditions of a spec.
func (j judge) meets(version string, s spec) bool {
	conditions, _ := s.conditions() // it was checked
	for _, c := range conditions {
		if !j.holds(version, c) {
			return false
		}
	}
	return true
}

func (j judge) holds(version string, c condition) bool {
	if j.atLeast && c.op == "==" {
		c.op = ">="
	}
	ignore := !pkgver.HasEpoch(c.version)
	if j.ignoreEpoch != nil {
		ignore = *j.ignoreEpoch
	}
	if ignore {
		version, c.version = pkgver.WithoutEpoch(version), pkgver.WithoutEpoch(c.version)
	}
	if c.op == "==" || c.op == "!=" {
		if same, _ := path.Match(c.version, version); same {
			return c.op == "=="
		}
	}
	n := j.compare(version, c.version)
	switch c.op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case ">":
		return n > 0
	case ">=":
		return n >= 0
	case "!=":
		return n != 0
	}
	return n == 0
}

// met says whether any installed version meets the spec.
func (j judge) met(p manager.Package, s spec) bool {
	for _, v := range p.Versions {
		if j.meets(v, s) {
			return true
		}
	}
	return false
}

// pick returns the first of versions that meets the spec; "" when none does.
func (j judge) pick(versions []string, s spec) string {
	for _, v := range versions {
		if j.meets(v, s) {
			return v
		}
	}
	return ""
}
