package file_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
)

// FuzzEdit edits files of any content: nothing panics, and what was done is not done once more where the line stands already.
func FuzzEdit(f *testing.F) {
	f.Add("a\nb\n", "insert", "c", "a", "")
	f.Add("a\r\n  b", "ensure", "c\nd", "", "b")
	f.Add("a=1\n#b=2", "keyvalue", "3", "b", "#")
	f.Fuzz(func(t *testing.T, before, mode, content, after, other string) {
		if len(before)+len(content) > 200 || strings.ContainsAny(before, "\x00") {
			return
		}
		h := hosttest.New(t)
		h.Write("/f", before)
		line := "line name=/f show_changes=True mode=" + map[bool]string{true: "insert", false: "ensure"}[mode == "insert"]
		args := [][2]string{{"content", content}, {"after", after}, {"before", other}}
		if mode == "keyvalue" {
			line = "keyvalue name=/f append_if_not_found=True"
			args = [][2]string{{"value", content}, {"key", after}, {"uncomment", other}}
		}
		in := module.Words(strings.Fields(line)[1:]...)
		for _, a := range args {
			in.Args = append(in.Args, text(a[0], a[1]))
		}
		s, err := module.NewIndex(file.Module).State("file." + strings.Fields(line)[0])
		if err != nil {
			t.Fatal(err)
		}
		words, err := s.Bind(in)
		if err != nil {
			return
		}
		r := words.Run(t.Context(), h.Host, false)
		if strings.Contains(r.Comment, "panic") {
			t.Fatal(r.Comment)
		}
		if !*r.Result {
			return
		}
		once := h.Read("/f")
		words.Run(t.Context(), h.Host, false)
		if twice := h.Read("/f"); twice != once && mode == "keyvalue" {
			t.Errorf("%s %q: %q became %q, and then %q", line, args, before, once, twice)
		}
	})
}
