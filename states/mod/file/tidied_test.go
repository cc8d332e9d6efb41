package file_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host/hosttest"
	"brine/states/value"
)

// TestTidiedByAge makes files of the ages given, in days, and says what goes of them. What ends with a slash is a
// directory.
func TestTidiedByAge(t *testing.T) {
	for _, tt := range []struct {
		line string
		ages map[string]int // below /t
		want string
	}{
		{"age=7", map[string]int{"a": 6, "b": 7, "c": 8, "d/": 8, "d/e": 8}, "/t/b /t/c /t/d/e"},
		{"age=7 rmdirs=True", map[string]int{"a": 6, "d/": 8, "d/e": 8, "d/f/": 7}, "/t/d"},
		{"age=7 rmdirs=True", map[string]int{"d/": 8, "d/old": 8, "d/young": 1}, "/t/d/old"},
		{"age=7 rmdirs=True", map[string]int{"d/": 8, "d/e/": 1, "d/e/old": 8}, "/t/d/e/old"},
		{"age=7 rmdirs=True matches=d", map[string]int{"d/": 8, "d/e/": 8, "d/e/old": 8}, "/t/d"},
		{"age=7 rmdirs=True exclude=keep", map[string]int{"d/": 8, "d/keep": 8, "d/old": 8}, "/t/d/old"},
		{"age=7 size=100", map[string]int{"a": 6, "b": 8, "large": 0}, "/t/b /t/large"},
		{"age=7 size=100 age_size_logical_operator=AND", map[string]int{"b": 8, "large": 0, "large.old": 9}, "/t/large.old"},
		{"age=7 size=100 age_size_only=age", map[string]int{"b": 8, "large": 0}, "/t/b"},
		{"age=7 size=100 age_size_only=size", map[string]int{"b": 8, "large": 0}, "/t/large"},
		{"size=100 rmdirs=True", map[string]int{"d/": 8, "d/large": 8}, "/t/d/large"},
		{"age=0", map[string]int{"a": 0, "tomorrow": -1}, "/t/a"},
		{"matches=[]", map[string]int{"a": 8}, ""},
	} {
		h := hosttest.New(t)
		names := slices.Sorted(maps.Keys(tt.ages))
		slices.Reverse(names) // what is made in a directory makes it young again
		for _, name := range names {
			makeAged(t, h, "/t/"+name, tt.ages[name])
		}
		for _, of := range []string{"atime", "mtime"} {
			b := bind(t, "tidied name=/t time_comparison="+of+" "+tt.line)
			foretold, _ := b.Run(t.Context(), h.Host, true).Changes.Get("removed")
			if got := listed(foretold); got != tt.want {
				t.Errorf("%s by %s of %v: got %q, want %q", tt.line, of, tt.ages, got, tt.want)
			}
		}
		b := bind(t, "tidied name=/t "+tt.line)
		did, _ := b.Run(t.Context(), h.Host, false).Changes.Get("removed")
		if got := listed(did); got != tt.want {
			t.Errorf("%s of %v: did %q, want %q", tt.line, tt.ages, got, tt.want)
		}
		for name := range strings.FieldsSeq(tt.want) {
			if _, err := os.Lstat(h.Path(name)); err == nil {
				t.Errorf("%s: %s is there still", tt.line, name)
			}
		}
	}
}

// makeAged makes a file, or a directory with a slash at its end, of an age in days.
func makeAged(t *testing.T, h *hosttest.Host, name string, age int) {
	t.Helper()
	switch {
	case strings.HasSuffix(name, "/"):
		if err := os.MkdirAll(h.Path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	case strings.Contains(name, "large"):
		h.Write(name, strings.Repeat("x", 200))
	default:
		h.Write(name, "x")
	}
	at := time.Now().AddDate(0, 0, -age)
	if err := os.Chtimes(h.Path(name), at, at); err != nil {
		t.Fatal(err)
	}
}

func listed(v any) string {
	list, ok := v.(*value.List)
	if !ok {
		return ""
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.(string))
	}
	return strings.Join(names, " ")
}
