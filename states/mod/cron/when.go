package cron

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"brine/states/module"
)

// A field is one of the five that say when a job runs.
type field struct {
	name     string
	min, max int
	random   int // the greatest that "random" takes: each month has a day 28
	names    string
}

func fieldsOfJob() [5]field {
	return [5]field{
		{"minute", 0, 59, 59, ""}, {"hour", 0, 23, 23, ""}, {"daymonth", 1, 31, 28, ""},
		{"month", 1, 12, 12, "jan feb mar apr may jun jul aug sep oct nov dec"},
		{"dayweek", 0, 7, 6, "sun mon tue wed thu fri sat"},
	}
}

// check says what is wrong with the text of a field, so that a run is refused before cron refuses the crontab.
func (f field) check(text string) error {
	if text == "random" {
		return nil
	}
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		n, err := strconv.Atoi(step)
		if stepped && (err != nil || n < 1) || !f.span(span) {
			return fmt.Errorf("%s: want numbers from %d to %d, *, ranges and steps, or random, got %q", f.name, f.min, f.max, text)
		}
	}
	return nil
}

func (f field) span(text string) bool {
	if text == "*" {
		return true
	}
	from, to, isRange := strings.Cut(strings.Replace(text, "~", "-", 1), "-")
	if strings.Contains(text, "~") && (from == "" || to == "") { // cronie: anything up to, or from
		return from == "" || f.number(from) >= 0
	}
	a, b := f.number(from), f.number(to)
	return a >= 0 && (!isRange || b >= a)
}

// number reads a number or a name; -1 when it is none of this field.
func (f field) number(text string) int {
	if i := slices.Index(strings.Fields(f.names), strings.ToLower(text)); i >= 0 {
		return i + f.min
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return -1
	}
	return n
}

func (f field) chosen() string { return strconv.Itoa(f.min + rand.N(f.random-f.min+1)) }

// when is a field of a job as an argument: text, numbers too.
type when string

func (*when) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (w *when) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil || text == "" || strings.ContainsAny(text, " \t\n") {
		return v.Want("a field of a crontab such as 5, */10 or 1-5")
	}
	*w = when(strings.ToLower(text))
	return nil
}

// spec is when a special runs, such as @daily.
type spec string

func (*spec) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (s *spec) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err == nil && text == "" {
		return nil
	}
	if err != nil || len(text) < 2 || text[0] != '@' || strings.ContainsAny(text, " \t\n") {
		return v.Want("@reboot, @hourly, @daily, @weekly, @monthly or @yearly")
	}
	*s = spec(text)
	return nil
}

// differs says whether a field has to be changed: once it was chosen at random it stays.
func differs(have, want string) bool {
	if want == "random" {
		return have == "*"
	}
	return have != want
}
