package file

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// contentsArgs say content in the state itself.
type contentsArgs struct {
	Contents  contents `arg:"contents" doc:"the content: text, or a list of lines"`
	Pillar    []string `arg:"contents_pillar" doc:"take the content from this key of pillar, as in app:key; of a list one after another"`
	Grains    []string `arg:"contents_grains" doc:"take the content from this grain, in the same way"`
	Newline   bool     `arg:"contents_newline" default:"true" doc:"end the content with a newline; false: end it without any"`
	Delimiter string   `arg:"contents_delimiter" default:":" doc:"what stands between the keys of contents_pillar and contents_grains"`
	Empty     bool     `arg:"allow_empty" default:"true" doc:"false: content that is empty is a mistake"`
	Encoding  encoding `arg:"encoding" default:"utf-8" doc:"how text becomes bytes: utf-8, ascii, latin-1, utf-16, utf-16-le, utf-16-be"`
	Errors    string   `arg:"encoding_errors" default:"strict" doc:"what is done with characters that encoding has not: strict, ignore, replace"`
}

// contents are the lines of a file; nil when they are not given.
type contents struct{ parts []string }

func (c *contents) ArgType() string { return "text or list of text" }

func (c *contents) ParseArg(v module.Value) error {
	items, isList := v.Items()
	if !isList {
		items = []module.Value{v}
	}
	c.parts = make([]string, 0, len(items))
	var errs []error
	for i, item := range items {
		line, err := item.Str()
		if err != nil && isList {
			err = fmt.Errorf("line %d: %w", i+1, err)
		}
		errs = append(errs, err)
		c.parts = append(c.parts, line)
	}
	return errors.Join(errs...)
}

// stated returns the content that is said in the state; nil when none is.
func (a *contentsArgs) stated(h *host.Host) (*wanted, error) {
	from, parts, err := a.where(h)
	if parts == nil || err != nil {
		return nil, err
	}
	text := a.join(parts)
	if text == "" && !a.Empty {
		return nil, fmt.Errorf("cannot take %s: it is empty, and allow_empty is false", from)
	}
	data, err := a.Encoding.encode(text, a.Errors)
	if err != nil {
		return nil, fmt.Errorf("cannot take %s: %w", from, err)
	}
	return inMemory(from, data), nil
}

// single refuses more than one argument that says the content.
func (a *contentsArgs) single() error {
	if given := a.given(); len(given) > 1 {
		return exclude(given[0], given[1])
	}
	return nil
}

// where finds the one argument that says the content.
func (a *contentsArgs) where(h *host.Host) (from string, parts []string, err error) {
	switch {
	case a.Contents.parts != nil:
		return "contents", a.Contents.parts, nil
	case a.Grains != nil:
		return lookedUp("grain", h.Grains, a.Grains, a.Delimiter)
	case a.Pillar == nil:
		return "", nil, nil
	case h.Pillar == nil:
		return "", nil, errors.New("cannot read contents_pillar: this minion has no pillar")
	}
	return lookedUp("pillar", h.Pillar, a.Pillar, a.Delimiter)
}

// given names the arguments that say the content.
func (a *contentsArgs) given() []string {
	var names []string
	for _, arg := range []struct {
		name string
		is   bool
	}{{"contents", a.Contents.parts != nil}, {"contents_pillar", a.Pillar != nil}, {"contents_grains", a.Grains != nil}} {
		if arg.is {
			names = append(names, arg.name)
		}
	}
	return names
}

func lookedUp(what string, in *value.Dict, keys []string, delimiter string) (string, []string, error) {
	var parts []string
	for _, key := range keys {
		v, ok := traverse(in, key, delimiter)
		if !ok {
			return "", nil, fmt.Errorf("cannot take the content of the %s %q: there is none", what, key)
		}
		var c contents
		if err := c.ParseArg(module.Data(v)); err != nil {
			return "", nil, fmt.Errorf("cannot take the content of the %s %q: %w", what, key, err)
		}
		parts = append(parts, c.parts...)
	}
	return what + " " + strings.Join(keys, ", "), parts, nil
}

// traverse follows keys and indexes such as "app:keys:0".
func traverse(in *value.Dict, where, delimiter string) (any, bool) {
	var v any = in
	for key := range strings.SplitSeq(where, delimiter) {
		ok := false
		switch c := v.(type) {
		case *value.Dict:
			v, ok = c.Get(key)
		case *value.List:
			i, err := strconv.Atoi(key)
			if ok = err == nil && i >= 0 && i < len(c.Items); ok {
				v = c.Items[i]
			}
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// join makes the text of its parts as Salt does: each line with a newline alone at its end, the last one too. Binary
// content is left as it is.
func (a *contentsArgs) join(parts []string) string {
	if len(parts) == 1 && strings.Contains(parts[0], "\x00") {
		return parts[0]
	}
	var b strings.Builder
	for _, part := range parts {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "\r\n", "\n"), "\r", "\n")
		b.WriteString(part)
		if part != "" && !strings.HasSuffix(part, "\n") || part == "" && len(parts) > 1 {
			b.WriteByte('\n')
		}
	}
	if !a.Newline {
		return strings.TrimRight(b.String(), "\n")
	}
	return b.String()
}
