package agentmod

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/all"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/sls"
	"brine/states/value"
)

// loop is an SLS of 1,000 states that a loop over 20 macros of another file makes.
func loop() fstest.MapFS {
	var macros, names strings.Builder
	for i := range 20 {
		fmt.Fprintf(&macros, "{%% macro m%d(name, port) %%}\n{{ name }}:\n  test.nop:\n    - port: {{ port + %d }}\n"+
			"    - family: {{ grains.os_family|lower }}\n    - motd: {{ salt['pillar.get']('motd', 'none')|yaml_dquote }}\n{%% endmacro %%}\n", i, i)
		fmt.Fprintf(&names, "m%d, ", i)
	}
	top := fmt.Sprintf("{%% from './macros.jinja' import %s with context %%}\n{%% set all = [%s] %%}\n"+
		"{%% for i in range(50) %%}{%% for m in all %%}{{ m('s-%%d-%%d' %% (i, loop.index), 8000 + i) }}{%% endfor %%}{%% endfor %%}\n",
		strings.TrimSuffix(names.String(), ", "), names.String())
	return fstest.MapFS{"web/init.sls": {Data: []byte(top)}, "web/macros.jinja": {Data: []byte(macros.String())}}
}

// BenchmarkLoopOfMacros compiles, and compiles and runs, 1,000 states made by templates.
func BenchmarkLoopOfMacros(b *testing.B) {
	tree := loop()
	h := hosttest.New(b).Host
	h.Modules, h.Pillar = all.Index(), value.NewDict("motd", "hi")
	h.Grains = value.NewDict("id", "web1", "os_family", "Debian")
	a := &Agent{Host: h, Index: all.Index(), Source: sls.Dir(tree)}
	run := host.StateRun{Mods: []string{"web"}}
	for _, bb := range []struct {
		name string
		do   func() (any, int, error)
	}{
		{"compile", func() (any, int, error) { return a.Show(context.Background(), host.ShowLow, run) }},
		{"compile and run", func() (any, int, error) { return a.Apply(context.Background(), run) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				v, retcode, err := bb.do()
				if n := length(v); n != 1000 || retcode != 0 || err != nil {
					b.Fatalf("got %d states, %d, %v: %s", n, retcode, err, shown(v))
				}
			}
		})
	}
}

func length(v any) int {
	switch v := v.(type) {
	case *value.List:
		return len(v.Items)
	case *value.Dict:
		return v.Len()
	}
	return 0
}
