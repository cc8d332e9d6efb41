package all_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/all"
	"brine/states/module"
)

// TestArgumentsOfPublicStateFiles ticks off what state files out there give to the states that they use most.
func TestArgumentsOfPublicStateFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/arguments.txt")
	if err != nil {
		t.Fatal(err)
	}
	x := all.Index()
	for _, w := range readWanted(t, string(text)) {
		s, err := x.State(w.state)
		if err != nil {
			t.Error(err)
			continue
		}
		w.check(t, s)
	}
}

func (w *wanted) check(t *testing.T, s *module.State) {
	for _, arg := range w.args {
		want := strings.Split(arg, "/")
		if !slices.ContainsFunc(s.Params(), func(p module.Param) bool { return takes(p, want) }) {
			t.Errorf("%s has no argument %s", w.state, arg)
		}
	}
}

// takes says whether one argument goes by all these names.
func takes(p module.Param, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return n != p.Name && !slices.Contains(p.Aliases, n) })
}

type wanted struct {
	state string
	args  []string
}

func readWanted(t *testing.T, text string) (all []wanted) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case strings.HasSuffix(words[0], ":"):
			all = append(all, wanted{strings.TrimSuffix(words[0], ":"), words[1:]})
		case len(all) > 0:
			last := &all[len(all)-1]
			last.args = append(last.args, words...)
		}
	}
	if len(all) == 0 {
		t.Error("testdata/arguments.txt lists no states")
	}
	return all
}
