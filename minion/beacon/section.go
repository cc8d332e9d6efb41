package beacon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/value"
)

// A Mistake is one in the configuration of a beacon.
type Mistake struct {
	Key  []string // that leads to it, below the beacon; empty for the beacon itself
	Text string
}

func (m *Mistake) Error() string {
	if len(m.Key) == 0 {
		return m.Text
	}
	return strings.Join(m.Key, ".") + ": " + m.Text
}

// A section reads one dict of a configuration, and notes every mistake in it.
type section struct {
	key  []string
	d    *value.Dict
	read map[string]bool
	errs *[]error
}

// newSection reads a configuration as Salt does: a dict, or a list of dicts that are laid over each other.
func newSection(config any) *section {
	s := &section{errs: new([]error)}
	s.d = s.joined(config)
	s.read = map[string]bool{}
	return s
}

func (s *section) joined(config any) *value.Dict {
	switch c := config.(type) {
	case nil:
	case *value.Dict:
		return c
	case *value.List:
		all := &value.Dict{}
		for _, item := range c.Items {
			d, ok := item.(*value.Dict)
			if !ok {
				s.wrong("", "want a list of dicts of one key each, got %s in it", value.Kind(item))
				continue
			}
			for k, v := range d.All() {
				_ = all.Set(k, v) // it was a key already
			}
		}
		return all
	default:
		s.wrong("", "want a dict or a list of dicts, got %s", value.Kind(config))
	}
	return &value.Dict{}
}

// wrong notes a mistake in the value of a key, or in the section itself where key is "".
func (s *section) wrong(key, format string, args ...any) {
	m := &Mistake{Key: slices.Clone(s.key), Text: fmt.Sprintf(format, args...)}
	if key != "" {
		m.Key = append(m.Key, key)
	}
	*s.errs = append(*s.errs, m)
}

func (s *section) has(key string) bool {
	_, ok := s.d.Get(key)
	return ok
}

// any is the value of a key, nil where it is not there.
func (s *section) any(key string) any {
	s.read[key] = true
	v, _ := s.d.Get(key)
	return v
}

// read calls a conversion with the value of a key that is there; what else stays as it was.
func convert[T any](s *section, key string, def T, to func(module.Value) (T, error)) T {
	v := s.any(key)
	if v == nil {
		return def
	}
	got, err := to(module.Data(v))
	if err != nil {
		s.wrong(key, "%v", err)
		return def
	}
	return got
}

func (s *section) bool(key string, def bool) bool { return convert(s, key, def, module.Value.Bool) }

func (s *section) text(key, def string) string { return convert(s, key, def, module.Value.Str) }

func (s *section) number(key string, def float64) float64 {
	return convert(s, key, def, percent)
}

// percent reads a number that may have a % behind it.
func percent(v module.Value) (float64, error) {
	if text, ok := v.Data.(string); ok {
		v = module.Data(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	}
	return v.Float()
}

// duration reads a number of seconds, or text such as 5m.
func (s *section) duration(key string, def time.Duration) time.Duration {
	return convert(s, key, def, module.Value.Duration)
}

// list is the items of a list; one value alone is a list of it.
func (s *section) list(key string) []any {
	switch v := s.any(key).(type) {
	case nil:
		return nil
	case *value.List:
		return v.Items
	case *value.Dict:
		s.wrong(key, "want a list, got a dict")
		return nil
	default:
		return []any{v}
	}
}

func (s *section) texts(key string) []string {
	var all []string
	for _, item := range s.list(key) {
		text, err := module.Data(item).Str()
		if err != nil {
			s.wrong(key, "%v", err)
			continue
		}
		all = append(all, text)
	}
	return all
}

// sub is the dict, or list of dicts, of a key; an empty one where there is none.
func (s *section) sub(key string) *section { return s.under(key, s.any(key)) }

// under is a section of a value that lies under a key.
func (s *section) under(key string, v any) *section {
	sub := &section{key: append(slices.Clone(s.key), key), read: map[string]bool{}, errs: s.errs}
	sub.d = sub.joined(v)
	return sub
}

// each calls f with every key that was not read yet, in order, and its value.
func (s *section) each(f func(key string, v any)) {
	for k, v := range s.d.All() {
		key := value.KeyText(k)
		if !s.read[key] {
			s.read[key] = true
			f(key, v)
		}
	}
}

// end notes the keys that nothing has read.
func (s *section) end() {
	var known []string
	for k := range s.read {
		known = append(known, k)
	}
	slices.Sort(known)
	s.each(func(key string, _ any) { s.wrong(key, "there is no such key%s", spell.DidYouMean(key, known)) })
}

// err is all mistakes that were noted.
func (s *section) err() error { return errors.Join(*s.errs...) }
