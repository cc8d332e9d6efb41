package dump

import (
	"strings"

	"brine/states/value"
)

// Plain is a scalar that is written as it is, without quotes, such as a date.
type Plain string

// YAMLOptions are those of PyYAML's dump. The zero value writes as Salt's serializer does when it is told nothing.
type YAMLOptions struct {
	Flow    *bool  // all in flow style, or nothing; nil: what holds nothing but scalars
	Style   byte   // how scalars are written: ' " | > or 0 for what fits
	Indent  int    // of each level, from 2 to 9; others are 2
	Width   int    // where lines are broken; negative: nowhere, 0 is 80
	Unicode bool   // characters that ASCII has not are written as they are
	Start   bool   // begin with ---
	Version string // of YAML, such as 1.1, to begin with; "" is none
	Break   string // ends lines; "" is a newline
	Ordered bool   // keys stay in their order
}

// YAMLWith writes a value as PyYAML does with libyaml, without the end of the last line.
func YAMLWith(v any, o YAMLOptions) (string, error) {
	set := value.Unordered
	if o.Ordered {
		set = value.Ordered
	}
	v, err := set(v)
	if err != nil {
		return "", err
	}
	r := &representer{nodes: map[any]*node{}, mixed: o.Flow == nil, flow: o.Flow != nil && *o.Flow}
	n, err := r.node(v, 0)
	if err != nil {
		return "", err
	}
	restyle(n, o.Style, map[*node]bool{})
	if r.mixed {
		mix(n, map[*node]bool{})
	}
	r.number(n, map[*node]bool{})
	e := o.emitter()
	if o.Version != "" {
		e.indicator("%YAML "+o.Version, true, false, false)
		e.newLine()
	}
	if o.Start || o.Version != "" {
		e.indicator("---", true, false, false)
	}
	e.node(n, false, false)
	if e.column > 0 || !e.indention {
		e.lineBreak()
	}
	return strings.TrimSuffix(e.b.String(), "\n"), nil
}

func (o YAMLOptions) emitter() *emitter {
	e := newEmitter()
	e.ascii = !o.Unicode
	if o.Indent >= 2 && o.Indent <= 9 {
		e.step = o.Indent
	}
	if o.Width < 0 || o.Width > 2*e.step {
		e.width = o.Width
	}
	if o.Width < 0 {
		e.width = 1 << 30
	}
	if o.Break != "" {
		e.end = o.Break
	}
	return e
}

// restyle gives all scalars a style but those that have one.
func restyle(n *node, style byte, seen map[*node]bool) {
	if style == 0 || seen[n] {
		return
	}
	seen[n] = true
	if n.kind == 's' && n.style == 0 {
		n.style = style
	}
	for _, in := range n.items {
		restyle(in, style, seen)
	}
}
