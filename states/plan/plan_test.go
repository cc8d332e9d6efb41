package plan_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"brine/states/plan"
)

func chunk(id string, order int, needs ...string) *plan.Chunk {
	c := &plan.Chunk{ID: id, Name: id, Module: "test", Func: "nop", SLS: "web", Order: order}
	c.Place = plan.Place{File: "web.sls", Line: order}
	for _, target := range needs {
		mod, target, _ := strings.Cut(target, ":")
		c.Requisites = append(c.Requisites, plan.Requisite{Module: mod, Target: target, Place: c.Place})
	}
	return c
}

func order(p *plan.Plan) string {
	var ids []string
	for _, n := range p.Nodes {
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, " ")
}

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		chunks []*plan.Chunk
		want   string
	}{
		"by order":              {[]*plan.Chunk{chunk("b", 2), chunk("a", 1)}, "a b"},
		"equal by label":        {[]*plan.Chunk{chunk("z", 1), chunk("a", 1)}, "a z"},
		"requisites first":      {[]*plan.Chunk{chunk("a", 1, "test:c"), chunk("b", 2), chunk("c", 3, "test:d"), chunk("d", 4)}, "d c a b"},
		"of any module":         {[]*plan.Chunk{chunk("a", 1, ":b"), chunk("b", 2), chunk("c", 3, "id:a")}, "b a c"},
		"by glob":               {[]*plan.Chunk{chunk("a", 1, "test:/etc/*"), chunk("/etc/x/y", 2), chunk("/etc/z", 3)}, "/etc/x/y /etc/z a"},
		"exact before a glob":   {[]*plan.Chunk{chunk("a", 1, "test:b[1]"), chunk("b[1]", 3), chunk("b1", 2)}, "b[1] a b1"},
		"own SLS is not itself": {[]*plan.Chunk{chunk("a", 1), chunk("b", 2, "sls:web")}, "a b"},
	} {
		p, errs := plan.New(c.chunks, nil)
		if errs != nil {
			t.Errorf("%s: %v", name, errs)
		} else if got := order(p); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// through makes a chunk one of a file that web includes.
func through(c *plan.Chunk) *plan.Chunk {
	c.SLS, c.Through = "service", []string{"web"}
	return c
}

func TestFilesThatIncludeEachOther(t *testing.T) {
	chunks := []*plan.Chunk{
		through(chunk("service", 1, "sls:web")), through(chunk("reload", 2, ":service", "sls:web")), through(chunk("other", 3)),
		chunk("a", 4), chunk("b", 5, ":a"),
	}
	p, errs := plan.New(chunks, nil)
	if errs != nil {
		t.Fatal(errs)
	}
	if got := order(p); got != "other a b service reload" {
		t.Errorf("got %q", got)
	}
	for _, n := range p.Nodes {
		want := ""
		if n.ID == "service" || n.ID == "reload" {
			want = "[require: sls: web] leaves out what web includes and what needs this state itself"
		}
		if got := strings.Join(n.Warnings, "|"); got != want {
			t.Errorf("%s: got warnings %q, want %q", n.ID, got, want)
		}
	}
	if _, errs := plan.New(append(chunks, chunk("c", 6, ":service")), nil); len(errs) == 0 {
		t.Error("a state of the SLS itself that needs what needs the SLS is no mistake")
	}
}

func TestErrors(t *testing.T) {
	long := []*plan.Chunk{chunk("s0", 1, "test:s19")}
	for i := range 19 {
		long = append(long, chunk(fmt.Sprintf("s%d", i+1), i+2, fmt.Sprintf("test:s%d", i)))
	}
	for name, c := range map[string]struct {
		chunks []*plan.Chunk
		want   string
	}{
		"missing, and nothing is near but the state itself": {
			[]*plan.Chunk{chunk("b1", 1, "test:b2")},
			`web.sls:1: state "b1": no state is meant by the requisite [require: test: b2]`,
		},
		"missing": {
			[]*plan.Chunk{chunk("nginx", 1), chunk("b", 2, "test:ngnix"), chunk("c", 3, "pkg:nginx"), chunk("d", 4, "sls:webb")},
			`web.sls:2: state "b": no state is meant by the requisite [require: test: ngnix] (did you mean "nginx"?)
web.sls:3: state "c": no state is meant by the requisite [require: pkg: nginx] (did you mean "test: nginx"?)
web.sls:4: state "d": no state is meant by the requisite [require: sls: webb] (did you mean "web"?)`,
		},
		"itself": {
			[]*plan.Chunk{chunk("a", 1, "test:a")},
			`web.sls:1: recursive requisites, none of these states can be the first: ` +
				`test "a" (web.sls:1) has require on test "a" (web.sls:1)`,
		},
		"two circles": {
			[]*plan.Chunk{chunk("a", 1, ":b"), chunk("b", 2, ":a"), chunk("c", 3, ":d"), chunk("d", 4, ":c")},
			`web.sls:1: recursive requisites, none of these states can be the first: ` +
				`test "a" (web.sls:1) has require on test "b" (web.sls:2), which has require on test "a" (web.sls:1)
web.sls:3: recursive requisites, none of these states can be the first: ` +
				`test "c" (web.sls:3) has require on test "d" (web.sls:4), which has require on test "c" (web.sls:3)`,
		},
	} {
		_, errs := plan.New(c.chunks, nil)
		var lines []string
		for _, e := range errs {
			lines = append(lines, e.Error())
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
	_, errs := plan.New(long, nil)
	if len(errs) != 1 || !strings.HasSuffix(errs[0].Text, "which leads back through 12 more") {
		t.Errorf("a circle of 20: got %v, want one error that names 8", errs)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"/etc/*", "/etc/a/b", true},
		{"a?c", "abc", true},
		{"a?c", "aéc", true},
		{"a?c", "ac", false},
		{"[ab]", "b", true},
		{"[!ab]", "b", false},
		{"[!ab]", "c", true},
		{"[a-c]x", "bx", true},
		{"[]]", "]", true},
		{"[!]]", "a", true},
		{"[^a]", "^", true},
		{"[", "[", true},
		{"a[b", "a[b", true},
		{"a.b", "axb", false},
		{"é*", "é1", true},
		{"[z-a]", "b", false},
		{"a\nb*", "a\nb\nc", true},
	} {
		if got := plan.Glob(c.pattern)(c.text); got != c.want {
			t.Errorf("Glob(%q)(%q): got %v, want %v", c.pattern, c.text, got, c.want)
		}
	}
}

func FuzzGlob(f *testing.F) {
	for _, s := range []string{"[a-", "[!]", "*[", "[\\]", "a?"} {
		f.Add(s, "a")
	}
	plain := regexp.MustCompile(`^[^*?\[]*$`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		got := plan.Glob(pattern)(text)
		if plain.MatchString(pattern) && got != (pattern == text) {
			t.Errorf("Glob(%q)(%q): got %v", pattern, text, got)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	chunks := []*plan.Chunk{chunk("s0", 0)}
	for i := range 10_000 {
		chunks = append(chunks, chunk(fmt.Sprintf("s%d", i+1), i+1, fmt.Sprintf("test:s%d", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := plan.New(chunks, nil); errs != nil {
			b.Fatal(errs[0])
		}
	}
}
