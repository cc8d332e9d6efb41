package pillar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// An External is a program that gives pillar: it gets a JSON object on its standard input and prints one.
type External struct {
	Command []string      // the program and its arguments; no shell is asked
	Timeout time.Duration // 0 is DefaultTimeout
}

const (
	// DefaultTimeout is how long an External may take.
	DefaultTimeout = 10 * time.Second
	// CacheKey is the key in what an External prints that says how many seconds it may be kept.
	CacheKey = "__cache_seconds__"

	externalsAtOnce = 16
	externalLimit   = 16 << 20 // bytes that one prints
	maxCached       = 24 * time.Hour
	saidLines       = 5 // of its standard error that are told
)

// asked is what a program gets.
type asked struct {
	ID          string          `json:"id"`
	Environment *string         `json:"environment"` // nil: all
	Grains      json.RawMessage `json:"grains"`
	Pillar      json.RawMessage `json:"pillar"`
}

// external runs one program with the pillar so far, and returns what it gives.
func (w *work) external(ctx context.Context, x External) (*value.Dict, error) {
	select {
	case w.running <- struct{}{}:
		defer func() { <-w.running }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	input, err := w.input()
	if err != nil {
		return nil, err
	}
	limit := x.Timeout
	if limit <= 0 {
		limit = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v, and was ended", limit))
	defer cancel()
	out, err := w.o.Exec(ctx, host.Command{Argv: x.Command, Stdin: input, Bytes: true, Limit: externalLimit, Grace: time.Second})
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("it ended with %d", out.Code)
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = errors.New("there is no such program, or it is not executable")
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, said(out.Stderr))
	}
	return w.printed(out)
}

func (w *work) input() ([]byte, error) {
	grains, err := value.MarshalJSON(w.facts)
	if err != nil {
		return nil, err
	}
	sofar, err := value.MarshalJSON(w.out.Data)
	if err != nil {
		return nil, err
	}
	in := asked{ID: w.minion, Grains: grains, Pillar: sofar}
	if w.env != "" {
		in.Environment = &w.env
	}
	return json.Marshal(in)
}

// printed reads the object that a program printed, and notes how long it holds.
func (w *work) printed(out host.Output) (*value.Dict, error) {
	if len(out.Stdout) >= externalLimit {
		return nil, fmt.Errorf("it printed over %d MiB", externalLimit>>20)
	}
	v, err := value.FromJSON(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("it did not print JSON%s", said(out.Stderr)) // what it printed may be secret
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("it printed %s, want an object of JSON", value.Kind(v))
	}
	seconds := 0.0
	if v, has := d.Get(CacheKey); has {
		switch n := v.(type) {
		case int64:
			seconds = float64(n)
		case float64:
			seconds = n
		default:
			return nil, fmt.Errorf("%s: want a number of seconds, got %s", CacheKey, value.Kind(v))
		}
		if seconds < 0 || math.IsNaN(seconds) {
			return nil, fmt.Errorf("%s: want a number of seconds, got %v", CacheKey, seconds)
		}
		d.Delete(CacheKey)
	}
	w.holds(time.Duration(min(seconds, maxCached.Seconds()) * float64(time.Second)))
	return d, nil
}

// said is the beginning of what a program wrote to its standard error.
func said(stderr []byte) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(stderr[:min(len(stderr), 1000)]), "")), "\n")
	text := strings.Join(lines[:min(len(lines), saidLines)], "\n    ")
	if text == "" {
		return ""
	}
	return ":\n    " + text
}
