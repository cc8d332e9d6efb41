package module

import (
	"context"
	"reflect"

	"brine/states/host"
)

// A function is a Go function of a module: func(context.Context, *host.Host, A, ...) (R, error), A being a struct of
// arguments. It is called by reflection, as its arguments are bound by reflection already: a program has hundreds of them,
// and would hold the code that calls it once for each.
type function struct {
	*binder
	f reflect.Value
}

func functionOf(f any) function {
	v := reflect.ValueOf(f)
	return function{newBinder(v.Type().In(2)), v}
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
