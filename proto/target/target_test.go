package target

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/proto"
)

func glob(expr string) *proto.Target {
	return &proto.Target{Syntax: proto.Target_GLOB, Expression: expr}
}

func list(expr string) *proto.Target {
	return &proto.Target{Syntax: proto.Target_LIST, Expression: expr}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		target *proto.Target
		id     string
		want   bool
	}{
		{glob("*"), "a", true},
		{glob("web?"), "web1", true},
		{glob("web?"), "web", false},
		{glob("web?"), "web12", false},
		{glob("w*b*1"), "web01", true},
		{glob("w*b*1"), "web10", false},
		{glob("**1"), "web1", true},
		{glob("web[0-2]"), "web1", true},
		{glob("web[0-2]"), "web3", false},
		{glob("web[!0-2]"), "web3", true},
		{glob("web[!0-2]"), "web1", false},
		{glob("web[^1]"), "web1", true}, // ^ is a character like any other
		{glob("web[a-]"), "web-", true},
		{glob("web[-a]"), "web-", true},
		{glob("web[]1]"), "web1", true},
		{glob("web[!]1]"), "web1", false},
		{glob("web[a-c-e]"), "web-", true},
		{glob("web[a-c-e]"), "webd", false},
		{glob("Web1"), "web1", false},
		{list("web1,db1"), "db1", true},
		{list("web1,db1"), "db", false},
		{list("web1,db1"), "web1,db1", false},
	} {
		m, err := Parse(c.target)
		if err != nil {
			t.Errorf("%v: %v", c.target, err)
			continue
		}
		if got := m.Match(Facts{ID: c.id}); got != c.want {
			t.Errorf("%q matches %q: got %v, want %v", c.target.Expression, c.id, got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	m, err := Parse(list("web2,web1,web2"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.IDs(), []string{"web2", "web1"}; !slices.Equal(got, want) {
		t.Errorf("list: got %v, want %v", got, want)
	}
	if m, err = Parse(glob("*")); err != nil || m.IDs() != nil {
		t.Errorf("glob: got %v, %v, want none", m.IDs(), err)
	}
}

// TestMistakes compares error texts with testdata/mistakes.txt, whose cases
// are separated by blank lines: syntax, a space and the expression, then the
// expected text.
func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for c := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n\n") {
		head, want, _ := strings.Cut(c, "\n")
		syntax, expr, _ := strings.Cut(head, " ")
		_, err := Parse(&proto.Target{
			Syntax:     proto.Target_Syntax(proto.Target_Syntax_value[syntax]),
			Expression: strings.ReplaceAll(expr, "$LONG", strings.Repeat("longname,", 40)),
		})
		if err == nil {
			t.Errorf("%s: no error, want\n%s", head, want)
		} else if err.Error() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", head, err, want)
		}
	}
}

func TestTooLongAndUnknownSyntax(t *testing.T) {
	for _, bad := range []*proto.Target{
		nil,
		glob(strings.Repeat("a", MaxExpression+1)),
		list(strings.Repeat("a", 129)),
		{Syntax: 99, Expression: "web1"},
	} {
		_, err := Parse(bad)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("got %v, want an *Error", err)
		}
	}
}

// TestConformance runs the glob and list cases that real Salt answered. Where
// Salt silently matches nothing, a refusal is as good.
func TestConformance(t *testing.T) {
	dir := os.Getenv("BRINE_CONFORMANCE")
	if dir == "" {
		dir = "testdata"
	}
	f, err := os.Open(filepath.Join(dir, "targets.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syntaxes := map[string]proto.Target_Syntax{"glob": proto.Target_GLOB, "list": proto.Target_LIST}
	var facts Facts
	passed, failed := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct {
			Minion  struct{ ID string }
			Matcher string
			Expr    any
			Result  bool
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Minion.ID != "" {
			facts.ID = c.Minion.ID
		}
		expr, isText := c.Expr.(string) // an expression that is a list cannot reach us: the message holds text
		if syntaxes[c.Matcher] == 0 || !isText {
			continue
		}
		m, err := Parse(&proto.Target{Syntax: syntaxes[c.Matcher], Expression: expr})
		if got := err == nil && m.Match(facts); got != c.Result {
			t.Errorf("%s %q: got %v (%v), want %v", c.Matcher, expr, got, err, c.Result)
			failed++
			continue
		}
		passed++
	}
	t.Logf("%d passed, %d failed", passed, failed)
	if passed == 0 {
		t.Error("no case was run")
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{"*", "web[0-9]*", "a,b", "[", "[]", "[!]", "[z-a]", "é", "a,,b", "x\x00"} {
		f.Add(int32(proto.Target_GLOB), expr, "web1")
		f.Add(int32(proto.Target_LIST), expr, "web1")
	}
	f.Fuzz(func(t *testing.T, syntax int32, expr, id string) {
		m, err := Parse(&proto.Target{Syntax: proto.Target_Syntax(syntax), Expression: expr})
		if err != nil {
			if !strings.Contains(err.Error(), "^") {
				t.Errorf("no caret in %q", err)
			}
			return
		}
		m.Match(Facts{ID: id})
		for _, listed := range m.IDs() {
			if !m.Match(Facts{ID: listed}) {
				t.Errorf("list %q does not match its own %q", expr, listed)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m, err := Parse(glob("web*.example.com"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m.Match(Facts{ID: "web1234.dc1.example.com"})
	}
}
