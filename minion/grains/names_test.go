package grains_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/minion/grains"
)

// resolver answers for one host. Until let through it hangs, as dead name servers do.
type resolver struct {
	through chan struct{}
	asked   atomic.Int32
	gone    atomic.Bool
}

func newResolver() *resolver { return &resolver{through: make(chan struct{})} }

func (r *resolver) wait(ctx context.Context) error {
	r.asked.Add(1)
	select {
	case <-r.through:
		if r.gone.Load() {
			return errors.New("connection refused")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *resolver) LookupCNAME(ctx context.Context, name string) (string, error) {
	return name + ".example.com.", r.wait(ctx)
}

func (r *resolver) LookupNetIP(ctx context.Context, network, _ string) ([]netip.Addr, error) {
	if network == "ip6" {
		return nil, errors.Join(r.wait(ctx), &net.DNSError{Err: "no such host", IsNotFound: true})
	}
	return []netip.Addr{netip.MustParseAddr("10.0.0.11")}, r.wait(ctx)
}

func (r *resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return []string{strings.NewReplacer(".", "-", ":", "-").Replace(addr) + ".example.com."}, r.wait(ctx)
}

// lonely makes a machine whose hosts file says nothing of it.
func lonely(t *testing.T, r grains.Resolver, cache string, changed func()) *grains.Machine {
	t.Helper()
	return lonelyAt(t, r, cache, changed, 0)
}

// lonelyAt is lonely some time later.
func lonelyAt(t *testing.T, r grains.Resolver, cache string, changed func(), later time.Duration) *grains.Machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/sys/kernel/hostname": "web1\n", "etc/os-release": "NAME=x\nID=x\n", "etc/hosts": "127.0.0.1 localhost\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sys := recorded("x")
	now := sys.Now().Add(later)
	sys.Now = func() time.Time { return now }
	m := grains.NewMachine(grains.MachineOptions{Root: root, System: sys, Resolver: r, Cache: cache, Changed: changed})
	t.Cleanup(m.Close)
	return m
}

func fqdn(ctx context.Context, m *grains.Machine, anew bool) string {
	v, _ := m.Facts(ctx, anew).Get("fqdn")
	return v.(string)
}

func TestNameServersAnswer(t *testing.T) {
	r := newResolver()
	close(r.through)
	m := lonely(t, r, "", nil)
	d := m.Facts(t.Context(), false)
	for name, want := range map[string]string{
		"fqdn": "web1.example.com", "host": "web1", "domain": "example.com",
	} {
		if got, _ := d.Get(name); got != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}

func TestDeadNameServersHoldNothingUp(t *testing.T) {
	changed := make(chan struct{}, 1)
	r := newResolver()
	m := lonely(t, r, "", func() { changed <- struct{}{} })
	began := time.Now()
	if got := fqdn(t.Context(), m, false); got != "web1" {
		t.Errorf("without an answer: got %s", got)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	close(r.through) // at last they answer
	<-changed
	if got := fqdn(t.Context(), m, false); got != "web1.example.com" {
		t.Errorf("after the answer: got %s", got)
	}
}

func TestCloseEndsLookUps(t *testing.T) {
	r := newResolver()
	m := lonely(t, r, "", func() { t.Error("told of a change after the end") })
	m.Facts(t.Context(), false)
	m.Close() // hangs when the look-up does
}

func TestAnswersAreKept(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "brine", "names.json")
	r := newResolver()
	close(r.through)
	if got := fqdn(t.Context(), lonely(t, r, cache, nil), false); got != "web1.example.com" {
		t.Fatalf("got %s", got)
	}
	asleep := newResolver()
	if got := fqdn(t.Context(), lonely(t, asleep, cache, nil), false); got != "web1.example.com" {
		t.Errorf("the next process: got %s", got)
	}
	if err := os.WriteFile(cache, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fqdn(t.Context(), lonely(t, asleep, cache, nil), false); got != "web1" {
		t.Errorf("with a broken cache: got %s", got)
	}
}

func TestForgetsNothingWhenNameServersFail(t *testing.T) {
	r := newResolver()
	close(r.through)
	m := lonely(t, r, "", nil)
	fqdn(t.Context(), m, false)
	asked := r.asked.Load()
	if got := fqdn(t.Context(), m, true); got != "web1.example.com" || r.asked.Load() != asked {
		t.Errorf("a refresh within the hour: got %s, asked %d times more", got, r.asked.Load()-asked)
	}
}

// TestNameServersThatFailAreNoNews: with the kept answer two hours old they are asked again, and refuse.
func TestNameServersThatFailAreNoNews(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "names.json")
	good := newResolver()
	close(good.through)
	fqdn(t.Context(), lonely(t, good, cache, nil), false)
	bad := newResolver()
	bad.gone.Store(true)
	m := lonelyAt(t, bad, cache, func() { t.Error("told of a change") }, 2*time.Hour)
	if got := fqdn(t.Context(), m, false); got != "web1.example.com" {
		t.Errorf("before they answer: got %s", got)
	}
	before, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	close(bad.through)
	for after := before; string(after) == string(before); { // when it was asked last is kept
		runtime.Gosched()
		if t.Context().Err() != nil {
			t.Fatal("never asked")
		}
		if after, err = os.ReadFile(cache); err != nil {
			t.Fatal(err)
		}
	}
	if got := fqdn(t.Context(), m, true); got != "web1.example.com" {
		t.Errorf("after they refused: got %s", got)
	}
	// What is two days old is not used any more.
	if got := fqdn(t.Context(), lonelyAt(t, newResolver(), cache, nil, 48*time.Hour), false); got != "web1" {
		t.Errorf("two days later: got %s", got)
	}
}

// TestSilentNameServer asks one that never answers, as the machine's own resolver does, and ends it.
func TestSilentNameServer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := grains.SystemResolver().(*net.Resolver)
	dial := r.Dial
	r.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx, "udp", silent.LocalAddr().String())
	}
	m := lonely(t, r, "", nil)
	began := time.Now()
	if got := fqdn(t.Context(), m, false); got != "web1" {
		t.Errorf("got %s", got)
	}
	m.Close()
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
}
