package minion

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/files"
	"brine/minion/job"
	"brine/minion/link"
	"brine/minion/link/linktest"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
)

const testID = "web1.example.com"

var quick = link.Timings{
	Ping: time.Second, Retry: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond,
	StandbyMax: 200 * time.Millisecond, Enrol: 200 * time.Millisecond,
}

// start runs a minion and returns what stops it and waits.
func start(t *testing.T, o Options) (m *Minion, stop func()) {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the minion ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return m, stop
}

func waitLinked(t *testing.T, m *Minion) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := m.WaitLinked(ctx); err != nil {
		t.Fatalf("never linked: %+v", m.Status())
	}
}

func testConfig(masters ...string) *Config {
	c := &Config{ID: testID, Masters: masters}
	c.Link.Ping, c.Files.KeepDays = "500ms", 30
	return c
}

var jids jid.Clock

// send publishes a job of the master and returns its id.
func send(t *testing.T, m *linktest.Master, function string, args ...*pb.Argument) string {
	t.Helper()
	id := make([]byte, 16)
	rand.Read(id)
	now := time.Now()
	request, err := proto.Marshal(&pb.JobRequest{
		Jid: jids.Next(now), RequestId: id, Function: function, Args: args, Operator: "ann",
		Target: &pb.Target{Syntax: pb.Target_GLOB, Expression: "web*"}, IssuedAt: now.UnixMicro(),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Publish(subject.JobAll, m.Sign(pb.Kind_KIND_JOB, &pb.Job{
		Request: &pb.Envelope{Kind: pb.Kind_KIND_JOB_REQUEST, Body: request}, Master: m.Name,
		IssuedAt: now.UnixMicro(), NotAfter: now.Add(time.Minute).UnixMicro(),
	}))
	r := &pb.JobRequest{}
	if err := proto.Unmarshal(request, r); err != nil {
		t.Fatal(err)
	}
	return r.Jid
}

// returned waits for a job's return at the master.
func returned(t *testing.T, m *linktest.Master, jobID string) *pb.Return {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case msg := <-m.Heard:
			if r := msg.Return(testID, jobID); r != nil {
				return r
			}
		case <-timeout:
			t.Fatalf("no return of job %s", jobID)
		}
	}
}

func text(s string) *pb.Argument { return &pb.Argument{Value: &pb.Argument_Text{Text: s}} }

// givesPillar is what a master answers to a minion.
func givesPillar(t *testing.T, min *Minion, data string, mistakes ...string) func(*pb.PillarRequest) *pb.PillarReply {
	return func(req *pb.PillarRequest) *pb.PillarReply {
		content, err := proto.Marshal(&pb.Pillar{Data: []byte(data), Mistakes: mistakes})
		if err != nil {
			t.Error(err)
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(content)
		z.Close()
		sealed, err := pki.Seal(min.state.keys.Now().SealingPublic(), b.Bytes())
		if err != nil {
			t.Error(err)
		}
		return &pb.PillarReply{Minion: testID, RequestId: req.Id, Sealed: sealed}
	}
}

// TestPillarOfOthersIsRefused gives a minion pillar that is not what it asked for.
func TestPillarOfOthersIsRefused(t *testing.T) {
	site := linktest.NewSite(t, testID)
	m1 := site.Master("m1")
	m1.Start(site.Bundle())
	min, _ := start(t, Options{Root: t.TempDir(), Config: testConfig(m1.Addr), Timings: quick})
	waitLinked(t, min)
	own := givesPillar(t, min, `{"a": 1}`)
	for name, c := range map[string]struct {
		change func(*pb.PillarReply)
		want   string
	}{
		"another request": {func(r *pb.PillarReply) { r.RequestId = make([]byte, 16) }, "answers another request"},
		"another minion":  {func(r *pb.PillarReply) { r.Minion = "db1" }, "answers another request"},
		"damaged":         {func(r *pb.PillarReply) { r.Sealed[40] ^= 1 }, "damaged or meant for another key"},
		"mistakes": {func(r *pb.PillarReply) {
			r.Sealed = givesPillar(t, min, "", "web.sls:3: bad")(&pb.PillarRequest{}).Sealed
		}, "web.sls:3: bad"},
	} {
		m1.Set(func(b *linktest.Behaviour) {
			b.Pillar = func(req *pb.PillarRequest) *pb.PillarReply {
				r := own(req)
				c.change(r)
				return r
			}
		})
		got := returned(t, m1, send(t, m1, "pillar.items"))
		if got.Outcome != pb.Outcome_FAILED || got.Retcode != retcodePillar || !strings.Contains(string(got.Value), c.want) {
			t.Errorf("%s: got %v %s, want ...%s...", name, got.Outcome, got.Value, c.want)
		}
	}
}

func TestMinionRunsJobs(t *testing.T) {
	site := linktest.NewSite(t, testID)
	m1 := site.Master("m1")
	m1.Start(site.Bundle())
	root := t.TempDir()
	min, stop := start(t, Options{Root: root, Config: testConfig(m1.Addr), Timings: quick})
	m1.Set(func(b *linktest.Behaviour) { b.Pillar = givesPillar(t, min, `{"motd": "hello"}`) })
	waitLinked(t, min)
	for _, c := range []struct {
		function string
		args     []*pb.Argument
		outcome  pb.Outcome
		want     string
	}{
		{"test.ping", nil, pb.Outcome_OK, "true"},
		{"test.echo", []*pb.Argument{text("'0644'")}, pb.Outcome_OK, `"0644"`},
		{"test.arg", []*pb.Argument{text("1"), {Name: "x", Value: &pb.Argument_Json{Json: []byte(`{"b":1,"a":2}`)}}},
			pb.Outcome_OK, `{"b": 1, "a": 2}`},
		{"test.pong", nil, pb.Outcome_FAILED, `did you mean \"test.ping\"?`},
		{"test.echo", []*pb.Argument{{Name: "txt", Value: &pb.Argument_Text{Text: "x"}}}, pb.Outcome_FAILED, `text`},
		{"test.arg", []*pb.Argument{{Value: &pb.Argument_Json{Json: []byte(`{"b`)}}}, pb.Outcome_FAILED, `cannot read argument 1`},
		{"cmd.run", []*pb.Argument{text("echo hello; exit 3")}, pb.Outcome_FAILED, `"hello"`},
		{"saltutil.running", nil, pb.Outcome_OK, `[]`},
		{"pillar.get", []*pb.Argument{text("motd")}, pb.Outcome_OK, `"hello"`},
		{"state.apply", []*pb.Argument{text("web")}, pb.Outcome_FAILED, `cannot find SLS \"web\"`},
		{"schedule.delete", []*pb.Argument{text("none")}, pb.Outcome_FAILED, `"result":false`},
		{"test.arg", []*pb.Argument{{Name: "result", Value: &pb.Argument_Json{Json: []byte("true")}}}, pb.Outcome_OK, `"result":true`},
		{"event.send", []*pb.Argument{text("salt/beacon/other/x")}, pb.Outcome_FAILED, `is not for minion`},
		{"event.send", []*pb.Argument{text("site/done")}, pb.Outcome_OK, `true`},
	} {
		got := returned(t, m1, send(t, m1, c.function, c.args...))
		if got.Outcome != c.outcome || !strings.Contains(compact(got.Value), compact([]byte(c.want))) {
			t.Errorf("%s: got %v %s, want %v ...%s...", c.function, got.Outcome, got.Value, c.outcome, c.want)
		}
	}
	checkState(t, root, site)
	stop()
	if _, err := os.Stat(Layout{root}.Run()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run file after the end: %v", err)
	}
	again, _ := start(t, Options{Root: root, Config: testConfig(m1.Addr), Timings: quick})
	if again.Key().NKey() != min.Key().NKey() {
		t.Error("a restart changed the key")
	}
	waitLinked(t, again)
}

// compact removes blanks, which JSON may or may not have.
func compact(b []byte) string { return strings.ReplaceAll(string(b), " ", "") }

func checkState(t *testing.T, root string, site *linktest.Site) {
	t.Helper()
	l := Layout{root}
	pin, err := os.ReadFile(l.Fingerprint())
	if err != nil || strings.TrimSpace(string(pin)) != site.Key.Site().String() {
		t.Errorf("kept fingerprint %q, %v", pin, err)
	}
	trust := pki.NewTrust(site.Key.Site())
	if err := loadBundle(l, trust); err != nil || trust.Serial() != site.Serial {
		t.Errorf("kept bundle %d, %v", trust.Serial(), err)
	}
	for _, path := range []string{l.Key(), l.Bundle()} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
	var told running
	data, err := os.ReadFile(l.Run())
	if err == nil {
		err = json.Unmarshal(data, &told)
	}
	if err != nil || told.State != "linked" || told.Master != "m1" || told.PID != os.Getpid() {
		t.Errorf("run file tells %+v, %v", told, err)
	}
}

func TestReturnOutlivesTheMastersAbsence(t *testing.T) {
	site := linktest.NewSite(t, testID)
	m1, m2 := site.Master("m1"), site.Master("m2")
	bundle := site.Bundle()
	m1.Start(bundle)
	min, _ := start(t, Options{Root: t.TempDir(), Config: testConfig(m1.Addr, m2.Addr), Timings: quick})
	m1.Set(func(b *linktest.Behaviour) { b.Pillar = givesPillar(t, min, "{}") })
	waitLinked(t, min)
	id := send(t, m1, "cmd.run", text("sleep 0.3; echo done"))
	m1.Kill()
	m2.Start(bundle)
	if r := returned(t, m2, id); r.Outcome != pb.Outcome_OK {
		t.Errorf("got %v %s", r.Outcome, r.Reason)
	}
}

func TestManyMinionsShareOneProcess(t *testing.T) {
	site := linktest.NewSite(t, testID)
	m1 := site.Master("m1")
	m1.Start(site.Bundle())
	dir := t.TempDir()
	journal, err := job.Open(filepath.Join(dir, "journal"), job.JournalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	cache, err := files.OpenCache(filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	trust := pki.NewTrust(site.Key.Site())
	var stops []func()
	for range 5 { // the test's master knows one id only, so they are all called the same
		key, err := pki.NewMinionKey()
		if err != nil {
			t.Fatal(err)
		}
		m, stop := start(t, Options{
			Root: dir, Config: testConfig(m1.Addr), Journal: journal, Cache: cache, Trust: trust, Key: key,
			Stateless: true, Timings: quick,
		})
		waitLinked(t, m)
		stops = append(stops, stop)
	}
	for _, stop := range stops {
		stop()
	}
	if _, err := os.Stat(Layout{dir}.State()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stateless minion keeps files: %v", err)
	}
	if _, err := New(Options{Root: dir, Config: testConfig(m1.Addr), Stateless: true}); err == nil {
		t.Error("stateless without a journal, yet no error")
	}
}

func TestIdleIsToldAfterTheLastJob(t *testing.T) {
	var b busy
	idle := make(chan struct{}, 1)
	b.idle = func() { idle <- struct{}{} }
	b.begin()
	b.begin()
	b.end()
	if b.timer != nil {
		t.Error("one job still runs")
	}
	b.end()
	b.timer.Reset(0)
	<-idle
	b.stop()
	b.begin()
	b.end()
}

func TestEnrolKeepsWhatTheTokenSays(t *testing.T) {
	site, other := linktest.NewSite(t, testID), linktest.NewSite(t, testID)
	m1 := site.Master("m1")
	m1.Start(site.Bundle())
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/brine"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Layout{root}.Config(), []byte("id = \""+testID+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Enrol(root, enrolToken(t, site, m1.Addr)); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(root, nil)
	if err != nil || len(c.Masters) != 1 || c.Masters[0] != m1.Addr || c.CAFingerprint != site.Key.Site().String() {
		t.Fatalf("configuration is %+v, %v", c, err)
	}
	if err := Enrol(root, enrolToken(t, other, "x:1")); err == nil || !strings.Contains(err.Error(), "belongs to site") {
		t.Errorf("another site: got %v", err)
	}
	if err := Enrol(root, "brine-enrol-garbage"); err == nil {
		t.Error("garbage, yet no error")
	}

	m1.Set(func(b *linktest.Behaviour) { b.Accepted = false })
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if s, err := AskAcceptance(short, root, nil); err != nil || s.State != link.Pending {
		t.Errorf("unaccepted: got %+v, %v", s, err)
	}
	m1.Set(func(b *linktest.Behaviour) {
		b.Accepted = true
		if len(b.Enrols) == 0 || string(b.Enrols[0].Token) != secret {
			t.Errorf("asked %v", b.Enrols)
		}
	})
	if s, err := AskAcceptance(t.Context(), root, nil); err != nil || s.State != link.Linked {
		t.Errorf("accepted: got %+v, %v", s, err)
	}
	if _, err := os.Stat(Layout{root}.Token()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the token is still there: %v", err)
	}
}
