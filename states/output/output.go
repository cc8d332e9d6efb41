// Package output shows what functions return, in Salt's layouts.
package output

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// An Outputter writes what one minion returned: JSON, its keys in order. What is no JSON, such
// as a value that was cut, is shown as the text it is. It may be used at the same time with several writers.
type Outputter func(w io.Writer, minion string, returned []byte, o Options) error

// Options say how values are shown.
type Options struct {
	Color bool // with the escape sequences of a terminal
}

var outputters = map[string]Outputter{
	"highstate": highstate,
	"json":      indented,
	"jsonl":     line,
	"nested":    nested,
	"quiet":     quiet,
}

// Names returns the names of all outputters in order.
func Names() []string { return slices.Sorted(maps.Keys(outputters)) }

// For returns the outputter with a name. The error says which there are.
func For(name string) (Outputter, error) {
	if o := outputters[name]; o != nil {
		return o, nil
	}
	names := Names()
	return nil, fmt.Errorf("unknown output %q%s: there are %s",
		name, module.DidYouMean(name, names), strings.Join(names, ", "))
}

// read reads what was returned; what can't be read is text.
func read(returned []byte) any {
	v, err := value.FromJSON(returned)
	if err != nil {
		return string(returned)
	}
	return v
}

func quiet(io.Writer, string, []byte, Options) error { return nil }
