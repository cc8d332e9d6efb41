package orchestrate_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/orchestrate"
	"brine/proto"
	"brine/proto/event"
	"brine/proto/jid"
	"brine/states/host"
	"brine/states/sls"
	"brine/states/value"
)

// A world is a site of masters with one log, and minions that do what they are told.
type world struct {
	t     *testing.T
	files fstest.MapFS

	mu       sync.Mutex // guards the fields below
	events   []*proto.EventInfo
	changed  chan struct{}
	clock    int64
	masters  map[string]*master
	jobs     map[string]*work         // by cause and key
	calls    map[string]int           // functions of masters, by name
	called   map[string]bool          // by cause and key: whether it has ended
	hold     map[string]chan struct{} // what waits: functions of masters, and jobs, by function
	started  chan string              // functions that have begun
	finished chan string              // functions of masters that have ended
	settle   time.Duration            // of masters that are booted
}

// work is a job that was made.
type work struct {
	orchestrate.Job
	jid  string
	made int
}

type master struct {
	*world
	name   string
	o      *orchestrate.Orchestrator
	stop   func()
	dead   bool
	silent time.Duration
}

func newWorld(t *testing.T, files map[string]string) *world {
	w := &world{t: t, files: fstest.MapFS{}, changed: make(chan struct{}), masters: map[string]*master{}, jobs: map[string]*work{},
		calls: map[string]int{}, called: map[string]bool{}, hold: map[string]chan struct{}{}, started: make(chan string, 100), finished: make(chan string, 100)}
	for name, text := range files {
		w.files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return w
}

// boot starts a master; it knows what the log has.
func (w *world) boot(name string) *master {
	m := &master{world: w, name: name}
	m.o = orchestrate.New(orchestrate.Options{
		Master: name, Records: m, Masters: m, Files: m, Jobs: m, Calls: m,
		Pillar: func(_ context.Context, id, _ string, _ *value.Dict) (*value.Dict, []string, error) {
			return value.NewDict("from", id, "password", "s3cr3t0", "opened", "decrypted"), []string{"decrypted"}, nil
		},
		Operator: func(key ed25519.PublicKey) (*proto.OperatorRecord, bool) {
			return &proto.OperatorRecord{Name: "ann", Key: key}, string(key) == "key of ann"
		},
		Mine:   func(string) host.Mine { return nil },
		Config: &value.Dict{}, Settle: w.settle,
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	w.mu.Lock()
	w.masters[name] = m
	w.mu.Unlock()
	go func() {
		defer close(ended)
		m.o.Run(ctx)
	}()
	m.stop = func() { cancel(); <-ended }
	w.t.Cleanup(m.stop)
	return m
}

// kill ends a master, and with it what it knows.
func (m *master) kill() {
	m.mu.Lock()
	m.dead, m.silent = true, time.Hour
	m.mu.Unlock()
	m.stop()
}

// Keep stores an event, which every master that lives hears of.
func (m *master) Keep(_ context.Context, e *proto.Event) (string, error) {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return "", fmt.Errorf("master %s is dead", m.name)
	}
	m.clock = max(m.clock+1, time.Now().UnixMicro())
	e.At = m.clock
	if e.Origin == "" {
		e.Origin = m.name
	}
	info := &proto.EventInfo{Id: fmt.Sprintf("event/%d", m.clock), Event: e}
	m.events = append(m.events, info)
	close(m.changed)
	m.changed = make(chan struct{})
	var all []*master
	for _, other := range m.masters {
		if !other.dead {
			all = append(all, other)
		}
	}
	m.mu.Unlock()
	for _, other := range all {
		other.hear(info)
	}
	return info.Id, nil
}

// hear tells a master of what was stored.
func (m *master) hear(e *proto.EventInfo) {
	body, err := pb.Marshal(e.Event)
	if err != nil {
		m.t.Error(err)
	}
	m.o.Committed([]*proto.Record{{Id: e.Id, Kind: proto.RecordKind_RECORD_EVENT, Stamp: e.Event.At, Origin: e.Event.Origin, Body: body}})
}

func (m *master) Events(_ context.Context, tag string, since time.Time, limit int) (found []*proto.EventInfo, err error) {
	f, err := event.Compile(&proto.EventQuery{Tags: []string{tag}})
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Backward(m.events) {
		if f.Match(e.Event) && len(found) < limit && e.Event.At >= since.UnixMicro() {
			found = append(found, e)
		}
	}
	return found, err
}

func (m *master) Watch(ctx context.Context, q *proto.EventQuery, after int64, each func(*proto.Event) error) error {
	f, err := event.Compile(q)
	if err != nil {
		return err
	}
	for at := 0; ; {
		m.mu.Lock()
		events, changed := m.events[at:], m.changed
		at = len(m.events)
		m.mu.Unlock()
		for _, e := range events {
			if f.Match(e.Event) && e.Event.At > after {
				if err := each(e.Event); err != nil {
					return err
				}
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *master) Live() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, other := range m.masters {
		if !other.dead && (other.silent < time.Second || other == m) { // who is silent counts as live no longer than that
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *master) Late(name string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.masters[name]; other != nil {
		return other.silent
	}
	return time.Hour
}

func (m *master) Behind() bool { return false }

func (m *master) others() (all []*master) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.masters {
		if !other.dead && other != m {
			all = append(all, other)
		}
	}
	return all
}

func (m *master) Share(_ context.Context, id string, data []byte) error {
	for _, other := range m.others() {
		other.o.Take(id, data)
	}
	return nil
}

func (m *master) Shared(_ context.Context, id string) []byte {
	for _, other := range m.others() {
		if data := other.o.Give(id); data != nil {
			return data
		}
	}
	return nil
}

func (m *master) Current(context.Context, string) (string, []string, error) {
	return "tree", []string{"abc master"}, nil
}

func (m *master) Tree(context.Context, string, string) (sls.Source, error) {
	return sls.Dir(fs.FS(m.files)), nil
}

// Make makes a job unless it is there. No minion is called nobody.
func (m *master) Make(_ context.Context, j orchestrate.Job) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j.Target.Expression == "nobody" {
		return "", &orchestrate.Refusal{Text: "no minion matches", None: true}
	}
	if j.Function == "not.allowed" {
		return "", &orchestrate.Refusal{Text: fmt.Sprintf("operator %q may not use not.allowed", j.By.Operator.GetName())}
	}
	w := m.jobs[j.Cause+j.Key]
	if w == nil {
		w = &work{Job: j, jid: jid.FromTime(j.At.Add(time.Duration(len(m.jobs)) * time.Microsecond))}
		m.jobs[j.Cause+j.Key] = w
	}
	w.made++
	return w.jid, nil
}

func (m *master) job(id string) *work {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.jobs {
		if w.jid == id {
			return w
		}
	}
	return nil
}

// held waits for what a test holds back.
func (w *world) held(ctx context.Context, function string) error {
	w.mu.Lock()
	hold := w.hold[function]
	w.mu.Unlock()
	w.started <- function
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Follow tells what became of a job: away is offline, and bad fails.
func (m *master) Follow(ctx context.Context, id string, each func(*proto.MinionUpdate)) error {
	j := m.job(id)
	for _, minion := range strings.Split(j.Target.Expression, ",") {
		each(&proto.MinionUpdate{Minion: minion, Status: "running"})
	}
	if err := m.held(ctx, j.Function); err != nil {
		return err
	}
	for _, minion := range strings.Split(j.Target.Expression, ",") {
		u := &proto.MinionUpdate{Minion: minion, Status: "ok"}
		switch {
		case minion == "away":
			u.Status = "offline"
		case minion == "bad":
			u.Status, u.Retcode = "failed", 2
		}
		each(u)
	}
	return nil
}

func (m *master) Return(_ context.Context, id, minion string) ([]byte, error) {
	j := m.job(id)
	if strings.HasPrefix(j.Function, "state.") {
		change := `{"diff":"new"}`
		if minion == "same" {
			change = `{}`
		}
		return fmt.Appendf(nil, `{"file_|-a_|-/a_|-managed":{"name":"/a","changes":%s,"result":%v,"comment":"","__run_num__":0}}`, change, minion != "bad"), nil
	}
	return json.Marshal(j.Function + " on " + minion)
}

func (m *master) Cancel(_ context.Context, id string, by orchestrate.Cause) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls["cancel "+by.Actor]++
	return nil
}

// Call calls a function of masters: those of read may be called again.
func (m *master) Call(ctx context.Context, c orchestrate.Call) (orchestrate.Answer, error) {
	key := c.Cause + c.Key
	m.mu.Lock()
	ended, before := m.called[key]
	if before && !m.Reads(c.Kind, c.Function) && !m.Derived(c.Kind, c.Function) {
		m.mu.Unlock()
		if !ended {
			return orchestrate.Answer{}, errors.New("interrupted: it was cut short")
		}
		return orchestrate.Answer{Value: c.Function, Success: true}, nil
	}
	m.calls[c.Function]++
	m.called[key] = false
	m.mu.Unlock()
	if c.Function == nests {
		return m.nested(ctx, c)
	}
	if err := m.held(ctx, c.Function); err != nil {
		return orchestrate.Answer{}, err
	}
	m.mu.Lock()
	m.called[key] = true
	m.mu.Unlock()
	m.finished <- c.Function
	return orchestrate.Answer{Value: c.Function, Success: c.Function != "change.badly", JID: "20260101000000000000"}, nil
}

func (m *master) Check(c orchestrate.Call) error {
	if strings.HasPrefix(c.Function, "no.") {
		return fmt.Errorf("no %s is called %q", c.Kind, c.Function)
	}
	return nil
}

func (m *master) Reads(_, function string) bool   { return strings.HasPrefix(function, "read.") }
func (m *master) Derived(_, function string) bool { return function == nests }

// nests is the function that is an orchestration of its own.
const nests = "state.orchestrate"

// nested begins an orchestration that follows from a step, or finds it, and waits for it.
func (m *master) nested(ctx context.Context, c orchestrate.Call) (orchestrate.Answer, error) {
	mods, _ := c.Named.Get("mods")
	r := orchestrate.Request{Function: nests, Mods: []string{fmt.Sprint(mods)}, By: c.By, Derived: true}
	r.JID, r.RequestID = orchestrate.Derive(c.Cause, c.Key, c.At)
	if err := m.o.Start(ctx, r); err != nil {
		return orchestrate.Answer{}, err
	}
	_, code, err := m.o.Wait(ctx, r.JID)
	return orchestrate.Answer{Value: c.Function, Success: code == 0, Retcode: code, JID: r.JID}, err
}

// start begins an orchestration of SLS deploy at a master.
func (m *master) start(change func(*orchestrate.Request)) string {
	m.t.Helper()
	r := orchestrate.Request{
		JID: jid.FromTime(time.Now()), RequestID: []byte("0123456789abcdef"), Function: "state.orchestrate", Mods: []string{"deploy"},
		By: orchestrate.Cause{Operator: &proto.OperatorRecord{Name: "ann", Key: []byte("key of ann")}, Actor: "operator ann"},
	}
	if change != nil {
		change(&r)
	}
	if err := m.o.Start(m.t.Context(), r); err != nil {
		m.t.Fatal(err)
	}
	return r.JID
}

// wait waits for the end of an orchestration, and tells a line of each state.
func (m *master) wait(id string) (lines []string, code int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	data, code, err := m.o.Wait(ctx, id)
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := value.FromJSON(data)
	if err != nil {
		m.t.Fatal(err)
	}
	d, _ := v.(*value.Dict).Get("data")
	for name, results := range d.(*value.Dict).All() {
		if list, ok := results.(*value.List); ok {
			for _, item := range list.Items {
				lines = append(lines, fmt.Sprint(item))
			}
			continue
		}
		for tag, r := range results.(*value.Dict).All() {
			get := func(key string) any { v, _ := r.(*value.Dict).Get(key); return v }
			_, after, _ := strings.Cut(tag.(string), "_|-")
			label, _, _ := strings.Cut(after, "_|-")
			lines = append(lines, fmt.Sprintf("%v %s: %v %v", name, label, get("result"), get("comment")))
		}
	}
	return lines, code
}

// begins waits until a function has begun.
func (w *world) begins(function string) {
	w.t.Helper()
	for {
		select {
		case f := <-w.started:
			if f == function {
				return
			}
		case <-time.After(20 * time.Second):
			w.t.Fatalf("%s does not begin; the log has\n%s", function, w.log())
		}
	}
}

// beginBoth waits until two functions have begun, in any order.
func (w *world) beginBoth(a, b string) {
	w.t.Helper()
	for seen := map[string]bool{}; !seen[a] || !seen[b]; {
		select {
		case f := <-w.started:
			seen[f] = true
		case <-time.After(20 * time.Second):
			w.t.Fatalf("%s and %s don't begin: %v", a, b, seen)
		}
	}
}

// holds lets a function wait until the channel is closed.
func (w *world) holds(function string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold[function] = make(chan struct{})
	return w.hold[function]
}

// log is all that is stored.
func (w *world) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, e := range w.events {
		fmt.Fprintf(&b, "%s %s\n", e.Event.Tag, e.Event.Data)
	}
	return b.String()
}

// next is closed with the next event.
func (w *world) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
