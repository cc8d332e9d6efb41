package python

import (
	"math/big"
	"slices"
	"sync"

	"brine/states/value"
)

// A Method is a method of a type of Python, not yet bound to an object.
type Method struct {
	Name string
	Sig  string // without self
	Fn   func(self any, c *Call) (any, error)
	sig  *Signature
}

// The methods of each type by name, made when the first is asked for: a minion that waits has none. They can't be made where
// they are declared, as str.format can reach any of them.
var methods struct {
	sync.Once
	str, markup, dict, list, tuple, set, int, float, bytes map[string]*Method
}

func makeMethods() {
	methods.str = methodsOf(strMethodList())
	methods.markup = markupMethodTable(methods.str)
	methods.dict = methodsOf(dictMethodList())
	methods.list = methodsOf(listMethodList())
	methods.tuple = methodsOf(tupleMethodList())
	methods.set = methodsOf(setMethodList())
	methods.int = methodsOf(intMethodList())
	methods.float = methodsOf(floatMethodList())
	methods.bytes = methodsOf(bytesMethodList())
}

// methodsOf makes a table of a list.
func methodsOf(list []Method) map[string]*Method {
	t := map[string]*Method{}
	for i := range list {
		m := &list[i]
		m.sig = NewSignature(m.Name, m.Sig)
		t[m.Name] = m
	}
	return t
}

// Invoke calls the method of an object.
func (m *Method) Invoke(self any, a Args) (any, error) {
	c, err := m.sig.Bind(nil, a)
	if err != nil {
		return nil, err
	}
	return m.Fn(self, c)
}

// A boundMethod is what an attribute that is a method gives.
type boundMethod struct {
	self   any
	method *Method
}

func (b *boundMethod) Call(a Args) (any, error) { return b.method.Invoke(b.self, a) }
func (b *boundMethod) TypeName() string         { return "builtin_function_or_method" }
func (b *boundMethod) Attr(string) (any, bool)  { return nil, false }
func (b *boundMethod) Text() (string, error) {
	return "<built-in method " + b.method.Name + " of " + TypeName(b.self) + " object>", nil
}

// FindMethod returns the method of that name of the value's type, or nil.
func FindMethod(v any, name string) *Method {
	methods.Do(makeMethods)
	switch v.(type) {
	case string:
		return methods.str[name]
	case *value.Dict:
		return methods.dict[name]
	case *value.List:
		return methods.list[name]
	case Markup:
		return methods.markup[name]
	case int64, *big.Int, bool:
		return methods.int[name]
	case float64:
		return methods.float[name]
	case []byte:
		return methods.bytes[name]
	case value.Tuple:
		return methods.tuple[name]
	case *value.Set:
		return methods.set[name]
	}
	return nil
}

// Attr is Python's getattr. It is not found when there is no such attribute.
func Attr(v any, name string) (any, bool, error) {
	if u, ok := v.(*Undefined); ok {
		return nil, false, u.Err()
	}
	if m := FindMethod(v, name); m != nil {
		return &boundMethod{v, m}, true, nil
	}
	if o, ok := v.(Object); ok {
		a, ok := o.Attr(name)
		return a, ok, nil
	}
	switch v := v.(type) {
	case int64, bool, *big.Int:
		return intAttr(v, name)
	case float64:
		switch name {
		case "real":
			return v, true, nil
		case "imag":
			return 0.0, true, nil
		}
	case Range:
		switch name {
		case "start":
			return v.Start, true, nil
		case "stop":
			return v.Stop, true, nil
		case "step":
			return v.Step, true, nil
		}
	}
	return nil, false, nil
}

func intAttr(v any, name string) (any, bool, error) {
	switch name {
	case "real", "numerator":
		return value.Int(bigOf(v)), true, nil
	case "imag":
		return int64(0), true, nil
	case "denominator":
		return int64(1), true, nil
	}
	return nil, false, nil
}

// everywhere are the attributes that every object of Python has and no template may reach.
var everywhere = []string{
	"__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__",
	"__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__",
	"__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
}

// GetAttr is "v.name" in a template: the attribute, or else the element of that name, or else Undefined.
func GetAttr(v any, name string, lenient bool) (any, error) {
	a, ok, err := Attr(v, name)
	if ok || err != nil {
		return a, err
	}
	if slices.Contains(everywhere, name) {
		return unsafe(v, name), nil
	}
	item, found, err := Index(v, name)
	if found || err != nil {
		return item, err
	}
	return &Undefined{Of: v, OfSet: true, Name: name, Lenient: lenient}, nil
}

// GetItem is "v[key]" in a template: the element, or else the attribute, or else Undefined.
func GetItem(v, key any, lenient bool) (any, error) {
	item, found, err := Index(v, key)
	if found || err != nil {
		return item, err
	}
	if name, ok := Text(key); ok {
		a, ok, err := Attr(v, name)
		if ok || err != nil {
			return a, err
		}
		if slices.Contains(everywhere, name) {
			return unsafe(v, name), nil
		}
	}
	return &Undefined{Of: v, OfSet: true, Name: key, Lenient: lenient}, nil
}

func unsafe(v any, name string) *Undefined {
	return &Undefined{Name: name, Security: true,
		Hint: "access to attribute " + quote(name) + " of " + quote(TypeName(v)) + " object is unsafe."}
}

// Invoke calls a value.
func Invoke(v any, a Args) (any, error) {
	switch f := v.(type) {
	case Callable:
		return f.Call(a)
	case *Undefined:
		return nil, f.Err()
	}
	return nil, typeError("'%s' object is not callable", TypeName(v))
}

// IsCallable reports whether v can be called.
func IsCallable(v any) bool {
	_, ok := v.(Callable)
	return ok
}
