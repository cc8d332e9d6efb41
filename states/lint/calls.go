package lint

import (
	"context"
	"fmt"
	"strings"

	"brine/states/all"
	"brine/states/host"
	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// functions are what templates may call here: of those that would look at the machine they get a result that is unknown,
// or the answer that was given for it.
type functions struct {
	*module.Index
	answers *value.Dict // by the function's name
	yes     bool        // what unknown results count as
	at      plan.Place  // of the call that is next
	unknown []call      // in the order in which they were made
}

// A call is one of a function whose result is unknown.
type call struct {
	at       plan.Place
	function string
}

var _ host.Modules = (*functions)(nil)

// Func finds a function. One that was answered for may be of a module that only Salt can run.
func (f *functions) Func(name string) (*module.Func, error) {
	if _, ok := f.answers.Get(name); ok {
		return &module.Func{Name: name}, nil
	}
	return f.Index.Func(name)
}

// Call calls a function that is pure.
func (f *functions) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if v, ok := f.answers.Get(name); ok {
		v, err := value.Clone(v)
		return v, 0, err
	}
	if u := python.FindUnknown(&value.List{Items: args}); u != nil {
		return u, 0, nil
	}
	if u := python.FindUnknown(named); u != nil {
		return u, 0, nil
	}
	if all.Pure(name) && !ofHost(name, args, named) {
		return f.Index.Call(ctx, h, name, args, named)
	}
	if _, err := f.Func(name); err != nil {
		return nil, 0, err
	}
	f.unknown = append(f.unknown, call{f.at, name})
	return &python.Unknown{Function: name, Yes: f.yes}, 0, nil
}

// ofHost says whether a function that renders or fetches would take a file that is in no tree.
func ofHost(name string, args []any, named *value.Dict) bool {
	if name != "slsutil.renderer" && !strings.HasPrefix(name, "cp.") {
		return false
	}
	path, ok := named.Get("path")
	if len(args) > 0 {
		path, ok = args[0], true
	}
	text, isText := path.(string)
	return ok && isText && strings.HasPrefix(text, "/")
}

// text says what is unknown of a call.
func (c call) text() string {
	return fmt.Sprintf("%s looks at the machine it runs on: its result is not known here", c.function)
}
