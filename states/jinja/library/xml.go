package library

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// An element is one of XML.
type element struct {
	name     string
	attrs    [][2]string
	text     string
	children []*element
}

func filterXML(_ Host, c *python.Call) (any, error) {
	pairs, err := xmlPairs(c.Args[0])
	if err != nil {
		return nil, err
	}
	root, err := xmlTree(pairs, nil, 0)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, python.Errorf("TemplateRuntimeError", "Value is empty. Cannot render as XML")
	}
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" ?>\n")
	root.write(&b, 0)
	return python.Markup(b.String()), nil
}

func xmlPairs(v any) ([]value.Tuple, error) {
	switch v := v.(type) {
	case *value.Dict:
		var out []value.Tuple
		for k, item := range v.All() {
			out = append(out, value.Tuple{k, item})
		}
		return out, nil
	case *value.List, value.Tuple:
		return nil, nil
	}
	if _, err := python.Defined(v); err != nil {
		return nil, err
	}
	return nil, python.Errorf("TemplateRuntimeError", "Value is not a dict or list. Cannot render as XML")
}

// xmlTree makes elements of pairs of names and values, inside the element given: of a list one each, of a dict
// attributes for its simple values and elements for the others.
func xmlTree(pairs []value.Tuple, in *element, depth int) (*element, error) {
	if depth > 100 {
		return nil, python.Errorf("RecursionError", "a value nested too deep for XML")
	}
	var last *element
	for _, p := range pairs {
		name, err := text(p[0])
		if err != nil {
			return nil, err
		}
		if l, ok := p[1].(*value.List); ok {
			for _, item := range l.Items {
				if last, err = xmlTree([]value.Tuple{{name, item}}, in, depth+1); err != nil {
					return nil, err
				}
			}
			continue
		}
		last = &element{name: name}
		if in != nil {
			in.children = append(in.children, last)
		}
		if err := last.fill(p[1], depth); err != nil {
			return nil, err
		}
	}
	return last, nil
}

func (e *element) fill(v any, depth int) error {
	var err error
	if isText(v) || python.IsNumber(v) {
		e.text, err = text(v)
		return err
	}
	pairs, err := xmlPairs(v)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		switch p[1].(type) {
		case *value.Dict, *value.List:
			if _, err := xmlTree([]value.Tuple{p}, e, depth+1); err != nil {
				return err
			}
			continue
		}
		k, err := text(p[0])
		if err != nil {
			return err
		}
		val, err := text(p[1])
		if err != nil {
			return err
		}
		e.attrs = append(e.attrs, [2]string{k, val})
	}
	return nil
}

var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func (e *element) write(b *strings.Builder, depth int) {
	indent := strings.Repeat(" ", depth)
	b.WriteString(indent + "<" + e.name)
	for _, a := range e.attrs {
		b.WriteString(" " + a[0] + `="` + xmlText.Replace(a[1]) + `"`)
	}
	switch {
	case e.text == "" && len(e.children) == 0:
		b.WriteString("/>\n")
	case len(e.children) == 0:
		b.WriteString(">" + xmlText.Replace(e.text) + "</" + e.name + ">\n")
	default:
		b.WriteString(">\n")
		for _, child := range e.children {
			child.write(b, depth+1)
		}
		b.WriteString(indent + "</" + e.name + ">\n")
	}
}
