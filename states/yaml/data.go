package yaml

import (
	"strings"

	"brine/states/value"
)

// Data returns the plain value of the node: what its scalars mean, *value.List,
// *value.Dict, *value.Set. What is an alias in the document is one object here too.
// Each call makes new objects.
func (n *Node) Data() any { return n.data(map[*Node]any{}) }

func (n *Node) data(made map[*Node]any) any {
	if n.Kind == ScalarNode {
		return n.Value
	}
	if v, ok := made[n]; ok {
		return v
	}
	v := n.collect(made)
	if n.shared {
		made[n] = v
	}
	return v
}

func (n *Node) collect(made map[*Node]any) any {
	switch n.Kind {
	case MappingNode:
		d := &value.Dict{}
		for _, p := range n.Pairs {
			_ = d.Set(p.Key.data(made), p.Value.data(made)) // Parse let only keys through
		}
		return d
	case SetNode:
		s := &value.Set{}
		for _, item := range n.Items {
			_ = s.Add(item.data(made)) // as above
		}
		return s
	case PairsNode:
		l := &value.List{Items: make([]any, len(n.Pairs))}
		for i, p := range n.Pairs {
			l.Items[i] = value.Tuple{p.Key.data(made), p.Value.data(made)}
		}
		return l
	}
	l := &value.List{Items: make([]any, len(n.Items))}
	for i, item := range n.Items {
		l.Items[i] = item.data(made)
	}
	return l
}

// Scalar returns what an argument typed on a command line means: a YAML scalar, or a
// list or mapping in brackets or braces. What can't be read as such is the text itself, so
// that a shell command such as "[ -f /x ] && echo y" needs no further quotes.
func Scalar(text string) any {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "", strings.ContainsAny(text, "\t\r\n"):
		return text
	case strings.Contains(text, "_") && strings.Trim(trimmed, "0123456789_") == "":
		return text // Salt leaves 10_000 alone: it may be a name
	case text == "None":
		return nil
	}
	n, err := Parse("", []byte(text))
	if err != nil {
		return text
	}
	switch n.Kind {
	case ScalarNode:
	case MappingNode:
		if strings.HasPrefix(text, "{") {
			return n.Data()
		}
		return text
	case SequenceNode:
		if strings.HasPrefix(text, "[") {
			return n.Data()
		}
		return text
	default:
		return text
	}
	_, isText := n.Value.(string)
	switch {
	case strings.Contains(text, "#") && (isText || n.Value == nil):
		return text // "#" would begin a comment and the rest be lost
	case (n.Value == "" || n.Value == nil) && strings.ContainsAny(text[:1], "|>!&"):
		return text
	}
	return n.Value
}
