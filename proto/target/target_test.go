package target_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/proto"
	"brine/proto/target"
	"brine/states/regex"
)

var update = flag.Bool("update", false, "write the expected texts")

func decode(t testing.TB, text string) target.JSON {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m target.JSON
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

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
		{glob("a@b"), "a@b", true},
		{list("web1,db1"), "db1", true},
		{list("web1,db1"), "db", false},
		{list("web1,db1"), "web1,db1", false},
		{list("web1,,db1,"), "db1", true}, // as in Salt
	} {
		m, err := target.Parse(c.target)
		if err != nil {
			t.Errorf("%v: %v", c.target, err)
			continue
		}
		if got := m.Match(target.Facts{ID: c.id}); got != c.want {
			t.Errorf("%q matches %q: got %v, want %v", c.target.Expression, c.id, got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	m, err := target.Parse(list("web2,web1,web2"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.IDs(), []string{"web2", "web1"}; !slices.Equal(got, want) {
		t.Errorf("list: got %v, want %v", got, want)
	}
	if m, err = target.Parse(glob("*")); err != nil || m.IDs() != nil {
		t.Errorf("glob: got %v, %v, want none", m.IDs(), err)
	}
}

// groups are nodegroups with mistakes and without.
const groups = `{"web": "web*", "dbs": "G@roles:db and not web2*", "either": "web* or db*", "ids": ["web1", "db1"],
	"plain": "web1 db1", "commas": "web1,db1", "regular": "web[12]", "branches": "(web|db)\\d", "none": [], "blank": " ",
	"spaces": ["G@name:A B", "or", "(db*)"], "loop": "N@inner and web*", "inner": "not N@loop", "number": 5,
	"broken": "web* and", "patterns": "web1 web[23]", "far": "N@broken", "lists": ["web*", "db*"]}`

// TestMistakes compares error texts with testdata/mistakes.txt, whose cases
// are separated by blank lines: kind, a space and the expression, then the
// expected text. Run with -update to write what is said now.
func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	l := target.Language{Groups: decode(t, groups)}
	l.Regexp = func(expr string, ignoreCase bool) (func(string) (bool, error), error) {
		if _, err := regex.Beginning(expr, ignoreCase); err != nil {
			return nil, fmt.Errorf("why %q is none", expr)
		}
		return regex.Beginning(expr, ignoreCase)
	}
	var now []string
	for c := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n\n") {
		head, want, _ := strings.Cut(c, "\n")
		kind, expr, _ := strings.Cut(head, " ")
		_, err := l.Parse(kind, strings.ReplaceAll(expr, "$LONG", strings.Repeat("longname,", 40)))
		got := "no error"
		if err != nil {
			got = err.Error()
		}
		if got != want && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", head, got, want)
		}
		now = append(now, head+"\n"+got)
	}
	if *update {
		if err := os.WriteFile("testdata/mistakes.txt", []byte(strings.Join(now, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, bad := range []*proto.Target{
		nil,
		{Expression: "web1"},
		glob(strings.Repeat("a", target.MaxExpression+1)),
		list(strings.Repeat("a", 129)),
		{Syntax: 99, Expression: "web1"},
	} {
		_, err := target.Parse(bad)
		var e *target.Error
		if !errors.As(err, &e) {
			t.Errorf("got %v, want an *Error", err)
		}
	}
	for kind, expr := range map[string]string{
		"compound": strings.Repeat("(", 50_000) + "web1" + strings.Repeat(")", 50_000),
		"grain":    strings.Repeat("a:", 1000) + "b",
	} {
		if _, err := (target.Language{}).Parse(kind, expr); err == nil || !strings.Contains(err.Error(), "allowed") {
			t.Errorf("%s: got %v, want an error", kind, err)
		}
	}
}

// TestCompound has targets whose answers are not in the data of real Salt.
func TestCompound(t *testing.T) {
	l := target.Language{Regexp: regex.Beginning, Groups: decode(t, groups)}
	facts := target.Facts{ID: "web1", Pillar: decode(t, `{"a": {"5": "five", "b": [{"c": 1}, 1.50, 1e20, true, null, "it's"]}}`),
		Grains: decode(t, `{"os": "Debian", "name": "A B", "roles": ["db"], "city": "Köln", "bracket": "a[b", "v": "1(2)", "e": {}, "l": [],
			"ipv4": ["10.1.2.3"], "ipv6": "fe80::1", "deep": {"x": {"y": ["z"]}, "k|l": "m"}}`)}
	for expr, want := range map[string]bool{
		// parentheses may touch words, but those of a pattern belong to it
		"(web* or db*) and G@os:Debian":  true,
		"((E@web(1|2)))":                 true,
		"not(db*)and(E@web(1|2) or db*)": true,
		"(E@(web|db)[)1]\\d?)":           true,
		"(E@web\\)|E@web1)":              false,
		"(G@v:1(2))":                     true,
		"(P@v:1[(]2\\))":                 true,
		"web* and(not(db*))":             true,
		// not > and > or; not after a target is "and not"
		"web* not db*":                    true,
		"web* not web1":                   false,
		"db* or web* and G@os:Deb*":       true,
		"web* or db* and G@os:RedHat":     true,
		"( web* or db* ) and G@os:RedHat": false,
		"not db* or web1":                 true,
		"not web1 or web1":                true,
		"not ( not web1 )":                true,
		// nodegroups are one target each
		"N@either and G@os:RedHat":        false,
		"not N@either":                    false,
		"N@either and N@web and N@either": true,
		"N@ids or db*":                    true,
		"N@plain":                         true,
		"N@commas":                        true,
		"N@regular":                       true,
		"N@branches":                      true,
		"N@spaces":                        true,
		"N@none or N@blank":               false,
		"web* and not N@none":             true,
		// values
		"G@city:k?ln":    true,
		"G@city:[KÖ]Öln": true,
		"P@city:k\\wln$": true,
		"G@bracket:a[b":  true,
		"G@os:DEBIAN":    true,
		"G@OS:Debian":    false,
		"I@a:5:five":     true,
		"I@a:b:c:1":      true,
		"I@a:b:0:c:1":    true,
		"I@a:b:-1:it's":  true,
		"I@a:b:1.5":      true,
		"I@a:b:1e+20":    true,
		"I@a:b:true":     true,
		"I@a:b:None":     true,
		"I@a:b:{'c'*":    true,
		"I@a:*":          true,
		"I@*:5":          true,
		"I@nothing:*":    false,
		"G@e:* or G@l:*": false,
		"G|@deep|*|y|z":  true,
		"G%@deep%k|l%m":  true,
		"Gx@deepxk|lxm":  true,
		// addresses
		"S@10.1.2.3 and S@10.0.0.0/8":    true,
		"S@10.1.2.0/255.255.255.0":       true,
		"S@10.1.2.0/0.0.0.255":           true,
		"S@FE80:0::1 and S@fe80::/10":    true,
		"S@0.0.0.0/0 and not S@10.1.2.4": true,
		"S@192.168.0.0/16":               false,
		"E@(?!db) and not E@(?!web)":     true,
		"E@1":                            false,
	} {
		m, err := l.Parse("compound", expr)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got, err := m.Decide(facts); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", expr, got, err, want)
		}
	}
}

// TestUnknown asks minions for what is not known of them: neither a question nor its opposite then means them.
func TestUnknown(t *testing.T) {
	const noPillar, noGrains, neither = "its pillar is not known: why", "its grains are not known: why", "its grains and its pillar are not known: why"
	l := target.Language{Regexp: regex.Beginning, Groups: decode(t, `{"gold": "I@tier:gold", "rest": "not N@gold"}`)}
	for expr, want := range map[string]string{
		"I@a:*":                              noPillar,
		"not I@a:*":                          noPillar,
		"not J@a:x":                          noPillar,
		"not ( not I@a:* )":                  noPillar,
		"N@gold":                             noPillar,
		"not N@gold":                         noPillar,
		"N@rest or N@gold":                   noPillar,
		"G@os:*":                             noGrains,
		"not G@os:*":                         noGrains,
		"not P@os:x":                         noGrains,
		"not S@10.0.0.1":                     noGrains,
		"G@os:* or I@a:* or S@10.0.0.1":      neither,
		"not I@a:* and not G@os:x":           neither,
		"I@a:* and db*":                      "false",
		"db* and not I@a:*":                  "false",
		"I@a:* and web1":                     noPillar,
		"I@a:* or web1":                      "true",
		"web1 or not I@a:*":                  "true",
		"I@a:* or db*":                       noPillar,
		"not ( I@a:* and db* )":              "true",
		"not ( I@a:* or web1 )":              "false",
		"web1 and not ( N@rest and G@os:x )": neither,
	} {
		m, err := l.Parse("compound", expr)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		f := target.Facts{ID: "web1", Why: errors.New("why")}
		ok, err := m.Decide(f)
		got := fmt.Sprint(ok)
		if err != nil {
			got = err.Error()
		}
		var u *target.Unknown
		if got != want || err != nil && (ok || m.Match(f) || !errors.As(err, &u)) {
			t.Errorf("%q: got %s (%v), want %s", expr, got, ok, want)
		}
	}
}

// TestBounded has expressions whose plain evaluation would not end.
func TestBounded(t *testing.T) {
	var b strings.Builder
	for i := range 90 {
		fmt.Fprintf(&b, `"g%d": "N@g%d and web1 or N@g%d", `, i, i+1, i+1)
	}
	l := target.Language{Regexp: regex.Beginning, Groups: decode(t, "{"+b.String()+`"g90": "db*"}`)}
	deep := strings.Repeat(`{"a": {"b": 1}, "c": `, 30) + "1" + strings.Repeat("}", 30)
	for expr, want := range map[string]string{
		"N@g0":                                 "",
		"G@" + strings.Repeat("*:", 90) + "zz": "steps",
		"E@(a|aa)+(?!b)$":                      "too long",
	} {
		m, err := l.Parse("compound", expr)
		if err != nil {
			t.Fatal(err)
		}
		f := target.Facts{ID: strings.Repeat("a", 120) + "b", Grains: decode(t, deep)}
		ok, err := m.Decide(f)
		if ok || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, %v, want %q", expr, ok, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{"*", "web[0-9]*", "a,b", "[", "[]", "[!]", "[z-a]", "é", "a,,b", "x\x00",
		"G@os:Deb* and not ( web* or E@(db|x)[)]\\)+ ) not(L@a,b)", "I|@a|*|c or N@loop", "S@10.0.0.0/8", "P@a:*:b:c", "N@spaces",
		"((((", "not not a", "R@x", "J@x:(?i)a", "G@@a@b"} {
		for _, kind := range target.Kinds() {
			f.Add(kind, expr, "web1", "b")
		}
	}
	l := target.Language{Regexp: regex.Beginning, Groups: decode(f, groups)}
	data := decode(f, `{"os": "Debian", "a": {"b": {"c": ["d", {"e": 1.5}]}, "x": [true, null]}, "ipv4": ["10.1.2.3", 4]}`)
	f.Fuzz(func(t *testing.T, kind, expr, id, v string) {
		m, err := l.Parse(kind, expr)
		if err != nil {
			if !strings.Contains(err.Error(), "^") {
				t.Errorf("no caret in %q", err)
			}
			return
		}
		facts := target.Facts{ID: id, Grains: data, Pillar: target.JSON{"a": v, v: []any{v}}}
		m.Match(facts)
		for _, listed := range m.IDs() {
			if !m.Match(target.Facts{ID: listed}) {
				t.Errorf("list %q does not match its own %q", expr, listed)
			}
		}
		again, err := l.Parse("compound", "not ( "+expr+" )")
		if kind != "compound" || err != nil {
			return
		}
		if was, bad := m.Decide(facts); bad == nil && again.Match(facts) == was {
			t.Errorf("%q and its opposite are both %v", expr, was)
		}
	})
}

// BenchmarkCompound asks which of 10,000 minions a compound means.
func BenchmarkCompound(b *testing.B) {
	l := target.Language{Regexp: regex.Beginning, Groups: decode(b, `{"eu": "G@dc:eu-* or G@dc:uk-*"}`)}
	fleet := make([]target.Facts, 10_000)
	for i := range fleet {
		fleet[i] = target.Facts{
			ID: fmt.Sprintf("web%d.dc%d.example.com", i, i%7),
			Grains: decode(b, fmt.Sprintf(`{"os": "Debian", "osrelease": "12", "dc": "eu-%d", "roles": ["web", "cache%d"],
				"ipv4": ["10.1.%d.%d", "127.0.0.1"]}`, i%9, i%3, i/256, i%256)),
			Pillar: decode(b, `{"app": {"tier": "gold", "ports": [80, 443]}}`),
		}
	}
	for b.Loop() {
		m, err := l.Parse("compound", `G@os:Deb* and ( N@eu or S@10.2.0.0/16 ) and not ( G@roles:cache1 or E@web\d*7\.dc[35] ) and I@app:*:gold`)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, f := range fleet {
			if m.Match(f) {
				n++
			}
		}
		if n < 1000 {
			b.Fatal("few match")
		}
	}
}

func BenchmarkGlob(b *testing.B) {
	m, err := target.Parse(glob("web*.example.com"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m.Match(target.Facts{ID: "web1234.dc1.example.com"})
	}
}

// TestPillarAsked tells how an expression asks for pillar: what stands for any key is a pattern, and in Exact stands for itself.
func TestPillarAsked(t *testing.T) {
	groups := decode(t, `{"gold": "I@tier:g*"}`)
	facts := target.Facts{ID: "web1", Pillar: decode(t, `{"tier": "gold", "db": {"key": "s3cret"}, "odd": {"*": "star"}}`)}
	for _, c := range []struct {
		kind, expr, asked string
		use               target.Pillar
		plain, exact      bool
	}{
		{"glob", "web*", "[]", target.NoPillar, true, true},
		{"compound", "N@gold", "[]", target.NoPillar, true, false},
		{"pillar_exact", "tier:gold", "[[tier gold]]", target.PillarValues, true, true},
		{"pillar_exact", "*:key", "[[* key]]", target.PillarPatterns, true, false},
		{"pillar_exact", "*:key:s3cret", "[[* key s3cret]]", target.PillarPatterns, true, false},
		{"pillar_exact", "*:*:s3cret", "[[* * s3cret]]", target.PillarPatterns, true, false},
		{"pillar_exact", "odd:*:star", "[[odd * star]]", target.PillarPatterns, true, true},
		{"pillar", "db:*", "[[db *]]", target.PillarPatterns, true, false},
		{"pillar", "*:*:s3cret", "[[* * s3cret]]", target.PillarPatterns, true, false},
		{"compound", "I@tier:gold and not I|@db|key|s3cret", "[[tier gold] [db key s3cret]]", target.PillarValues, false, false},
	} {
		for _, exact := range []bool{false, true} {
			m, err := target.Language{Regexp: regex.Beginning, Groups: groups, Exact: exact}.Parse(c.kind, c.expr)
			if err != nil {
				t.Fatal(err)
			}
			want := c.plain
			if exact {
				want = c.exact
			}
			if got, err := m.Decide(facts); got != want || err != nil {
				t.Errorf("%s %s, exact %v: got %v, %v, want %v", c.kind, c.expr, exact, got, err, want)
			}
			if fmt.Sprint(m.PillarAsked()) != c.asked || m.Pillar() != c.use {
				t.Errorf("%s %s: asks %v by %v, want %s by %v", c.kind, c.expr, m.PillarAsked(), m.Pillar(), c.asked, c.use)
			}
		}
	}
}
