package rule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"brine/proto/event"
	"brine/proto/spell"
	"brine/proto/target"
)

// A Problem is a mistake in a file of rules, or something to look at.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Warning bool   `json:"warning"`
	Text    string `json:"message"`
	Hint    string `json:"hint"`
}

// String is the problem with its place.
func (p Problem) String() string {
	text := fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	if p.Warning {
		text = fmt.Sprintf("%s:%d: warning: %s", p.File, p.Line, p.Text)
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Mistakes are the problems that keep a set of rules from being used.
func Mistakes(all []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(all), func(p Problem) bool { return p.Warning })
}

// A File is a file of rules.
type File struct {
	Name string
	Text []byte
}

// Parse reads files of rules. It tells every mistake of all of them, in order of file and line; with one the set is of what could
// be read, and not for use.
func Parse(source string, files []File) (*Set, []Problem) {
	p := &reader{named: map[string]*Rule{}}
	for _, f := range files {
		p.file(f)
	}
	p.windowsOfNone()
	sort.SliceStable(p.problems, func(i, j int) bool {
		a, b := p.problems[i], p.problems[j]
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) < 0
	})
	return NewSet(source, p.rules, p.windows), p.problems
}

type reader struct {
	name     string // of the file that is read
	lines    places
	text     []string // its lines
	rules    []*Rule
	windows  []Window
	keeps    []keeping // of them
	named    map[string]*Rule
	problems []Problem
}

func (p *reader) file(f File) {
	p.name = f.Name
	var top map[string]any
	if _, err := toml.Decode(string(f.Text), &top); err != nil {
		line, text := 1, err.Error()
		if at := (toml.ParseError{}); errors.As(err, &at) {
			line, text = at.Position.Line, at.Message
		}
		p.problems = append(p.problems, Problem{File: f.Name, Line: line, Text: "cannot read TOML: " + text})
		return
	}
	p.lines, p.text = locate(string(f.Text)), strings.Split(string(f.Text), "\n")
	t := &table{p: p, m: top}
	for i, m := range t.tables("rule") {
		p.rule(&table{p: p, m: m, path: fmt.Sprintf("rule#%d", i)})
	}
	for i, m := range t.tables("maintenance") {
		p.window(&table{p: p, m: m, path: fmt.Sprintf("maintenance#%d", i)})
	}
	t.done()
}

// What a rule has that says nothing else.
const (
	defaultCoolDown = 5 * time.Minute
	defaultAge      = 24 * time.Hour
	defaultVerify   = 30 * time.Second
	defaultEach     = 5 * time.Second
	defaultTimeout  = 10 * time.Minute
	maxTimes        = 100_000
)

func (p *reader) rule(t *table) {
	r := &Rule{File: p.name, Line: t.line(""), Mode: Observe}
	r.Text = section(p.text, r.Line)
	r.Name, r.About = t.text("name"), t.text("about")
	switch {
	case r.Name == "":
		t.wrong("", "a rule has no name", `name = "nginx-down"`)
	case !named(r.Name):
		t.wrong("name", fmt.Sprintf("cannot use the name %q: want up to 64 of letters, digits, - _ and .", r.Name), "")
	case p.named[r.Name] != nil:
		other := p.named[r.Name]
		t.wrong("name", fmt.Sprintf("there is a rule %q already, at %s:%d", r.Name, other.File, other.Line), "")
	default:
		p.named[r.Name] = r
	}
	r.Mode = oneOf(t, "mode", Observe, []Mode{Approve, Enforce, Observe})
	r.Match = t.match(true)
	if c := t.table("close"); c != nil {
		m := c.match(false)
		r.Close = &m
		c.done()
	}
	r.For, r.Within = t.duration("for", 0), t.duration("within", 0)
	r.Count = t.whole("count", 0, 1, 10_000)
	r.Key = t.expr("key", wantText, false)
	r.CoolDown = t.duration("cooldown", defaultCoolDown)
	r.MaxAge, r.ApproveWithin = t.duration("max_age", defaultAge), t.some("approve_within", defaultAge)
	r.KeyRate, r.RuleRate = t.rate("rate", Rate{6, time.Hour}), t.rate("rule_rate", Rate{60, time.Hour})
	r.Breaker = t.breaker()
	p.does(t, r)
	p.together(t, r)
	t.done()
	p.rules = append(p.rules, r)
}

// does reads what a rule does.
func (p *reader) does(t *table, r *Rule) {
	if a := t.table("action"); a != nil {
		r.Action = a.action(true)
		a.done()
	} else if !t.has("action") {
		t.wrong("", fmt.Sprintf("rule %q has no action", r.Name), `[rule.action] with run = "service.start", for instance`)
	}
	if v := t.table("verify"); v != nil {
		r.Verify = v.verify()
		v.done()
	}
	if e := t.table("retry"); e != nil {
		r.Retry = Retry{e.whole("times", 1, 1, 20), e.duration("backoff", 10*time.Second)}
		e.done()
	}
	if e := t.table("escalate"); e != nil {
		a := e.action(false)
		r.Escalate = &a
		e.done()
	}
}

// together tells what does not go together.
func (p *reader) together(t *table, r *Rule) {
	switch {
	case r.Count > 1 && r.Within == 0:
		t.wrong("count", "count wants a time within which so many events come", `within = "5m"`)
	case r.Within > 0 && r.Count <= 1:
		t.wrong("within", "within is for count", "count = 3")
	case r.Count > 1 && r.For > 0:
		t.wrong("for", "for and count can't both be: either something lasts, or it comes again", "")
	}
	if r.For > 0 && r.Close == nil && r.Match.Condition == nil {
		t.warn("for", "nothing ends what for waits for: it has neither a condition nor [rule.close]", "")
	}
	for _, text := range r.Match.texts {
		if strings.HasPrefix(text, TagPrefix) || strings.HasPrefix(TagPrefix, literal(text)) && literal(text) != text {
			t.warn("tag", fmt.Sprintf("%q is for steps of rules too", text), "a rule never acts on what it did itself, and at most 3 reactions follow each other")
		}
	}
	if r.Mode == Enforce && r.Action.Kind == Run && strings.HasPrefix(r.Action.Name, "cmd.") && anyData(r.Action) {
		t.warn("action", "a command is made of the event's data, which the sender chooses", "pass it to a state or a function that checks it")
	}
}

func anyData(a Action) bool {
	return slices.ContainsFunc(a.Args, Value.data) || slices.ContainsFunc(a.Kwargs, func(n Named) bool { return n.Value.data() })
}

// named tells whether a text can be a rule's name.
func named(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

func (t *table) match(required bool) Match {
	m := Match{texts: t.list("tag")}
	if text := t.text("filter"); text != "" {
		q, err := event.Parse(text, time.Unix(0, 0))
		switch {
		case err != nil:
			t.wrong("filter", firstLine(err), "")
		case q.Since != 0 || q.Until != 0 || q.Cause != "":
			t.wrong("filter", "a rule is asked of each event as it comes: since, until and cause have no place here", "")
		default:
			if len(m.texts) == 0 {
				m.texts, q.Tags = q.Tags, nil
			}
			m.Filter, _ = event.Compile(q) // Parse has tried the globs
		}
	}
	texts := m.texts
	m.texts = nil
	for _, text := range texts {
		g, err := target.ParseGlob(text)
		switch {
		case err != nil:
			t.wrong("tag", firstLine(err), "")
		case text == "":
			t.wrong("tag", "no event has an empty tag", "")
		default:
			m.Tags, m.texts, m.prefixes = append(m.Tags, g), append(m.texts, text), append(m.prefixes, literal(text))
		}
	}
	if len(texts) == 0 && (!t.has("tag") || isEmpty(t.m["tag"])) && (required || len(t.m) > 0) {
		t.wrong("", "no tag says which events are meant", `tag = "salt/beacon/*/service/*"`)
	}
	m.Condition = t.expr("condition", wantBool, false)
	return m
}

func isEmpty(v any) bool {
	list, ok := v.([]any)
	return ok && len(list) == 0
}

func (t *table) breaker() Breaker {
	b := Breaker{Share: 20, AtLeast: 5, Failed: 5, Within: 10 * time.Minute}
	if s := t.table("breaker"); s != nil {
		b.Share = s.number("share", b.Share, 0, 100)
		b.AtLeast = s.whole("at_least", b.AtLeast, 0, maxTimes)
		b.Failed = s.whole("failed", b.Failed, 0, maxTimes)
		b.Within = s.duration("within", b.Within)
		s.done()
	}
	return b
}

func (t *table) verify() *Verify {
	v := &Verify{Within: t.duration("within", defaultVerify), Each: t.duration("each", defaultEach)}
	v.Condition = t.expr("condition", wantBool, true)
	if v.Condition == nil && !t.has("condition") {
		t.wrong("", "verify has no condition", `condition = "ret == true"`)
	}
	v.Action = t.action(false)
	if k := v.Action.Kind; k != "" && k != Run {
		t.wrong(string(k), "verify runs a function", `run = "service.status"`)
	}
	if v.Each <= 0 {
		v.Each = defaultEach
	}
	return v
}

// oneOf reads a word of a few.
func oneOf[T ~string](t *table, key string, otherwise T, all []T) T {
	text := t.text(key)
	if _, isText := t.m[key].(string); !isText || slices.Contains(all, T(text)) {
		return cmp.Or(T(text), otherwise)
	}
	var words []string
	for _, w := range all {
		words = append(words, string(w))
	}
	t.wrong(key, fmt.Sprintf("%s = %q: want one of %s", key, text, strings.Join(words, ", ")), suggestion(text, words))
	return otherwise
}

func suggestion(word string, all []string) string {
	if near := spell.Nearest(word, all); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// section are the lines of a table of an array, up to the next one.
func section(lines []string, from int) string {
	end := from
	for end < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[end]), "[[") {
		end++
	}
	text := strings.Join(lines[min(from-1, len(lines)):end], "\n")
	return strings.TrimSpace(text)
}

// firstLine is an error without the picture of its place.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
