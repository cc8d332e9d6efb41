// Package output shows what functions return, in Salt's layouts: of one minion by an Outputter, of many
// by Many, which shows equal results once.
package output

import (
	"fmt"
	"io"
	"strings"

	"brine/proto/spell"
	"brine/states/value"
)

// An Outputter writes what one minion returned: JSON, its keys in order. What is no JSON, such
// as a value that was cut, is shown as the text it is. It may be used at the same time with several writers.
type Outputter func(w io.Writer, minion string, returned []byte, o Options) error

// Options say how values are shown. The zero value is Salt's defaults without colour.
type Options struct {
	Color  bool // with the escape sequences of a terminal
	Width  int  // of the terminal in columns; 0 when there is none
	States StateOptions
}

// outputters is every one of them, in order of name.
var outputters = []struct {
	name string
	show Outputter
}{
	{"highstate", highstate},
	{"json", indented},
	{"jsonl", line},
	{"nested", nested},
	{"quiet", quiet},
	{"table", oneTable},
	{"txt", txt},
	{"yaml", yamlText},
}

// Names returns the names of all outputters in order.
func Names() []string {
	names := make([]string, len(outputters))
	for i, o := range outputters {
		names[i] = o.name
	}
	return names
}

// For returns the outputter with a name. The error says which there are.
func For(name string) (Outputter, error) {
	for _, o := range outputters {
		if o.name == name {
			return o.show, nil
		}
	}
	names := Names()
	return nil, fmt.Errorf("unknown output %q%s: there are %s",
		name, spell.DidYouMean(name, names), strings.Join(names, ", "))
}

// read reads what was returned; what can't be read is text.
func read(returned []byte) any {
	v, err := value.FromJSON(returned)
	if err != nil {
		return string(returned)
	}
	return v
}
