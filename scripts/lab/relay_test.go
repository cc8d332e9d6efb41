package lab_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/minion/link"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1", "web2"}})
	t.Run("passed on", func(t *testing.T) { passedOn(t, s) })
	t.Run("nowhere else", func(t *testing.T) { relayedNowhereElse(t, s) })
	works(t, s, 2)
}

// passedOn: whatever master a minion tells something through, all others hear
// it at once: also of what no store has, so that they cannot have read it there.
func passedOn(t *testing.T, s *lab.Site) {
	for _, at := range []string{"m1", "m2"} {
		for _, through := range []string{"m1", "m2"} {
			for _, listener := range []string{"m1", "m2"} {
				t.Run(at+" through "+through+" to "+listener, func(t *testing.T) { progressIsHeard(t, s, at, through, listener) })
			}
		}
	}
}

// progressIsHeard: who watches a job at one master sees what the minion told another.
func progressIsHeard(t *testing.T, s *lab.Site, at, through, listener string) {
	c := s.At(listener)
	defer c.Close()
	target := &proto.Target{Syntax: proto.Target_LIST, Expression: "web1,web2"}
	sent, err := c.Submit(within(t), c.NewJob(target, "test.sleep", []*proto.Argument{text("30")}))
	must(t, err)
	job := sent.Job
	p := mustSignIn(t, s, at, s.Minions["web1"].Key().Signing)
	defer p.conn.Close()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	told := false
	_, err = c.Watch(ctx, job.Jid, func(r *client.Result, _ []string) {
		web1, web2 := r.Minions["web1"], r.Minions["web2"]
		if !told && web1 != nil && web1.Status == "running" {
			told = true
			must(t, p.conn.Publish(subject.Relay(through, subject.Progress("web1", job.Jid)),
				marshal(t, &proto.Progress{Jid: job.Jid, RequestId: job.RequestId, Done: 3, Total: 7})))
			must(t, p.conn.Flush())
		}
		if web2 != nil && web2.Done != 0 {
			t.Errorf("web2 is at step %d", web2.Done)
		}
		if web1 != nil && web1.Done == 3 {
			cancel()
		}
	})
	if ctx.Err() != context.Canceled {
		t.Errorf("the progress was not heard: %v", err)
	}
	must(t, c.Call(within(t), "job.cancel", &proto.CancelRequest{Jid: job.Jid}, &proto.Empty{}))
}

// relayedNowhereElse: what a minion has relayed is of itself and comes on no
// subject that others hear, whatever follows its token.
func relayedNowhereElse(t *testing.T, s *lab.Site) {
	for _, master := range []string{"m1", "m2"} {
		c := s.At(master)
		defer c.Close()
		run, err := c.Run(within(t), c.NewJob(glob("web2"), "test.echo", []*proto.Argument{text("right")}), func(*client.Result, []string) {})
		must(t, err)
		lie := marshal(t, &proto.Return{
			Jid: run.Job.Jid, RequestId: run.Job.RequestId, Minion: "web2", Outcome: proto.Outcome_FAILED, Retcode: 1,
			Value: []byte(`"wrong"`), Function: "test.echo",
		})
		other := mustSignIn(t, s, master, s.Minions["web2"].Key().Signing).
			hears(subject.JobAll, subject.Job("web2"), subject.Inbox("web2")+".>")
		thief := mustSignIn(t, s, master, s.Minions["web1"].Key().Signing)
		others := []string{
			"relay.m1.web2." + run.Job.Jid + ".fin", "relay.m2.web2.x", "relay.web1.web2.x", "relay.web1", "relay.m1.web1",
			"relay.web1.job.all", "relay.m1.job.all", "relay.m1", "relay.job.all", "relay..web2.x",
		}
		if may := thief.mayPublish(others, lie); len(may) > 0 {
			t.Errorf("a minion may publish on %v", may)
		}
		own := []string{
			"relay.m1.web1." + run.Job.Jid + ".fin", "relay.m2.web1." + run.Job.Jid + ".fin", "relay.m1.web1.job.all", "relay.m1.web1.>",
			"relay.m2.web1.*", "relay.m1.web1..", "relay.m1.web1.web2.x.fin", "relay.m1.web1.relay.m2.web2.x.fin",
			"relay.web2.web1." + run.Job.Jid + ".fin", "relay.m1.web1.ret.web2." + run.Job.Jid + ".fin",
		}
		for _, on := range own {
			for _, reply := range []string{"", subject.JobAll, subject.Job("web2"), subject.Inbox("web2") + ".x", "api." + master + ".key.list"} {
				must(t, thief.conn.PublishMsg(&nats.Msg{Subject: on, Reply: reply, Data: lie, Header: nats.Header{"X": {"y"}}}))
			}
		}
		must(t, thief.conn.FlushTimeout(patience))
		works(t, s, 2) // it comes after all of that
		for len(other) > 0 {
			if m := <-other; !expected(t, s, m) {
				t.Errorf("web2 heard %d bytes on %s", len(m.Data), m.Subject)
			}
		}
		for _, asked := range []string{"m1", "m2"} {
			c := s.At(asked)
			shown, err := c.Watch(within(t), run.Job.Jid, func(*client.Result, []string) {})
			c.Close()
			must(t, err)
			if got := string(shown.Minions["web2"].Value); got != `"right"` || !slices.Equal(shown.IDs(), []string{"web2"}) {
				t.Errorf("%s at %s: got %s of %v", run.Job.Jid, asked, got, shown.IDs())
			}
		}
	}
}

// TestAReturnThatWasNotPassedOn: the master that heard it dies before any other
// master has it, and before it could say that it has stored it.
func TestAReturnThatWasNotPassedOn(t *testing.T) {
	t.Parallel()
	h := newHostile(t, nil)
	h.m2.Start(h.site.Bundle())
	h.m1.Notice(1, h.m1, h.m2)
	must(t, h.minion.Wait(within(t), func(s link.Status) bool { return s.Standby == "m2" }))
	id, j := h.job(nil)
	h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, j))
	want := h.returnOf(id)
	h.m1.Kill()
	got := &proto.Return{}
	timeout := time.After(patience)
	for got.Jid == "" {
		select {
		case m := <-h.m2.Heard:
			if r := m.Return("web1", id); r != nil {
				got = r
			}
		case <-timeout:
			t.Fatal("m2 never heard of it")
		}
	}
	if !pb.Equal(got, want) {
		t.Errorf("m2 got %v, m1 %v", got, want)
	}
}
