package slsutil

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"brine/states/jinja/dump"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

func isYamlex(renderer string) bool {
	return renderer[strings.LastIndex(renderer, "|")+1:] == "yamlex" || strings.HasPrefix(renderer, "yamlex_")
}

// layout is how Python's json module writes.
type layout struct {
	indent    string
	lines     bool
	sorted    bool
	asciiOnly bool
}

func writeJSON(v any, options *value.Dict) (string, error) {
	l := layout{}
	for k, o := range options.All() {
		var err error
		switch name := k.(string); name {
		case "indent":
			l.lines, l.indent, err = readIndent(o)
		case "sort_keys":
			l.sorted, err = module.Data(o).Bool()
		case "ensure_ascii":
			l.asciiOnly, err = module.Data(o).Bool()
		default:
			err = fmt.Errorf("unknown%s", module.DidYouMean(name, []string{"indent", "sort_keys", "ensure_ascii"}))
		}
		if err != nil {
			return "", fmt.Errorf("cannot serialize to json: option %q: %w", k, err)
		}
	}
	var b strings.Builder
	if err := l.write(&b, v, "\n", 0); err != nil {
		return "", fmt.Errorf("cannot serialize to json: %w", err)
	}
	return b.String(), nil
}

func readIndent(o any) (lines bool, indent string, err error) {
	if o == nil {
		return false, "", nil
	}
	if s, ok := o.(string); ok {
		return true, s, nil
	}
	n, ok := o.(int64)
	if !ok || n < 0 || n > 100 {
		return false, "", module.Data(o).Want("a number of blanks")
	}
	return true, strings.Repeat(" ", int(n)), nil
}

const maxDepth = 500

func (l layout) write(b *strings.Builder, v any, margin string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it has more than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case *value.Dict:
		return l.writeDict(b, v, margin, depth)
	case *value.List:
		return l.writeItems(b, v.Items, margin, depth)
	case value.Tuple:
		return l.writeItems(b, v, margin, depth)
	case *value.Set:
		return l.writeItems(b, v.Items(), margin, depth)
	}
	return l.scalar(b, v)
}

func (l layout) scalar(b *strings.Builder, v any) error {
	text, err := value.MarshalJSON(v)
	if err != nil {
		return err
	}
	for _, r := range string(text) {
		switch {
		case !l.asciiOnly || r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	return nil
}

// members writes n members between brackets.
func (l layout) members(b *strings.Builder, brackets string, n int, margin string, member func(i int, margin string) error) error {
	b.WriteByte(brackets[0])
	inner := margin + l.indent
	for i := range n {
		switch {
		case i > 0 && l.lines:
			b.WriteString(",")
		case i > 0:
			b.WriteString(", ")
		}
		if l.lines {
			b.WriteString(inner)
		}
		if err := member(i, inner); err != nil {
			return err
		}
	}
	if l.lines && n > 0 {
		b.WriteString(margin)
	}
	b.WriteByte(brackets[1])
	return nil
}

func (l layout) writeItems(b *strings.Builder, items []any, margin string, depth int) error {
	return l.members(b, "[]", len(items), margin, func(i int, margin string) error {
		return l.write(b, items[i], margin, depth+1)
	})
}

func (l layout) writeDict(b *strings.Builder, d *value.Dict, margin string, depth int) error {
	keys := d.Keys()
	if l.sorted {
		sortKeys(keys)
	}
	return l.members(b, "{}", len(keys), margin, func(i int, margin string) error {
		if err := l.scalar(b, value.KeyText(keys[i])); err != nil {
			return err
		}
		b.WriteString(": ")
		v, _ := d.Get(keys[i])
		return l.write(b, v, margin, depth+1)
	})
}

// sortKeys orders numbers before text.
func sortKeys(keys []any) {
	slices.SortStableFunc(keys, func(a, b any) int {
		x, err1 := module.Data(a).Float()
		y, err2 := module.Data(b).Float()
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
}

// ofLayout are PyYAML's options that change nothing of what is read back, and are not followed.
var ofLayout = []string{"allow_unicode", "canonical", "default_style", "encoding", "explicit_end", "explicit_start",
	"indent", "line_break", "width"}

// writeYAML writes as Salt's serializer does, byte for byte.
func writeYAML(v any, options *value.Dict) (string, error) {
	write := dump.YAMLMixed
	v, err := value.Unordered(v) // Salt's serializer orders by key what its filter yaml leaves in order
	if err != nil {
		return "", fmt.Errorf("cannot serialize to yaml: %w", err)
	}
	for k, o := range options.All() {
		switch name := k.(string); {
		case name == "sort_keys":
			var sorted bool
			if sorted, err = module.Data(o).Bool(); err == nil && !sorted {
				v, err = value.Ordered(v)
			}
		case name == "default_flow_style" && o != nil:
			var flow bool
			flow, err = module.Data(o).Bool()
			write = func(v any) (string, error) { return dump.YAML(v, flow) }
		case name != "default_flow_style" && !slices.Contains(ofLayout, name):
			err = fmt.Errorf("unknown%s", module.DidYouMean(name, append([]string{"default_flow_style", "sort_keys"}, ofLayout...)))
		}
		if err != nil {
			return "", fmt.Errorf("cannot serialize to yaml: option %q: %w", k, err)
		}
	}
	text, err := write(v)
	if err != nil {
		return "", fmt.Errorf("cannot serialize to yaml: %w", err)
	}
	return text, nil
}

func readYAML(text string) (any, error) {
	n, err := yaml.Parse("text", []byte(text))
	if err != nil {
		return nil, err
	}
	return n.Data(), nil
}
