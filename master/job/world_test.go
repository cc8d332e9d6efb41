package job_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/subject"
	"brine/proto/target"
)

var site = pki.Fingerprint{1}

// message is one that the manager published, and when.
type message struct {
	at      time.Duration // since the world began
	subject string
	data    []byte
}

// world is everything around a manager. It lives in a synctest bubble, so its
// clock is a fake.
type world struct {
	t       testing.TB
	m       *job.Manager
	store   *fakeStore
	stored  job.Store // what the manager sees of it
	start   time.Time
	clock   jid.Clock
	master  ed25519.PrivateKey
	key     ed25519.PrivateKey
	op      *proto.OperatorRecord
	sealing []byte // of each minion

	mu             sync.Mutex // guards the fields below
	fleet          []string
	online         map[string]bool
	coming         map[string]bool
	live           []string
	late           map[string]time.Duration
	sent           []message
	unconfirmed    []string
	committed      []*proto.Record // to peers
	trees          []string
	denied         error
	may            string            // what the ids begin with that the operator may mean
	roles          map[string]string // a grain of minions, as masters know it
	environments   []string          // that there are trees of
	committedTrees []string          // that peers were to have
	forbidden      map[string]bool   // environments that the operator may not use
	broken         map[string]error  // minions whose pillar can't be made; that of others has their role
	stop           func()
	pulse          bool              // minions hear pulses
	elsewhere      map[string]bool   // minions that hear jobs at another master
	handed         []*proto.AckBatch // to other masters
}

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))
}

// run calls f with a world of these minions, all online, and the manager running.
func run(t *testing.T, fleet []string, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in the year 2000, which is before the first job id.
		<-time.After(time.Until(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)))
		w := newWorld(t, fleet)
		w.boot("m1")
		f(t, w)
		w.stop()
	})
}

func newWorld(t testing.TB, fleet []string) *world {
	w := &world{
		t: t, fleet: fleet, start: time.Now(), store: newFakeStore(), master: key(1), key: key(2),
		online: map[string]bool{}, coming: map[string]bool{}, live: []string{"m1", "m2"}, late: map[string]time.Duration{}, stop: func() {},
	}
	w.stored = w.store
	sealing, err := ecdh.X25519().NewPrivateKey(slices.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w.sealing = sealing.PublicKey().Bytes()
	w.op = &proto.OperatorRecord{Name: "ann", Key: w.key.Public().(ed25519.PublicKey)}
	for _, id := range fleet {
		w.online[id] = true
	}
	return w
}

// boot starts a manager, as a new process of a master would.
func (w *world) boot(name string) {
	w.t.Helper()
	w.stop()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.store.mu.Lock()
	w.store.hook = nil
	w.store.mu.Unlock()
	m, err := job.New(ctx, job.Options{
		Master: name, Site: site, Store: w.stored,
		Sign:     func(k proto.Kind, body []byte) *proto.Envelope { return pki.Sign(w.master, site, k, body) },
		Publish:  w.publish,
		Online:   func(id string) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.online[id] },
		Coming:   func(id string) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.coming[id] },
		Accepted: func() []string { return w.fleet },
		Key:      func(id string) string { return map[string]string{"old1": "is revoked"}[id] },
		Operator: func(k ed25519.PublicKey) (*proto.OperatorRecord, bool) {
			return w.op, k.Equal(w.key.Public())
		},
		Allowed: func(_ *proto.OperatorRecord, function string, ids []string, envs ...string) error {
			if slices.ContainsFunc(envs, func(env string) bool { return w.forbidden[env] }) {
				return fmt.Errorf("may not use one of %v", envs)
			}
			if function == "no.way" {
				return errors.New("may not use no.way")
			}
			if i := slices.IndexFunc(ids, func(id string) bool { return !strings.HasPrefix(id, w.may) }); i >= 0 {
				return fmt.Errorf("may not touch %s", ids[i])
			}
			return w.denied
		},
		Facts: func(_ context.Context, _ target.Asks, _ []string) (func(string) target.Facts, error) {
			return func(id string) target.Facts {
				f := target.Facts{ID: id, Grains: target.JSON(map[string]any{"role": w.roles[id]})}
				if f.Why = w.broken[id]; f.Why == nil {
					f.Pillar = f.Grains
				}
				return f
			}, nil
		},
		Live: func() []string { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.live) },
		Late: func(m string) time.Duration { w.mu.Lock(); defer w.mu.Unlock(); return w.late[m] },
		Here: func(id string) (jobs, pulse bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return !w.elsewhere[id], w.pulse
		},
		HandAcks: func(b *proto.AckBatch) { w.mu.Lock(); defer w.mu.Unlock(); w.handed = append(w.handed, b) },
		Commit: func(_ context.Context, recs []*proto.Record, trees ...string) (confirmed, unconfirmed []string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.published("job.")) > 0 && len(w.committed) == 0 {
				w.t.Error("a job was published before it was committed to the peers")
			}
			w.committed, w.committedTrees = append(w.committed, recs...), trees
			return nil, w.unconfirmed
		},
		Tree: func(_ context.Context, env string) (string, []string, error) {
			w.mu.Lock()
			w.trees = append(w.trees, env)
			w.mu.Unlock()
			if env == "slow" {
				<-time.After(10 * time.Second)
			}
			if env == "none" {
				return "", nil, errors.New(`cannot find environment "none"`)
			}
			return fmt.Sprintf("%064x", env), nil, nil
		},
		Environments: func() []string { return w.environments },
		SealingKey:   func(string) []byte { return w.sealing },
		ByName: func(function string) map[int]string {
			return map[string]map[int]string{"state.apply": {2: "saltenv", 3: "pillar"}}[function]
		},
		TempDir: w.t.TempDir(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.m = m
	w.store.mu.Lock()
	w.store.hook = m.Committed
	w.store.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	w.stop = func() { cancel(); <-done; w.stop = func() {} }
}

func (w *world) publish(subj string, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, message{time.Since(w.start), subj, data})
	return nil
}

// published are the messages on subjects with this prefix. The caller holds mu
// or is alone.
func (w *world) published(prefix string) (found []message) {
	for _, s := range w.sent {
		if strings.HasPrefix(s.subject, prefix) {
			found = append(found, s)
		}
	}
	return found
}

func (w *world) subjects(prefix string) (found []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.published(prefix) {
		found = append(found, s.subject)
	}
	return found
}

func (w *world) times(prefix string) (found []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.published(prefix) {
		found = append(found, s.at)
	}
	return found
}

func (w *world) connect(id string, online bool) {
	w.setOnline(id, online)
	if online {
		w.m.Connected(id)
	}
}

func (w *world) setOnline(id string, online bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.online[id] = online
}

func (w *world) setComing(id string, coming bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coming[id] = coming
}

func (w *world) setLive(masters ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = masters
}

// clear forgets what was published, and begins to count time anew.
func (w *world) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.start = nil, time.Now()
}

func (w *world) first() message {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) == 0 {
		w.t.Fatal("nothing was published")
	}
	return w.sent[0]
}

// empty gives the next process an empty store.
func (w *world) empty() {
	w.store = newFakeStore()
	w.stored = w.store
}

func (w *world) setLate(master string, by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late[master] = by
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// request is a new one for a target: a list when it has a comma, else a glob.
func (w *world) request(expr string) *proto.JobRequest {
	syntax := proto.Target_GLOB
	if strings.Contains(expr, ",") {
		syntax = proto.Target_LIST
	}
	now := time.Now()
	return &proto.JobRequest{
		Jid: w.clock.Next(now), RequestId: []byte("request-id-00001"), Operator: "ann",
		Target:   &proto.Target{Syntax: syntax, Expression: expr},
		Function: "test.ping", IssuedAt: now.UnixMicro(),
	}
}

func (w *world) sign(q *proto.JobRequest) *proto.Envelope {
	body, err := pb.Marshal(q)
	if err != nil {
		w.t.Fatal(err)
	}
	return pki.Sign(w.key, site, proto.Kind_KIND_JOB_REQUEST, body)
}

func (w *world) submit(q *proto.JobRequest) *proto.JobInfo {
	w.t.Helper()
	info, err := w.m.Submit(w.t.Context(), w.op, w.sign(q))
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

func (w *world) say(subj string, m pb.Message) {
	data, err := pb.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.m.Returned(w.t.Context(), subj, data)
}

func (w *world) accept(q *proto.JobRequest, id string, state proto.Accepted_State) {
	w.say(subject.Accepted(subject.Token(id), q.Jid),
		&proto.Accepted{Jid: q.Jid, RequestId: q.RequestId, State: state})
}

func returnOf(q *proto.JobRequest, id string) *proto.Return {
	return &proto.Return{
		Jid: q.Jid, RequestId: q.RequestId, Minion: id, Outcome: proto.Outcome_OK, Value: []byte("true"),
		Function: q.Function, StartedAt: 1, FinishedAt: 2, Duration: 1000,
	}
}

func (w *world) finish(q *proto.JobRequest, ids ...string) {
	for _, id := range ids {
		w.say(subject.Final(subject.Token(id), q.Jid), returnOf(q, id))
	}
}

// watching is a stream of frames.
type watching struct {
	mu      sync.Mutex
	frames  []*proto.WatchFrame
	minions map[string]*proto.MinionUpdate // newest, values joined
	job     *proto.JobInfo
	over    bool
	err     error
	took    time.Duration
}

func (w *world) watch(jid string, once bool) *watching {
	v := &watching{minions: map[string]*proto.MinionUpdate{}}
	start := time.Now()
	ctx := w.t.Context()
	go func() {
		err := w.m.Watch(ctx, jid, once, v.take)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.err, v.over, v.took = err, true, time.Since(start)
	}()
	synctest.Wait()
	return v
}

func (v *watching) take(f *proto.WatchFrame, more bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := pb.Size(f); n > 900<<10 {
		return fmt.Errorf("a frame of %d bytes", n)
	}
	v.frames = append(v.frames, f)
	if f.Job != nil {
		v.job = f.Job
	}
	for _, u := range f.Minions {
		if old := v.minions[u.Minion]; u.ValueOffset > 0 && old != nil {
			u.Value = append(slices.Clone(old.Value), u.Value...)
		}
		v.minions[u.Minion] = u
	}
	return nil
}

// state is a line such as "web1 ok, web2 offline; done".
func (v *watching) state() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var parts []string
	for id, u := range v.minions {
		parts = append(parts, id+" "+u.Status)
	}
	slices.Sort(parts)
	line := strings.Join(parts, ", ")
	if v.over && v.err != nil {
		return line + "; " + v.err.Error()
	}
	if v.over && v.frames[len(v.frames)-1].Done {
		return line + "; done"
	}
	return line
}

func (v *watching) want(t *testing.T, when, want string) {
	t.Helper()
	if got := v.state(); got != want {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

func wantCode(t *testing.T, what string, err error, code proto.ApiError_Code) {
	t.Helper()
	var e *job.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got error %v, want %v", what, err, code)
	} else if e.Code != code {
		t.Errorf("%s: got %v (%v), want %v", what, e.Code, err, code)
	}
}

// fakeStore keeps records in memory. It commits at once, unless it is held or
// broken.
type fakeStore struct {
	mu       sync.Mutex // guards the fields below
	hook     func([]*proto.Record)
	records  map[string]*proto.Record
	order    []*proto.Record
	accepted map[string][]byte // jid and minion -> request id
	held     []func()          // commits that wait, when hold is set
	hold     bool
	broken   error
	stamp    int64
	horizon  time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{records: map[string]*proto.Record{}, accepted: map[string][]byte{}}
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *fakeStore) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = true
}

func (s *fakeStore) Stamp() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamp++
	return s.stamp
}

func (s *fakeStore) Append(_ context.Context, recs ...*proto.Record) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return broken
	}
	for _, rec := range recs {
		if err := store.Check(rec); err != nil {
			return err
		}
	}
	s.commit(recs)
	return nil
}

func (s *fakeStore) Enqueue(rec *proto.Record, done func(error)) {
	s.mu.Lock()
	if s.hold {
		s.held = append(s.held, func() { s.Enqueue(rec, done) })
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	done(s.Append(context.Background(), rec))
}

func (s *fakeStore) EnqueueMade(rec store.Made, done func(error)) { s.Enqueue(rec.Record, done) }

// Hurry does nothing: it commits at once.
func (s *fakeStore) Hurry() {}

func (s *fakeStore) commit(recs []*proto.Record) {
	s.mu.Lock()
	var fresh []*proto.Record
	for _, rec := range recs {
		if s.records[rec.Id] == nil {
			s.records[rec.Id] = rec
			s.order = append(s.order, rec)
			fresh = append(fresh, rec)
		}
	}
	hook := s.hook
	s.mu.Unlock()
	if len(fresh) > 0 && hook != nil {
		hook(fresh)
	}
}

func (s *fakeStore) release() {
	s.mu.Lock()
	held := s.held
	s.held, s.hold = nil, false
	s.mu.Unlock()
	for _, f := range held {
		f()
	}
}

// bodies decodes the records of a kind.
func bodies[T pb.Message](s *fakeStore, kind proto.RecordKind, empty func() T) (all []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range s.order {
		if rec.Kind == kind {
			body := empty()
			if err := pb.Unmarshal(rec.Body, body); err != nil {
				panic(err)
			}
			all = append(all, body)
		}
	}
	return all
}

func asked(rec *proto.JobRecord) (*proto.JobRequest, *proto.Job) {
	q, j := &proto.JobRequest{}, &proto.Job{}
	if err := errors.Join(pb.Unmarshal(rec.Job.Body, j), pb.Unmarshal(j.Request.Body, q)); err != nil {
		panic(err)
	}
	return q, j
}

func (s *fakeStore) all() []*proto.JobRecord {
	return bodies(s, proto.RecordKind_RECORD_JOB, func() *proto.JobRecord { return &proto.JobRecord{} })
}

func (s *fakeStore) returns() []*proto.Return {
	return bodies(s, proto.RecordKind_RECORD_RETURN, func() *proto.Return { return &proto.Return{} })
}

// forgetJobs loses the records of jobs, and nothing else.
func (s *fakeStore) forgetJobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = slices.DeleteFunc(s.order, func(r *proto.Record) bool { return r.Kind == proto.RecordKind_RECORD_JOB })
}

func (s *fakeStore) Job(_ context.Context, jid string) (*proto.JobRecord, error) {
	for _, rec := range s.all() {
		if q, _ := asked(rec); q.Jid == jid {
			return rec, nil
		}
	}
	return nil, store.ErrNotFound
}

func (s *fakeStore) Jobs(_ context.Context, f store.JobFilter) (all []store.JobEntry, _ error) {
	for _, rec := range slices.Backward(s.all()) {
		q, _ := asked(rec)
		if f.Before == "" || q.Jid < f.Before {
			all = append(all, store.JobEntry{JID: q.Jid, RequestID: q.RequestId, Record: rec})
		}
	}
	return all, nil
}

func (s *fakeStore) OpenJobs(_ context.Context, now time.Time) (open []*proto.JobRecord, _ error) {
	for _, rec := range s.all() {
		if _, j := asked(rec); j.NotAfter > now.UnixMicro() {
			open = append(open, rec)
		}
	}
	return open, nil
}

func (s *fakeStore) Returns(_ context.Context, jid string, f func(*proto.Return) error) error {
	for _, r := range s.returns() {
		if r.Jid == jid {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *fakeStore) Horizon() time.Time { return s.horizon }

func (s *fakeStore) Outcomes(_ context.Context, jid string) (map[string]store.Outcome, error) {
	all := map[string]store.Outcome{}
	for _, r := range s.returns() {
		if r.Jid == jid {
			all[r.Minion] = store.Outcome{RequestID: r.RequestId, Outcome: r.Outcome, Retcode: r.Retcode,
				FinishedAt: r.FinishedAt, Duration: r.Duration}
		}
	}
	return all, nil
}

func (s *fakeStore) Return(_ context.Context, jid, minion string) (*proto.Return, error) {
	for _, r := range s.returns() {
		if r.Jid == jid && r.Minion == minion {
			return r, nil
		}
	}
	return nil, store.ErrNotFound
}

func (s *fakeStore) ReturnIDs(_ context.Context, jid, minion string) (ids []string, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.records {
		if strings.HasPrefix(id, "return/"+jid+"/"+minion+"/") {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *fakeStore) Taken(_ context.Context, minion string, now time.Time) (taken []*proto.SeenJob, _ error) {
	for _, rec := range s.all() {
		q, j := asked(rec)
		s.mu.Lock()
		_, ok := s.accepted[q.Jid+minion]
		s.mu.Unlock()
		if ok && j.NotAfter > now.UnixMicro() {
			taken = append(taken, &proto.SeenJob{Jid: q.Jid, RequestId: q.RequestId,
				IssuedAt: j.IssuedAt, NotAfter: j.NotAfter})
		}
	}
	return taken, nil
}

func (s *fakeStore) SetAccepted(jid string, requestID []byte, minion string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted[jid+minion] = requestID
	return nil
}

// Unsummed is none: what the sums hold is tested with the store itself.
func (s *fakeStore) Unsummed(context.Context, int) ([]store.JobEntry, error) { return nil, nil }

func (s *fakeStore) SetSums(context.Context, []store.JobEntry) error { return nil }

func (s *fakeStore) LastJobs(context.Context, string) (jobs, runs []string, _ error) {
	return nil, nil, nil
}

func (s *fakeStore) MinionJob(context.Context, string, string) (*store.MinionJob, error) {
	return nil, store.ErrNotFound
}

func (s *fakeStore) Accepted(_ context.Context, jid string, _ ...string) (map[string][][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][][]byte{}
	for k, request := range s.accepted {
		if minion, ok := strings.CutPrefix(k, jid); ok {
			all[minion] = append(all[minion], request)
		}
	}
	return all, nil
}

func (s *fakeStore) Cancels(_ context.Context, jid string) (found []*proto.CancelRecord, _ error) {
	all := bodies(s, proto.RecordKind_RECORD_CANCEL, func() *proto.CancelRecord { return &proto.CancelRecord{} })
	for _, rec := range all {
		c := &proto.Cancel{}
		if err := pb.Unmarshal(rec.Cancel.Body, c); err != nil {
			return nil, err
		}
		if c.Jid == jid {
			found = append(found, rec)
		}
	}
	return found, nil
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("web%d", i+1)
	}
	return all
}
