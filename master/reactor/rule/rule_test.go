package rule_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master/reactor/rule"
	"brine/proto"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

// TestMistakes lists the problems of each file of testdata, as its .problems has them.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, problems := rule.Parse("test", []rule.File{{Name: filepath.Base(file), Text: text}})
		var got strings.Builder
		for _, p := range problems {
			fmt.Fprintln(&got, p)
		}
		golden := strings.TrimSuffix(file, ".toml") + ".problems"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s%v", file, got.String(), want, err)
		}
	}
}

func parse(t testing.TB, text string) *rule.Set {
	t.Helper()
	set, problems := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(text)}})
	if wrong := rule.Mistakes(problems); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return set
}

func event(tag, origin, data string) *rule.Event {
	return &rule.Event{ID: "event/1", Event: &proto.Event{Tag: tag, Origin: origin, At: time.Now().UnixMicro(), Data: []byte(data)},
		Grains: func() (map[string]any, error) { return map[string]any{"os": "Debian", "num": 4}, nil },
		Pillar: func() (map[string]any, error) { return map[string]any{"team": "web"}, nil },
	}
}

const action = "\naction = {run = \"test.ping\"}\n"

func TestHits(t *testing.T) {
	set := parse(t, `
[[rule]]
name = "all"
tag = "*"`+action+`
[[rule]]
name = "beacon"
tag = ["salt/beacon/*/load/", "salt/beacon/*/diskusage/"]
filter = 'minion:web* "data"'
condition = "event.data.data > 5 && grains.os == 'Debian' && pillar.team == 'web' && grains.num == 4"
key = 'event.origin + event.tag'`+action+`
[[rule]]
name = "lasts"
tag = "lasts"
for = "1m"
condition = "event.data.on"`+action+`
[[rule]]
name = "closes"
tag = "lasts"
for = "1m"
condition = "event.data.on"
close = {tag = "over"}`+action+`
[[rule]]
name = "steps"
tag = "brine/rule/*"`+action)
	for _, c := range []struct {
		e    *rule.Event
		want string
	}{
		{event("x", "web1", "{}"), "all:web1"},
		{event("salt/beacon/web1/load/", "web1", `{"data":6}`), "all:web1 beacon:web1salt/beacon/web1/load/"},
		{event("salt/beacon/web1/load/", "web1", `{"data":5}`), "all:web1"},
		{event("salt/beacon/db1/load/", "db1", `{"data":6}`), "all:db1"},
		{event("salt/beacon/web1/load/", "web1", `{"data":"much"}`), "all:web1 beacon!"},
		{event("lasts", "web1", `{"on":true}`), "all:web1 closes:web1 lasts:web1"},
		{event("lasts", "web1", `{"on":false}`), "all:web1 lasts-web1"},
		{event("over", "web1", `{}`), "all:web1 closes-web1"},
		{event("brine/rule/steps/fired", "m1", `{}`), "all:m1 steps:m1"},
		{event("brine/rule/x/suppressed", "m1", `{}`), ""},
	} {
		var got []string
		for _, h := range set.Hits(c.e) {
			switch {
			case h.Problem != nil:
				got = append(got, h.Rule.Name+"!")
			case h.Opens:
				got = append(got, h.Rule.Name+":"+h.Key)
			default:
				got = append(got, h.Rule.Name+"-"+h.Key)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: got %q, want %q", c.e.Tag, c.e.Data, got, c.want)
		}
	}
	own := event("x", "m1", "{}")
	own.Actor = "rule all"
	if hits := set.Hits(own); len(hits) != 0 {
		t.Errorf("a rule looks at what it did itself: %v", hits)
	}
}

func TestArgumentsAreMadeOfTheEvent(t *testing.T) {
	set := parse(t, `
[[rule]]
name = "a"
tag = "x"
action = {run = "service.restart", args = ["${event.data.unit}", "${event.data.n}", "u-${event.data.unit}:${event.data.n}", "$${x}", 3, ["${event.origin}"]], kwargs = {force = true, deep = {n = "${event.data.n}"}}}
[[rule]]
name = "b"
tag = "x"
action = {apply = ["web", "db"], kwargs = {test = true}, target = "G@role:web"}
[[rule]]
name = "c"
tag = "x"
action = {run = "test.ping", target = "data.host.name"}
[[rule]]
name = "d"
tag = "x"
action = {run = "test.echo", args = ["is ${event.data.host} ${event.data.list} ${event.data.big} ${event.data.none}", "${ {'a': '}'} } ${filter(event.data.list, {# > 1})}"]}
`)
	e := event("x", "web1", `{"unit":"nginx","n":2,"host":{"name":"db7"},"list":[1,2.5],"big":2e6}`)
	for name, want := range map[string]string{
		"a": `["nginx",2,"u-nginx:2","${x}",3,["web1"]] deep={"n":2} force=true on [web1] ""`,
		"b": `["web,db"] test=true on [] "G@role:web"`,
		"c": `[] on [db7] ""`,
		"d": `["is {\"name\":\"db7\"} [1,2.5] 2000000 null","{\"a\":\"}\"} [2.5]"] on [web1] ""`,
	} {
		a := set.Rule(name).Action
		args, err := a.Arguments(e)
		if err != nil {
			t.Fatal(err)
		}
		list, named := []json.RawMessage{}, ""
		for _, arg := range args {
			if arg.Name == "" {
				list = append(list, arg.GetJson())
			} else {
				named += " " + arg.Name + "=" + string(arg.GetJson())
			}
		}
		data, _ := json.Marshal(list)
		ids, expression, err := a.Whom(e)
		if got := fmt.Sprintf("%s%s on %v %q", data, named, ids, expression); got != want || err != nil {
			t.Errorf("%s: got %s, want %s (%v)", name, got, want, err)
		}
	}
	for _, data := range []string{`{}`, `{"host":{"name":"a,b"}}`, `{"host":{"name":[1]}}`, `{"host":{"name":""}}`, `{"host":"x"}`} {
		if ids, _, err := set.Rule("c").Action.Whom(event("x", "web1", data)); err == nil {
			t.Errorf("%s is for %v", data, ids)
		}
	}
}

func TestWindows(t *testing.T) {
	set := parse(t, `
[[maintenance]]
name = "night"
weekly = "sat 23:00-02:00"
zone = "UTC"
[[maintenance]]
name = "lunch"
weekly = "mon-fri 12:00-13:00"
zone = "Europe/Berlin"
minions = ["web*"]
rules = ["a*"]
[[maintenance]]
name = "once"
from = 2026-03-04 10:00:00
until = "2026-03-04 11:00"
zone = "UTC"
`)
	for _, c := range []struct{ at, rule, minion, want string }{
		{"2026-03-07 22:59", "a", "web1", ""}, // a Saturday
		{"2026-03-07 23:00", "a", "web1", "night"},
		{"2026-03-08 01:59", "a", "web1", "night"},
		{"2026-03-08 02:00", "a", "web1", ""},
		{"2026-03-08 23:30", "a", "web1", ""},
		{"2026-03-02 11:30", "ab", "web1", "lunch"},
		{"2026-03-02 11:30", "ab", "db1", ""},
		{"2026-03-02 11:30", "b", "web1", ""},
		{"2026-03-02 12:30", "ab", "web1", ""},
		{"2026-03-04 10:30", "b", "db1", "once"},
		{"2026-03-04 11:00", "b", "db1", ""},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range set.Windows {
			if w.Covers(c.rule, c.minion, at) {
				got = w.Name
			}
		}
		if got != c.want {
			t.Errorf("%v: got %q", c, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	bad, err := os.ReadFile("testdata/bad.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bad)
	f.Add([]byte("[[rule]]\nname = \"a\"\ntag = \"*\"\ncondition = \"event.data.x == 1\"\naction = {run = \"a.b\", args = [\"${event.tag}\"]}"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		set, _ := rule.Parse("fuzz", []rule.File{{Name: "f.toml", Text: text}})
		set.Explain(event("x", "web1", `{"x":1}`), rule.Asking{Now: time.Now()})
		set.Hits(event("x", "web1", `{"x":1}`))
	})
}

// BenchmarkHits asks 200 rules about events of a site, of which one in ten is for a rule.
func BenchmarkHits(b *testing.B) {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "[[rule]]\nname = \"r%d\"\ntag = \"salt/beacon/*/service%d/*\"\ncondition = \"event.data.running == false\"\naction = {run = \"test.ping\"}\n", i, i)
	}
	set := parse(b, text.String())
	data := []byte(`{"running":false,"id":"web1","tag":"service","more":{"a":[1,2,3],"text":"some words of a beacon that has something to say"}}`)
	for i := 0; b.Loop(); i++ {
		tag := fmt.Sprintf("salt/beacon/web%d/load/", i%1000)
		if i%10 == 0 {
			tag = fmt.Sprintf("salt/beacon/web%d/service%d/x", i%1000, i%200)
		}
		e := &rule.Event{ID: "event/1", Event: &proto.Event{Tag: tag, Origin: "web1", At: 1, Data: data}}
		if hits := set.Hits(e); len(hits) != 1 && i%10 == 0 {
			b.Fatalf("%s is for %d rules", tag, len(hits))
		}
	}
}

func TestExplainTellsWhatKeepsARuleFromActing(t *testing.T) {
	set := parse(t, `
[[rule]]
name = "a"
mode = "enforce"
tag = "x"
max_age = "1h"
action = {run = "test.ping"}
[[maintenance]]
name = "night"
weekly = "daily 00:00-24:00"
minions = ["web*"]
`)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	e := event("x", "web1", `{}`)
	e.At, e.Depth = now.Add(-2*time.Hour).UnixMicro(), 3
	var got []string
	for _, l := range set.Explain(e, rule.Asking{Now: now, Paused: func(name string) string { return name + " is paused" }}) {
		if strings.HasPrefix(l.Text, "it does not act") {
			got = append(got, l.Step+": "+l.Text)
		}
	}
	want := []string{"loop: it does not act: 3 reactions led to the event", "paused: it does not act: a is paused",
		"stale: it does not act: the event is older than 1h0m0s", "maintenance: it does not act: night is open now"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	e = event("x", "db1", `{}`)
	e.At = now.UnixMicro()
	for _, l := range set.Explain(e, rule.Asking{Now: now}) {
		if strings.Contains(l.Text, "does not act") {
			t.Errorf("got %v", l)
		}
	}
}

func TestTheExampleHasNoMistake(t *testing.T) {
	text, err := os.ReadFile("../../../scripts/examples/_rules/web.toml")
	if err != nil {
		t.Fatal(err)
	}
	set, problems := rule.Parse("examples", []rule.File{{Name: "web.toml", Text: text}})
	if len(problems) > 0 || len(set.Rules) != 2 || len(set.Windows) != 2 {
		t.Errorf("%d rules, %d windows, %v", len(set.Rules), len(set.Windows), problems)
	}
}

func TestMayMatch(t *testing.T) {
	for tag, want := range map[string]bool{
		`"*"`: true, `"salt/*"`: true, `"salt/job/*/ret/*"`: true, `"salt/job/2026*"`: true, `"salt/j*"`: true,
		`"salt/jobs"`: false, `"salt/beacon/*"`: false, `["x/*", "s*"]`: true, `["x/*", "y"]`: false,
	} {
		set := parse(t, "[[rule]]\nname = \"r\"\ntag = "+tag+action)
		if got := set.MayMatch("salt/job/"); got != want {
			t.Errorf("%s: got %v, want %v", tag, got, want)
		}
	}
	closes := parse(t, "[[rule]]\nname = \"r\"\ntag = \"x\"\nfor = \"1m\"\nclose = {tag = \"salt/job/*\"}"+action)
	if !closes.MayMatch("salt/job/") || rule.NewSet("", nil, nil).MayMatch("salt/job/") {
		t.Error("what closes a rule counts, and no rule is for nothing")
	}
}
