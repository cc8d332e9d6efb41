package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"brine/master/client"
	"brine/proto"
	"brine/states/output"
)

// A printer shows a job as it goes: results on stdout, how far it is on stderr.
type printer struct {
	out      string
	stdout   io.Writer
	stderr   io.Writer
	live     bool // stderr is a terminal: one line that is written again and again
	states   bool // results are those of states, which tell themselves what failed
	layout   string
	options  output.Options
	many     output.ManyOptions
	began    time.Time
	stopTick chan struct{}
	ticked   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	result  *client.Result
	printed map[string]bool
	show    *output.Many // made when it is known how many minions there are; nil for JSON and YAML
	tally   *output.Many // counts what states did; show when that counts too
	lined   bool         // the live line is on the screen
	err     error
}

// fewMinions are shown each by themselves, as Salt does with any number.
const fewMinions = 10

func (a *app) newPrinter(function string) (*printer, error) {
	p := &printer{
		out: a.out, stdout: a.stdout, stderr: a.stderr, live: isTerminal(a.stderr), layout: a.out,
		options: a.outputOptions(), many: output.ManyOptions{All: a.all, Plan: a.plan},
		states:  appliesStates(function),
		printed: map[string]bool{}, stopTick: make(chan struct{}),
	}
	if p.layout == "nested" && p.states {
		p.layout = "highstate"
	}
	if !p.human() {
		p.many.Plan = false
	}
	// What is wrong with the layout is said before the job is made.
	if _, err := output.For(p.layout); err != nil {
		return nil, &exit{exitUsage, err}
	}
	if err := p.options.States.Check(); err != nil {
		return nil, &exit{a.states.blame(), err}
	}
	return p, nil
}

// appliesStates tells whether what a job returns is that of states, by its function. What several return is not.
func appliesStates(function string) bool {
	return strings.HasPrefix(function, "state.") && !strings.Contains(function, proto.CallSeparator)
}

// human tells that a layout is made for people.
func (p *printer) human() bool { return p.layout == "nested" || p.layout == "highstate" }

// outputOptions are those of the terminal, the flags and the configuration.
func (a *app) outputOptions() output.Options {
	o := output.Terminal(a.stdout, a.color)
	o.States = a.states.options()
	return o
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// update takes in what a frame changed, and prints the minions that ended.
func (p *printer) update(r *client.Result, changed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result = r
	for _, id := range changed {
		if m := r.Minions[id]; ended(m.Status) && !p.printed[id] {
			p.printed[id] = true
			p.clear()
			p.add(id, m)
		}
	}
}

// prepare makes what shows results: many minions are grouped, few are not.
func (p *printer) prepare() error {
	targeted := max(len(p.result.Minions), int(p.result.Job.GetTargeted()))
	many := p.many
	many.All = many.All || !many.Plan && targeted <= fewMinions
	var err error
	switch p.layout {
	case "json", "jsonl", "yaml", "quiet":
	default:
		if p.show, err = output.NewMany(p.stdout, p.layout, p.options, many); err != nil {
			return err
		}
	}
	if p.layout == "highstate" {
		p.tally = p.show
		return nil
	}
	if p.states {
		p.tally, err = output.NewMany(io.Discard, "highstate", output.Options{}, output.ManyOptions{Plan: true})
	}
	return err
}

// add shows what became of a job on one minion.
func (p *printer) add(id string, m *client.Minion) {
	if p.show == nil && p.tally == nil {
		p.fail(p.prepare())
	}
	r := p.resultOf(id, m)
	if p.tally != nil && p.tally != p.show {
		p.fail(p.tally.Add(r))
	}
	switch {
	case p.layout == "jsonl":
		p.fail(p.showLine(id, m))
	case p.show != nil:
		p.fail(p.show.Add(r))
	}
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// resultOf is what is shown of a minion. What is no return is told in a line, which stands below what a job that was cut short
// has done before.
func (p *printer) resultOf(id string, m *client.Minion) output.Result {
	r := output.Result{Minion: id, Failed: ended(m.Status) && m.Status != "ok"}
	why := m.Status
	if m.Reason != "" {
		why += ": " + m.Reason
	}
	returned := m.Status == "ok" || m.Status == "failed"
	part := !returned && ended(m.Status) && p.human() && bytes.HasPrefix(m.Value, []byte("{"))
	if returned && len(m.Value) > 0 || part {
		r.Value = m.Value
		if part {
			r.Notes = append(r.Notes, why)
		}
		if m.Truncated {
			r.Notes = append(r.Notes, "the result was over the limit and is cut")
		}
		if m.Status == "failed" && !p.states {
			r.Notes = append(r.Notes, fmt.Sprintf("retcode %d", m.Retcode))
		}
		return r
	}
	r.Reason = why
	return r
}

// finish prints what only the end tells: who gave no result, what failed, and JSON or YAML as a whole.
func (p *printer) finish(r *client.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result = r
	if p.out != "quiet" {
		p.warn(r.Job)
	}
	for _, id := range r.IDs() {
		if m := r.Minions[id]; !p.printed[id] {
			p.printed[id] = true
			p.add(id, m)
		}
	}
	p.fail(p.close(r))
	if p.human() || p.out == "table" || p.out == "txt" || p.out == "jsonl" {
		for _, commit := range r.Job.GetCommits() {
			fmt.Fprintln(p.stderr, output.Harmless("files of commit "+commit))
		}
		fmt.Fprintln(p.stderr, output.Harmless(summary(r)))
	}
	return p.err
}

// leave ends the output of a job that goes on.
func (p *printer) leave(r *client.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.close(r)
}

// close ends the output on stdout.
func (p *printer) close(r *client.Result) error {
	switch {
	case p.layout == "json" || p.layout == "yaml":
		return writeObject(p.stdout, p.layout, newReport(r))
	case p.show != nil:
		return p.show.Close()
	}
	return nil
}

// pending tells whether states would change something.
func (p *printer) pending() bool {
	return p.tally != nil && p.tally.Pending() > 0
}

// warn tells what makes a job less certain than others.
func (p *printer) warn(job *proto.JobInfo) {
	if job.GetIncomplete() {
		fmt.Fprintln(p.stderr, "the job's record is not at this master yet: the list of minions may be incomplete")
	}
	if names := job.GetUnreachedMasters(); len(names) > 0 {
		fmt.Fprintln(p.stderr, unconfirmed(names))
	}
}

func unconfirmed(masters []string) string {
	return "not confirmed by master " + strings.Join(masters, ", ") + " before it was sent"
}

// summary is the last line for people: how many minions, and what of them.
func summary(r *client.Result) string {
	counts := r.Counts()
	parts := []string{plural(len(r.Minions), "minion") + ":"}
	for _, s := range statuses {
		if counts[s] == 0 {
			continue
		}
		part := fmt.Sprintf("%s %s", output.Number(counts[s]), s)
		if s != "ok" {
			part += " (" + some(with(r, s)) + ")"
		}
		parts = append(parts, part)
	}
	if r.Job != nil {
		parts = append(parts, "job "+r.Job.Jid)
	}
	return strings.Join(parts, "  ")
}

func with(r *client.Result, status string) []string {
	return slices.DeleteFunc(r.IDs(), func(id string) bool { return r.Minions[id].Status != status })
}

func (p *printer) showLine(id string, m *client.Minion) error {
	return writeLine(p.stdout, struct {
		Minion string `json:"minion"`
		*minionReport
	}{id, newMinionReport(m)})
}
