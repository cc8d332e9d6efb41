package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"brine/master/client"
	"brine/states/output"
)

const (
	liveEvery = 200 * time.Millisecond
	lineEvery = 10 * time.Second // off a terminal
)

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

// progress writes how far the job is: over the last time on a terminal.
func (p *printer) progress() {
	if p.result == nil || p.out == "quiet" {
		return
	}
	changed := 0
	if p.tally != nil {
		changed = p.tally.Changed()
	}
	line := output.Harmless(progressLine(p.result, changed, time.Since(p.began)))
	if !p.live {
		fmt.Fprintln(p.stderr, line)
		return
	}
	if f, ok := p.stderr.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			line = clip(line, width-1)
		}
	}
	fmt.Fprint(p.stderr, "\r\x1b[K"+line)
	p.lined = true
}

// clip shortens a line to a width; 0 and less is no width.
func clip(line string, width int) string {
	if runes := []rune(line); width > 0 && len(runes) > width {
		return string(runes[:width])
	}
	return line
}

func (p *printer) clear() {
	if p.lined {
		fmt.Fprint(p.stderr, "\r\x1b[K")
		p.lined = false
	}
}

// progressLine tells how far a job is: 4,812/5,000  changed 37  failed 2  waiting web17, db03 ...  00:12
func progressLine(r *client.Result, changed int, elapsed time.Duration) string {
	done := 0
	var waiting []string
	for id, m := range r.Minions {
		if ended(m.Status) || m.Status == "offline" || m.Status == "no-answer" {
			done++
		} else {
			waiting = append(waiting, id)
		}
	}
	line := output.Number(done) + "/" + output.Number(len(r.Minions))
	counts := r.Counts()
	counts["changed"] = changed
	for _, s := range []string{"changed", "failed", "interrupted", "cancelled", "expired", "refused", "offline", "no-answer"} {
		if counts[s] > 0 {
			line += "  " + s + " " + output.Number(counts[s])
		}
	}
	if len(waiting) > 0 {
		line += "  waiting " + late(r, waiting)
	}
	seconds := int(elapsed.Round(time.Second).Seconds())
	return line + fmt.Sprintf("  %02d:%02d", seconds/60, seconds%60)
}

// late names the first few minions that are waited for, with how far they are, or why they have not begun.
func late(r *client.Result, waiting []string) string {
	const most = 3
	first := waiting
	if len(waiting) > most {
		first = firstOf(waiting, most)
	} else {
		slices.Sort(first)
	}
	names := make([]string, len(first))
	for i, id := range first {
		names[i] = id
		switch m := r.Minions[id]; {
		case m.Total > 0:
			names[i] = fmt.Sprintf("%s %d/%d", id, m.Done, m.Total)
		case m.Reason != "":
			names[i] = fmt.Sprintf("%s (%s)", id, m.Reason)
		}
	}
	text := strings.Join(names, ", ")
	if len(waiting) > most {
		text += " ..."
	}
	return text
}

// firstOf returns the n names that come first, without sorting the others: it is done five times a second.
func firstOf(names []string, n int) []string {
	first := make([]string, 0, n+1)
	for _, name := range names {
		if len(first) == n && name >= first[n-1] {
			continue
		}
		i, _ := slices.BinarySearch(first, name)
		first = slices.Insert(first, i, name)
		first = first[:min(len(first), n)]
	}
	return first
}
