package main

import (
	"encoding/json"
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
	show     func(id string, m *client.Minion) error
	began    time.Time
	stopTick chan struct{}
	ticked   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	result  *client.Result
	printed map[string]bool
	lined   bool // the live line is on the screen
	err     error
}

const (
	liveEvery = 200 * time.Millisecond
	lineEvery = 10 * time.Second // off a terminal
)

func (a *app) newPrinter(function string) (*printer, error) {
	p := &printer{
		out: a.out, stdout: a.stdout, stderr: a.stderr, live: isTerminal(a.stderr),
		printed: map[string]bool{}, stopTick: make(chan struct{}),
	}
	format := a.out
	p.states = strings.HasPrefix(function, "state.")
	if format == "nested" && p.states {
		format = "highstate"
	}
	switch format {
	case "quiet", "json":
		p.show = func(string, *client.Minion) error { return nil }
	case "jsonl":
		p.show = p.showLine
	default:
		show, err := output.For(format)
		if err != nil {
			return nil, &exit{exitUsage, err}
		}
		options := output.Options{Color: a.colored()}
		p.show = func(id string, m *client.Minion) error { return p.showValue(show, options, id, m) }
	}
	return p, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colored decides by --color, NO_COLOR and whether stdout is a terminal.
func (a *app) colored() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && isTerminal(a.stdout)
}

// start begins to show how far the job is.
func (p *printer) start() {
	p.began = time.Now()
	every := lineEvery
	if p.live {
		every = liveEvery
	}
	p.ticked.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.mu.Lock()
				p.progress()
				p.mu.Unlock()
			case <-p.stopTick:
				return
			}
		}
	})
}

// stop ends what start began, and takes the live line away.
func (p *printer) stop() {
	close(p.stopTick)
	p.ticked.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
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
			p.fail(p.show(id, m))
		}
	}
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// finish prints what only the end tells: who gave no result, and the JSON object.
func (p *printer) finish(r *client.Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != "quiet" {
		p.warn(r.Job)
	}
	if p.out == "json" {
		return writeReport(p.stdout, newReport(r))
	}
	for _, id := range r.IDs() {
		if m := r.Minions[id]; !ended(m.Status) {
			p.fail(p.show(id, m))
		}
	}
	if p.out != "quiet" {
		fmt.Fprintln(p.stderr, summary(r))
	}
	return p.err
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

func writeReport(w io.Writer, r *report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// summary is the last line for people: how many minions, and what of them.
func summary(r *client.Result) string {
	counts := r.Counts()
	parts := []string{plural(len(r.Minions), "minion") + ":"}
	for _, s := range statuses {
		if counts[s] == 0 {
			continue
		}
		part := fmt.Sprintf("%d %s", counts[s], s)
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

// showValue prints one minion's result for people. What is no return is told in a line.
func (p *printer) showValue(show output.Outputter, o output.Options, id string, m *client.Minion) error {
	if (m.Status == "ok" || m.Status == "failed") && len(m.Value) > 0 {
		if err := show(p.stdout, id, m.Value, o); err != nil {
			return err
		}
		if m.Truncated {
			fmt.Fprintln(p.stdout, "    (the result was over the limit and is cut)")
		}
		if m.Status == "failed" && !p.states {
			fmt.Fprintf(p.stdout, "    (retcode %d)\n", m.Retcode)
		}
		return nil
	}
	text := m.Status
	if m.Reason != "" {
		text += ": " + m.Reason
	}
	_, err := fmt.Fprintf(p.stdout, "%s:\n    %s\n", id, text)
	return err
}

func (p *printer) showLine(id string, m *client.Minion) error {
	line := struct {
		Minion string `json:"minion"`
		*minionReport
	}{id, newMinionReport(m)}
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}

// progress writes how far the job is: over the last time on a terminal.
func (p *printer) progress() {
	if p.result == nil || p.out == "quiet" {
		return
	}
	var waiting []string
	done := 0
	counts := p.result.Counts()
	for _, id := range p.result.IDs() {
		switch m := p.result.Minions[id]; {
		case ended(m.Status) || m.Status == "offline" || m.Status == "no-answer":
			done++
		case m.Total > 0:
			waiting = append(waiting, fmt.Sprintf("%s %d/%d", id, m.Done, m.Total))
		default:
			waiting = append(waiting, id)
		}
	}
	line := fmt.Sprintf("%d/%d", done, len(p.result.Minions))
	for _, s := range []string{"failed", "offline", "no-answer"} {
		if counts[s] > 0 {
			line += fmt.Sprintf("  %s %d", s, counts[s])
		}
	}
	if len(waiting) > 0 {
		line += "  waiting " + some(waiting)
	}
	elapsed := time.Since(p.began).Round(time.Second)
	line += fmt.Sprintf("  %02d:%02d", int(elapsed.Minutes()), int(elapsed.Seconds())%60)
	if !p.live {
		fmt.Fprintln(p.stderr, line)
		return
	}
	if f, ok := p.stderr.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && len(line) >= width && width > 0 {
			line = line[:width-1]
		}
	}
	fmt.Fprint(p.stderr, "\r\x1b[K"+line)
	p.lined = true
}

func (p *printer) clear() {
	if p.lined {
		fmt.Fprint(p.stderr, "\r\x1b[K")
		p.lined = false
	}
}
