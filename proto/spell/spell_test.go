package spell_test

import (
	"fmt"
	"testing"

	"brine/proto/spell"
)

func TestNearest(t *testing.T) {
	words := []string{"dir_mode", "makedirs", "mode", "name", "source", "user"}
	for word, want := range map[string]string{
		"dirmode": "dir_mode", "mkdirs": "makedirs", "makkedirs": "makedirs", "sorce": "source", "nmae": "name",
		"owner": "", "x": "", "": "", "uesr": "user",
	} {
		if got := spell.Nearest(word, words); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	names := []string{"web1.example.com", "web2.example.com", "db-main", "Mail7"}
	for pattern, want := range map[string]string{
		"wbe*": "web*", "web-*": "web*", "WEB*": "web*", "web": "web*", "web?-*": "web*", "web[1-9]": "web*",
		"web1": "web1.example.com", "web1.exmple.com": "web1.example.com", "*db-mian": "db-main", "bd-main": "db-main",
		"db_*": "db-main", "mail*x": "Mail7", "db": "db-main",
		"*": "", "": "", "nosuch*": "", "z*": "", "*q*": "",
	} {
		if want != "" {
			want = fmt.Sprintf(" (did you mean %q?)", want)
		}
		if got := spell.Glob(pattern, names); got != want {
			t.Errorf("%q: got %q, want %q", pattern, got, want)
		}
	}
	if got := spell.Glob("web*", nil); got != "" {
		t.Errorf("without names: got %q", got)
	}
}
