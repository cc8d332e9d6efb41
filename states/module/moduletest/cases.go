package moduletest

import (
	"fmt"
	"strings"

	"brine/states/module"
	"brine/states/yaml"
)

// An example is one ID of a state's example.
type example struct {
	id string
	in module.Input
}

// declarations reads an example: a piece of an SLS file that declares the state once or more.
func declarations(name, text string) ([]example, error) {
	want := fmt.Sprintf("set Example: a piece of an SLS file that declares %s once or more", name)
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("%s", want)
	}
	doc, err := yaml.Parse("Example", []byte(strings.ReplaceAll(text, "\t", "")))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %v", want, err)
	case doc.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%s, not a %s", want, doc.TypeName())
	}
	var all []example
	for _, p := range doc.Pairs {
		id := fmt.Sprint(p.Key.Value)
		body := p.Value.Get(name)
		if body == nil && p.Value.Value != name {
			return nil, fmt.Errorf("%s: %q is something else", want, id)
		}
		in, err := input(id, body)
		if err != nil {
			return nil, err
		}
		all = append(all, example{id, in})
	}
	return all, nil
}

// cases reads the further pieces of SLS files of a module's test: those that declare the state.
func cases(name, text string) (all []example, err error) {
	doc, err := yaml.Parse("Cases", []byte(strings.ReplaceAll(text, "\t", "")))
	if err != nil || doc.Kind != yaml.MappingNode {
		return nil, err
	}
	for _, p := range doc.Pairs {
		id := fmt.Sprint(p.Key.Value)
		body := p.Value.Get(name)
		if body == nil {
			continue
		}
		in, err := input(id, body)
		if err != nil {
			return nil, err
		}
		all = append(all, example{id, in})
	}
	return all, nil
}

// name is the name argument, which is the ID where none is given.
func (e *example) name() string {
	for _, a := range e.in.Args {
		if text, ok := a.Value.Data.(string); ok && a.Name == "name" {
			return text
		}
	}
	return e.id
}

func input(id string, body *yaml.Node) (module.Input, error) {
	in := module.Input{}
	named := false
	if body != nil {
		for _, item := range body.Items {
			if item.Kind != yaml.MappingNode || len(item.Pairs) != 1 {
				return in, fmt.Errorf("example %q: line %d is no argument such as \"- name: value\"", id, item.Line)
			}
			p := item.Pairs[0]
			key := fmt.Sprint(p.Key.Value)
			named = named || key == "name"
			in.Args = append(in.Args, module.Arg{Name: key, Value: module.Node(p.Value)})
		}
	}
	if !named {
		in.Args = append(in.Args, module.Arg{Name: "name", Value: module.Data(id)})
	}
	return in, nil
}
