package grains

import (
	"errors"

	"brine/states/value"
	"brine/states/yaml"
)

// dump writes grains as YAML. It fails on what would not be read back as it is.
func dump(d *value.Dict) ([]byte, error) {
	if d.Len() == 0 {
		return nil, nil
	}
	text, err := yaml.Dump(d)
	if err != nil {
		return nil, err
	}
	doc, err := yaml.Parse("", text)
	if err != nil {
		return nil, err
	}
	if !value.Equal(doc.Data(), plain(d)) {
		return nil, errors.New("a value in it cannot be written as YAML")
	}
	return text, nil
}

// plain is a value as it comes back from YAML: tuples and sets are lists there, bytes text.
func plain(v any) any {
	switch v := v.(type) {
	case *value.List:
		return plainItems(v.Items)
	case value.Tuple:
		return plainItems(v)
	case *value.Set:
		return plainItems(v.Items())
	case *value.Dict:
		out := &value.Dict{}
		for k, item := range v.All() {
			_ = out.Set(k, plain(item)) // it was a key already
		}
		return out
	case []byte:
		return string(v)
	}
	return v
}

func plainItems(items []any) *value.List {
	l := value.NewList()
	for _, item := range items {
		l.Items = append(l.Items, plain(item))
	}
	return l
}
