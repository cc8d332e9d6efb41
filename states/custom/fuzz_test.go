package custom

import (
	"testing"

	"brine/states/module"
	"brine/states/value"
)

// FuzzDescription reads what executables say of themselves: whatever that is, it is a module or an error.
func FuzzDescription(f *testing.F) {
	for _, text := range []string{
		`{"doc": "d", "functions": {"f": {"args": [{"name": "a", "type": "text", "default": "x"}, {"name": "r", "rest": true}]}}}`,
		`{"functions": {"f": {"args": [{"name": "a", "type": "seconds", "default": 1e300}], "timeout": "5m"}}}`,
		`{"functions": {"f": {"args": [{"name": "a", "type": "list of text", "default": [[]]}]}}}`,
		`{"states": {"s": {"watch": true, "args": {}}}, "functions": []}`, `[]`, `{"functions": {"": null}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.FromJSON([]byte(text))
		if err != nil {
			return
		}
		for _, kind := range []Kind{Modules, States} {
			p := &program{File: File{Kind: kind, Name: "x", Path: kind.Dir() + "/x"}}
			d, err := p.parse(v)
			if err != nil {
				continue
			}
			for _, one := range d.funcs {
				fn := module.Func{Name: one.name, Doc: one.doc, Example: one.example, Do: p.function(one)}
				_ = fn.Usage()
				_ = fn.Check(module.Words("1", "a=[2]", "b={c: 3}"))
			}
		}
	})
}
