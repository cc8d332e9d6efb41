package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Moment is a time as people write it: of a date, of a day of the week, or of every day.
type Moment struct {
	text    string
	date    time.Time // midnight of its day; zero for one that comes again
	weekday time.Weekday
	weekly  bool
	clock   time.Duration // since midnight, by the clock on the wall
	zone    *time.Location
}

func (m *Moment) fixed() bool { return !m.date.IsZero() }

// on is the moment of a day.
func (m *Moment) on(day time.Time) time.Time {
	h, min, s := int(m.clock/time.Hour), int(m.clock/time.Minute)%60, int(m.clock/time.Second)%60
	return time.Date(day.Year(), day.Month(), day.Day(), h, min, s, 0, m.zone)
}

// On is the moment of the date, or of the day of at.
func (m *Moment) On(at time.Time) time.Time {
	if m.fixed() {
		return m.on(m.date)
	}
	return m.on(at.In(m.zone))
}

// Next is the first time of the moment after another one; zero when it has passed for ever.
func (m *Moment) Next(after time.Time) time.Time { return m.find(after, 1, time.Time.After) }

// Last is the last time of the moment up to another one; zero when it has not yet come.
func (m *Moment) Last(until time.Time) time.Time {
	return m.find(until, -1, func(at, until time.Time) bool { return !at.After(until) })
}

func (m *Moment) find(from time.Time, step int, is func(at, from time.Time) bool) time.Time {
	if m.fixed() {
		if at := m.on(m.date); is(at, from) {
			return at
		}
		return time.Time{}
	}
	day := from.In(m.zone)
	for n := range 9 { // a week, its end, and a day on which the clock was set
		at := m.on(day.AddDate(0, 0, n*step))
		if is(at, from) && (!m.weekly || at.Weekday() == m.weekday) {
			return at
		}
	}
	return time.Time{}
}

// ReadMoment reads a time: "17:30", "5pm", "Monday 5:00pm", "2026-12-01 10:00", "2026-12-01T10:00:00", "12/24/2026 8:00",
// "24 December 2026 8:00am". Without a date or a day of the week it is one of every day; without a time of day it is midnight.
func ReadMoment(text string, zone *time.Location) (*Moment, error) {
	m := &Moment{text: text, zone: zone}
	r := reader{m: m}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return c == ' ' || c == ',' }) {
		if !r.word(word) {
			return nil, fmt.Errorf(`%q is no time: %q can't be read; want such as "17:30", "Monday 5:00pm" or "2026-12-01 10:00"`, text, word)
		}
	}
	if why := r.end(); why != "" {
		return nil, fmt.Errorf(`%q is no time: %s; want such as "17:30", "Monday 5:00pm" or "2026-12-01 10:00"`, text, why)
	}
	return m, nil
}

// A reader puts the words of a moment together.
type reader struct {
	m                *Moment
	year, month, day int
	clock, half      bool // a time of day was read; and whether it is before or after noon
}

func (r *reader) word(w string) bool {
	if date, clock, ok := strings.Cut(w, "t"); ok && len(date) == len("2006-01-02") && date[4] == '-' {
		return r.word(date) && r.word(strings.TrimSuffix(clock, "z"))
	}
	if n, ok := indexOf(weekdays, w); ok {
		r.m.weekday, r.m.weekly = time.Weekday(n), true
		return true
	}
	if n, ok := indexOf(months, w); ok && r.month == 0 {
		r.month = n + 1
		return true
	}
	switch {
	case w == "at" || w == "of" || w == "the":
		return true
	case (w == "am" || w == "pm") && r.clock && !r.half:
		return r.noon(w)
	case strings.Count(w, "-") == 2:
		return r.date(strings.Split(w, "-"), 0, 1, 2)
	case strings.Count(w, "/") == 2:
		return r.date(strings.Split(w, "/"), 2, 0, 1)
	case strings.Contains(w, ":") || strings.HasSuffix(w, "am") || strings.HasSuffix(w, "pm"):
		return !r.clock && r.time(w)
	}
	return r.number(w)
}

func (r *reader) date(parts []string, year, month, day int) bool {
	var n [3]int
	for i, p := range parts {
		var err error
		if n[i], err = strconv.Atoi(p); err != nil {
			return false
		}
	}
	if r.year+r.month+r.day != 0 || n[year] < 1000 {
		return false
	}
	r.year, r.month, r.day = n[year], n[month], n[day]
	return true
}

// time reads a time of day: 17:30, 17:30:05, 5pm, 5:30pm.
func (r *reader) time(w string) bool {
	half := ""
	for _, h := range []string{"am", "pm"} {
		if rest, ok := strings.CutSuffix(w, h); ok {
			w, half = rest, h
		}
	}
	limits := []int{24, 60, 60}
	parts := strings.Split(w, ":")
	if len(parts) > len(limits) {
		return false
	}
	unit := time.Hour
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n >= limits[i] {
			return false
		}
		r.m.clock += time.Duration(n) * unit
		unit /= 60
	}
	r.clock = true
	return half == "" || r.noon(half)
}

// noon takes a time of day for one before or after noon.
func (r *reader) noon(half string) bool {
	hour := r.m.clock / time.Hour
	if r.half = true; hour < 1 || hour > 12 {
		return false
	}
	r.m.clock -= hour * time.Hour
	hour %= 12
	if half == "pm" {
		hour += 12
	}
	r.m.clock += hour * time.Hour
	return true
}

// number reads a year, or a day of a month: 24, 24th.
func (r *reader) number(w string) bool {
	for _, end := range []string{"st", "nd", "rd", "th"} {
		w = strings.TrimSuffix(w, end)
	}
	n, err := strconv.Atoi(w)
	switch {
	case err != nil || n < 1:
		return false
	case n > 999 && n < 10000 && r.year == 0:
		r.year = n
	case n < 32 && r.day == 0:
		r.day = n
	default:
		return false
	}
	return true
}

// end completes the moment, or says what is wrong with it.
func (r *reader) end() string {
	switch {
	case r.m.weekly && r.year+r.month+r.day != 0:
		return "it has a day of the week and a date"
	case r.year+r.month+r.day == 0 && !r.clock && !r.m.weekly:
		return "nothing of it is a time"
	case r.year+r.month+r.day == 0:
		return ""
	case r.year == 0 || r.month == 0 || r.day == 0:
		return "its date is not complete"
	}
	r.m.date = time.Date(r.year, time.Month(r.month), r.day, 0, 0, 0, 0, r.m.zone)
	if y, month, day := r.m.date.Date(); y != r.year || int(month) != r.month || day != r.day {
		return "there is no such date"
	}
	return ""
}

const (
	weekdays = "sunday monday tuesday wednesday thursday friday saturday"
	months   = "january february march april may june july august september october november december"
)

// indexOf finds a word of a list, or its first three letters or more.
func indexOf(list, word string) (int, bool) {
	word = strings.TrimSuffix(word, ".")
	for i, full := range strings.Fields(list) {
		if len(word) >= 3 && strings.HasPrefix(full, word) {
			return i, true
		}
	}
	return 0, false
}
