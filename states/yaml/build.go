package yaml

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"

	"brine/states/value"
)

const (
	maxDepth    = 1000      // nested collections; beyond it a document is a mistake or an attack
	maxExpanded = 1_000_000 // values after following every alias
	maxErrors   = 100
)

// A builder turns the parser's nodes into ours, resolving tags, merges and
// duplicate keys, and collects every mistake.
type builder struct {
	name   string
	source *source // nil when the document has nothing to look for in it
	done   map[*yaml3.Node]*Node
	open   map[*yaml3.Node]bool
	depth  int
	errs   Errors
	lost   bool // what was read is not all that was written

	anchors map[string]int // the line of each
}

// fail notes a mistake and returns a node to go on with.
func (b *builder) fail(n *yaml3.Node, format string, args ...any) *Node {
	d := &Node{Kind: ScalarNode, Line: n.Line, Column: n.Column}
	b.failAt(d, format, args...)
	return d
}

func (b *builder) failAt(n *Node, format string, args ...any) {
	b.lost = true
	b.note(n, format, args...)
}

// note notes a mistake beside which all is read.
func (b *builder) note(n *Node, format string, args ...any) {
	if len(b.errs) < maxErrors {
		b.errs = append(b.errs, &Error{b.name, n.Line, n.Column, fmt.Sprintf(format, args...)})
	}
}

func (b *builder) node(n *yaml3.Node) *Node {
	if n.Kind == yaml3.AliasNode {
		if b.open[n.Alias] {
			return b.fail(n, "anchor %q contains itself", n.Value)
		}
		target := b.node(n.Alias)
		target.shared = true
		return target
	}
	if d := b.done[n]; d != nil {
		return d
	}
	if b.depth >= maxDepth {
		return b.fail(n, "nested deeper than %d levels", maxDepth)
	}
	b.depth++
	if n.Anchor != "" {
		b.anchor(n)
		b.open[n] = true
	}
	d := b.make(n)
	delete(b.open, n)
	b.depth--
	if n.Anchor != "" {
		b.done[n] = d
	}
	return d
}

// anchor refuses a second anchor of one name, as libyaml does: which one an alias means is for people to guess.
func (b *builder) anchor(n *yaml3.Node) {
	if first := b.anchors[n.Anchor]; first > 0 {
		b.fail(n, "found duplicate anchor '%s': line %d has it already", n.Anchor, first)
		return
	}
	if b.anchors == nil {
		b.anchors = map[string]int{}
	}
	b.anchors[n.Anchor] = n.Line
}

// make builds by the node's tag, as Salt's loader has a constructor for each.
func (b *builder) make(n *yaml3.Node) *Node {
	switch tag := b.tag(n); tag {
	case "!!map", "!!omap":
		return b.collection(n, yaml3.MappingNode, MappingNode)
	case "!!set":
		return b.collection(n, yaml3.MappingNode, SetNode)
	case "!!seq":
		return b.collection(n, yaml3.SequenceNode, SequenceNode)
	case "!!pairs":
		return b.collection(n, yaml3.SequenceNode, PairsNode)
	case "!!str", "!!timestamp", "!!python/unicode", "!!bool", "!!int", "!!float", "!!null", "!!binary":
		if n.Kind != yaml3.ScalarNode {
			return b.fail(n, "expected a scalar node, but found %s", kindName(n))
		}
		return b.scalar(n, tag)
	case "!!value", "!!merge":
		return b.fail(n, "could not determine a constructor for the tag 'tag:yaml.org,2002:%s': write '%s' in quotes",
			tag[2:], n.Value)
	default:
		if rest, ok := strings.CutPrefix(tag, "!!"); ok {
			tag = "tag:yaml.org,2002:" + rest
		}
		return b.fail(n, "could not determine a constructor for the tag '%s'", tag)
	}
}

// tag returns the node's tag; a plain scalar without one has the tag "".
func (b *builder) tag(n *yaml3.Node) string {
	switch {
	case n.Kind == yaml3.MappingNode && n.Style&yaml3.TaggedStyle == 0:
		return "!!map"
	case n.Kind == yaml3.SequenceNode && n.Style&yaml3.TaggedStyle == 0:
		return "!!seq"
	case n.Style&yaml3.TaggedStyle != 0:
		return n.Tag
	case b.nonSpecific(n):
		if n.Value == "" {
			return "!!str"
		}
	case n.Style != 0:
		return "!!str"
	}
	switch n.Value {
	case "=":
		return "!!value"
	case "<<":
		return "!!merge"
	}
	return plainTag(resolve(n.Value))
}

func plainTag(v any) string {
	switch v.(type) {
	case nil:
		return "!!null"
	case bool:
		return "!!bool"
	case float64:
		return "!!float"
	case string:
		return "!!str"
	}
	return "!!int"
}

// nonSpecific reports whether a scalar has the tag "!": then quotes don't make it a string, as libyaml
// has it, but one without any text is. The parser does not tell, so the source is asked.
func (b *builder) nonSpecific(n *yaml3.Node) bool {
	if b.source == nil {
		return false
	}
	text := b.source.from(n.Line, n.Column)
	if n.Anchor != "" && len(text) > 0 && text[0] == '&' {
		blank := slices.IndexFunc(text, isBlank)
		if blank < 0 {
			return false
		}
		for text = text[blank:]; len(text) > 0 && isBlank(text[0]); text = text[1:] {
		}
	}
	// Another tag may be that of what follows an empty value.
	return len(text) > 0 && text[0] == '!' && (len(text) == 1 || strings.ContainsRune(" \t,]}", text[1]))
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

func (b *builder) scalar(n *yaml3.Node, tag string) *Node {
	d := &Node{Kind: ScalarNode, Line: n.Line, Column: n.Column, Text: n.Value, Value: n.Value}
	d.Quoted = n.Style&^yaml3.TaggedStyle != 0
	ok := true
	switch tag {
	case "!!null":
		d.Value = nil
	case "!!bool":
		d.Value, ok = words[strings.ToLower(n.Value)].(bool)
	case "!!int":
		d.Value, ok = parseInt(strings.TrimSpace(n.Value))
	case "!!float":
		d.Value, ok = parseFloat(strings.TrimSpace(n.Value))
	case "!!binary":
		var err error
		d.Value, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		ok = err == nil
	}
	if !ok {
		return b.fail(n, "%q is not a value of the tag %s", clip(n.Value), tag)
	}
	return d
}

func (b *builder) collection(n *yaml3.Node, want yaml3.Kind, kind Kind) *Node {
	if n.Kind != want {
		wanted := "mapping"
		if want == yaml3.SequenceNode {
			wanted = "sequence"
		}
		return b.fail(n, "expected a %s node, but found %s", wanted, kindName(n))
	}
	if n.Style&yaml3.FlowStyle != 0 {
		b.colons(n)
	}
	d := &Node{Kind: kind, Line: n.Line, Column: n.Column}
	switch kind {
	case MappingNode:
		d.Pairs, d.Twice = b.mapping(n)
	case SetNode:
		pairs, _ := b.mapping(n)
		for _, p := range pairs {
			d.Items = append(d.Items, p.Key)
		}
	case SequenceNode:
		d.Items = make([]*Node, len(n.Content))
		for i, c := range n.Content {
			d.Items[i] = b.node(c)
		}
	case PairsNode:
		for _, c := range n.Content {
			if c.Kind != yaml3.MappingNode || len(c.Content) != 2 {
				b.fail(c, "expected a single mapping item in a list of pairs")
				continue
			}
			d.Pairs = append(d.Pairs, Pair{b.node(c.Content[0]), b.node(c.Content[1])})
		}
	}
	return d
}

// colons refuses scalars that end with a colon in brackets or braces, as libyaml does: {a:} means {a: } to who wrote it.
// A key may, when a colon and a value follow.
func (b *builder) colons(n *yaml3.Node) {
	for i, c := range n.Content {
		if c.Kind != yaml3.ScalarNode || c.Style != 0 || !strings.HasSuffix(c.Value, ":") {
			continue
		}
		if n.Kind == yaml3.MappingNode && i%2 == 0 && n.Content[i+1].Value != "" {
			continue
		}
		b.fail(c, "found unexpected ':': write a blank after it, or quotes around %q", clip(c.Value))
	}
}

// mapping builds the entries of a mapping: what "<<" merges stands first, and
// gives way to the mapping's own keys; any other key that stands twice is an error.
func (b *builder) mapping(n *yaml3.Node) (pairs, twice []Pair) {
	merged, own := b.merges(n)
	pairs = own
	if len(merged) > 0 {
		owned := make(map[string]bool, len(own))
		for _, p := range own {
			owned[p.Key.Text] = true
		}
		merged = slices.DeleteFunc(merged, func(p Pair) bool { return owned[p.Key.Text] })
		pairs = append(merged, own...)
	}
	var seen value.Dict
	return slices.DeleteFunc(pairs, func(p Pair) bool {
		unique := b.unique(&seen, p.Key)
		if !unique && p.Key.Kind == ScalarNode {
			twice = append(twice, p)
		}
		return !unique
	}), twice
}

// unique reports whether a key is new among those seen, which is an error if not.
func (b *builder) unique(seen *value.Dict, key *Node) bool {
	if first, ok := seen.Get(key.Value); ok && key.Kind == ScalarNode {
		b.note(key, "found conflicting ID '%s': line %d has it already", pyString(key), first.(*Node).Line)
		return false
	}
	if key.Kind != ScalarNode {
		b.unacceptable(key)
		return false
	}
	_ = seen.Set(key.Value, key) // a scalar is always taken as a key
	return true
}

func (b *builder) merges(n *yaml3.Node) (merged, own []Pair) {
	own = make([]Pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind == yaml3.ScalarNode && b.tag(key) == "!!merge" {
			merged = append(merged, b.merge(val)...)
			continue
		}
		if b.tag(key) == "!!value" && key.Kind == yaml3.ScalarNode {
			k := &Node{Kind: ScalarNode, Line: key.Line, Column: key.Column, Value: "=", Text: "="}
			own = append(own, Pair{k, b.node(val)})
			continue
		}
		own = append(own, Pair{b.node(key), b.node(val)})
	}
	return merged, own
}

// merge returns the entries that the value of a "<<" brings. Of a list the
// last mapping stands first, as in PyYAML.
func (b *builder) merge(n *yaml3.Node) []Pair {
	d := b.node(n)
	switch d.Kind {
	case MappingNode:
		share(d.Pairs)
		return slices.Clone(d.Pairs)
	case SequenceNode:
		var pairs []Pair
		for _, item := range slices.Backward(d.Items) {
			if item.Kind != MappingNode {
				b.failAt(item, "expected a mapping for merging, but found %s", item.Kind)
				continue
			}
			share(item.Pairs)
			pairs = append(pairs, item.Pairs...)
		}
		return pairs
	}
	b.fail(n, "expected a mapping or list of mappings for merging, but found %s", d.Kind)
	return nil
}

func share(pairs []Pair) {
	for _, p := range pairs {
		p.Value.shared = true
	}
}

func (b *builder) unacceptable(key *Node) {
	text := "found unacceptable key: a " + key.Kind.String() + " cannot be a key"
	if key.Kind == MappingNode && b.source != nil && strings.Contains(string(b.source.from(key.Line, 1)), "{{") {
		text += " (a value that begins with {{ is read as a mapping: write it in quotes)"
	}
	b.failAt(key, "%s", text)
}

// pyString returns a key as Salt's messages show it.
func pyString(n *Node) string {
	switch v := n.Value.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case string:
		return clip(v)
	case []byte:
		return clip(n.Text)
	}
	return fmt.Sprint(n.Value)
}

func kindName(n *yaml3.Node) string {
	switch n.Kind {
	case yaml3.MappingNode:
		return "mapping"
	case yaml3.SequenceNode:
		return "sequence"
	}
	return "scalar"
}

// clip keeps what a message shows of a value short.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// expanded returns how many values a node gives when every alias is followed,
// not counting beyond the limit.
func expanded(n *Node, known map[*Node]int) int {
	if size, ok := known[n]; ok {
		return size
	}
	size := 1
	for _, c := range n.Items {
		size = min(size+expanded(c, known), maxExpanded+1)
	}
	for _, p := range n.Pairs {
		size = min(size+1+expanded(p.Value, known), maxExpanded+1)
	}
	if n.shared {
		known[n] = size
	}
	return size
}
