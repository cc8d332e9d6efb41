package yaml_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"brine/states/value"
	"brine/states/yaml"
)

func TestDumpIsReadBackAsItWas(t *testing.T) {
	for _, v := range []any{
		nil, true, false, int64(0), int64(-12), new(big.Int).Lsh(big.NewInt(1), 80), 1.5, 1e20, -2.5e-7, math.Inf(-1),
		"", "text", "yes", "No", "on", "null", "~", "0644", "12", "1.5", "1e3", "2001-01-01", "12:30:00", "0x1f", "=", "<<",
		" a ", "a: b", "# c", "- d", "{e}", "[f]", "*g", "&h", "!i", "%j", "@k", "`l", "'m'", `"n"`, "o\np\n", "q\n\n  r", "\ts",
		"é", "\u009b31m", "\x1b[0m", "trailing \n", "\n", "a\r\nb", "---", "...", "?", ":", "- ", "? x", "1_000", "0b11", ".inf",
		value.NewList(), value.NewList(int64(1), value.NewList("a", value.NewList()), value.NewDict("k", nil)),
		&value.Dict{}, value.NewDict("b", "1", "a", value.NewDict("x", &value.Dict{}, "yes", "y"), "c", value.NewList(value.NewDict())),
	} {
		text, err := yaml.Dump(v)
		if err != nil {
			t.Errorf("%#v: %v", v, err)
			continue
		}
		n, err := yaml.Parse("dump", text)
		if err != nil {
			t.Errorf("%#v: cannot read %q back: %v", v, text, err)
			continue
		}
		if got := n.Data(); !value.Equal(got, v) {
			t.Errorf("%#v: got %#v from %q", v, got, text)
		}
	}
}

func TestDumpRefusesWhatContainsItself(t *testing.T) {
	l := value.NewList()
	l.Items = append(l.Items, l)
	if text, err := yaml.Dump(l); err == nil {
		t.Errorf("got %d bytes, want an error", len(text))
	}
}

func FuzzDump(f *testing.F) {
	f.Add("a: b\n- ")
	f.Add("\x85\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		v, err := value.Of(s)
		if err != nil {
			return
		}
		text, err := yaml.Dump(value.NewDict(s, value.NewList(s)))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		n, err := yaml.Parse("dump", text)
		if err != nil {
			return // no document may have such characters
		}
		if got := n.Data(); !value.Equal(got, value.NewDict(s, value.NewList(v))) {
			t.Errorf("%q: got %#v from %q", s, got, text)
		}
	})
}
