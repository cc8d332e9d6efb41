package module

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/value"
)

// A Told is an argument that is known only when the program runs, as those of executables are.
type Told struct {
	Name     string
	Doc      string
	Type     string // one of ToldTypes; "" is anything
	Required bool
	Default  any  // one of package value's; nil for none
	Rest     bool // takes all further positional arguments
	Named    bool // takes all further named arguments
}

// toldTypes are the words for types, those of documentation first.
var toldTypes = sync.OnceValue(func() [][]string {
	return [][]string{
		{"anything", "any", "object"}, {"text", "str", "string"}, {"boolean", "bool"}, {"integer", "int"},
		{"number", "float"}, {"seconds", "duration"}, {"list", "array"}, {"map", "dict"}, {"list of text"},
	}
})

func toldType(word string) (name string, t reflect.Type) {
	for _, words := range toldTypes() {
		for _, w := range words {
			if w == word {
				name = words[0]
			}
		}
	}
	switch name {
	case "text":
		t = reflect.TypeFor[string]()
	case "boolean":
		t = reflect.TypeFor[bool]()
	case "integer":
		t = reflect.TypeFor[int64]()
	case "number":
		t = reflect.TypeFor[float64]()
	case "seconds":
		t = durationType
	case "list":
		t = listType
	case "map":
		t = dictType
	case "list of text":
		t = reflect.TypeFor[[]string]()
	case "anything":
		t = reflect.TypeFor[any]()
	}
	return name, t
}

var toldName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// ParamsTold makes the arguments of a function or state. The error has every mistake in them.
func ParamsTold(told []Told) ([]Param, error) {
	var errs []error
	params := make([]Param, 0, len(told))
	rest, named := false, false
	for _, t := range told {
		p, err := t.param()
		if err != nil {
			errs = append(errs, err)
		}
		for _, q := range params {
			if q.Name == p.Name {
				errs = append(errs, fmt.Errorf("argument %q stands twice", p.Name))
			}
		}
		if p.Rest && rest || p.Named && named {
			errs = append(errs, fmt.Errorf("argument %q: another one takes all further ones already", p.Name))
		}
		rest, named = rest || p.Rest, named || p.Named
		params = append(params, p)
	}
	return params, errors.Join(errs...)
}

func (t Told) param() (Param, error) {
	p := Param{Name: t.Name, Doc: t.Doc, Required: t.Required, Rest: t.Rest, Named: t.Named}
	if !toldName().MatchString(t.Name) {
		return p, fmt.Errorf("argument %q: want a name of letters, digits and _", t.Name)
	}
	word := t.Type
	switch {
	case t.Rest && t.Named:
		return p, fmt.Errorf("argument %q: it takes further ones by position or by name, not both", t.Name)
	case t.Required && t.Default != nil:
		return p, fmt.Errorf("argument %q: what is required has no default", t.Name)
	case t.Rest:
		p.Type, p.told = "list of anything", reflect.TypeFor[[]any]()
		return p, nil
	case t.Named:
		p.Type, p.told = "map", dictType
		return p, nil
	case word == "":
		word = "anything"
	}
	if p.Type, p.told = toldType(word); p.told == nil {
		var known, first []string
		for _, words := range toldTypes() {
			known, first = append(known, words...), append(first, words[0])
		}
		return p, fmt.Errorf("argument %q: unknown type %q%s (known: %s)", t.Name, word, spell.DidYouMean(word, known), strings.Join(first, ", "))
	}
	return p, p.setDefault(t.Default)
}

func (p *Param) setDefault(v any) error {
	if v == nil {
		return nil
	}
	p.def = Data(v)
	if err := assign(reflect.New(p.told).Elem(), p.def); err != nil {
		return fmt.Errorf("argument %q: default: %w", p.Name, err)
	}
	text, isText := v.(string)
	if !isText || text == "" {
		data, err := value.MarshalJSON(v)
		if err != nil {
			return fmt.Errorf("argument %q: default: %w", p.Name, err)
		}
		text = string(data)
	}
	p.Default = text
	return nil
}

func fieldsOf(params []Param) []reflect.Value {
	fields := make([]reflect.Value, len(params))
	for i := range params {
		fields[i] = reflect.New(params[i].told).Elem()
	}
	return fields
}

// given are the arguments by name. One that was not given, and has no default, is nothing.
func (b *binding) given() *value.Dict {
	d := &value.Dict{}
	for i := range b.params {
		p := &b.params[i]
		field := b.told[i]
		switch {
		case p.Rest:
			d.Put(p.Name, value.NewList(field.Interface().([]any)...))
		case p.Named && field.IsNil():
			d.Put(p.Name, &value.Dict{})
		case p.Named:
			d.Put(p.Name, field.Interface())
		case b.set[i] == "" && p.Default == "":
			d.Put(p.Name, nil)
		default:
			d.Put(p.Name, plainOf(field))
		}
	}
	return d
}

func plainOf(field reflect.Value) any {
	switch v := field.Interface().(type) {
	case time.Duration:
		return v.Seconds()
	case []string:
		list := value.NewList()
		for _, s := range v {
			list.Items = append(list.Items, s)
		}
		return list
	default:
		return v
	}
}

// CallTold makes Code of a function that gets its arguments by name, each of params.
func CallTold(params []Param, f func(context.Context, *host.Host, *value.Dict) (any, error)) Code {
	return Code{function{toldBinder(params), reflect.ValueOf(f)}}
}

// LookTold makes a Planner of a function that looks at the host and never changes it; see CallTold.
func LookTold(params []Param, f func(context.Context, *host.Host, *value.Dict) (Plan, error)) Planner {
	return Planner{function{toldBinder(params), reflect.ValueOf(f)}}
}

// ReactTold makes a Watcher; see LookTold and React.
func ReactTold(params []Param, f func(context.Context, *host.Host, *value.Dict, []string) (Plan, error)) Watcher {
	return Watcher{function{toldBinder(params), reflect.ValueOf(f)}}
}

func toldBinder(params []Param) *binder {
	return &binder{dictType, func() []Param { return params }}
}
