package mount_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the states do into testdata")

// TestStates runs the states of testdata/states.txt in test mode, for real, and again.
func TestStates(t *testing.T) {
	const name = "testdata/states.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "\n\n")
	out := []string{head}
	for block := range strings.SplitSeq(strings.TrimRight(rest, "\n"), "\n\n") {
		in, _, _ := strings.Cut(block, "\n->")
		got := in + play(t, in)
		if got != block {
			t.Errorf("got\n%s\nwant\n%s", got, block)
		}
		out = append(out, got)
	}
	if *update {
		if err := os.WriteFile(name, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play returns what came of a block's state.
func play(t *testing.T, in string) string {
	var lines []string
	fstab, state := "", ""
	for line := range strings.SplitSeq(in, "\n") {
		what, arg, _ := strings.Cut(line, ": ")
		switch what {
		case "mounted":
			lines = append(lines, arg)
		case "fstab":
			fstab += arg + "\n"
		case "state":
			state = arg
		}
	}
	k := newKernel(t, lines...)
	k.Write("/etc/fstab", fstab)
	b := bind(t, state)
	table := strings.Join(k.lines, "\n")
	test := told(b.Run(t.Context(), k.Host.Host, true))
	if strings.Join(k.lines, "\n") != table || k.Read("/etc/fstab") != fstab {
		t.Errorf("%s: test mode changed something", in)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n-> test %s\n-> done %s", test, told(b.Run(t.Context(), k.Host.Host, false)))
	if again := b.Run(t.Context(), k.Host.Host, false); again.Changes.Len() > 0 || again.Result == nil {
		fmt.Fprintf(&out, "\n-> again %s", told(again))
	}
	for _, line := range k.lines[1:] {
		fmt.Fprintf(&out, "\n-> is mounted %s", line)
	}
	if now := k.Read("/etc/fstab"); now != fstab {
		fmt.Fprintf(&out, "\n-> fstab %s", strings.ReplaceAll(strings.TrimSuffix(now, "\n"), "\n", "\n-> fstab "))
	}
	return out.String()
}
