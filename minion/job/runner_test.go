package job

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
	"brine/proto/target"
)

// site is one master and what minions trust.
type site struct {
	trust *pki.Trust
	fp    pki.Fingerprint
	key   ed25519.PrivateKey
	clock jid.Clock
	count uint64
}

func newSite(t testing.TB) *site {
	t.Helper()
	root, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pub, key, _ := ed25519.GenerateKey(nil)
	s := &site{fp: root.Site(), key: key, trust: pki.NewTrust(root.Site())}
	env, err := root.SignBundle(&pb.Bundle{Serial: 1, Masters: []*pb.MasterKey{{Name: "m1", Key: pub}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.trust.Update(env); err != nil {
		t.Fatal(err)
	}
	return s
}

// draft is a job before it is signed.
type draft struct {
	*pb.JobRequest
	job *pb.Job
}

// draft makes a job for every minion that is good for a minute.
func (s *site) draft(function string, args ...string) draft {
	s.count++
	req := make([]byte, 16)
	binary.BigEndian.PutUint64(req, s.count)
	r := &pb.JobRequest{Jid: s.clock.Next(time.Now()), RequestId: req, Function: function, Operator: "ann",
		Target: &pb.Target{Syntax: pb.Target_GLOB, Expression: "*"}}
	for _, a := range args {
		name, text, _ := strings.Cut(a, "=")
		r.Args = append(r.Args, &pb.Argument{Name: name, Value: &pb.Argument_Text{Text: text}})
	}
	now := time.Now()
	return draft{r, &pb.Job{Master: "m1", IssuedAt: now.UnixMicro(), NotAfter: now.Add(time.Minute).UnixMicro()}}
}

func (s *site) sign(d draft) []byte {
	body, _ := proto.Marshal(d.JobRequest)
	d.job.Request = &pb.Envelope{Kind: pb.Kind_KIND_JOB_REQUEST, Body: body}
	return s.envelope(pb.Kind_KIND_JOB, d.job)
}

func (s *site) envelope(kind pb.Kind, m proto.Message) []byte {
	body, _ := proto.Marshal(m)
	b, _ := proto.Marshal(pki.Sign(s.key, s.fp, kind, body))
	return b
}

func (s *site) cancel(d draft) []byte {
	now := time.Now()
	return s.envelope(pb.Kind_KIND_CANCEL, &pb.Cancel{Jid: d.Jid, RequestId: d.RequestId, Operator: "bob", Master: "m1",
		IssuedAt: now.UnixMicro(), NotAfter: now.Add(time.Minute).UnixMicro()})
}

// minion is a Runner whose functions are scripted and whose messages are kept.
type minion struct {
	*site
	t    testing.TB
	path string
	o    Options
	file *File
	*Runner

	mu     sync.Mutex
	sent   []message
	away   bool // no connection
	ran    map[string]int
	gates  map[string]chan Result // function -> what ends it
	closed bool
	last   *Job // that began
}

type message struct {
	subject string
	data    []byte
}

var errAway = errors.New("no connection")

func newMinion(t testing.TB, s *site, path string, change ...func(*minion, *JournalOptions)) *minion {
	t.Helper()
	m := &minion{site: s, t: t, path: path, ran: map[string]int{}, gates: map[string]chan Result{}}
	m.o = Options{ID: "web1", Trust: s.trust, Publish: m.publish, Exec: m.exec,
		IsState: func(f string) bool { return strings.HasPrefix(f, "state.") },
		Urgent:  func(f string) bool { return f == "saltutil.kill_job" },
	}
	if os.Getenv("JOB_TEST_LOG") != "" {
		m.o.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug})
	}
	jo := JournalOptions{Log: m.o.Log}
	for _, f := range change {
		f(m, &jo)
	}
	var err error
	if m.file, err = Open(path, jo); err != nil {
		t.Fatal(err)
	}
	m.o.Journal = m.file.Minion("web1")
	if m.Runner, err = New(t.Context(), m.o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m
}

// start does what the wiring does before the first job.
func (m *minion) start() {
	m.Recover()
	m.Seen(&pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{"m1"}})
}

// close ends the minion in an orderly way.
func (m *minion) close() {
	if m.closed {
		return
	}
	m.closed = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Close(ctx)
	m.file.Close()
}

// crash ends the minion as kill -9 does, and starts it again.
func (m *minion) crash() *minion {
	m.t.Helper()
	copied := filepath.Join(m.t.TempDir(), "journal")
	m.file.turn.RLock()
	for i := range 2 {
		copyFile(m.t, m.file.name(i), fmt.Sprintf("%s.%d", copied, i))
	}
	m.file.turn.RUnlock()
	m.setAway(true)
	m.close()
	next := newMinion(m.t, m.site, copied)
	next.start()
	return next
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *minion) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *minion) publish(on string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	m.sent = append(m.sent, message{on, data})
	return nil
}

func (m *minion) exec(ctx context.Context, j *Job) Result {
	m.mu.Lock()
	m.ran[j.JID]++
	m.last = j
	gate := m.gates[j.Function]
	m.mu.Unlock()
	if gate != nil {
		select {
		case res := <-gate:
			return res
		case <-ctx.Done():
			return Result{Value: []byte(`"cut"`), Retcode: 1}
		}
	}
	if j.Function == "test.panic" {
		panic("ouch")
	}
	for _, a := range j.Args {
		if a.Name == "size" {
			var n int
			fmt.Sscan(a.GetText(), &n)
			return Result{Value: []byte(`"` + strings.Repeat("x", n-2) + `"`)}
		}
	}
	return Result{Value: []byte("true")}
}

// hold makes a function wait until something is sent to the returned channel.
func (m *minion) hold(function string) chan Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	gate := make(chan Result)
	m.gates[function] = gate
	return gate
}

// take empties what was sent.
func (m *minion) take() []message {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.sent
	m.sent = nil
	return all
}

func (m *minion) runs(d draft) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ran[d.Jid]
}

// final returns the one .fin of a job among messages.
func final(t testing.TB, d draft, all []message) *pb.Return {
	t.Helper()
	var found *pb.Return
	for _, msg := range all {
		if msg.subject != subject.Final("web1", d.Jid) {
			continue
		}
		ret := &pb.Return{}
		if err := proto.Unmarshal(msg.data, ret); err != nil {
			t.Fatal(err)
		}
		if string(ret.RequestId) != string(d.RequestId) {
			continue
		}
		if found != nil {
			t.Fatalf("job %s: two returns", d.Jid)
		}
		found = ret
	}
	if found == nil {
		t.Fatalf("job %s: no return among %d messages", d.Jid, len(all))
	}
	return found
}

func wantOutcome(t testing.TB, ret *pb.Return, outcome pb.Outcome, reason string) {
	t.Helper()
	if ret.Outcome != outcome || !strings.Contains(ret.Reason, reason) {
		t.Errorf("got %v %q, want %v %q", ret.Outcome, ret.Reason, outcome, reason)
	}
}

func accepted(t testing.TB, d draft, all []message) (found []*pb.Accepted) {
	t.Helper()
	for _, msg := range all {
		if msg.subject == subject.Accepted("web1", d.Jid) {
			a := &pb.Accepted{}
			if err := proto.Unmarshal(msg.data, a); err != nil {
				t.Fatal(err)
			}
			found = append(found, a)
		}
	}
	return found
}

func (m *minion) ack(master string, live string, all ...draft) {
	ack := &pb.Ack{Master: master, Live: strings.Fields(live)}
	for _, d := range all {
		ack.Items = append(ack.Items, &pb.AckItem{Jid: d.Jid, RequestId: d.RequestId})
	}
	b, _ := proto.Marshal(ack)
	m.Ack(b)
}

// test runs f with a minion, in a bubble whose clock stands still while something runs.
func test(t *testing.T, f func(t *testing.T, m *minion)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"))
		m.start()
		f(t, m)
	})
}

func TestAJobRunsAndReturns(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		m.Handle("job.all", m.sign(d))
		all := m.take()
		ret := final(t, d, all)
		if ret.Outcome != pb.Outcome_OK || string(ret.Value) != "true" || ret.Minion != "web1" ||
			ret.Function != "test.ping" || ret.StartedAt == 0 || ret.FinishedAt == 0 {
			t.Errorf("got %v", ret)
		}
		time.Sleep(time.Second)
		if all = append(all, m.take()...); len(all) != 1 {
			t.Errorf("got %d messages, want .fin alone: it implies .acc", len(all))
		}
	})
}

func TestASlowJobIsAcceptedFirst(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("cmd.run")
		d := m.draft("cmd.run")
		m.Handle("job.all", m.sign(d))
		if all := m.take(); len(all) != 0 {
			t.Errorf("got %d messages at once", len(all))
		}
		time.Sleep(acceptDelay)
		acc := accepted(t, d, m.take())
		if len(acc) != 1 || acc[0].State != pb.Accepted_STARTED || string(acc[0].RequestId) != string(d.RequestId) {
			t.Fatalf("got %v", acc)
		}
		gate <- Result{Value: []byte("3"), Retcode: 3}
		ret := final(t, d, m.take())
		if ret.Outcome != pb.Outcome_FAILED || ret.Retcode != 3 || ret.Duration != acceptDelay.Microseconds() {
			t.Errorf("got %v", ret)
		}
	})
}

func TestAFailureIsNotTheMinions(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.panic")
		m.Handle("job.all", m.sign(d))
		ret := final(t, d, m.take())
		if ret.Outcome != pb.Outcome_FAILED || !strings.Contains(string(ret.Value), "panicked: ouch") {
			t.Errorf("got %v", ret)
		}
	})
}

func TestAReplayIsAnsweredNotRun(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		data := m.sign(d)
		m.Handle("job.all", data)
		first := final(t, d, m.take())
		m.Handle("job.all", data)
		if all := m.take(); len(all) != 0 {
			t.Errorf("sent %d messages to a copy that came at once", len(all))
		}
		time.Sleep(resendDelay + 1)
		m.Handle("job.id.web1", data)
		if again := final(t, d, m.take()); !proto.Equal(first, again) {
			t.Errorf("got %v, want %v", again, first)
		}
		m.ack("m1", "m1", d)
		time.Sleep(time.Hour)
		m.Handle("job.id.web1", data)
		if again := final(t, d, m.take()); !proto.Equal(first, again) {
			t.Errorf("settled: got %v, want %v", again, first)
		}
		m = m.crash()
		m.Handle("job.id.web1", data)
		if again := final(t, d, m.take()); !proto.Equal(first, again) {
			t.Errorf("after a crash: got %v, want %v", again, first)
		}
		if m.runs(d) != 0 {
			t.Error("ran again")
		}
	})
}

func TestIdsThatContradictAreRefused(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		m.Handle("job.all", m.sign(d))
		m.take()
		jid, req := m.draft("test.ping"), m.draft("test.ping")
		jid.Jid, req.RequestId = d.Jid, d.RequestId
		for _, other := range []draft{jid, req} {
			for range 2 {
				time.Sleep(time.Second)
				m.Handle("job.all", m.sign(other))
				ret := final(t, other, m.take())
				wantOutcome(t, ret, pb.Outcome_REFUSED, d.Jid)
				wantOutcome(t, ret, pb.Outcome_REFUSED, fmt.Sprintf("%x", d.RequestId))
				wantOutcome(t, ret, pb.Outcome_REFUSED, other.Jid)
				wantOutcome(t, ret, pb.Outcome_REFUSED, fmt.Sprintf("%x", other.RequestId))
				m.ack("m1", "m1", other)
			}
		}
		if m.runs(d) != 1 || len(m.ran) != 1 {
			t.Errorf("ran %v", m.ran)
		}
	})
}

func TestTargets(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		d.Target.Expression = "db*"
		data := m.sign(d)
		m.Handle("job.all", data)
		if all := m.take(); len(all) != 0 {
			t.Errorf("broadcast: got %d messages", len(all))
		}
		m.Handle("job.id.web1", data)
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_NOT_MATCHED, "db*")
		d = m.draft("test.ping")
		d.Target.Expression = "web[1"
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "cannot read target")
		d = m.draft("test.ping")
		d.Target = &pb.Target{Syntax: pb.Target_LIST, Expression: "db1,web1"}
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_OK, "")
	})
}

func TestTargetsOfFacts(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		role := "web"
		m.Runner.o.Facts = func(target.Asks) target.Facts { return target.Facts{Grains: target.JSON{"role": role}} }
		d := m.draft("test.ping")
		d.Target = &pb.Target{Syntax: pb.Target_NODEGROUP, Expression: "webs"}
		d.job.Nodegroups = []byte(`{"webs": "G@role:web"}`)
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_OK, "")
		role = "db"
		d = m.draft("test.ping")
		d.Target = &pb.Target{Syntax: pb.Target_GRAIN, Expression: "role|web", Delimiter: "|"}
		m.Handle("job.all", m.sign(d))
		if all := m.take(); len(all) != 0 {
			t.Errorf("broadcast: got %d messages", len(all))
		}
		m.Handle("job.id.web1", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_NOT_MATCHED, "role|web")
		d = m.draft("test.ping")
		d.Target = &pb.Target{Syntax: pb.Target_PCRE, Expression: "web[0-9"}
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "no regular expression")
	})
}

// TestOldJobsAskForNoPillar: whoever sends the same old job again and again keeps no master busy.
func TestOldJobsAskForNoPillar(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		asked := 0
		m.Runner.o.Facts = func(target.Asks) target.Facts { return target.Facts{Pillar: target.JSON{"role": "db"}} }
		m.Runner.o.Renew = func(context.Context) error { asked++; return nil }
		forPillar := func() draft {
			d := m.draft("test.ping")
			d.Target = &pb.Target{Syntax: pb.Target_PILLAR, Expression: "role:web"}
			return d
		}
		d := forPillar()
		m.Handle("job.id.web1", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_NOT_MATCHED, "role:web")
		if asked != 1 {
			t.Errorf("asked %d times for a job that is new, want 1", asked)
		}
		d = forPillar()
		old := m.sign(d)
		time.Sleep(time.Hour)
		m.Handle("job.all", m.sign(m.draft("test.ping"))) // by whose time the other is over
		m.take()
		m.Handle("job.id.web1", old)
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "after its window ended")
		if asked != 1 {
			t.Errorf("an old job asked for pillar")
		}
	})
}

// TestUnknownPillarIsFetched: with pillar unknown neither a target of it nor its opposite means the minion, which asks first.
func TestUnknownPillarIsFetched(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		var facts target.Facts
		var renew func() error
		m.Runner.o.Facts = func(target.Asks) target.Facts { return facts }
		m.Runner.o.Renew = func(context.Context) error { return renew() }
		tell := func(role string) func() error {
			return func() error { facts.Pillar = target.JSON{"role": role}; return nil }
		}
		fails := func() error { return errors.New("no master answers") }
		for _, c := range []struct {
			on, expr string
			renew    func() error
			outcome  pb.Outcome
			why      string
		}{
			{"job.all", "not I@role:web", tell("web"), pb.Outcome_OUTCOME_UNSPECIFIED, ""},
			{"job.all", "not I@role:web", tell("db"), pb.Outcome_OK, ""},
			{"job.all", "I@role:web", tell("web"), pb.Outcome_OK, ""},
			{"job.all", "I@role:web or not I@role:web", fails, pb.Outcome_REFUSED, "its pillar is not known: no master answers"},
			{"job.id.web1", "not I@role:web", fails, pb.Outcome_REFUSED, "cannot tell whether the target means this minion: its pillar is not known: no master answers"},
			{"job.id.web1", "not I@role:web", tell("web"), pb.Outcome_NOT_MATCHED, "does not match"},
			{"job.all", "web1 or I@role:web", fails, pb.Outcome_OK, ""},
			{"job.all", "db1 and not I@role:web", fails, pb.Outcome_OUTCOME_UNSPECIFIED, ""},
		} {
			facts, renew = target.Facts{}, c.renew
			d := m.draft("test.ping")
			d.Target = &pb.Target{Syntax: pb.Target_COMPOUND, Expression: c.expr}
			m.Handle(c.on, m.sign(d))
			all := m.take()
			if c.outcome != pb.Outcome_OUTCOME_UNSPECIFIED {
				wantOutcome(t, final(t, d, all), c.outcome, c.why)
			} else if len(all) > 0 {
				t.Errorf("%s: answered on %q, want nothing", c.expr, all[0].subject)
			}
		}
	})
}

func TestABatchReachesThoseWhoseTurnItIs(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		d.Batch = &pb.Batch{Width: 1}
		d.job.Only = []string{"web2"}
		m.Handle("job.id.web1", m.sign(d))
		if all := m.take(); len(all) != 0 {
			t.Errorf("another's turn: answered on %q", all[0].subject)
		}
		d.job.Only = []string{"web2", "web1"}
		m.Handle("job.id.web1", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_OK, "")
	})
}

func TestSealedArguments(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		key, err := pki.NewMinionKey()
		if err != nil {
			t.Fatal(err)
		}
		m.Runner.o.Open = key.Open
		secret := bytes.Repeat([]byte{7}, 32)
		hidden, err := proto.Marshal(&pb.SealedArguments{Args: []*pb.Argument{{Name: "pillarenv", Value: &pb.Argument_Text{Text: "qa"}}}})
		if err != nil {
			t.Fatal(err)
		}
		args, err := proto.Marshal(&pb.SealedArguments{Args: []*pb.Argument{{Name: "pillar", Value: &pb.Argument_Text{Text: "{a: s3cret}"}}}})
		if err != nil {
			t.Fatal(err)
		}
		d := m.draft("test.arg", "open=1")
		if d.Sealed, err = pki.SealSecret(secret, args); err != nil {
			t.Fatal(err)
		}
		to := func(key []byte) []byte {
			env := &pb.Envelope{}
			if err := proto.Unmarshal(m.sign(d), env); err != nil {
				t.Fatal(err)
			}
			if key != nil {
				if env.Secret, err = pki.Seal(key, secret); err != nil {
					t.Fatal(err)
				}
			}
			data, _ := proto.Marshal(env)
			return data
		}
		other, _ := pki.NewMinionKey()
		for name, data := range map[string][]byte{"without the secret": to(nil), "for another minion": to(other.SealingPublic())} {
			m.Handle("job.id.web1", data)
			if all := m.take(); len(all) != 0 {
				t.Errorf("%s: answered on %q", name, all[0].subject)
			}
		}
		m.Handle("job.id.web1", to(key.SealingPublic()))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_OK, "")
		if got := m.last.Args; len(got) != 2 || got[0].Name != "open" || got[1].Name != "pillar" || got[1].GetText() != "{a: s3cret}" {
			t.Errorf("ran with %v", got)
		}

		d = m.draft("test.arg")
		if d.Sealed, err = pki.SealSecret(secret, hidden); err != nil {
			t.Fatal(err)
		}
		m.Handle("job.id.web1", to(key.SealingPublic()))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "an environment is named by a sealed argument")
	})
}

func TestForgedMessagesGetNoAnswer(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		good := m.sign(m.draft("test.ping"))
		change := func(f func(*pb.Envelope)) []byte {
			env := &pb.Envelope{}
			if err := proto.Unmarshal(good, env); err != nil {
				t.Fatal(err)
			}
			f(env)
			b, _ := proto.Marshal(env)
			return b
		}
		stranger := newSite(t)
		imposter := m.draft("test.ping")
		imposter.job.Master = "m2"
		noRequest := m.envelope(pb.Kind_KIND_JOB, &pb.Job{Master: "m1"})
		badJID := m.draft("test.ping")
		badJID.Jid = "../../etc/passwd    "
		for name, data := range map[string][]byte{
			"garbage":       []byte("\xff\xfe garbage"),
			"truncated":     good[:len(good)-1],
			"signature":     change(func(e *pb.Envelope) { e.Signature[3] ^= 1 }),
			"body":          change(func(e *pb.Envelope) { e.Body[len(e.Body)-1] ^= 1 }),
			"cancel":        change(func(e *pb.Envelope) { e.Kind = pb.Kind_KIND_CANCEL }),
			"unknown key":   stranger.sign(stranger.draft("test.ping")),
			"other's name":  m.sign(imposter),
			"without one":   noRequest,
			"a bad jid":     m.sign(badJID),
			"cancel of one": stranger.cancel(badJID),
		} {
			if !m.Handle("job.all", data) {
				t.Errorf("%s: left to somebody else", name)
			}
			if all := m.take(); len(all) != 0 {
				t.Errorf("%s: answered %q", name, all[0].subject)
			}
		}
		if m.Handle("job.all", change(func(e *pb.Envelope) { e.Kind = pb.Kind_KIND_NOTICE })) {
			t.Error("took a notice")
		}
		if len(m.ran) != 0 {
			t.Errorf("ran %v", m.ran)
		}
	})
}

func TestClockOff(t *testing.T) {
	for name, c := range map[string]struct {
		off  time.Duration
		seen bool
		want string
	}{
		"behind":         {-10 * time.Minute, false, "clock differs by 600 s from m1: check NTP"},
		"behind, known":  {-10 * time.Minute, true, "clock differs by 600 s from m1: check NTP"},
		"ahead":          {10 * time.Minute, false, "check NTP"},
		"ahead, known":   {10 * time.Minute, true, "clock differs by 600 s from m1: check NTP"},
		"a bit behind":   {-50 * time.Second, true, ""},
		"a bit ahead":    {50 * time.Second, false, ""},
		"years ahead":    {200_000 * time.Hour, true, "clock differs by 720000000 s from m1: check NTP"},
		"just too early": {-61 * time.Second, false, "clock differs by 61 s from m1: check NTP"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				off := c.off
				m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, jo *JournalOptions) {
					m.o.Now = func() time.Time { return time.Now().Add(off) }
					jo.Now = m.o.Now
				})
				m.Recover()
				if c.seen {
					m.Seen(&pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{"m1"}})
				}
				d := m.draft("test.ping")
				data := m.sign(d)
				m.Handle("job.all", data)
				outcome := pb.Outcome_REFUSED
				if c.want == "" {
					outcome = pb.Outcome_OK
				}
				wantOutcome(t, final(t, d, m.take()), outcome, c.want)
				off = 0 // somebody sets the clock: the job was answered and stays so
				time.Sleep(resendDelay + 1)
				m.Handle("job.id.web1", data)
				wantOutcome(t, final(t, d, m.take()), outcome, c.want)
				next := m.draft("test.ping")
				m.Handle("job.all", m.sign(next))
				wantOutcome(t, final(t, next, m.take()), pb.Outcome_OK, "")
			})
		})
	}
}

func TestOldJobsAreRefusedAfterTheyWereForgotten(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		old := m.sign(d)
		m.Handle("job.all", old)
		m.take()
		m.ack("m1", "m1", d)
		time.Sleep(time.Hour)
		for range 300 { // enough to make it forget
			one := m.draft("test.ping")
			m.Handle("job.all", m.sign(one))
			m.take()
			m.ack("m1", "m1", one)
		}
		m.journal.mu.Lock()
		n := len(m.journal.entries)
		m.journal.prune()
		m.journal.mu.Unlock()
		if m.journal.lookup(key{d.Jid, requestID(d.RequestId)}) != nil {
			t.Fatalf("kept for ever, among %d", n)
		}
		m.Handle("job.all", old)
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, "after its window ended")
		if m.runs(d) != 1 || m.journal.lookup(key{d.Jid, requestID(d.RequestId)}) != nil {
			t.Error("an old job left a trace")
		}
	})
}

func TestSeenIsNotPrunedByTheMinionsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := time.Duration(0)
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"),
			func(m *minion, _ *JournalOptions) { m.o.Now = func() time.Time { return time.Now().Add(off) } })
		d := m.draft("test.ping")
		data := m.sign(d)
		m.Handle("job.all", data)
		m.take()
		m.ack("m1", "m1", d)
		off = 24 * time.Hour // the clock jumps, jobs come and are refused, and jumps back
		for range 600 {
			m.Handle("job.all", m.sign(m.draft("test.ping")))
		}
		m.take()
		off = 0
		m.journal.mu.Lock()
		m.journal.prune()
		m.journal.mu.Unlock()
		m.Handle("job.all", data)
		m.take()
		if m.runs(d) != 1 {
			t.Errorf("ran %d times", m.runs(d))
		}
	})
}

func TestAJobThatIsNotAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, _ *JournalOptions) {
			m.o.Allow = func(f string) error { return fmt.Errorf("function %q is not allowed here", f) }
		})
		d := m.draft("cmd.run")
		m.Handle("job.all", m.sign(d))
		wantOutcome(t, final(t, d, m.take()), pb.Outcome_REFUSED, `function "cmd.run" is not allowed here`)
		bad := m.draft("cmd.run")
		bad.job.NotAfter = bad.job.IssuedAt + (365 * 24 * time.Hour).Microseconds()
		m.Handle("job.all", m.sign(bad))
		wantOutcome(t, final(t, bad, m.take()), pb.Outcome_REFUSED, "window")
	})
}
