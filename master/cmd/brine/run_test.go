package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/client"
	"brine/proto"
)

// TestWhoLeavesBeforeTheFirstFrameIsToldTheJob: what became of it is not
// known, so it is no success, and the job can be looked up.
func TestWhoLeavesBeforeTheFirstFrameIsToldTheJob(t *testing.T) {
	for name, c := range map[string]struct {
		timeout   time.Duration
		interrupt bool
		want      int
	}{
		"timeout":   {timeout: time.Millisecond, want: exitTryAgain},
		"interrupt": {interrupt: true, want: exitInterrupted},
	} {
		var out, diag bytes.Buffer
		interrupts := make(chan struct{}, 1)
		a := &app{stdout: &out, stderr: &diag, out: "json", interrupts: interrupts}
		if c.interrupt {
			interrupts <- struct{}{}
		}
		ctx, stop := limited(context.Background(), c.timeout)
		p, err := a.newPrinter("test.ping")
		if err != nil {
			t.Fatal(err)
		}
		known := func() *proto.JobInfo { return &proto.JobInfo{Jid: "20260101000000000001", Function: "test.ping"} }
		err = a.follow(ctx, nil, p, known, func(ctx context.Context, _ client.Update) (*client.Result, error) {
			<-ctx.Done()
			return &client.Result{}, ctx.Err()
		})
		stop()
		var e *exit
		if !errors.As(err, &e) || e.status != c.want || !strings.Contains(err.Error(), "brine job show 20260101000000000001") {
			t.Errorf("%s: got %v, want exit %d and the job's id", name, err, c.want)
		}
		rep := &report{}
		if err := json.Unmarshal(out.Bytes(), rep); err != nil || rep.JID == "" || rep.State != "running" {
			t.Errorf("%s: got %s (%v), want a running job", name, out.Bytes(), err)
		}
	}
}

// TestWhoLosesEveryMasterIsToldTheJob: it goes on at the minions, so what came already is shown, and how to hear the rest.
func TestWhoLosesEveryMasterIsToldTheJob(t *testing.T) {
	job := &proto.JobInfo{Jid: "20260101000000000001", Function: "cmd.run"}
	for name, c := range map[string]struct {
		got  *client.Result
		want string
	}{
		"before the first frame": {&client.Result{}, "brine job show " + job.Jid},
		"after it": {&client.Result{Job: job, Minions: map[string]*client.Minion{
			"web1": {MinionUpdate: &proto.MinionUpdate{Status: "ok", Value: []byte("true")}},
			"web2": {MinionUpdate: &proto.MinionUpdate{Status: "running"}},
		}}, "brine job watch " + job.Jid},
	} {
		var out bytes.Buffer
		a := &app{stdout: &out, stderr: new(bytes.Buffer), out: "json"}
		p, err := a.newPrinter(job.Function)
		if err != nil {
			t.Fatal(err)
		}
		err = a.follow(t.Context(), nil, p, func() *proto.JobInfo { return job },
			func(context.Context, client.Update) (*client.Result, error) {
				return c.got, fmt.Errorf("%w: connection refused", client.ErrSilent)
			})
		if statusOf(err) != exitNoMaster || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want exit %d and %q", name, err, exitNoMaster, c.want)
		}
		rep := &report{}
		if err := json.Unmarshal(out.Bytes(), rep); err != nil || rep.JID != job.Jid || rep.State != "running" || len(rep.Minions) != len(c.got.Minions) {
			t.Errorf("%s: got %s (%v), want the running job with what came", name, out.Bytes(), err)
		}
	}
}

func TestSaltenvOfAStateFunctionIsTheJobs(t *testing.T) {
	given := arguments([]string{"web", "saltenv=dev", "test=True"})
	if rest, env := saltenv("state.apply", given); env != "dev" || len(rest) != 2 || rest[1].Name != "test" {
		t.Errorf("got %v, %q, want web and test, in dev", rest, env)
	}
	if rest, env := saltenv("test.arg", given); env != "" || len(rest) != 3 {
		t.Errorf("got %v, %q, want the arguments of another function left alone", rest, env)
	}
}
