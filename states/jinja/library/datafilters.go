package library

import (
	"errors"
	"strings"

	"brine/states/jinja/dump"
	"brine/states/jinja/jmespath"
	"brine/states/jinja/python"
	"brine/states/value"
	"brine/states/yaml"
)

func filterYAML(_ Host, c *python.Call) (any, error) {
	flow, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	s, err := dump.YAML(c.Args[0], flow)
	return python.Markup(s), err
}

func filterJSON(_ Host, c *python.Call) (any, error) {
	sorted, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	indent, err := indentOf(c.Args[2])
	if err != nil {
		return nil, err
	}
	s, err := dump.JSON(c.Args[0], dump.JSONOptions{SortKeys: sorted, Lines: c.Args[2] != nil, Indent: indent})
	return python.Markup(strings.TrimSpace(s)), err
}

func indentOf(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	if s, ok := python.Text(v); ok {
		return s, nil
	}
	n, err := intArg(v)
	return strings.Repeat(" ", min(max(n, 0), 100)), err
}

var htmlJSON = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`)

func filterToJSON(h Host, c *python.Call) (any, error) {
	indent, err := indentOf(c.Args[1])
	if err != nil {
		return nil, err
	}
	s, err := dump.JSON(c.Args[0], dump.JSONOptions{ASCII: true, Lines: c.Args[1] != nil, Indent: indent})
	if h.Escaping() {
		return python.Markup(htmlJSON.Replace(s)), err
	}
	return htmlJSON.Replace(s), err
}

func filterPythonMarkup(_ Host, c *python.Call) (any, error) {
	s, err := dump.Python(c.Args[0])
	return python.Markup(strings.TrimSpace(s)), err
}

func filterSLSParams(_ Host, c *python.Call) (any, error) {
	d, ok := c.Args[0].(*value.Dict)
	if !ok {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		return nil, python.Errorf("TypeError", "dict_to_sls_yaml_params needs a dict, not %s", python.TypeName(c.Args[0]))
	}
	flow, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	l := value.NewList()
	for k, v := range d.All() {
		one := &value.Dict{}
		if err := one.Set(k, v); err != nil {
			return nil, err
		}
		l.Items = append(l.Items, one)
	}
	s, err := dump.YAML(l, flow)
	return python.Markup(s), err
}

// document is the text that a load filter reads.
func document(v any, kind string) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case python.Texter:
		return v.Text()
	}
	if _, err := python.Defined(v); err != nil {
		return "", err
	}
	s, err := text(v)
	if err == nil {
		err = python.Errorf("TemplateRuntimeError", "Unable to load %s from %s", kind, s)
	}
	return "", err
}

func filterLoadYAML(_ Host, c *python.Call) (any, error) {
	if isMarkup(c.Args[0]) {
		// Salt fails here as well, for what it calls no string.
		return nil, python.Errorf("TypeError", "a string or stream input is required: load_yaml can't read what a filter like yaml or json gave")
	}
	s, err := document(c.Args[0], "yaml")
	if err != nil {
		return nil, err
	}
	n, err := yaml.Parse("yaml", []byte(s))
	var all yaml.Errors
	if errors.As(err, &all) {
		lines := make([]string, len(all))
		for i, e := range all {
			lines[i] = "line " + python.Itoa(e.Line) + ": " + e.Text
		}
		return nil, python.Errorf("YAMLError", "cannot load YAML: in %s", strings.Join(lines, "; "))
	}
	if err != nil {
		return nil, err
	}
	return n.Data(), nil
}

func filterLoadJSON(_ Host, c *python.Call) (any, error) {
	var s string
	var err error
	if m, ok := c.Args[0].(python.Markup); ok {
		s = string(m)
	} else if s, err = document(c.Args[0], "json"); err != nil {
		return nil, err
	}
	v, err := value.FromJSON([]byte(s))
	if err != nil {
		return nil, python.Errorf("TemplateRuntimeError", "Unable to load json from %s", s)
	}
	return v, nil
}

func filterLoadText(_ Host, c *python.Call) (any, error) {
	if t, ok := c.Args[0].(python.Texter); ok {
		return t.Text()
	}
	return c.Args[0], nil
}

func filterYAMLDouble(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return dump.YAMLDouble(s), err
}

func filterYAMLSingle(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return dump.YAMLSingle(s), err
}

func filterYAMLEncode(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	s, ok := dump.YAMLScalar(c.Args[0])
	if !ok {
		return nil, python.Errorf("TypeError", "yaml_encode() only works with YAML scalar data; failed for <class '%s'>", python.TypeName(c.Args[0]))
	}
	return s, nil
}

func filterJSONQuery(_ Host, c *python.Call) (any, error) {
	expr, err := text(c.Args[1])
	if err != nil {
		return nil, err
	}
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	return jmespath.Search(expr, c.Args[0])
}

// filterEncode makes bytes of all texts in lists and dicts.
func filterEncode(_ Host, c *python.Call) (any, error) { return encodeTexts(c.Args[0], 0) }

func encodeTexts(v any, depth int) (any, error) {
	if depth > 200 {
		return nil, python.Errorf("RecursionError", "a value nested too deep")
	}
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case *value.List:
		out := value.NewList()
		for _, item := range v.Items {
			e, err := encodeTexts(item, depth+1)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, e)
		}
		return out, nil
	case value.Tuple:
		return encodeTexts(value.NewList(v...), depth)
	case *value.Dict:
		out := &value.Dict{}
		for k, item := range v.All() {
			e, err := encodeTexts(item, depth+1)
			if err != nil {
				return nil, err
			}
			if s, ok := k.(string); ok {
				k = []byte(s)
			}
			if err := out.Set(k, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func filterMySQL(_ Host, c *python.Call) (any, error) {
	lines, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	out := &value.Dict{}
	var headers []string
	for _, l := range lines {
		line, _ := python.Text(l)
		if line == "" || strings.HasPrefix(line, "+") {
			continue
		}
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if headers == nil {
			headers = cells
			continue
		}
		row := &value.Dict{}
		for i := 1; i < len(headers)-1 && i < len(cells); i++ {
			row.Put(headers[i], numberOrText(cells[i]))
		}
		key, ok, err := python.Index(row, c.Args[1])
		if err != nil {
			return nil, err
		}
		if !ok {
			s, _ := python.Repr(c.Args[1])
			return nil, python.Errorf("KeyError", "%s", s)
		}
		if err := out.Set(key, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func numberOrText(s string) any {
	if i, ok := python.ParseInt(s, 10); ok {
		return i
	}
	if f, ok := python.ParseFloat(s); ok {
		return f
	}
	return s
}
