// Package yaml reads YAML 1.1 as Salt does: yes and no are bools, 0644 is 644,
// 1e3 and dates stay strings, a key that stands twice is an error, the order of
// keys is kept. Every value knows its place and the text that it was written as.
package yaml

// A Kind says what a Node holds.
type Kind uint8

// The kinds of nodes. The last two only come from the tags !!set and !!pairs.
const (
	ScalarNode Kind = iota
	SequenceNode
	MappingNode
	SetNode
	PairsNode
)

// String returns the kind as messages name it.
func (k Kind) String() string {
	return [...]string{"scalar", "list", "mapping", "set", "list of pairs"}[k]
}

// A Node is one value of a document and the place it was read from. Nodes are
// not changed after Parse; an alias gives the very node that its anchor names.
type Node struct {
	Kind   Kind
	Line   int     // from 1
	Column int     // from 1, in characters
	Value  any     // of a scalar: nil, bool, int64, *big.Int, float64, string or []byte
	Text   string  // of a scalar: its text before it was resolved, without quotes
	Quoted bool    // of a scalar: it stood in quotes or as a block of lines
	Items  []*Node // of a sequence, and the members of a set
	Pairs  []Pair  // of a mapping, in order, and of a list of pairs
	Twice  []Pair  // of a mapping: what stands under a key that Pairs has already, which is an error

	shared bool // reached by an alias or a merge: its data is one object
}

// A Pair is an entry of a mapping.
type Pair struct {
	Key, Value *Node
}

// Get returns the value of the key whose value is the string key, or nil.
func (n *Node) Get(key string) *Node {
	for _, p := range n.Pairs {
		if p.Key.Value == key {
			return p.Value
		}
	}
	return nil
}

// IsNull reports whether the node is the scalar null.
func (n *Node) IsNull() bool { return n.Kind == ScalarNode && n.Value == nil }

// Str returns the string that a scalar holds; false when it holds something else.
func (n *Node) Str() (string, bool) {
	s, ok := n.Value.(string)
	return s, ok && n.Kind == ScalarNode
}

// TypeName names what the node holds for people: "string", "int", "list" ...
func (n *Node) TypeName() string {
	if n.Kind != ScalarNode {
		return n.Kind.String()
	}
	switch n.Value.(type) {
	case nil:
		return "nothing"
	case bool:
		return "bool"
	case string:
		return "string"
	case float64:
		return "float"
	case []byte:
		return "bytes"
	}
	return "int"
}
