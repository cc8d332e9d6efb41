package service

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	journalLines = 10  // of a service that failed
	journalWidth = 300 // bytes of each
)

// settling is when a service that was started is looked at: one that dies at once may do so a while after systemd
// says that it started, unless it tells itself that it is ready.
func settling() []time.Duration {
	return []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond}
}

func journalStart() time.Time { return time.Now().Add(-time.Second) } // a start that is rounded down by one

// watch waits a moment for a unit that was started, and says why it did not stay up.
func (s systemd) watch(ctx context.Context, f *facts, from time.Time, noBlock bool) error {
	var restarts string
	for i, wait := range settling() {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		p, err := s.up(ctx, f, from, noBlock)
		if err != nil {
			return err
		}
		if i == 0 {
			restarts = p["NRestarts"]
		}
		if p["NRestarts"] != restarts {
			return s.explain(ctx, f, from, fmt.Errorf("it ended at once and was started again%s", ended(p)))
		}
		switch p["Type"] {
		case "simple", "idle", "exec", "":
		default:
			return nil // it told itself that it is ready
		}
		if path := f.unit; !strings.HasSuffix(path, ".service") {
			return nil
		}
	}
	return nil
}

// up returns properties of a unit that is up, and says why one is not, with its journal since then.
func (s systemd) up(ctx context.Context, f *facts, from time.Time, noBlock bool) (map[string]string, error) {
	b, err := s.show(ctx, []string{
		"Type", "LoadState", "ActiveState", "SubState", "Result", "ExecMainCode", "ExecMainStatus", "NRestarts", "Job",
	}, f)
	if err != nil {
		return nil, err
	}
	if err := died(b[0], noBlock); err != nil {
		return nil, s.explain(ctx, f, from, err)
	}
	return b[0], nil
}

// died says why a unit with these properties is not up; nil when it is.
func died(p map[string]string, noBlock bool) error {
	switch p["ActiveState"] {
	case "active", "reloading", "refreshing":
		return nil
	case "activating":
		if p["SubState"] == "auto-restart" {
			return fmt.Errorf("it ended at once and is started again and again%s", ended(p))
		}
		return nil
	}
	if noBlock && p["Job"] != "" && p["Job"] != "0" {
		return nil // it waits for its turn
	}
	if p["Result"] == "success" && p["ActiveState"] == "inactive" {
		if p["Type"] == "oneshot" {
			return errors.New("it ran to its end: a oneshot without RemainAfterExit=yes does not count as running")
		}
		return errors.New("it ended at once, without an error")
	}
	return fmt.Errorf("it is %s%s", p["ActiveState"], ended(p))
}

// ended tells how a service's process ended.
func ended(p map[string]string) string {
	if p["Result"] == "" || p["Result"] == "success" {
		return ""
	}
	if p["Result"] == "exit-code" && p["ExecMainStatus"] != "" {
		return " (exit status " + p["ExecMainStatus"] + ")"
	}
	return " (" + p["Result"] + ")"
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// explain adds the last lines of a service's journal to why it failed.
func (s systemd) explain(ctx context.Context, f *facts, from time.Time, why error) error {
	if ctx.Err() != nil || isTemplate(f.unit) {
		return why
	}
	_, _ = s.h.Run(ctx, "journalctl", "--sync") // the lines may be on their way; without it we read what is there
	out, err := s.h.Run(ctx, "journalctl", "--no-pager", "--quiet", "--output=cat", "--lines="+strconv.Itoa(journalLines),
		"--since=@"+strconv.FormatInt(from.Unix(), 10), "--unit="+f.unit)
	if err != nil || out == "" {
		return why
	}
	lines := strings.Split(out, "\n")
	lines = lines[max(0, len(lines)-journalLines):]
	for i, line := range lines {
		if len(line) > journalWidth {
			lines[i] = strings.ToValidUTF8(line[:journalWidth], "") + "..."
		}
	}
	return fmt.Errorf("%w\nits journal:\n    %s", why, strings.Join(lines, "\n    "))
}
