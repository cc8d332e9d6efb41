package all_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/all"
	"brine/states/sls"
)

// argument is the line of an argument: its name and what it takes.
var argument = regexp.MustCompile(`(?m)^        [a-zA-Z_][a-zA-Z0-9_.-]* \([^)]+`)

// TestDocsAreWhole reads what brine doc prints: a summary, each argument with its type, and an example; those of
// states are compiled as they are printed.
func TestDocsAreWhole(t *testing.T) {
	docs, err := all.Docs(all.Index(), "")
	if err != nil {
		t.Fatal(err)
	}
	x := all.Index()
	for _, d := range docs {
		head, example, there := strings.Cut(d.Text, "\n    Example:\n")
		if !there {
			t.Errorf("%s %s shows no example", d.Kind, d.Name)
			continue
		}
		summary, arguments, _ := strings.Cut(head, "\n    Arguments:\n")
		first, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(summary, d.Name+" ("+d.Kind+")")), "\n\n")
		if len(first) < 12 || !strings.ContainsAny(first, ".:") {
			t.Errorf("%s %s has no summary, but %q", d.Kind, d.Name, first)
		}
		if d.Kind == "function" {
			if want := "brine run '*' " + d.Name; !strings.HasPrefix(strings.TrimSpace(example), want) {
				t.Errorf("the example of the function %s is %q, want %s ...", d.Name, example, want)
			}
			continue
		}
		s, err := x.State(d.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(argument.FindAllString(arguments, -1)); got != len(s.Params()) {
			t.Errorf("%s shows %d arguments with their types, and has %d", d.Name, got, len(s.Params()))
		}
		files := sls.Dir(fstest.MapFS{"example.sls": {Data: []byte(example)}})
		_, errs := sls.Compile(t.Context(), files, []string{"example"}, sls.Options{Index: x})
		for _, err := range errs {
			t.Errorf("the example of %s: %v", d.Name, err)
		}
	}
}

func TestDocsOfAnUnknownNameTellWhatIsNear(t *testing.T) {
	for name, want := range map[string]string{
		"file.manged": `unknown state "file.manged" (did you mean "file.managed"?)`,
		"cmd.rum":     `unknown function "cmd.rum" (did you mean "cmd.run"?)`,
		"servce":      `unknown module "servce" (did you mean "service"?)`,
		"sys.dco":     `unknown function "sys.dco" (did you mean "sys.doc"?)`,
	} {
		if _, err := all.Docs(all.Index(), name); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}
