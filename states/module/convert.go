package module

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/states/value"
)

// assign converts a value to the type of a field. Its error says what is wanted.
func assign(dst reflect.Value, v Value) error {
	if p, ok := dst.Addr().Interface().(ArgParser); ok {
		return p.ParseArg(v)
	}
	switch dst.Type() {
	case durationType:
		d, err := v.Duration()
		dst.SetInt(int64(d))
		return err
	case dictType:
		return direct(dst, v)
	case listType:
		return asList(dst, v)
	}
	switch dst.Kind() {
	case reflect.Interface:
		if v.Data != nil {
			dst.Set(reflect.ValueOf(v.Data))
		}
		return nil
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		dst.Set(p)
		return assign(p.Elem(), v)
	case reflect.String:
		s, err := v.Str()
		dst.SetString(s)
		return err
	case reflect.Bool:
		b, err := v.Bool()
		dst.SetBool(b)
		return err
	case reflect.Float64:
		f, err := v.Float()
		dst.SetFloat(f)
		return err
	case reflect.Slice:
		return slice(dst, v)
	}
	return integer(dst, v)
}

// want is the error of a value of the wrong type.
func (v Value) want(what string) error {
	if v.HasText {
		return fmt.Errorf("want %s, got %q", what, clip(v.Text))
	}
	switch d := v.Data.(type) {
	case string:
		return fmt.Errorf("want %s, got %q", what, clip(d))
	case *value.Dict, *value.List, nil:
		return fmt.Errorf("want %s, got %s", what, withArticle(value.Kind(d)))
	}
	return fmt.Errorf("want %s, got %v", what, v.Data)
}

// Want is the error of an ArgParser that got something else than it wants.
func (v Value) Want(what string) error { return v.want(what) }

func withArticle(kind string) string {
	if kind == "list" || kind == "map" {
		return "a " + kind
	}
	return kind
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Str reads text: the source text of a scalar, or what Python's str makes of one that had none.
func (v Value) Str() (string, error) {
	if b, ok := v.Data.([]byte); ok {
		return string(b), nil
	}
	if v.HasText {
		return v.Text, nil
	}
	switch d := v.Data.(type) {
	case string:
		return d, nil
	case bool:
		return map[bool]string{true: "True", false: "False"}[d], nil
	case int64:
		return strconv.FormatInt(d, 10), nil
	case *big.Int:
		return d.String(), nil
	case float64:
		return value.FloatText(d), nil
	}
	return "", v.want("text")
}

// Split reads a list of texts, or of which one text holds several with commas between. Blanks around them do not count,
// nor does what is empty. The error wants what.
func (v Value) Split(what string) ([]string, error) {
	all := []string{}
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return nil, v.want(what)
		}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all, nil
}

// Bool reads a boolean: true and false, their YAML words in quotes, 1 and 0.
func (v Value) Bool() (bool, error) {
	switch d := v.Data.(type) {
	case bool:
		return d, nil
	case int64:
		if d == 0 || d == 1 {
			return d == 1, nil
		}
	case string:
		switch strings.ToLower(d) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off":
			return false, nil
		}
	}
	return false, v.want("true or false")
}

// Float reads a number, also from text.
func (v Value) Float() (float64, error) {
	switch d := v.Data.(type) {
	case float64:
		return d, nil
	case int64:
		return float64(d), nil
	case string:
		if f, err := strconv.ParseFloat(d, 64); err == nil {
			return f, nil
		}
	}
	return 0, v.want("a number")
}

// Duration reads a time: a number of seconds, or text such as 90s or 5m.
func (v Value) Duration() (time.Duration, error) {
	if s, ok := v.Data.(string); ok {
		if d, err := time.ParseDuration(s); err == nil && d >= 0 {
			return d, nil
		}
	}
	f, err := v.Float()
	if err != nil || math.IsNaN(f) || f < 0 || f > math.MaxInt64/1e9/2 {
		return 0, v.want("a number of seconds")
	}
	return time.Duration(f * float64(time.Second)), nil
}

func integer(dst reflect.Value, v Value) error {
	n, ok := v.int()
	if !ok {
		return v.want("an integer")
	}
	if dst.CanInt() && !dst.OverflowInt(n) {
		dst.SetInt(n)
		return nil
	}
	if dst.CanUint() && n >= 0 && !dst.OverflowUint(uint64(n)) {
		dst.SetUint(uint64(n))
		return nil
	}
	return fmt.Errorf("%d is out of range", n)
}

func (v Value) int() (int64, bool) {
	switch d := v.Data.(type) {
	case int64:
		return d, true
	case float64:
		if d == math.Trunc(d) && math.Abs(d) < 1<<53 {
			return int64(d), true
		}
	case string:
		n, err := strconv.ParseInt(d, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// slice reads a list; a scalar stands for a list of one.
func slice(dst reflect.Value, v Value) error {
	items, ok := v.Items()
	if !ok {
		if _, dict := v.Data.(*value.Dict); dict {
			return v.want("a list")
		}
		items = []Value{v}
	}
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	var errs []error
	for i, item := range items {
		if err := assign(out.Index(i), item); err != nil {
			errs = append(errs, fmt.Errorf("item %d: %w", i+1, err))
		}
	}
	dst.Set(out)
	return errors.Join(errs...)
}

func direct(dst reflect.Value, v Value) error {
	d, ok := v.Data.(*value.Dict)
	if !ok {
		return v.want("a map")
	}
	dst.Set(reflect.ValueOf(d))
	return nil
}

func asList(dst reflect.Value, v Value) error {
	items, ok := sequenceOf(v.Data)
	if !ok {
		return v.want("a list")
	}
	dst.Set(reflect.ValueOf(&value.List{Items: items}))
	return nil
}

func sequenceOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case *value.List:
		return v.Items, true
	case value.Tuple:
		return v, true
	case *value.Set:
		return v.Items(), true
	}
	return nil, false
}

// collect puts a named argument that has no parameter of its own into the one that takes the rest.
func (b *binding) collect(i int, a Arg) {
	field := b.field(i)
	if !b.collected(field, a) {
		b.fail(a.Name, a.Value.Line, "argument %q is given twice", a.Name)
	}
}

func (b *binding) collected(field reflect.Value, a Arg) bool {
	if field.Type() == argsType {
		args := field.Interface().([]Arg)
		if slices.ContainsFunc(args, func(old Arg) bool { return old.Name == a.Name }) {
			return false
		}
		field.Set(reflect.ValueOf(append(args, a)))
		return true
	}
	if field.IsNil() {
		field.Set(reflect.ValueOf(&value.Dict{}))
	}
	d := field.Interface().(*value.Dict)
	if _, twice := d.Get(a.Name); twice {
		return false
	}
	d.Put(a.Name, a.Value.Data)
	return true
}
