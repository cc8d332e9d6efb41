package http

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"brine/states/value"
)

// An element is one of XML with those in it.
type element struct {
	name string
	text string
	in   []*element
}

// readXML reads a document as Salt does: a list of what is in its root.
func readXML(text string) (any, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	root, err := readElement(d, &element{}, 0)
	if err != nil {
		return nil, err
	}
	if len(root.in) == 0 {
		return nil, errors.New("it holds no XML")
	}
	list := value.NewList()
	for _, e := range root.in[0].in {
		list.Items = append(list.Items, e.dict())
	}
	return list, nil
}

const maxDepth = 200

// readElement reads up to the end of an element.
func readElement(d *xml.Decoder, e *element, depth int) (*element, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("its elements lie in one another deeper than %d", maxDepth)
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && depth == 0 {
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			in, err := readElement(d, &element{name: t.Name.Local}, depth+1)
			if err != nil {
				return nil, err
			}
			e.in = append(e.in, in)
		case xml.CharData:
			if len(e.in) == 0 {
				e.text += string(t)
			}
		case xml.EndElement:
			return e, nil
		}
	}
}

// dict is the element by its name when it holds none, and else those in it by their names.
func (e *element) dict() *value.Dict {
	if len(e.in) == 0 {
		return value.NewDict(e.name, e.leaf())
	}
	d := &value.Dict{}
	for _, in := range e.in {
		v := in.leaf()
		if len(in.in) > 0 {
			v = in.dict()
		}
		old, again := d.Get(in.name)
		list, isList := old.(*value.List)
		switch {
		case !again:
			d.Put(in.name, v)
		case isList:
			list.Items = append(list.Items, v)
		default:
			d.Put(in.name, value.NewList(old, v))
		}
	}
	return d
}

func (e *element) leaf() any {
	if e.text == "" {
		return nil
	}
	return e.text
}

// sorted is a dict in order of its keys.
func sorted(d *value.Dict) *value.Dict {
	var names []string
	for k := range d.All() {
		names = append(names, k.(string))
	}
	slices.Sort(names)
	out := &value.Dict{}
	for _, name := range names {
		v, _ := d.Get(name)
		out.Put(name, v)
	}
	return out
}
