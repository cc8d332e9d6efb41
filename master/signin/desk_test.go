package signin_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/master/signin"
)

// A clock stands still, and a waiting for it is over at once, but known.
type clock struct {
	mu     sync.Mutex // guards the fields below
	now    time.Time
	waited []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited = append(c.waited, d)
	done := make(chan time.Time)
	close(done)
	return done
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A backend knows one password, takes a while for names it knows, and may hang.
type backend struct {
	clock *clock
	hang  chan struct{}
	mu    sync.Mutex // guards the fields below
	asked int
	now   int // that ask at this moment
	most  int
}

func (b *backend) Check(ctx context.Context, user string, password []byte) (*signin.Person, error) {
	b.mu.Lock()
	b.asked++
	b.now++
	b.most = max(b.most, b.now)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.now--
	}()
	if b.hang != nil {
		select {
		case <-b.hang:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if user == "alice" {
		b.clock.pass(300 * time.Millisecond)
	}
	if user == "fault" {
		return nil, errors.New("it is away")
	}
	if user != "alice" && user != "bad name" || string(password) != "right" {
		return nil, signin.ErrWrong
	}
	return &signin.Person{Name: user}, nil
}

func clocked(t *testing.T) (*signin.Desk, *backend) {
	t.Helper()
	b := &backend{clock: &clock{now: time.Unix(1_700_000_000, 0)}}
	d, err := signin.New(signin.Options{
		Config:   &signin.Config{ExternalAuth: signin.ExternalAuth{PAM: everyone()}},
		Backends: map[string]signin.Backend{"pam": b}, Now: b.clock.Now, After: b.clock.After,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, b
}

func attempt(d *signin.Desk, user, password, address string) error {
	_, err := d.Check(context.Background(), signin.Attempt{Backend: "pam", User: user, Password: []byte(password), Address: address})
	return err
}

func TestRefusalsTakeTheSameTimeAndSayTheSame(t *testing.T) {
	d, b := clocked(t)
	texts := map[string]bool{}
	for _, c := range [][2]string{{"alice", "wrong"}, {"unknown", "wrong"}, {"alice", ""}, {"alice", strings.Repeat("x", 2000)}} {
		began, before := b.clock.Now(), len(b.clock.waited)
		err := attempt(d, c[0], c[1], c[0]+c[1])
		if !errors.Is(err, signin.ErrWrong) || len(b.clock.waited) != before+1 {
			t.Fatalf("%q: got %v, waited %v", c[0], err, b.clock.waited)
		}
		if total := b.clock.Now().Sub(began) + b.clock.waited[before]; total != time.Second {
			t.Errorf("%q: refused after %v, want a second", c[0], total)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("refusals differ: %v", texts)
	}
	if err := attempt(d, "alice", "right", "y"); err != nil || len(b.clock.waited) != 4 {
		t.Errorf("a right password waits too: %v, %v", err, b.clock.waited)
	}
}

func TestWhoIsWrongAgainAndAgainHasToWait(t *testing.T) {
	d, b := clocked(t)
	for range 3 {
		if err := attempt(d, "alice", "wrong", "1.1.1.1"); !errors.Is(err, signin.ErrWrong) {
			t.Fatal(err)
		}
	}
	asked := b.asked
	if err := attempt(d, "ALICE", "right", "1.1.1.1"); !errors.Is(err, signin.ErrBusy) || b.asked != asked {
		t.Errorf("got %v, asked %d", err, b.asked-asked)
	}
	if err := attempt(d, "alice", "right", "2.2.2.2"); err != nil {
		t.Errorf("from elsewhere alice may: %v", err)
	}
	b.clock.pass(time.Second)
	if err := attempt(d, "alice", "wrong", "1.1.1.1"); !errors.Is(err, signin.ErrWrong) {
		t.Errorf("after a second: got %v", err)
	}
	b.clock.pass(time.Second)
	if err := attempt(d, "alice", "right", "1.1.1.1"); !errors.Is(err, signin.ErrBusy) {
		t.Errorf("the wait doubles: got %v", err)
	}
	b.clock.pass(time.Second)
	if err := attempt(d, "alice", "right", "1.1.1.1"); err != nil {
		t.Errorf("after two seconds: %v", err)
	}
	if err := attempt(d, "alice", "wrong", "1.1.1.1"); !errors.Is(err, signin.ErrWrong) {
		t.Errorf("whoever was right begins anew: got %v", err)
	}
}

func TestAnAddressThatTriesManyNamesHasToWait(t *testing.T) {
	d, _ := clocked(t)
	for i := range 10 {
		if err := attempt(d, strings.Repeat("u", i+1), "wrong", "1.1.1.1"); !errors.Is(err, signin.ErrWrong) {
			t.Fatal(err)
		}
	}
	if err := attempt(d, "alice", "right", "1.1.1.1"); !errors.Is(err, signin.ErrBusy) {
		t.Errorf("got %v", err)
	}
}

func TestANameTriedFromEverywhereIsNotKeptOutForLong(t *testing.T) {
	d, b := clocked(t)
	for i := range 40 {
		b.clock.pass(20 * time.Second)
		if err := attempt(d, "alice", "wrong", strings.Repeat("x", i+1)); !errors.Is(err, signin.ErrWrong) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := attempt(d, "alice", "right", "home"); !errors.Is(err, signin.ErrBusy) {
		t.Errorf("got %v", err)
	}
	b.clock.pass(15 * time.Second)
	if err := attempt(d, "alice", "right", "home"); err != nil {
		t.Errorf("after 15 s: %v", err)
	}
}

func TestASlowBackendHoldsUpOnlySoMany(t *testing.T) {
	d, b := clocked(t)
	b.hang = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	full := make(chan struct{})
	var once sync.Once
	for range 200 {
		running.Go(func() {
			_, err := d.Check(ctx, signin.Attempt{Backend: "pam", User: "x", Password: []byte("y")})
			if errors.Is(err, signin.ErrBusy) {
				once.Do(func() { close(full) })
			}
		})
	}
	<-full
	cancel()
	running.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most != 16 {
		t.Errorf("%d asked at the same time, want 16", b.most)
	}
}

func TestFaultsAreNotToldAsWrong(t *testing.T) {
	d, _ := clocked(t)
	if err := attempt(d, "fault", "x", "1"); !errors.Is(err, signin.ErrBackend) || strings.Contains(err.Error(), "away") {
		t.Errorf("got %v", err)
	}
	if err := attempt(d, "bad name", "right", "1"); !errors.Is(err, signin.ErrBackend) {
		t.Errorf("a name that can't be an operator's: got %v", err)
	}
}

func TestThePasswordIsCleared(t *testing.T) {
	d, _ := clocked(t)
	password := []byte("right")
	if _, err := d.Check(t.Context(), signin.Attempt{Backend: "pam", User: "alice", Password: password}); err != nil {
		t.Fatal(err)
	}
	if string(password) != "\x00\x00\x00\x00\x00" {
		t.Errorf("got %q", password)
	}
	_, err := d.Check(t.Context(), signin.Attempt{Backend: "sql", User: "alice", Password: password})
	if !errors.Is(err, signin.ErrNothing) || !strings.Contains(err.Error(), "but by pam") {
		t.Errorf("got %v", err)
	}
}
