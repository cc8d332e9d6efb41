package regex_test

import (
	"strings"
	"testing"

	"brine/states/jinja/regex"
)

func TestReplace(t *testing.T) {
	for _, tt := range []struct {
		pattern, text, template, want string
	}{
		{`(\d+)-(\d+)`, "2020-01", `\2/\1`, "01/2020"},
		{`(?P<y>\d+)`, "in 2020", `<\g<y>>`, "in <2020>"},
		{`x*`, "abxd", "-", "-a-b--d-"},
		{`a$`, "a\n", "b", "b\n"},
		{`(.)\1`, "aabb", `\1`, "ab"},
		{`\w`, "é!", "x", "x!"},
		{`[[]a{,2}`, "[aaa", "", "a"},
		{`\.`, "a.b", "$1", "a$1b"},
	} {
		re, err := regex.Compile(tt.pattern, regex.Flags{})
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got, err := re.Replace(tt.text, tt.template); got != tt.want || err != nil {
			t.Errorf("%s in %q: got %q, %v, want %q", tt.pattern, tt.text, got, err, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for pattern, want := range map[string]string{
		`(`: "bad regular expression", `\q`: `bad escape \q`, `[a`: "unterminated", `(?P<a`: "unterminated name",
	} {
		if _, err := regex.Compile(pattern, regex.Flags{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", pattern, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`(a|b)*c`, `(?P<x>a)(?P=x)`, `[]\]]`, `a{,3}`, `(?i)x`, `\x41\u00e9`, `(?<=a)b`} {
		f.Add(s, "aabc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := regex.Compile(pattern, regex.Flags{})
		if err != nil || len(text) > 100 {
			return
		}
		if m, err := re.Search(text); err == nil && m != nil {
			for i := range re.NumGroups() + 1 {
				m.Group(i)
			}
		}
	})
}
