package keys_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/keys"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// A master is a key database over a real store, with a clock that the test moves.
type master struct {
	*keys.DB
	t     *testing.T
	store *flaky

	mu       sync.Mutex // guards the fields below
	offset   time.Duration
	accepted []string // ids
	revoked  []string // nkeys
	retired  []string // likewise
	events   []string // tag, act or limit
	sent     []*proto.Record
}

// flaky is a store that can be told to fail.
type flaky struct {
	*store.Store
	mu            sync.Mutex // guards the fields below
	write, decide error
}

func (f *flaky) fail(write, decide error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write, f.decide = write, decide
}

func (f *flaky) errs() (write, decide error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.write, f.decide
}

func (f *flaky) Append(ctx context.Context, recs ...*proto.Record) error {
	if err, _ := f.errs(); err != nil {
		return err
	}
	return f.Store.Append(ctx, recs...)
}

func (f *flaky) Key(ctx context.Context, signing []byte) (store.Key, error) {
	if _, err := f.errs(); err != nil {
		return store.Key{}, err
	}
	return f.Store.Key(ctx, signing)
}

func newMaster(t *testing.T, name string) *master {
	t.Helper()
	m := &master{t: t}
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: name, Now: m.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	m.store = &flaky{Store: s}
	m.load(name)
	return m
}

// load begins a key database on the store, as a start of the process does.
func (m *master) load(name string) {
	m.t.Helper()
	db, err := keys.New(m.t.Context(), keys.Options{
		Master: name, Site: site, Store: m.store, Now: m.now,
		OnAccept: func(id string, _ ed25519.PublicKey) { m.note(func() { m.accepted = append(m.accepted, id) }) },
		OnRevoke: func(key ed25519.PublicKey) { m.note(func() { m.revoked = append(m.revoked, pki.NKey(key)) }) },
		OnRetire: func(key ed25519.PublicKey) { m.note(func() { m.retired = append(m.retired, pki.NKey(key)) }) },
		OnEvent: func(tag string, data map[string]any) {
			m.note(func() { m.events = append(m.events, fmt.Sprintf("%s %v %v", tag, data["act"], data["limit"])) })
		},
		Commit: func(_ context.Context, recs []*proto.Record) []string {
			m.note(func() { m.sent = append(m.sent, recs...) })
			return []string{"away"}
		},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.DB = db
}

func (m *master) note(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *master) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.offset)
}

func (m *master) wait(d time.Duration) { m.note(func() { m.offset += d }) }

func (m *master) count(list *[]string, want string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, s := range *list {
		if s == want {
			n++
		}
	}
	return n
}

// copyTo gives all records to another master, as replication does.
func (m *master) copyTo(other *master) {
	m.t.Helper()
	page, err := m.store.Page(m.t.Context(), 0, 1<<20, false)
	if err != nil {
		m.t.Fatal(err)
	}
	var recs []*proto.Record
	for _, e := range page.Entries {
		recs = append(recs, e.Record)
	}
	if err := other.store.Store.Append(m.t.Context(), recs...); err != nil {
		m.t.Fatal(err)
	}
}

// minions are made once: the same letter is the same key in all tests.
var minions = map[string]*pki.MinionKey{}

func minion(t *testing.T, name string) *pki.MinionKey {
	t.Helper()
	k := minions[name]
	if k == nil {
		var err error
		if k, err = pki.NewMinionKey(); err != nil {
			t.Fatal(err)
		}
		minions[name] = k
	}
	return k
}

func request(t *testing.T, k *pki.MinionKey, id string, secret []byte) []byte {
	t.Helper()
	data, err := pb.Marshal(&proto.EnrolRequest{
		Id: id, SigningKey: k.Public(), SealingKey: k.SealingPublic(), Token: secret, Version: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ask has a minion ask to enrol, after a pause in which it may.
func (m *master) ask(key, id string, secret []byte) *proto.EnrolReply {
	m.t.Helper()
	m.wait(10 * time.Second)
	k := minion(m.t, key)
	return m.Enrol(m.t.Context(), k.NKey(), request(m.t, k, id, secret), "10.0.0.1")
}

var states = map[string]proto.KeyState{
	"accept": proto.KeyState_KEY_ACCEPTED, "reject": proto.KeyState_KEY_REJECTED,
	"revoke": proto.KeyState_KEY_REVOKED, "delete": proto.KeyState_KEY_DELETED,
}

// act carries out a line: "A ask web1", "accept web*", "revoke web1 #A" (by
// the fingerprint of A). It returns the outcome in a few words.
func (m *master) act(line string) string {
	m.t.Helper()
	f := strings.Fields(line)
	if f[1] == "ask" {
		return m.ask(f[0], f[2], nil).Status.String()
	}
	req := &proto.KeyDecideRequest{State: states[f[0]]}
	for _, word := range f[1:] {
		if key, ok := strings.CutPrefix(word, "#"); ok {
			req.Fingerprint = minion(m.t, key).Fingerprint().String()
		} else {
			req.Patterns = append(req.Patterns, word)
		}
	}
	reply, err := m.Decide(m.t.Context(), "alice", req)
	switch {
	case errors.Is(err, keys.ErrConflict):
		return "conflict"
	case errors.Is(err, keys.ErrNoKey):
		return "no key"
	case errors.Is(err, keys.ErrInvalid):
		return "invalid"
	case err != nil:
		m.t.Fatal(err)
	}
	return fmt.Sprintf("%d", len(reply.Keys))
}

// state shows what is in force: "A web1 accepted, B web1 pending".
func (m *master) state() string {
	var texts []string
	for name, k := range minions {
		if id, state := m.Minion(k.Public()); state != 0 {
			texts = append(texts, fmt.Sprintf("%s %s %s", name, id,
				strings.ToLower(strings.TrimPrefix(state.String(), "KEY_"))))
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}
