// Package repo reads and writes the files that tell package managers where packages come from, and the keys that these
// are signed with. What it does not know of a file stays as it is.
package repo

import (
	"fmt"
	"slices"
	"strings"
)

// A Source is a repository of apt: a line of a .list file, or a stanza of a .sources file.
type Source struct {
	Types    []string // deb, deb-src
	URIs     []string
	Suites   []string
	Comps    []string
	Options  []Option // such as arch and signed-by, in their order
	Disabled bool
	Comment  string
}

// An Option is one of a source. Its name is that of .list files.
type Option struct{ Name, Value string }

// Option returns the value of an option.
func (s *Source) Option(name string) string {
	for _, o := range s.Options {
		if o.Name == name {
			return o.Value
		}
	}
	return ""
}

// Set sets an option; "" takes it away.
func (s *Source) Set(name, val string) {
	i := slices.IndexFunc(s.Options, func(o Option) bool { return o.Name == name })
	switch {
	case i >= 0 && val == "":
		s.Options = slices.Delete(s.Options, i, i+1)
	case i >= 0:
		s.Options[i].Value = val
	case val != "":
		s.Options = append(s.Options, Option{name, val})
	}
}

// Clone returns a copy that shares nothing.
func (s *Source) Clone() *Source {
	c := *s
	c.Types, c.URIs, c.Suites = slices.Clone(s.Types), slices.Clone(s.URIs), slices.Clone(s.Suites)
	c.Comps, c.Options = slices.Clone(s.Comps), slices.Clone(s.Options)
	return &c
}

// Matches says whether two sources are of the same repository, whatever components and options they name.
func (s *Source) Matches(o *Source) bool {
	return overlap(s.Types, o.Types) && overlap(trimmed(s.URIs), trimmed(o.URIs)) && overlap(s.Suites, o.Suites) &&
		(len(s.Comps) == 0 || len(o.Comps) == 0 || overlap(s.Comps, o.Comps))
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

func trimmed(uris []string) []string {
	out := make([]string, len(uris))
	for i, u := range uris {
		out[i] = strings.TrimRight(u, "/")
	}
	return out
}

// ParseLine reads a line such as "deb [arch=amd64] http://deb.debian.org/debian bookworm main # comment". One behind a
// number sign is a source that is disabled.
func ParseLine(line string) (*Source, error) {
	s := &Source{}
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, "#") {
		s.Disabled = true
		text = strings.TrimLeft(text, "# \t")
	}
	text, s.Comment, _ = strings.Cut(text, "#")
	s.Comment = strings.TrimSpace(s.Comment)
	kind, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if kind != "deb" && kind != "deb-src" {
		return nil, fmt.Errorf("want a line such as \"deb http://deb.debian.org/debian bookworm main\", got %q", line)
	}
	s.Types = []string{kind}
	rest = strings.TrimSpace(rest)
	if options, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(rest, "[") {
		for _, o := range strings.Fields(options[1:]) {
			name, val, _ := strings.Cut(o, "=")
			s.Options = append(s.Options, Option{strings.ToLower(name), val})
		}
		rest = after
	}
	f := strings.Fields(rest)
	if len(f) < 1 {
		return nil, fmt.Errorf("want a line such as \"deb http://deb.debian.org/debian bookworm main\", got %q", line)
	}
	s.URIs = f[:1]
	if len(f) > 1 {
		s.Suites, s.Comps = f[1:2], f[2:]
	}
	return s, nil
}

// Line writes a source as a line of a .list file.
func (s *Source) Line() string {
	var b strings.Builder
	if s.Disabled {
		b.WriteString("# ")
	}
	b.WriteString(s.Types[0])
	if len(s.Options) > 0 {
		b.WriteString(" [")
		for i, o := range s.Options {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(o.Name + "=" + o.Value)
		}
		b.WriteByte(']')
	}
	for _, part := range slices.Concat(s.URIs[:1], s.Suites, s.Comps) {
		b.WriteString(" " + part)
	}
	if s.Comment != "" {
		b.WriteString(" # " + s.Comment)
	}
	return b.String()
}

// An Entry is a piece of a file: a source, or text that is none and stays as it is.
type Entry struct {
	Source *Source
	text   string // with the newline at its end
	fresh  bool   // the source is written anew
}

// Update puts another source in the place of an entry's.
func (e *Entry) Update(s *Source) { e.Source, e.fresh = s, true }

// ParseList reads a .list file.
func ParseList(data string) (all []*Entry) {
	for line := range strings.Lines(data) {
		e := &Entry{text: line}
		if s, err := ParseLine(line); err == nil && len(s.Suites) > 0 && strings.Contains(s.URIs[0], ":") {
			e.Source = s
		}
		all = append(all, e)
	}
	return all
}

// WriteList writes a .list file.
func WriteList(all []*Entry) string {
	return write(all, func(s *Source, _ string) string { return s.Line() + "\n" }, "")
}

func write(all []*Entry, format func(s *Source, old string) string, between string) string {
	var b strings.Builder
	for _, e := range all {
		text := e.text
		if e.fresh {
			text = format(e.Source, e.text)
		}
		if text == "" {
			continue
		}
		if have := b.String(); have != "" && !strings.HasSuffix(have, "\n") {
			b.WriteByte('\n')
		}
		if have := b.String(); e.fresh && between != "" && have != "" && !strings.HasSuffix(have, "\n"+between) {
			b.WriteString(between)
		}
		b.WriteString(text)
	}
	return b.String()
}

// HasSources says whether a source, if only a disabled one, is left among entries.
func HasSources(all []*Entry) bool {
	return slices.ContainsFunc(all, func(e *Entry) bool { return e.Source != nil })
}
