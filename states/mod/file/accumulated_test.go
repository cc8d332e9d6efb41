package file_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/mod/test"
	"brine/states/module"
	"brine/states/render"
	"brine/states/run"
	"brine/states/sls"
	"brine/states/value"
)

// TestAccumulators runs the states of each archive in testdata/accumulators: the SLS web, the template salt://t and the
// file /block. In test mode and for real it has to end as the file "want" says.
func TestAccumulators(t *testing.T) {
	cases, err := txtar.ParseFile("testdata/accumulators.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(cases.Files); i += 3 {
		sls, template, want := cases.Files[i], cases.Files[i+1], cases.Files[i+2]
		t.Run(sls.Name, func(t *testing.T) {
			got := accumulate(t, string(sls.Data), strings.TrimSuffix(string(template.Data), "\n"))
			if got != string(want.Data) && !*update {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
			cases.Files[i+2].Data = []byte(got)
		})
	}
	if *update {
		writeArchive(t, "testdata/accumulators.txt", cases)
	}
}

// accumulate tells how states end, and what is in the files that they make.
func accumulate(t *testing.T, text, template string) string {
	h := hosttest.New(t)
	h.Files.Serve("salt://t", template, 0o644)
	h.Files.Serve("salt://d/in", template, 0o644)
	h.Write("/block", "head\n#-- start managed zone --\n#-- end managed zone --\n")
	h.Render = render.New(h.Host, "base", nil)
	p, errs := sls.Compile(t.Context(), sls.Dir(fstest.MapFS{"web.sls": {Data: []byte(text)}}), []string{"web"},
		sls.Options{Index: module.NewIndex(file.Module, test.Module)})
	if len(errs) > 0 {
		return fmt.Sprintln(errs)
	}
	before := h.Snapshot()
	foretold, _ := run.Run(t.Context(), p, h.Host, run.Options{Test: true})
	if !slices.Equal(before, h.Snapshot()) {
		t.Error("test mode changed something")
	}
	results, _ := run.Run(t.Context(), p, h.Host, run.Options{})
	var b strings.Builder
	for tag, r := range results.All() {
		changes, _ := r.(*value.Dict).Get("changes")
		comment, _ := r.(*value.Dict).Get("comment")
		shown, err := value.MarshalJSON(changes)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s %s\n", strings.Split(fmt.Sprint(tag), "_|-")[1], shown, comment)
		before, _ := foretold.Get(tag)
		if said, _ := before.(*value.Dict).Get("changes"); said.(*value.Dict).Len() != changes.(*value.Dict).Len() {
			t.Errorf("%s: foretold %v, did %v", tag, said, changes)
		}
	}
	for _, name := range []string{"/f", "/block", "/d/in"} {
		if text := h.Read(name); text != "" {
			fmt.Fprintf(&b, "%s %q\n", name, text)
		}
	}
	return b.String()
}
