package module

import (
	"context"
	"fmt"
	"reflect"

	"brine/states/host"
)

// A function is a Go function of a module: func(context.Context, *host.Host, A, ...) (R, error), A being a struct of
// arguments. It is made of any, and called by reflection, as its arguments are bound by reflection already: a program has
// hundreds of them, and would hold code, and the name of that code, once for each.
type function struct {
	*binder
	f reflect.Value
}

// The Go functions of which Code, a Planner and a Watcher are made; their arguments, and what Code returns, are their own.
var (
	codeShape    = reflect.TypeFor[func(context.Context, *host.Host, struct{}) (any, error)]()
	plannerShape = reflect.TypeFor[func(context.Context, *host.Host, struct{}) (Plan, error)]()
	watcherShape = reflect.TypeFor[func(context.Context, *host.Host, struct{}, []string) (Plan, error)]()
)

// functionOf panics when f is no function of this shape: a mistake in the module, which no program that has it survives.
func functionOf(f any, shape reflect.Type) function {
	t := reflect.TypeOf(f)
	if !fits(t, shape) {
		panic(fmt.Sprintf("module: want %v with arguments of its own, got %v", shape, t))
	}
	return function{newBinder(t.In(2)), reflect.ValueOf(f)}
}

func fits(t, shape reflect.Type) bool {
	if t == nil || t.Kind() != reflect.Func || t.NumIn() != shape.NumIn() || t.NumOut() != shape.NumOut() {
		return false
	}
	for i := range t.NumIn() {
		if i == 2 && t.In(i).Kind() != reflect.Struct || i != 2 && t.In(i) != shape.In(i) {
			return false
		}
	}
	return t.Out(1) == shape.Out(1) && (shape == codeShape || t.Out(0) == shape.Out(0))
}

// call calls it with the arguments that bind returned, and more.
func (f function) call(ctx context.Context, h *host.Host, args any, more ...any) (any, error) {
	in := []reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(h), reflect.ValueOf(args).Elem()}
	for _, m := range more {
		in = append(in, reflect.ValueOf(m))
	}
	out := f.f.Call(in)
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// plan calls one that plans.
func (f function) plan(ctx context.Context, h *host.Host, args any, more ...any) (Plan, error) {
	r, err := f.call(ctx, h, args, more...)
	return r.(Plan), err
}
