package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
)

// A million returns: of some jobs on a thousand minions each, and of many on five.
const (
	wideJobs, wideMinions   = 900, 1000
	smallJobs, smallMinions = 20_000, 5
	queryBound              = 100 * time.Millisecond
)

// stored measures what an operator asks of a store with a million returns.
func (b *bench) stored(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-queries.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: "m1"})
	if err != nil {
		return err
	}
	defer s.Close()
	h := &history{s: s, began: time.Now().Add(-21 * 24 * time.Hour).Truncate(time.Second), key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	began := time.Now()
	if err := h.fill(ctx); err != nil {
		return err
	}
	b.say("a million returns stored in", fmt.Sprintf("%.0f s", time.Since(began).Seconds()), "", true)
	m, err := job.New(ctx, job.Options{
		Master: "m1", Store: s, Live: func() []string { return []string{"m1"} }, Late: func(string) time.Duration { return 0 },
		Online: func(string) bool { return true }, Accepted: func() []string { return nil },
		Here:     func(string) (bool, bool) { return true, false },
		HandAcks: func(*proto.AckBatch) {}, Publish: func(string, []byte) error { return nil }, TempDir: dir,
	})
	if err != nil {
		return err
	}
	q := &querier{b: b, m: m}
	q.list(ctx, "job ls before jobs are summed up", "", &proto.JobListRequest{})
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(running) }()
	defer func() { stop(); <-ended }()
	began = time.Now()
	for left := 1; left > 0; time.Sleep(50 * time.Millisecond) {
		open, err := s.Unsummed(ctx, 1)
		if err != nil {
			return err
		}
		left = len(open)
	}
	b.say("all jobs summed up in", fmt.Sprintf("%.0f s", time.Since(began).Seconds()), "", true)
	return q.ask(ctx, h)
}

// history fills a store.
type history struct {
	s     *store.Store
	began time.Time
	key   ed25519.PrivateKey
	wide  string // a job on all minions
}

func (h *history) fill(ctx context.Context) error {
	each := 20 * 24 * time.Hour / (wideJobs + smallJobs)
	failed := make(chan error, 1)
	for n := range wideJobs + smallJobs {
		q := &proto.JobRequest{
			Jid: jid.FromTime(h.began.Add(time.Duration(n) * each)), RequestId: fmt.Appendf(nil, "%016d", n),
			Function: "test.ping", Operator: "ann", Target: &proto.Target{Syntax: proto.Target_GLOB, Expression: "*"},
		}
		minions := wideMinions
		switch every := (wideJobs + smallJobs) / wideJobs; {
		case n%every != 0 || n/every >= wideJobs:
			minions = smallMinions
			q.Function, q.Operator = fmt.Sprintf("cmd.run%d", n%40), fmt.Sprintf("operator%d", n%20)
			q.Target.Expression = fmt.Sprintf("minion%04d,web*", n%300)
		case n/every%3 == 0:
			q.Function = "state.highstate"
		}
		if minions == wideMinions {
			h.wide = q.Jid
		}
		if err := h.job(ctx, q, n, minions, failed); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// job stores a job and its returns: of a wide one 1 % of the minions is missing, and of some jobs a minion fails.
func (h *history) job(ctx context.Context, q *proto.JobRequest, n, minions int, failed chan<- error) error {
	at, err := jid.Time(q.Jid)
	if err != nil {
		return err
	}
	rec := &proto.JobRecord{}
	sign := func(kind proto.Kind, m pb.Message) *proto.Envelope {
		body, _ := pb.Marshal(m) // a message of ours can be encoded
		return pki.Sign(h.key, pki.Fingerprint{1}, kind, body)
	}
	rec.Job = sign(proto.Kind_KIND_JOB, &proto.Job{Request: sign(proto.Kind_KIND_JOB_REQUEST, q), Master: "m1",
		IssuedAt: at.UnixMicro(), NotAfter: at.Add(time.Minute).UnixMicro()})
	for i := range minions {
		rec.Expected = append(rec.Expected, minionName(n, i))
	}
	r, err := store.NewRecord(h.s.Stamp(), "m1", rec)
	if err != nil {
		return err
	}
	if err := h.s.Append(ctx, r); err != nil {
		return err
	}
	for i := range minions - minions/100 {
		ret := &proto.Return{
			Jid: q.Jid, RequestId: q.RequestId, Minion: minionName(n, i), Outcome: proto.Outcome_OK, Function: q.Function,
			Value: []byte(`{"text":"` + fmt.Sprintf("%0190d", i) + `"}`), StartedAt: at.UnixMicro(), FinishedAt: at.UnixMicro(),
		}
		if i == 3 && n%50 == 0 {
			ret.Outcome, ret.Retcode = proto.Outcome_FAILED, 1
		}
		r, err := store.NewRecord(h.s.Stamp(), ret.Minion, ret)
		if err != nil {
			return err
		}
		h.s.Enqueue(r, func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	return nil
}

// minionName spreads the jobs on few minions over all.
func minionName(job, i int) string { return fmt.Sprintf("minion%04d", (job*7+i)%wideMinions) }

// querier asks and says how long it took.
type querier struct {
	b *bench
	m *job.Manager
}

func (q *querier) ask(ctx context.Context, h *history) error {
	week := h.began.Add(13 * 24 * time.Hour).UnixMicro()
	const bound = "100 ms"
	for _, c := range []struct {
		what string
		r    *proto.JobListRequest
	}{
		{"job ls", &proto.JobListRequest{}},
		{"job ls --limit 1000, each of 5 answers", &proto.JobListRequest{Limit: 1000}},
		{"job ls --function state.*", &proto.JobListRequest{Function: "state.*"}},
		{"job ls --function cmd.run1* (11 functions)", &proto.JobListRequest{Function: "cmd.run1*"}},
		{"job ls --target minion0007*", &proto.JobListRequest{Target: "minion0007*"}},
		{"job ls --operator operator7 --since a week", &proto.JobListRequest{Operator: "operator7", Since: week}},
		{"job ls --failed", &proto.JobListRequest{Failed: true}},
		{"job ls --failed --operator operator1*", &proto.JobListRequest{Failed: true, Operator: "operator1*"}},
		{"job ls --function none", &proto.JobListRequest{Function: "none.such"}},
	} {
		if err := q.list(ctx, c.what, bound, c.r); err != nil {
			return err
		}
	}
	if err := q.time("job show, 990 of 1,000 minions", bound, func() error {
		return q.m.Watch(ctx, h.wide, true, func(*proto.WatchFrame, bool) error { return nil })
	}); err != nil {
		return err
	}
	return q.time("minion show: last jobs and highstate", bound, func() error {
		jobs, highstate, err := q.m.OfMinion(ctx, "minion0070", 10)
		if err == nil && (len(jobs) != 10 || highstate == nil) {
			err = fmt.Errorf("%d jobs and highstate %v are told", len(jobs), highstate)
		}
		return err
	})
}

func (q *querier) list(ctx context.Context, what, bound string, r *proto.JobListRequest) error {
	return q.time(what, bound, func() error {
		_, err := q.m.List(ctx, r)
		return err
	})
}

// time says how long f takes: the worst of a few times.
func (q *querier) time(what, bound string, f func() error) error {
	worst := time.Duration(0)
	for range 5 {
		began := time.Now()
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		worst = max(worst, time.Since(began))
	}
	q.b.say(what, fmt.Sprintf("%.1f ms", float64(worst.Microseconds())/1000), bound, worst <= queryBound)
	return nil
}
