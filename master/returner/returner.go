// Package returner hands what jobs returned to programs that feed other systems. Of the masters that are there one hands on
// each return; what a program did not take is tried again, also after a restart, so that each return comes at least once.
package returner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/store"
	"brine/proto"
	"brine/states/host"
)

const (
	// DefaultTimeout is how long a program may take.
	DefaultTimeout = time.Minute

	pageBytes  = 256 << 10
	most       = 500     // returns that a program gets at once
	mostBytes  = 4 << 20 // likewise, of JSON
	retryFirst = time.Second
	retryMost  = time.Minute
	saidBytes  = 500 // of a program's standard error that are told
)

// A Program takes returns: a line of JSON each on its standard input. It took them when it ends with 0.
type Program struct {
	Command   []string      // the program and its arguments; no shell is asked
	Timeout   time.Duration // 0 is DefaultTimeout
	Functions []string      // globs over names of functions whose returns it gets; none is all
}

// Options are what a Returner needs.
type Options struct {
	Name     string          // of this master
	Live     func() []string // the masters that are there, this one too
	Store    *store.Store
	Programs []Program
	Exec     host.Exec
	Dir      string // where it is kept what each program has taken
	Log      hclog.Logger
}

// A Returner hands on returns. Its methods may be called from many goroutines.
type Returner struct {
	o    Options
	wake []chan struct{}

	mu      sync.Mutex // guards the field below
	failing []string   // why each program takes nothing; "" when it does
}

// New makes a Returner. A program that is new gets what is returned from now on.
func New(o Options) *Returner {
	r := &Returner{o: o, failing: make([]string, len(o.Programs)), wake: make([]chan struct{}, len(o.Programs))}
	for i := range r.wake {
		r.wake[i] = make(chan struct{}, 1)
	}
	if len(o.Programs) > 0 {
		o.Store.OnCommit(r.committed)
	}
	return r
}

func (r *Returner) committed(recs []*proto.Record) {
	if !slices.ContainsFunc(recs, func(rec *proto.Record) bool { return rec.Kind == proto.RecordKind_RECORD_RETURN }) {
		return
	}
	for _, c := range r.wake {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run hands on returns until ctx ends.
func (r *Returner) Run(ctx context.Context) {
	var all sync.WaitGroup
	for i := range r.o.Programs {
		all.Go(func() { r.serve(ctx, i) })
	}
	all.Wait()
}

// Warnings tell which programs take nothing, and why.
func (r *Returner) Warnings() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for i, why := range r.failing {
		if why != "" {
			all = append(all, fmt.Sprintf("returner %s takes no returns: %s", r.o.Programs[i].Command[0], why))
		}
	}
	return all
}

func (r *Returner) serve(ctx context.Context, i int) {
	var wait time.Duration
	for ctx.Err() == nil {
		more, err := r.step(ctx, i)
		r.note(ctx, i, err)
		switch {
		case err != nil:
			wait = min(max(2*wait, retryFirst), retryMost)
			pause(ctx, wait)
		case more:
			wait = 0
		default:
			wait = 0
			select {
			case <-r.wake[i]:
			case <-ctx.Done():
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Returner) note(ctx context.Context, i int, err error) {
	text := ""
	if err != nil && ctx.Err() == nil {
		text = err.Error()
	}
	r.mu.Lock()
	was := r.failing[i]
	r.failing[i] = text
	r.mu.Unlock()
	if text != "" && text != was {
		r.o.Log.Warn("returner takes no returns", "program", r.o.Programs[i].Command[0], "err", text)
	}
}

// step hands on some returns, and tells whether there may be more.
func (r *Returner) step(ctx context.Context, i int) (more bool, err error) {
	p := r.o.Programs[i]
	path := filepath.Join(r.o.Dir, p.key()+".json")
	at, err := r.cursor(path)
	if err != nil {
		return false, err
	}
	page, err := r.o.Store.Page(ctx, at.Sequence, pageBytes, true)
	if err != nil || len(page.Entries) == 0 {
		return false, err
	}
	lines, last, err := r.lines(ctx, p, page.Entries)
	if err != nil {
		return false, err
	}
	if len(lines) > 0 {
		if err := r.run(ctx, p, lines); err != nil {
			return false, err
		}
	}
	return true, save(path, cursor{page.Incarnation, last})
}

// lines are the returns among entries that this master hands to a program, and the last entry that was looked at.
func (r *Returner) lines(ctx context.Context, p Program, entries []*proto.LogEntry) (lines []byte, last int64, err error) {
	live, n := r.o.Live(), 0
	for _, e := range entries {
		if n == most || len(lines) >= mostBytes {
			break
		}
		last = e.Sequence
		jid, ok := jidOf(e.Record)
		if !ok || driver(jid, live) != r.o.Name {
			continue
		}
		line, err := r.line(ctx, p, jid, e.Record.Origin)
		if err != nil {
			return nil, 0, err
		}
		if line != nil {
			lines = append(append(lines, line...), '\n')
			n++
		}
	}
	return lines, last, nil
}

// jidOf is the job id of a record of a return, whose id is return/JID/MINION/HASH.
func jidOf(rec *proto.Record) (string, bool) {
	if rec.Kind != proto.RecordKind_RECORD_RETURN {
		return "", false
	}
	parts := strings.Split(rec.Id, "/")
	if len(parts) < 3 {
		return "", false
	}
	return parts[1], true
}

// driver is the one of masters that hands on a job's returns: all of them choose the same.
func driver(jid string, masters []string) string {
	sum := func(m string) string {
		h := sha256.Sum256([]byte("returner\x00" + jid + "\x00" + m))
		return string(h[:])
	}
	return slices.MaxFunc(masters, func(a, b string) int { return cmp.Compare(sum(a), sum(b)) })
}

// run has a program take lines.
func (r *Returner) run(ctx context.Context, p Program, lines []byte) error {
	limit := cmp.Or(p.Timeout, DefaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v, and was ended", limit))
	defer cancel()
	out, err := r.o.Exec(ctx, host.Command{Argv: p.Command, Stdin: lines, Bytes: true, Limit: 64 << 10, Grace: time.Second})
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("it ended with %d", out.Code)
	}
	if errors.Is(err, exec.ErrNotFound) {
		err = errors.New("there is no such program, or it is not executable")
	}
	if text := strings.TrimSpace(strings.ToValidUTF8(string(out.Stderr[:min(len(out.Stderr), saidBytes)]), "")); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// A cursor is up to where a program has taken the log.
type cursor struct {
	Incarnation string `json:"incarnation"` // of the log: another one has other sequences
	Sequence    int64  `json:"sequence"`
}

// key names the file of a program's cursor.
func (p Program) key() string {
	data, _ := json.Marshal(p.Command) // texts can always be encoded
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// cursor reads where a program is. One that is new, or whose log was made anew, begins at the end.
func (r *Returner) cursor(path string) (cursor, error) {
	var at cursor
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &at)
	}
	switch {
	case err == nil && at.Incarnation == r.o.Store.Incarnation():
		return at, nil
	case err == nil:
		r.o.Log.Warn("the log was made anew: a returner gets what is returned from now on", "file", path)
	case !errors.Is(err, fs.ErrNotExist):
		return at, fmt.Errorf("cannot read %s: %w", path, err)
	}
	at = cursor{r.o.Store.Incarnation(), r.o.Store.Last()}
	return at, save(path, at)
}

// save replaces a cursor such that a crash leaves the old or the new one.
func save(path string, at cursor) error {
	data, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
