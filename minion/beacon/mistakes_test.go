package beacon_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/minion/beacon"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what is told now")

// TestMistakes has each beacon of testdata/mistakes.yaml told what is wrong with it: all at once, each with its key.
func TestMistakes(t *testing.T) {
	text, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := parseDict(t, string(text))
	s := beacon.New(beacon.Options{})
	var b strings.Builder
	for k, v := range all.All() {
		name := value.KeyText(k)
		b.WriteString("## " + name + "\n")
		if err := s.Check(name, v); err != nil {
			b.WriteString(err.Error() + "\n")
		}
	}
	golden := filepath.Join("testdata", "mistakes.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s(%v; go test -update writes it)", b.String(), want, err)
	}
}

// TestSaltsExamples has the configurations that Salt's users know be right.
func TestSaltsExamples(t *testing.T) {
	text, err := os.ReadFile("testdata/right.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := beacon.New(beacon.Options{})
	for part := range strings.SplitSeq(string(text), "---\n") {
		for k, v := range parseDict(t, part).All() {
			if err := s.Check(value.KeyText(k), v); err != nil {
				t.Errorf("%v: %v\n%s", k, err, part)
			}
		}
	}
}

func FuzzPlugin(f *testing.F) {
	for _, seed := range []string{
		"DISK OK - 3% | /=2643MB;5948;5958;0;5968", "OK|'a b'=1 'it''s'=2;3 x=U y=3c;~:5;@1:2\nmore\nlines|z=1.5s\nw=-2", "|=", "'", "|'=1", "a|b=1;2;3;4;5;6;7",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, perf := beacon.PluginOutput(text); perf.Len() > len(text) {
			t.Errorf("more numbers than bytes")
		}
	})
}

func FuzzExecve(f *testing.F) {
	for _, seed := range []string{`1 execve("/bin/ls", ["ls", "a\"b"], 0x7 /* 9 vars */) = 0`, `execve("`, `execve("\x", ["`, `execve(= 0`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) { beacon.Execve(line) })
}
