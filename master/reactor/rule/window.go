package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto/target"
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// window reads a maintenance window: from and until, or each with weekly = "sat,sun 02:00-06:00".
func (p *reader) window(t *table) {
	w := Window{Name: t.text("name"), Zone: time.Local}
	if w.Name == "" {
		t.wrong("", "a maintenance window has no name", `name = "patch night"`)
	}
	w.Rules, w.Minions = t.globs("rules"), t.globs("minions")
	p.keeps = append(p.keeps, keeping{p.name, t.line("rules"), t.list("rules")})
	if zone := t.text("zone"); zone != "" {
		z, err := time.LoadLocation(zone)
		if err != nil {
			t.wrong("zone", fmt.Sprintf("zone = %q: want one such as Europe/Berlin or UTC", zone), "")
			z = time.Local
		}
		w.Zone = z
	}
	w.From, w.Until = t.time("from", w.Zone), t.time("until", w.Zone)
	weekly := t.text("weekly")
	switch once := t.has("from") || t.has("until"); {
	case once == (weekly != ""):
		t.wrong("", "a maintenance window wants either from and until, or weekly", `weekly = "sat,sun 02:00-06:00"`)
	case once && !w.Until.After(w.From):
		t.wrong("until", "until is not after from", "")
	case weekly != "":
		if err := w.weekly(weekly); err != nil {
			t.wrong("weekly", err.Error(), `such as "sat,sun 02:00-06:00", "daily 23:00-01:00" or "mon-fri 12:00-13:00"`)
		}
	}
	t.done()
	p.windows = append(p.windows, w)
}

// keeping is what a maintenance window says that it keeps from acting.
type keeping struct {
	file  string
	line  int
	rules []string
}

// windowsOfNone tells of windows for rules that there are not. The rules that stand for Salt's reactors are not known here.
func (p *reader) windowsOfNone() {
	for _, k := range p.keeps {
		for _, text := range k.rules {
			g, err := target.ParseGlob(text)
			if err != nil || strings.HasPrefix(text, reactorPrefix) || strings.HasPrefix(reactorPrefix, literal(text)) && literal(text) != text {
				continue
			}
			if !slices.ContainsFunc(p.rules, func(r *Rule) bool { return g.Match(r.Name) }) {
				p.problems = append(p.problems, Problem{File: k.file, Line: k.line, Warning: true, Text: fmt.Sprintf("no rule is called %s", text)})
			}
		}
	}
}

// weekly reads days and hours. Hours that end before they begin reach into the next day.
func (w *Window) weekly(text string) error {
	days, hours, ok := strings.Cut(strings.ToLower(strings.TrimSpace(text)), " ")
	begin, end, both := strings.Cut(strings.TrimSpace(hours), "-")
	from, err := clock(begin)
	to, err2 := clock(end)
	if !ok || !both || err != nil || err2 != nil {
		return fmt.Errorf("weekly = %q: want days and hours", text)
	}
	w.Start, w.Length = from, to-from
	if w.Length <= 0 {
		w.Length += 24 * time.Hour
	}
	if days == "daily" {
		return nil
	}
	for _, d := range strings.Split(days, ",") {
		first, last, isRange := strings.Cut(d, "-")
		if !isRange {
			last = first
		}
		a, b := weekday(first), weekday(last)
		if a < 0 || b < 0 {
			return fmt.Errorf("weekly = %q: %q is no day", text, d)
		}
		for ; ; a = (a + 1) % 7 {
			if w.Days = append(w.Days, time.Weekday(a)); a == b {
				break
			}
		}
	}
	return nil
}

func weekday(text string) int {
	for i, name := range weekdays {
		if len(text) >= 3 && strings.HasPrefix(text, name) {
			return i
		}
	}
	return -1
}

// clock reads the time of a day, up to 24:00.
func clock(text string) (time.Duration, error) {
	var h, m int
	if n, err := fmt.Sscanf(strings.TrimSpace(text), "%d:%d", &h, &m); n != 2 || err != nil || h < 0 || h > 24 || m < 0 || m > 59 || h == 24 && m > 0 {
		return 0, fmt.Errorf("%q is no time of a day", text)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, nil
}

// Covers tells whether a window is open for a rule and a minion.
func (w *Window) Covers(rule, minion string, now time.Time) bool {
	if !anyOf(w.Rules, rule) || !anyOf(w.Minions, minion) {
		return false
	}
	if w.Length == 0 {
		return !now.Before(w.From) && now.Before(w.Until)
	}
	now = now.In(w.Zone)
	for back := range 2 { // one that began yesterday may still be open
		day := now.AddDate(0, 0, -back)
		open := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, w.Zone).Add(w.Start)
		if w.on(day.Weekday()) && !now.Before(open) && now.Before(open.Add(w.Length)) {
			return true
		}
	}
	return false
}

func (w *Window) on(day time.Weekday) bool {
	for _, d := range w.Days {
		if d == day {
			return true
		}
	}
	return len(w.Days) == 0
}

func anyOf(globs []*target.Glob, text string) bool {
	for _, g := range globs {
		if g.Match(text) {
			return true
		}
	}
	return len(globs) == 0
}

func (t *table) globs(key string) []*target.Glob {
	var all []*target.Glob
	for _, text := range t.list(key) {
		g, err := target.ParseGlob(text)
		if err != nil {
			t.wrong(key, firstLine(err), "")
			continue
		}
		all = append(all, g)
	}
	return all
}

// time reads one of TOML, or a text.
func (t *table) time(key string, zone *time.Location) time.Time {
	v, ok := t.take(key)
	if at, isTime := v.(time.Time); isTime {
		if at.Location().String() == "" || strings.HasSuffix(at.Location().String(), "-local") { // no zone is written
			return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone)
		}
		return at
	}
	text, _ := v.(string)
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at
		}
	}
	if ok {
		t.wrong(key, fmt.Sprintf("%s: want a time, such as 2026-12-24 22:00", key), "")
	}
	return time.Time{}
}
