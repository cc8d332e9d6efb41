package schedule_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"brine/proto/schedule"
)

// berlin has a summer time.
func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// spec reads a job's mapping from JSON.
func spec(t testing.TB, text string) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if m["function"] == nil {
		m["function"] = "test.ping"
	}
	return m
}

func whens(name string) (string, bool) { return "tuesday 3am", name == "tuesdays" }

func read(t testing.TB, text string) *schedule.Job {
	t.Helper()
	j, _, err := schedule.Read("j", spec(t, text), berlin(t), whens)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

const shown = "Mon 2006-01-02 15:04:05"

// due are the first three times at which a job is due.
func due(j *schedule.Job, after time.Time) string {
	var all []string
	at := after
	for range 3 {
		next := j.Next(at, after)
		if next.IsZero() {
			break
		}
		at = next
		all = append(all, at.Format(shown))
	}
	return strings.Join(all, ", ")
}

func TestWhenAJobIsDue(t *testing.T) {
	now := time.Date(2026, 3, 27, 16, 0, 0, 0, berlin(t)) // a Friday; summer time begins on Sunday at two
	for text, want := range map[string]string{
		`{"seconds": 90}`:                                          "Fri 2026-03-27 16:01:30, Fri 2026-03-27 16:03:00, Fri 2026-03-27 16:04:30",
		`{"hours": 1, "minutes": "30"}`:                            "Fri 2026-03-27 17:30:00, Fri 2026-03-27 19:00:00, Fri 2026-03-27 20:30:00",
		`{"days": 2}`:                                              "Sun 2026-03-29 17:00:00, Tue 2026-03-31 17:00:00, Thu 2026-04-02 17:00:00",
		`{"cron": "*/20 16 * * *"}`:                                "Fri 2026-03-27 16:20:00, Fri 2026-03-27 16:40:00, Sat 2026-03-28 16:00:00",
		`{"cron": "@daily"}`:                                       "Sat 2026-03-28 00:00:00, Sun 2026-03-29 00:00:00, Mon 2026-03-30 00:00:00",
		`{"when": "5:00pm"}`:                                       "Fri 2026-03-27 17:00:00, Sat 2026-03-28 17:00:00, Sun 2026-03-29 17:00:00",
		`{"when": "16:00"}`:                                        "Sat 2026-03-28 16:00:00, Sun 2026-03-29 16:00:00, Mon 2026-03-30 16:00:00",
		`{"when": 990}`:                                            "Fri 2026-03-27 16:30:00, Sat 2026-03-28 16:30:00, Sun 2026-03-29 16:30:00",
		`{"when": ["Monday 8am", "Friday 4:30 pm"]}`:               "Fri 2026-03-27 16:30:00, Mon 2026-03-30 08:00:00, Fri 2026-04-03 16:30:00",
		`{"when": "tuesdays"}`:                                     "Tue 2026-03-31 03:00:00, Tue 2026-04-07 03:00:00, Tue 2026-04-14 03:00:00",
		`{"when": "fri"}`:                                          "Fri 2026-04-03 00:00:00, Fri 2026-04-10 00:00:00, Fri 2026-04-17 00:00:00",
		`{"when": "12/24/2026 18:00"}`:                             "Thu 2026-12-24 18:00:00",
		`{"when": "24th of December 2026 6pm"}`:                    "Thu 2026-12-24 18:00:00",
		`{"when": "2026-03-27T15:00:00"}`:                          "",
		`{"once": "2026-03-28T03:00:00"}`:                          "Sat 2026-03-28 03:00:00",
		`{"once": "28.03.26 03:00", "once_fmt": "%d.%m.%y %H:%M"}`: "Sat 2026-03-28 03:00:00",
		`{"days": 30, "run_explicit": [{"time": "2026-03-28 01:02", "time_fmt": "%Y-%m-%d %H:%M"}]}`:          "Sat 2026-03-28 01:02:00, Sun 2026-04-26 17:00:00, Tue 2026-05-26 17:00:00",
		`{"days": 30, "run_after_skip_range": true, "skip_during_range": {"start": "15:00", "end": "18:00"}}`: "Fri 2026-03-27 18:00:01, Sat 2026-03-28 18:00:01, Sun 2026-03-29 18:00:01",
	} {
		if got := due(read(t, text), now); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestWhetherAJobMayRun(t *testing.T) {
	for _, c := range []struct{ text, at, want string }{
		{`{}`, "2026-03-27 03:00:00", ""},
		{`{"enabled": false}`, "2026-03-27 03:00:00", "disabled"},
		{`{"dry_run": true}`, "2026-03-27 03:00:00", "dry_run"},
		{`{"range": {"start": "8am", "end": "17:00"}}`, "2026-03-27 12:00:00", ""},
		{`{"range": {"start": "8am", "end": "17:00"}}`, "2026-03-27 17:00:00", ""},
		{`{"range": {"start": "8am", "end": "17:00"}}`, "2026-03-27 17:00:01", "not_in_range"},
		{`{"range": {"start": "22:00", "end": "6:00"}}`, "2026-03-27 02:00:00", ""},
		{`{"range": {"start": "22:00", "end": "6:00"}}`, "2026-03-27 12:00:00", "not_in_range"},
		{`{"range": {"start": "8am", "end": "5pm", "invert": true}}`, "2026-03-27 12:00:00", "in_skip_range"},
		{`{"range": {"start": "Friday 18:00", "end": "Monday 6:00"}}`, "2026-03-28 12:00:00", ""},
		{`{"range": {"start": "Friday 18:00", "end": "Monday 6:00"}}`, "2026-03-25 12:00:00", "not_in_range"},
		{`{"skip_during_range": {"start": "2026-12-24", "end": "2026-12-27"}}`, "2026-12-25 08:00:00", "in_skip_range"},
		{`{"skip_during_range": {"start": "2026-12-24", "end": "2026-12-27"}}`, "2026-12-28 08:00:00", ""},
		{`{"until": "2026-12-31 23:59"}`, "2027-01-01 00:00:00", "until_passed"},
		{`{"after": "2026-12-31 23:59"}`, "2026-01-01 00:00:00", "after_not_passed"},
		{`{"skip_explicit": [{"time": "2026-03-27T03:00:00", "time_fmt": "%Y-%m-%dT%H:%M:%S"}]}`, "2026-03-27 03:00:00", "skip_explicit"},
	} {
		at, err := time.ParseInLocation(time.DateTime, c.at, berlin(t))
		if err != nil {
			t.Fatal(err)
		}
		m := spec(t, c.text)
		m["seconds"] = 60.0
		j, _, err := schedule.Read("j", m, berlin(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, why := j.May(at); ok != (c.want == "") || why != c.want {
			t.Errorf("%s at %s: got %v, %q; want %q", c.text, c.at, ok, why, c.want)
		}
	}
}

func TestASplayIsTheSameForAllMasters(t *testing.T) {
	j := read(t, `{"hours": 1, "splay": {"start": 10, "end": 15}}`)
	at := time.Date(2026, 3, 27, 16, 0, 0, 0, time.UTC)
	seen := map[time.Duration]bool{}
	for _, who := range []string{"web1", "web2", "web3", "web4", "web5", "web6"} {
		s := j.Splay(who, at)
		if s < 10*time.Second || s >= 15*time.Second || s != j.Splay(who, at) {
			t.Errorf("%s: got %v", who, s)
		}
		seen[s] = true
	}
	if len(seen) < 2 {
		t.Errorf("all begin together: %v", seen)
	}
	if s := read(t, `{"hours": 1}`).Splay("web1", at); s != 0 {
		t.Errorf("got %v without one", s)
	}
}

func TestAllMistakesOfAJobAreTold(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "it has no time",
		`{"function": "highstate", "seconds": 5}`:         "function = highstate: want MODULE.FUNCTION",
		`{"seconds": 5, "cron": "* * * * *"}`:             "seconds, cron do not go together",
		`{"seconds": -1, "maxrunning": "x"}`:              "maxrunning = x: want a number|seconds = -1: want a number",
		`{"seconds": 0}`:                                  "its interval is 0s",
		`{"when": "Mondey"}`:                              `"mondey" can't be read`,
		`{"when": "30 February 2026"}`:                    "there is no such date",
		`{"when": "Monday 2026-12-01"}`:                   "a day of the week and a date",
		`{"when": "25:00"}`:                               `"25:00" can't be read`,
		`{"cron": "61 * * * *"}`:                          `cron = "61 * * * *"`,
		`{"once": "x", "once_fmt": "%Q"}`:                 "a directive that is not known",
		`{"seconds": 5, "range": {"start": "8am"}}`:       "want start and end",
		`{"seconds": 5, "splay": {"start": 9, "end": 3}}`: "splay = ",
		`{"seconds": 5, "runonstart": true}`:              `"runonstart" is no option of a scheduled job (did you mean "run_on_start"?)`,
		`{"seconds": 5, "functoin": "x.y"}`:               `"functoin" is no option of a scheduled job (did you mean "function"?)`,
		`{"seconds": 5, "whatever": 1}`:                   `"whatever" is no option of a scheduled job`,
		`{"seconds": 5, "enabled": "yes"}`:                "enabled = yes: want true or false",
	} {
		_, _, err := schedule.Read("j", spec(t, text), time.UTC, nil)
		for _, part := range strings.Split(want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %s", text, err, part)
			}
		}
	}
}

func TestWhatDoesNothingIsSaid(t *testing.T) {
	_, warnings, err := schedule.Read("j", spec(t, `{"seconds": 5, "returner": "mysql", "return_job": "nocache"}`), time.UTC, nil)
	if err != nil || len(warnings) != 2 {
		t.Errorf("got %v, %v", warnings, err)
	}
}

func FuzzReadMoment(f *testing.F) {
	for _, text := range []string{"5pm", "Monday 17:00", "2026-12-24T18:00:00Z", "24 dec 2026", "12/24/2026"} {
		f.Add(text)
	}
	after := time.Date(2026, 3, 27, 16, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := schedule.ReadMoment(text, time.UTC)
		if err != nil {
			return
		}
		if next := m.Next(after); !next.IsZero() && !next.After(after) {
			t.Errorf("%q: the next one is %v", text, next)
		}
	})
}
