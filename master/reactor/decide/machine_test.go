package decide_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/proto"
	"brine/proto/moment"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A world is a machine with a clock, which writes down its steps.
type world struct {
	t       *testing.T
	machine *decide.Machine
	now     time.Time
	seq     int64
	ids     map[string]string // of events, by their names in the script
	orders  []decide.Order
	parents map[string][]string
	out     strings.Builder
}

func newWorld(t *testing.T, rules string) *world {
	set, problems := rule.Parse("test", []rule.File{{Name: "rules.toml", Text: []byte(rules)}})
	for _, p := range rule.Mistakes(problems) {
		t.Fatal(p)
	}
	w := &world{t: t, now: start, ids: map[string]string{}, parents: map[string][]string{}}
	w.machine = decide.New(decide.Options{Rules: set, Fleet: func() int { return 10 }, PerMinute: 1000,
		Ancestors: func(cause string) []string { return w.parents[cause] }})
	return w
}

// event is what happens: tag, origin, data, and options such as depth=2, cause=X, ago=1h.
func (w *world) event(words []string) {
	e := &proto.Event{Tag: words[0], Origin: "web1", At: w.now.UnixMicro(), Data: []byte("{}")}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok && strings.HasPrefix(word, "{"):
			e.Data = []byte(word)
		case !ok:
			e.Origin = word
		case key == "depth":
			n, _ := strconv.Atoi(value)
			e.Depth = uint32(n)
		case key == "cause":
			e.Cause = value
		case key == "actor":
			e.Actor = strings.ReplaceAll(value, "_", " ")
		case key == "ago":
			d, _ := moment.Duration(value)
			e.At -= d.Microseconds()
		}
	}
	w.seq++
	for _, err := range w.machine.See(&rule.Event{ID: fmt.Sprintf("event/%d", w.seq), Event: e}, w.seq) {
		fmt.Fprintf(&w.out, "  ! %v\n", err)
	}
	w.decide()
}

func (w *world) decide() {
	steps, orders := w.machine.Decide(w.now)
	w.tell(steps)
	for _, o := range orders {
		fmt.Fprintf(&w.out, "  > %s %s\n", o.Key(), o.Event)
	}
	w.orders = append(w.orders, orders...)
}

func (w *world) tell(steps []decide.Step) {
	for _, s := range steps {
		text := fmt.Sprintf("  %s %s", s.Rule, s.Step)
		for _, part := range []string{s.Key, s.Outcome, s.Reason} {
			if part != "" {
				text += " | " + runID.ReplaceAllString(part, "RUN")
			}
		}
		if s.Times > 0 {
			text += fmt.Sprintf(" [%d]", s.Times)
		}
		if s.Until > 0 {
			text += " until " + time.UnixMicro(s.Until).UTC().Format("15:04:05")
		}
		w.out.WriteString(text + "\n")
	}
}

var runID = regexp.MustCompile(`\b[0-9a-f]{12}\b`)

// line does a line of a script.
func (w *world) line(text string) {
	words := strings.Fields(text)
	switch words[0] {
	case "event":
		w.event(words[1:])
	case "wait":
		d, ok := moment.Duration(words[1])
		if !ok {
			w.t.Fatalf("%s: no duration", text)
		}
		for end := w.now.Add(d); w.now.Before(end); { // as the master does, now and then
			w.now = w.now.Add(min(time.Second, end.Sub(w.now)))
			w.decide()
		}
	case "ok", "fail":
		if len(w.orders) == 0 {
			w.out.WriteString("  nothing is under way\n")
			return
		}
		o := w.orders[0]
		w.orders = w.orders[1:]
		w.tell(w.machine.Result(o, decide.Result{OK: words[0] == "ok", Reason: strings.Join(words[1:], " ")}, w.now))
		w.decide()
	case "approve", "deny", "pause", "resume":
		w.operator(words)
	case "parents": // parents X rule_a: what led to X
		w.parents[words[1]] = []string{strings.ReplaceAll(words[2], "_", " ")}
	default:
		w.t.Fatalf("%s: what is that?", text)
	}
}

func (w *world) operator(words []string) {
	s := decide.Step{Step: map[string]string{"approve": decide.Approved, "deny": decide.Denied, "pause": decide.Paused, "resume": decide.Resumed}[words[0]],
		Actor: "operator ada", At: w.now}
	if words[0] == "approve" || words[0] == "deny" {
		all := w.machine.Run(words[1])
		if len(words) > 2 { // of an event, whether it waits or not
			all = w.machine.Run(decide.RunID(words[1], words[2]))
		}
		if len(all) == 0 {
			w.t.Fatalf("nothing of %s waits", words[1])
		}
		s.Rule, s.Key, s.Run, s.Event = all[0].Rule, all[0].Key, all[0].Run, all[0].Event
	} else if words[1] != "all" {
		s.Rule = words[1]
	}
	w.machine.Fold(s)
	w.decide()
}

// TestScripts runs the scripts of testdata: rules, then lines with what comes of each beneath it.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rules, script, _ := strings.Cut(string(data), "\n---\n")
			w := newWorld(t, rules)
			for line := range strings.Lines(script) {
				if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "  ") {
					continue
				}
				w.out.WriteString(line + "\n")
				if line != "" && line[0] != '#' {
					w.line(line)
				}
			}
			if got := w.out.String(); *update {
				if err := os.WriteFile(file, []byte(rules+"\n---\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != script {
				t.Errorf("got\n%s\nwant\n%s", got, script)
			}
		})
	}
}
