package jinja

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// functions is the variable salt: salt['test.ping'](), salt.test.ping().
type functions struct {
	*run
	module string // of salt.module, or ""
}

func (s *functions) TypeName() string { return "salt.utils.templates.AliasedLoader" }

func (s *functions) Attr(name string) (any, bool) {
	if s.module == "" {
		if name == "get" {
			return python.Builtin("get", s.get), true
		}
		return &functions{s.run, name}, !strings.HasPrefix(name, "_") && !strings.Contains(name, ".")
	}
	return s.find(s.module + "." + name)
}

func (s *functions) find(name string) (any, bool) {
	if s.env.Has != nil && !s.env.Has(name) {
		return nil, false
	}
	return &function{s.run, name}, true
}

func (s *functions) get(a python.Args) (any, error) {
	if len(a.Pos) == 0 {
		return nil, python.Errorf("TypeError", "get expected at least 1 argument, got 0")
	}
	if v, ok, _ := s.Index(a.Pos[0]); ok {
		return v, nil
	}
	if len(a.Pos) > 1 {
		return a.Pos[1], nil
	}
	return nil, nil
}

// Index is salt[name].
func (s *functions) Index(key any) (any, bool, error) {
	name, ok := python.Text(key)
	if !ok {
		return nil, false, nil
	}
	if s.module != "" {
		name = s.module + "." + name
	}
	if !strings.Contains(name, ".") {
		return &functions{s.run, name}, true, nil
	}
	v, ok := s.find(name)
	return v, ok, nil
}

// Has is "name in salt".
func (s *functions) Has(key any) bool {
	name, ok := python.Text(key)
	return ok && strings.Contains(name, ".") && (s.env.Has == nil || s.env.Has(name))
}

// A function is one function of Salt's.
type function struct {
	*run
	name string
}

func (s *function) TypeName() string             { return "function" }
func (s *function) Attr(name string) (any, bool) { return s.name, name == "__name__" }

func (s *function) Call(a python.Args) (any, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if s.env.Call == nil {
		return nil, python.Errorf("RuntimeError", "there are no functions here: cannot call %s", s.name)
	}
	args := make([]any, len(a.Pos))
	for i, v := range a.Pos {
		p, err := plain(v)
		if err != nil {
			return nil, err
		}
		args[i] = p
	}
	kwargs := &value.Dict{}
	for _, n := range a.Named {
		p, err := plain(n.Value)
		if err != nil {
			return nil, err
		}
		kwargs.Put(n.Name, p)
	}
	v, err := s.env.Call(s.ctx, s.name, args, kwargs)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// plain makes of an argument what functions know: views, ranges and generators become lists.
// Lists and dicts stay the same objects.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case python.Markup:
		return string(v), nil
	case python.View, python.Range, *python.Generator:
		items, err := python.Items(v)
		return &value.List{Items: items}, err
	}
	return v, nil
}
