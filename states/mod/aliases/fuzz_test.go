package aliases_test

import (
	"strings"
	"testing"

	"brine/states/mod/aliases"
	"brine/states/module"
)

// FuzzFiles sets an alias in any file: it must be there then, and everything else be as it was.
func FuzzFiles(f *testing.F) {
	for _, s := range []string{before, "", ":\n", "root", "root:", " x: y\n", "a: b # c\n\t# d\nroot: x", "\"a: b", "ROOT: x\nroot: y\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := newHost(t)
		h.Write("/etc/aliases", text)
		x := module.NewIndex(aliases.Module)
		set, _ := x.Func("aliases.set_target")
		if _, err := set.Call(t.Context(), h.Host, module.Words("root", "new@example.com")); err != nil {
			t.Fatal(err)
		}
		get, _ := x.Func("aliases.get_target")
		r, err := get.Call(t.Context(), h.Host, module.Words("root"))
		if err != nil || r.Value != "new@example.com" {
			t.Fatalf("%q: got %v, %v from %q", text, r.Value, err, h.Read("/etc/aliases"))
		}
		if !strings.Contains(strings.ToLower(text), "root") && !strings.HasPrefix(h.Read("/etc/aliases"), strings.TrimSuffix(text, "\n")) {
			t.Errorf("%q became %q", text, h.Read("/etc/aliases"))
		}
	})
}
