package run_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/run"
	"brine/states/value"
)

func TestCreates(t *testing.T) {
	h := hosttest.New(t).Real()
	h.Write("/there", "")
	if err := os.Symlink("loop", h.Path("/loop")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path   string
		result bool
		want   string
	}{
		{"/there", true, "/there exists"},
		{"/none", true, `Command "true" run`},
		{"/there/below", true, `Command "true" run`},
		{"/loop", false, `cannot ask creates "/loop": `},
	} {
		p := compile(t, web("a:\n  cmd.run:\n    - name: \"true\"\n    - creates: "+tt.path+"\n"))
		results, _ := run.Run(t.Context(), p, h.Host, run.Options{})
		for _, v := range results.All() {
			result, _ := v.(*value.Dict).Get("result")
			comment, _ := v.(*value.Dict).Get("comment")
			if result != tt.result || !strings.HasPrefix(comment.(string), tt.want) {
				t.Errorf("%s: got %v %q, want %v %q", tt.path, result, comment, tt.result, tt.want)
			}
		}
	}
}
