package cmd_test

import (
	"os"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/cmd"
	"brine/states/module"
)

func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/bin:/usr/bin")
	cases := strings.Split(strings.TrimSpace(string(data)), "\n\n")[1:]
	for _, text := range cases {
		call, want, _ := strings.Cut(text, "\n")
		h := hosttest.New(t).Real()
		h.Write("/s.sh", "exit 0\n")
		h.Write("/dev/tty9", "")
		h.Files.Serve("salt://s.sh", "exit 0\n", 0o644)
		if got := refusal(t, h, strings.Split(call, "|")); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", call, got, want)
		}
		if h.Read("/dev/tty9") != "" {
			t.Errorf("%s: wrote into a file", call)
		}
	}
}

// refusal is the error of a call, or the comment of a state that fails in test mode and for real alike.
func refusal(t *testing.T, h *hosttest.Host, words []string) string {
	t.Helper()
	name, ok := strings.CutPrefix(words[0], "state ")
	if !ok {
		if _, err := call(t.Context(), t, h.Host, name, typed(words[1:]...)...); err != nil {
			return err.Error()
		}
		return ""
	}
	s, err := module.NewIndex(cmd.Module).State("cmd." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words[1:]...))
	if err != nil {
		return err.Error()
	}
	foretold, done := b.Run(t.Context(), h.Host, true), b.Run(t.Context(), h.Host, false)
	if foretold.Comment != done.Comment || done.Result == nil || *done.Result || done.Changes.Len() > 0 {
		t.Errorf("%q: test mode says %q, the run %q with changes %v", words, foretold.Comment, done.Comment, done.Changes.Keys())
	}
	return done.Comment
}
