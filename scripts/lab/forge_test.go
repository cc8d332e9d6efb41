package lab_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	pb "google.golang.org/protobuf/proto"

	"brine/minion"
	"brine/minion/link/linktest"
	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

// A hostile is a real minion on a bus that says whatever the test likes: a
// master of the minion's site, m1, is at hand to sign what is right.
type hostile struct {
	t                *testing.T
	site             *linktest.Site
	m1, m2, revoked  *linktest.Master
	minion           *minion.Minion
	clock            jid.Clock
	root, ran        string // ran: the file to which each job that runs adds its id
	answered         []linktest.Message
	forged, expected map[string]string // what was wrong with a job, by jid
}

func newHostile(t *testing.T, change func(*minion.Options)) *hostile {
	t.Helper()
	site := linktest.NewSite(t, "web1")
	h := &hostile{
		t: t, site: site, m1: site.Master("m1"), m2: site.Master("m2"), revoked: site.Master("m3"), root: t.TempDir(),
		forged: map[string]string{}, expected: map[string]string{},
	}
	site.Revoke("m3")
	h.m1.Start(site.Bundle())
	h.ran = filepath.Join(h.root, "ran")
	c := &minion.Config{ID: "web1", Masters: []string{h.m1.Addr}}
	c.Link.Ping, c.Files.KeepDays = "500ms", 30
	o := minion.Options{Root: h.root, Config: c, Log: hclog.NewNullLogger()}
	if change != nil {
		change(&o)
	}
	m, err := minion.New(o)
	must(t, err)
	h.minion = m
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	must(t, m.WaitLinked(within(t)))
	return h
}

// job is a right one that master m1 has issued just now.
func (h *hostile) job(change func(*proto.Job, *proto.JobRequest)) (id string, j *proto.Job) {
	h.t.Helper()
	now := time.Now()
	q := &proto.JobRequest{
		Jid: h.clock.Next(now), RequestId: make([]byte, 16), Function: "cmd.run", Target: glob("web*"),
		IssuedAt: now.UnixMicro(), Operator: "ann",
	}
	rand.Read(q.RequestId)
	q.Args = []*proto.Argument{text(fmt.Sprintf("echo %s >> %s", q.Jid, h.ran))}
	j = &proto.Job{Master: "m1", IssuedAt: now.UnixMicro(), NotAfter: now.Add(time.Minute).UnixMicro()}
	if change != nil {
		change(j, q)
	}
	j.Request = &proto.Envelope{Kind: proto.Kind_KIND_JOB_REQUEST, Body: marshal(h.t, q)}
	return q.Jid, j
}

// everywhere sends data on every subject that the minion hears.
func (h *hostile) everywhere(data []byte) {
	for _, on := range []string{
		subject.JobAll, subject.Job("web1"), subject.Link("web1"), subject.Ack("web1"), subject.Inbox("web1") + ".x",
	} {
		h.m1.PublishRaw(on, data)
	}
}

// forge sends a job that the minion must not even answer.
func (h *hostile) forge(name string, change func(*proto.Job, *proto.JobRequest), seal func(body []byte) *proto.Envelope) {
	h.t.Helper()
	id, j := h.job(change)
	h.forged[id] = name
	h.everywhere(marshal(h.t, seal(marshal(h.t, j))))
}

// returnOf waits for the return of a job, and keeps what else was answered.
func (h *hostile) returnOf(id string) *proto.Return {
	h.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-h.m1.Heard:
			h.answered = append(h.answered, m)
			if r := m.Return("web1", id); r != nil {
				return r
			}
		case <-timeout:
			h.t.Fatalf("no return of job %s", id)
		}
	}
}

// run sends a right job and waits for its return.
func (h *hostile) run() {
	h.t.Helper()
	id, j := h.job(nil)
	h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, j))
	if r := h.returnOf(id); r.Outcome != proto.Outcome_OK {
		h.t.Errorf("a right job: got %v", r)
	}
	h.expected[id] = "right"
}

// check: every right job has run once, and no forged one was run or answered.
func (h *hostile) check() {
	h.t.Helper()
	for range 3 { // what ran against the rules has had the time to say so
		h.run()
	}
	for _, m := range h.answered {
		for id, name := range h.forged {
			if strings.Contains(m.Subject, id) || bytes.Contains(m.Data, []byte(id)) {
				h.t.Errorf("%s: it was answered on %s", name, m.Subject)
			}
		}
	}
	data, err := os.ReadFile(h.ran)
	must(h.t, err)
	ran := map[string]int{}
	for _, id := range strings.Fields(string(data)) {
		ran[id]++
	}
	for id, n := range ran {
		if h.expected[id] == "" || n != 1 {
			h.t.Errorf("job %s (%s%s) ran %d times", id, h.forged[id], h.expected[id], n)
		}
	}
	for id := range h.expected {
		if ran[id] == 0 {
			h.t.Errorf("job %s did not run", id)
		}
	}
}

func TestForgedJobsGetNoAnswer(t *testing.T) {
	t.Parallel()
	h := newHostile(t, nil)
	site, job := h.m1.Identity.Site(), proto.Kind_KIND_JOB
	own := h.m1.Identity.Key
	stranger := newKey(t)
	with := func(key ed25519.PrivateKey, site pki.Fingerprint, kind proto.Kind) func([]byte) *proto.Envelope {
		return func(body []byte) *proto.Envelope { return relabel(pki.Sign(key, site, kind, body), job) }
	}
	h.forge("stranger", nil, with(stranger, site, job))
	from := func(name string) func(*proto.Job, *proto.JobRequest) {
		return func(j *proto.Job, _ *proto.JobRequest) { j.Master = name }
	}
	h.forge("revoked master", from("m3"), with(h.revoked.Identity.Key, site, job))
	h.forge("another site", nil, with(own, pki.Fingerprint{9}, job))
	h.forge("another master's name", from("m2"), with(own, site, job))
	h.forge("no master's name", from(""), with(own, site, job))
	for number, name := range proto.Kind_name {
		kind := proto.Kind(number)
		if kind == job || kind == proto.Kind_KIND_UNSPECIFIED {
			continue
		}
		h.forge("label of "+name, nil, with(own, site, kind))
		h.forge("kind "+name, nil, func(body []byte) *proto.Envelope {
			return relabel(pki.Sign(own, site, job, body), kind)
		})
		h.forge("both "+name, nil, func(body []byte) *proto.Envelope { return pki.Sign(own, site, kind, body) })
	}
	h.forge("stranger's signature", nil, func(body []byte) *proto.Envelope {
		env := pki.Sign(stranger, site, job, body)
		env.Key = publicOf(own)
		return env
	})
	h.forge("no signature", nil, func(body []byte) *proto.Envelope {
		return &proto.Envelope{Kind: job, Body: body, Key: publicOf(own)}
	})
	h.forge("signature of nothing", nil, func(body []byte) *proto.Envelope {
		env := pki.Sign(own, site, job, nil)
		env.Body = body
		return env
	})
	for i := range 40 { // one bit is another
		h.forge(fmt.Sprintf("bit %d", i), nil, func(body []byte) *proto.Envelope {
			env := pki.Sign(own, site, job, body)
			env.Body = bytes.Clone(env.Body)
			env.Body[i*len(body)/40] ^= 1 << (i % 8)
			return env
		})
	}
	_, j := h.job(nil)
	whole := marshal(t, h.m1.Sign(job, j))
	for n := range len(whole) { // cut short at each byte
		h.m1.PublishRaw(subject.JobAll, whole[:n])
	}
	for _, data := range garbage(t) {
		h.everywhere(data)
		h.everywhere(marshal(t, pki.Sign(own, site, job, data))) // signed garbage
	}
	h.check()
}

func TestReplayedJobsRunOnce(t *testing.T) {
	t.Parallel()
	h := newHostile(t, nil)
	id, j := h.job(nil)
	data := marshal(t, h.m1.Sign(proto.Kind_KIND_JOB, j))
	h.expected[id] = "right"
	for range 20 {
		h.everywhere(data)
	}
	if r := h.returnOf(id); r.Outcome != proto.Outcome_OK {
		t.Errorf("got %v", r)
	}
	h.everywhere(data)
	// The same jid with another request id, and the same request id with another jid.
	q := &proto.JobRequest{}
	must(t, pb.Unmarshal(j.Request.Body, q))
	_, other := h.job(func(_ *proto.Job, r *proto.JobRequest) { r.Jid = q.Jid })
	h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, other))
	again, same := h.job(func(_ *proto.Job, r *proto.JobRequest) { r.RequestId = q.RequestId })
	h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, same))
	r := h.returnOf(again)
	if r.Outcome != proto.Outcome_REFUSED || !strings.Contains(r.Reason, q.Jid) || !strings.Contains(r.Reason, again) {
		t.Errorf("a second jid: got %v", r)
	}
	h.check()
}

func TestJobsOutsideTheirWindowAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		clock time.Duration // how far the minion's is ahead
		text  string
	}{
		{"ahead", 10 * time.Minute, "clock differs by 6"},
		{"behind", -10 * time.Minute, "clock differs by 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHostile(t, func(o *minion.Options) {
				o.Now = func() time.Time { return time.Now().Add(c.clock) }
			})
			id, j := h.job(nil)
			h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, j))
			r := h.returnOf(id)
			if r.Outcome != proto.Outcome_REFUSED || !strings.Contains(r.Reason, c.text) ||
				!strings.Contains(r.Reason, "s from m1: check NTP") {
				t.Errorf("got %v %q", r.Outcome, r.Reason)
			}
			if _, err := os.Stat(h.ran); err == nil {
				t.Error("it ran")
			}
		})
	}
	t.Run("late", func(t *testing.T) {
		h := newHostile(t, nil)
		id, j := h.job(func(j *proto.Job, _ *proto.JobRequest) {
			j.IssuedAt, j.NotAfter = j.IssuedAt-660e6, j.NotAfter-660e6
		})
		h.m1.Publish(subject.JobAll, h.m1.Sign(proto.Kind_KIND_JOB, j))
		if r := h.returnOf(id); r.Outcome != proto.Outcome_REFUSED || !strings.Contains(r.Reason, "after m1 issued it") ||
			!strings.Contains(r.Reason, "check NTP") {
			t.Errorf("got %v %q", r.Outcome, r.Reason)
		}
		h.check()
	})
}
