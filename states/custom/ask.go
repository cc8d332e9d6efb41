package custom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"brine/states/host"
	"brine/states/value"
)

const (
	describeLimit  = 10 * time.Second
	describeOutput = 1 << 20
	callLimit      = 10 * time.Minute // unless the description says another one
	callOutput     = 16 << 20
)

// A question is one run of an executable.
type question struct {
	words  []string // describe, or call FUNCTION
	stdin  any      // a value; nil for nothing
	env    []string // the same for shells: NAME=value
	limit  time.Duration
	output int
	look   bool // it must not change anything: where the system lets it, it can't write to any file
}

func (p *program) says(q question) string { return p.URL() + " " + strings.Join(q.words, " ") }

// ask runs the executable and returns the JSON that it printed.
func (p *program) ask(ctx context.Context, q question) (v any, stderr string, err error) {
	content, err := p.verify()
	if err != nil {
		return nil, "", fmt.Errorf("cannot run %s: %w", p.URL(), err)
	}
	c := host.Command{Argv: append([]string{p.path()}, q.words...), Env: q.env, Limit: q.output + 1, ReadOnly: q.look}
	if q.stdin != nil {
		if c.Stdin, err = value.MarshalJSON(q.stdin); err != nil {
			return nil, "", fmt.Errorf("cannot run %s: its arguments: %w", p.says(q), err)
		}
	}
	if q.look {
		scratch, err := os.MkdirTemp(p.store.dir, tempPrefix+"scratch-")
		if err != nil {
			return nil, "", fmt.Errorf("cannot run %s: %w", p.says(q), err)
		}
		defer os.RemoveAll(scratch)
		c.Grace = 100 * time.Millisecond // it has nothing to clean up
		c.Scratch, c.Env = scratch, append(slices.Clone(q.env), "TMPDIR="+scratch)
	}
	out, err := p.run(ctx, c, q)
	if err != nil {
		return nil, "", p.startError(q, content, err)
	}
	stderr = strings.TrimSpace(string(out.Stderr))
	if out.Code != 0 {
		return nil, "", fmt.Errorf("%s %s", p.says(q), ending(out.Code, stderr))
	}
	v, err = p.read(out.Stdout, q)
	return v, stderr, err
}

// run runs it within its time. A program that was just written is busy while another process, that was begun at that
// very moment, still holds it open.
func (p *program) run(ctx context.Context, c host.Command, q question) (host.Output, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, q.limit, fmt.Errorf("it took longer than %v, and was ended", q.limit))
	defer cancel()
	for tries := 0; ; tries++ {
		out, err := p.store.exec(ctx, c)
		if !errors.Is(err, syscall.ETXTBSY) || tries > 50 {
			return out, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// startError says why it could not be run, and what to do about it.
func (p *program) startError(q question, content []byte, err error) error {
	program := interpreter(content)
	switch _, missing := os.Stat(program); {
	case errors.Is(err, syscall.ENOENT) && program != "" && missing != nil:
		return fmt.Errorf("cannot run %s: its first line names %s, which is not on this host: install it", p.URL(), program)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot run %s: permission denied: is %s on a file system that is mounted noexec, or %s not executable?",
			p.URL(), filepath.Dir(p.store.dir), nonEmpty(program, "it"))
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("cannot run %s: it is no program for this machine", p.URL())
	}
	return fmt.Errorf("cannot run %s: %w", p.says(q), err)
}

func nonEmpty(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// ending says how an executable failed.
func ending(code int, stderr string) string {
	switch {
	case code > 128 && stderr == "":
		return fmt.Sprintf("was ended by signal %d (%v)", code-128, syscall.Signal(code-128))
	case code == 127 && strings.Contains(stderr, "env:"):
		return "failed: " + stderr + ": install what its first line names"
	case stderr == "":
		return fmt.Sprintf("ended with %d, and wrote nothing to standard error: let it say there what is wrong", code)
	}
	return "failed: " + stderr
}

// read reads the one JSON document that an executable prints.
func (p *program) read(stdout []byte, q question) (any, error) {
	switch {
	case len(stdout) > q.output:
		return nil, fmt.Errorf("%s printed more than %d bytes: let it print less", p.says(q), q.output)
	case len(bytes.TrimSpace(stdout)) == 0:
		return nil, fmt.Errorf("%s printed nothing: let it print one JSON document (%s)", p.says(q), Guide)
	}
	v, err := value.FromJSON(stdout)
	if err != nil {
		return nil, fmt.Errorf("%s printed no JSON document: %w: %.80q (%s)", p.says(q), err, stdout, Guide)
	}
	return v, nil
}
