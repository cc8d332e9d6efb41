package library

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// maxRange is the longest range that a template may have, as in Jinja's sandbox.
const maxRange = 100_000

func globalRange(_ Host, c *python.Call) (any, error) {
	var bounds [3]int64
	for i := range bounds {
		if !c.Given(i) {
			continue
		}
		var ok bool
		if bounds[i], ok = python.Int(c.Args[i]); ok {
			continue
		}
		if _, unknown := c.Args[i].(*python.Unknown); !unknown {
			return nil, python.NoInt(c.Args[i])
		}
		bounds[i] = 1
	}
	r := python.Range{Start: bounds[0], Stop: bounds[1], Step: bounds[2]}
	if !c.Given(1) {
		r.Start, r.Stop = 0, bounds[0]
	}
	if r.Step == 0 {
		return nil, python.Errorf("ValueError", "range() arg 3 must not be zero")
	}
	if r.Len() > maxRange {
		return nil, python.Errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return r, nil
}

func globalDict(_ Host, c *python.Call) (any, error) {
	d := &value.Dict{}
	if c.Given(0) {
		if err := python.UpdateDict(d, c.Args[0]); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Named {
		d.Put(n.Name, n.Value)
	}
	return d, nil
}

func globalOdict(h Host, c *python.Call) (any, error) {
	d, err := globalDict(h, c)
	if err != nil {
		return nil, err
	}
	d.(*value.Dict).Ordered = true
	return d, nil
}

func globalRaise(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	return nil, python.Errorf("TemplateError", "%s", s)
}

func globalIfelse(h Host, c *python.Call) (any, error) {
	return h.Salt("match.ifelse", python.Args{Pos: c.Rest, Named: c.Named})
}

func globalContext(h Host, _ *python.Call) (any, error) {
	all := h.Names()
	d := &value.Dict{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d.Put(name, all[name])
	}
	return d, nil
}

func globalNamespace(h Host, c *python.Call) (any, error) {
	d, err := globalDict(h, c)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(*value.Dict)}, nil
}

type namespace struct{ attrs *value.Dict }

func (n *namespace) TypeName() string             { return "jinja2.utils.Namespace" }
func (n *namespace) Attr(name string) (any, bool) { return n.attrs.Get(name) }
func (n *namespace) SetAttr(name string, v any)   { n.attrs.Put(name, v) }

// Wraps says how the namespace is written.
func (n *namespace) Wraps() (before string, inner any, after string) {
	return "<Namespace ", n.attrs, ">"
}

func globalCycler(_ Host, c *python.Call) (any, error) {
	if len(c.Rest) == 0 {
		return nil, python.Errorf("RuntimeError", "at least one item has to be provided")
	}
	return &cycler{items: slices.Clone(c.Rest)}, nil
}

type cycler struct {
	items []any
	at    int
}

func (y *cycler) TypeName() string { return "jinja2.utils.Cycler" }

func (y *cycler) Attr(name string) (any, bool) {
	switch name {
	case "current":
		return y.items[y.at], true
	case "items":
		return value.Tuple(y.items), true
	case "pos":
		return int64(y.at), true
	case "next":
		return python.Builtin(name, func(python.Args) (any, error) {
			v := y.items[y.at]
			y.at = (y.at + 1) % len(y.items)
			return v, nil
		}), true
	case "reset":
		return python.Builtin(name, func(python.Args) (any, error) {
			y.at = 0
			return nil, nil
		}), true
	}
	return nil, false
}

func globalJoiner(_ Host, c *python.Call) (any, error) { return &joiner{sep: c.Args[0]}, nil }

type joiner struct {
	sep  any
	used bool
}

func (j *joiner) TypeName() string { return "jinja2.utils.Joiner" }

func (j *joiner) Attr(name string) (any, bool) {
	switch name {
	case "sep":
		return j.sep, true
	case "used":
		return j.used, true
	}
	return nil, false
}

func (j *joiner) Call(python.Args) (any, error) {
	if !j.used {
		j.used = true
		return "", nil
	}
	return j.sep, nil
}

var lipsumWords = strings.Fields(`a ac accumsan ad adipiscing aenean aliquam aliquet amet ante aptent arcu at auctor augue
bibendum blandit class commodo condimentum congue consectetuer consequat conubia convallis cras cubilia cum curabitur
cursus dapibus diam dictum dignissim dis dolor donec dui duis egestas eget eleifend elementum elit enim erat eros est et
etiam eu euismod facilisi facilisis fames faucibus felis fermentum feugiat fringilla fusce gravida habitant hendrerit`)

func globalLipsum(_ Host, c *python.Call) (any, error) {
	var n [3]int
	for i, arg := range []any{c.Args[0], c.Args[2], c.Args[3]} {
		v, err := intArg(arg)
		if err != nil {
			return nil, err
		}
		n[i] = v
	}
	if n[0] > 1000 || n[2] > 10000 || n[1] < 0 || n[2] <= n[1] {
		return nil, python.Errorf("ValueError", "lipsum() can't write that many words")
	}
	html, err := python.Truth(c.Args[1])
	if err != nil {
		return nil, err
	}
	var paragraphs []string
	for range n[0] {
		var words []string
		for range n[1] + rand.IntN(n[2]-n[1]) {
			words = append(words, lipsumWords[rand.IntN(len(lipsumWords))])
		}
		paragraphs = append(paragraphs, python.Capitalize(strings.Join(words, " "))+".")
	}
	if !html {
		return strings.Join(paragraphs, "\n\n"), nil
	}
	return python.Markup("<p>" + strings.Join(paragraphs, "</p>\n<p>") + "</p>"), nil
}
