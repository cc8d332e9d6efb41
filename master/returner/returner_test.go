package returner_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master/returner"
	"brine/master/store"
	"brine/proto"
	"brine/states/host"
)

// A run is what a program got, and the answer that the test gives.
type run struct {
	command string
	lines   []string
	answer  chan error
}

// site is a store with a returner of each of some masters.
type site struct {
	t     *testing.T
	dir   string
	store *store.Store
	runs  chan run
	n     int
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &site{t: t, dir: dir, store: s, runs: make(chan run)}
}

// start runs a master's returner until stop is called, or the test ends.
func (s *site) start(master string, live []string, programs ...returner.Program) (r *returner.Returner, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r = returner.New(returner.Options{
		Name: master, Live: func() []string { return live }, Store: s.store, Programs: programs, Dir: filepath.Join(s.dir, master), Log: hclog.NewNullLogger(),
		Exec: func(ctx context.Context, c host.Command) (host.Output, error) {
			x := run{master + " " + c.Argv[0], strings.Split(strings.TrimSuffix(string(c.Stdin), "\n"), "\n"), make(chan error)}
			select {
			case s.runs <- x:
				return host.Output{Stderr: []byte("why\n")}, <-x.answer
			case <-ctx.Done():
				return host.Output{}, ctx.Err()
			}
		},
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return r, stop
}

// returns stores a return of a job of its own.
func (s *site) returns(function, value string) {
	s.t.Helper()
	s.n++
	ret := &proto.Return{
		Jid: fmt.Sprintf("202603011200%08d", s.n), RequestId: make([]byte, 16), Minion: "web1", Outcome: proto.Outcome_OK, Function: function,
		Value: []byte(value), FinishedAt: time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC).UnixMicro(), Duration: 1500,
	}
	rec, err := store.NewRecord(ret.FinishedAt, "web1", ret)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.Append(s.t.Context(), rec); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) run(answer error) run {
	s.t.Helper()
	select {
	case x := <-s.runs:
		x.answer <- answer
		return x
	case <-time.After(30 * time.Second):
		s.t.Fatal("no program is run")
		return run{}
	}
}

// begun waits until the programs of a master have begun to look.
func (s *site) begun(master string, programs int) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		files, err := filepath.Glob(filepath.Join(s.dir, master, "*.json"))
		if err != nil || time.Now().After(deadline) {
			s.t.Fatal("a returner does not begin: ", err)
		}
		if len(files) == programs {
			return
		}
	}
}

func TestReturnsComeUntilTheyAreTaken(t *testing.T) {
	s := newSite(t)
	s.returns("test.echo", `"before it was there"`)
	p := returner.Program{Command: []string{"feed"}, Functions: []string{"test.*", "state.apply"}}
	r, stop := s.start("m1", []string{"m1"}, p)
	s.begun("m1", 1)
	s.returns("cmd.run", `"of no interest"`)
	s.returns("state.apply", `{"a": 1}`)
	got := s.run(errors.New("it is away"))
	want := `{"jid":"20260301120000000003","id":"web1","fun":"state.apply","fun_args":[],"return":{"a":1},"retcode":0,"success":true,` +
		`"_stamp":"2026-03-01T12:00:01.000000","status":"ok","duration_ms":1.5}`
	if got.command != "m1 feed" || len(got.lines) != 1 || got.lines[0] != want {
		t.Fatalf("got %q, want %s", got.lines, want)
	}
	again := s.run(errors.New("it is away")) // the first failure was noted by now
	if !slices.Equal(again.lines, got.lines) {
		t.Errorf("again: got %q", again.lines)
	}
	if w := r.Warnings(); len(w) != 1 || w[0] != "returner feed takes no returns: it is away: why" {
		t.Errorf("got %q", w)
	}
	stop()
	s.returns("test.echo", "2")
	s.returns("test.echo", "{cut")
	r, _ = s.start("m1", []string{"m1"}, p)
	if after := s.run(nil); len(after.lines) != 3 || after.lines[0] != want || !strings.Contains(after.lines[2], `"return":"{cut"`) {
		t.Errorf("after a restart: got %q", after.lines)
	}
	s.returns("test.echo", "3")
	if next := s.run(nil); len(next.lines) != 1 || !strings.Contains(next.lines[0], `"return":3`) || len(r.Warnings()) > 0 {
		t.Errorf("next: got %q, %q", next.lines, r.Warnings())
	}
}

func TestOneMasterHandsOnEachReturn(t *testing.T) {
	s := newSite(t)
	p := returner.Program{Command: []string{"feed"}}
	for _, m := range []string{"m1", "m2"} {
		s.start(m, []string{"m1", "m2"}, p)
		s.begun(m, 1)
	}
	const all = 200
	for i := range all {
		s.returns("test.echo", fmt.Sprint(i))
	}
	by := map[string]int{}
	seen := map[string]bool{}
	for len(seen) < all {
		x := s.run(nil)
		for _, line := range x.lines {
			if seen[line] {
				t.Fatalf("twice: %s", line)
			}
			seen[line] = true
			by[x.command]++
		}
	}
	if by["m1 feed"] < all/4 || by["m2 feed"] < all/4 {
		t.Errorf("got %v", by)
	}
}
