package pip

import (
	"os"
	"strings"
	"testing"
)

// TestSpecifiers compares with testdata/specifiers.txt: what the library that pip itself uses says of a condition and
// a version.
func TestSpecifiers(t *testing.T) {
	data, err := os.ReadFile("testdata/specifiers.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		all, err := parseSpecifiers(f[0])
		if err != nil {
			t.Errorf("%s: %v", f[0], err)
			continue
		}
		if got := hasAll(all, f[1]); got != (f[2] == "True") {
			t.Errorf("%s of %s: got %v, want %s", f[0], f[1], got, f[2])
		}
		n++
	}
	if n < 700 {
		t.Errorf("only %d cases", n)
	}
}

func TestBadSpecifiers(t *testing.T) {
	for _, text := range []string{"1.0", "=1", ">=", ">=x", "~=1", "<1.*", "== 1 2"} {
		if s, err := parseSpecifiers(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, s)
		}
	}
}

func FuzzRequirement(f *testing.F) {
	for _, text := range []string{"a", "a[b]>=1,<2; python_version<'3'", "git+https://x/y#egg=z", "./a.whl", "a @ https://b", "-r x", "a (>=1)"} {
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if r, err := parseRequirement(text); err == nil {
			r.met(packages{r.name: "1.0"})
		}
		parseFile(text)
	})
}
