package module

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/states/value"
)

// A Param describes one argument, read from a field of the argument struct:
//
//	Name string `arg:"name,required" doc:"the service"`
//	User string `arg:"runas,alias=user" doc:"who runs it"`
//	Keep bool   `arg:"keep" default:"true" doc:"..."`
//	Rest []any  `arg:"args,rest" doc:"..."`             // all further positional ones
//	More *value.Dict `arg:"kwargs,named" doc:"..."`     // all further named ones; []Arg keeps their source text
//	More *value.Dict `arg:"kwargs,others" doc:"..."`    // those of them that don't look misspelt
//	More *value.Dict `arg:"kwargs,others=template" ...` // those, where the argument template is given
//
// An embedded struct adds its fields in its place. A field's type is string, bool, an integer, float64,
// time.Duration (in seconds), any, *value.Dict, *value.List, a slice of these, a pointer to one (nil
// when the argument is absent) or a type with ParseArg.
type Param struct {
	Name     string
	Aliases  []string
	Doc      string
	Type     string // in words, such as "list of text"
	Required bool
	Default  string // as it would be typed; "" when there is none
	Rest     bool   // takes all further positional arguments
	Named    bool   // takes all further named arguments
	Others   bool   // with Named: but not what looks misspelt, unless the Input is Loose
	With     string // with Others: only where this argument is given

	index []int
	told  reflect.Type // of an argument that is no field; nil for one
	def   Value
	off   bool // a boolean that is false when it is not given
}

// ArgParser is implemented by types that read their own argument. ParseArg's error says what is wanted, such as
// `want a mode such as 0644, got "x"`. ArgType names the type in documentation.
type ArgParser interface {
	ParseArg(v Value) error
	ArgType() string
}

// paramsOf reads an argument struct when its arguments are first asked for. That panics when a field is no argument: our
// own mistake. It is no generic function, so that the program holds it once and not for each struct.
func paramsOf(t reflect.Type) func() []Param {
	return sync.OnceValue(func() []Param { return readParams(t) })
}

func readParams(t reflect.Type) []Param {
	var params []Param
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		p := paramOf(t, f)
		for _, q := range params {
			if q.is(p.Name) {
				panic(fmt.Sprintf("module: %s: argument %q stands twice", t, p.Name))
			}
		}
		params = append(params, p)
	}
	return params
}

func paramOf(t reflect.Type, f reflect.StructField) Param {
	name, options, _ := strings.Cut(f.Tag.Get("arg"), ",")
	p := Param{Name: name, Doc: f.Tag.Get("doc"), Type: typeName(f.Type), index: f.Index}
	if f.Type == argsType && (strings.HasSuffix(options, "named") || strings.HasPrefix(options, "others")) {
		p.Type = "map"
	}
	if name == "" || !f.IsExported() || p.Type == "" {
		panic(fmt.Sprintf("module: %s: field %s is no argument", t, f.Name))
	}
	for option := range strings.SplitSeq(options, ",") {
		key, val, _ := strings.Cut(option, "=")
		switch key {
		case "":
		case "required":
			p.Required = true
		case "rest":
			p.Rest = true
		case "named":
			p.Named = true
		case "others":
			p.Named, p.Others, p.With = true, true, val
		case "alias":
			p.Aliases = append(p.Aliases, val)
		default:
			panic(fmt.Sprintf("module: %s: field %s has an unknown option %q", t, f.Name, option))
		}
	}
	if def, ok := f.Tag.Lookup("default"); ok {
		p.Default, p.def = def, Typed(def)
		if err := assign(reflect.New(f.Type).Elem(), p.def); err != nil {
			panic(fmt.Sprintf("module: %s: default of field %s: %v", t, f.Name, err))
		}
	} else {
		p.off = f.Type.Kind() == reflect.Bool && !p.Required
	}
	return p
}

// is says whether the argument goes by this name.
func (p *Param) is(name string) bool {
	return p.Name == name || slices.Contains(p.Aliases, name)
}

var (
	parserType   = reflect.TypeFor[ArgParser]()
	durationType = reflect.TypeFor[time.Duration]()
	dictType     = reflect.TypeFor[*value.Dict]()
	listType     = reflect.TypeFor[*value.List]()
	argsType     = reflect.TypeFor[[]Arg]()
)

// typeName is how documentation calls a type; "" when it can't be an argument.
func typeName(t reflect.Type) string {
	switch {
	case reflect.PointerTo(t).Implements(parserType):
		return reflect.New(t).Interface().(ArgParser).ArgType()
	case t == durationType:
		return "seconds"
	case t == dictType:
		return "map"
	case t == listType:
		return "list"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Interface:
		return "anything"
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		if item := typeName(t.Elem()); item != "" {
			return "list of " + item
		}
	}
	return ""
}
