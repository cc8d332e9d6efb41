package cmd

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                  nil,
		"  a\tb\n":          {"a", "b"},
		`a 'b c' "d e"`:     {"a", "b c", "d e"},
		`a'b'"c"d`:          {"abcd"},
		`'' ""`:             {"", ""},
		`a\ b \\ \'`:        {"a b", `\`, "'"},
		`"a\"b\\c\d"`:       {`a"b\c\d`},
		`'a\'`:              {`a\`},
		`$HOME * > x | y #`: {"$HOME", "*", ">", "x", "|", "y", "#"},
		"größe 'ü'":         {"größe", "ü"},
	} {
		if got, err := split(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"'", `a "b`, `a\`} {
		if got, err := split(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

func FuzzReadReport(f *testing.F) {
	for _, s := range []string{"changed=yes comment='a b'", `{"changed": 1}`, "x\n\nchanged=no", "=", "a='"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, out string) {
		report, before, err := readReport(out)
		if err == nil && (report == nil || len(before) > len(out)) {
			t.Errorf("got %v, %q", report, before)
		}
		_, _ = outcome{stdout: out}.reported()
	})
}
