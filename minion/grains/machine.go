package grains

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/value"
)

// System is what a machine tells otherwise than by its files. The zero value
// asks the machine that this process runs on.
type System struct {
	Arch       func() string // as uname -m prints it
	Interfaces func() ([]Interface, error)
	Env        func(name string) string
	Now        func() time.Time
	Exec       host.Exec // nil: no command is run
}

func (s *System) complete() {
	if s.Arch == nil {
		s.Arch = func() string {
			var u unix.Utsname
			if unix.Uname(&u) != nil {
				return ""
			}
			return unix.ByteSliceToString(u.Machine[:])
		}
	}
	if s.Interfaces == nil {
		s.Interfaces = systemInterfaces
	}
	if s.Env == nil {
		s.Env = os.Getenv
	}
	if s.Now == nil {
		s.Now = time.Now
	}
}

// MachineOptions say where a machine's facts are found.
type MachineOptions struct {
	Root     string // directory under which its files lie; "" is the real root directory
	System   System
	Resolver Resolver // of names that the hosts file does not tell; nil: of none
	Cache    string   // file that keeps what name servers told; "": none
	// Changed is called when name servers told something later than the facts
	// were asked for; may be nil.
	Changed func()
}

// A Machine is the host that one or more minions are on. It is safe for
// concurrent use. Close ends what it has under way.
type Machine struct {
	o      MachineOptions
	tree   tree
	asking sync.WaitGroup
	look   sync.Mutex // held while the machine is looked at, before mu: one does it for all

	mu    sync.Mutex         // guards the fields below
	stop  context.CancelFunc // of the look-up that runs; nil without one
	ended bool
	facts *value.Dict
	key   string // on what names depends
	names names
	told  time.Time // when names was had; zero when it is only what the files tell
}

const (
	namesWait = 100 * time.Millisecond // a caller waits so long for name servers, and only if nothing is known yet
	namesEnd  = 10 * time.Second       // after that they are taken for dead
	namesFor  = time.Hour              // how long what they told is believed
	unsureFor = 5 * time.Minute        // how long it is, with some of them silent
	namesKept = 24 * time.Hour         // what was kept longer is no better than nothing
)

// NewMachine makes a machine. Nothing is read before it is asked.
func NewMachine(o MachineOptions) *Machine {
	o.System.complete()
	return &Machine{o: o, tree: newTree(o.Root)}
}

// SystemResolver asks the name servers that this machine is configured for.
func SystemResolver() Resolver { return &net.Resolver{PreferGo: true, Dial: dial} }

// dial connects to a name server. Go's resolver looks at its context only between its attempts of 5 seconds; this
// way the end of the context ends an attempt.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	}
	return c, err
}

// Close ends look-ups that still run.
func (m *Machine) Close() {
	m.mu.Lock()
	m.ended = true
	if m.stop != nil {
		m.stop()
	}
	m.mu.Unlock()
	m.asking.Wait()
}

// Facts are the machine's grains, which no one may change. They are looked up
// once, and anew when asked to.
func (m *Machine) Facts(ctx context.Context, anew bool) *value.Dict {
	done := m.lookAt(ctx, anew)
	if done != nil {
		timer := time.NewTimer(namesWait)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.withNames()
}

// lookAt makes sure of m.facts. What it returns is closed when name servers have answered; nil when no one needs to wait.
func (m *Machine) lookAt(ctx context.Context, anew bool) <-chan struct{} {
	m.mu.Lock()
	have := m.facts != nil
	m.mu.Unlock()
	if have && !anew {
		return nil
	}
	m.look.Lock()
	defer m.look.Unlock()
	m.mu.Lock()
	have = m.facts != nil
	m.mu.Unlock()
	if have && !anew {
		return nil // someone else has looked meanwhile
	}
	p := &probe{ctx: ctx, tree: m.tree, sys: m.o.System, found: &value.Dict{}}
	for _, f := range facts {
		f.find(p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.facts = p.found
	return m.lookUp(ctx)
}

// withNames is called with mu held.
func (m *Machine) withNames() *value.Dict {
	d := &value.Dict{}
	for k, v := range m.facts.All() {
		_ = d.Set(k, v) // it was a key already
	}
	m.names.put(d)
	return d
}

// lookUp settles the names, with mu held. When name servers have to be asked
// and nothing is known, it returns what is closed when they have answered.
func (m *Machine) lookUp(ctx context.Context) <-chan struct{} {
	all, _ := m.o.System.Interfaces() // without any there is nothing to ask for
	node, _ := m.facts.Get("nodename")
	l := lookUp{addrs: ordered(all), hosts: readHosts(m.tree), dns: m.o.Resolver}
	l.node, _ = node.(string)
	local, whole := l.local()
	key := m.keyOf(l)
	now := m.o.System.Now()
	if key != m.key {
		m.key, m.names, m.told = key, local, time.Time{}
		if !whole {
			m.load()
		}
	}
	if whole || m.ended || m.stop != nil || !m.told.IsZero() && now.Sub(m.told) < namesFor && now.Sub(m.told) >= 0 {
		return nil
	}
	done := make(chan struct{})
	// It goes on when the caller no longer waits.
	ctx, m.stop = context.WithTimeout(context.WithoutCancel(ctx), namesEnd)
	m.asking.Go(func() {
		defer close(done)
		m.ask(ctx, l, key)
	})
	if !m.told.IsZero() {
		return nil // what is known serves until then
	}
	return done
}

// keyOf names everything that an answer of name servers depends on.
func (m *Machine) keyOf(l lookUp) string {
	h := sha256.New()
	fmt.Fprintln(h, l.node, l.addrs, l.hosts, m.tree.text("/etc/resolv.conf"), m.tree.text("/etc/nsswitch.conf"))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (m *Machine) ask(ctx context.Context, l lookUp, key string) {
	answer, sure := l.ask(ctx)
	now := m.o.System.Now()

	m.mu.Lock()
	m.stop()
	m.stop = nil
	if m.ended || key != m.key {
		m.mu.Unlock()
		return
	}
	if !sure {
		now = now.Add(unsureFor - namesFor)
		if !m.told.IsZero() {
			answer = m.names // name servers that are away are no reason to forget what they told before
		}
	}
	changed := !sameNames(answer, m.names)
	m.names, m.told = answer, now
	m.mu.Unlock()
	m.keep(kept{key, now.Unix(), answer})
	if changed && m.o.Changed != nil {
		m.o.Changed()
	}
}

func sameNames(a, b names) bool {
	x, y := &value.Dict{}, &value.Dict{}
	a.put(x)
	b.put(y)
	return value.Equal(x, y)
}

// kept is the cache file.
type kept struct {
	Key   string `json:"key"`
	At    int64  `json:"at"`
	Names names  `json:"names"`
}

// load takes what an earlier process kept, if it was of the same host and network. A file that can't be used is as none.
func (m *Machine) load() {
	if m.o.Cache == "" {
		return
	}
	data, err := os.ReadFile(m.o.Cache)
	var k kept
	if err == nil && json.Unmarshal(data, &k) == nil && k.Key == m.key && k.Names.FQDN != "" &&
		m.o.System.Now().Sub(time.Unix(k.At, 0)) < namesKept {
		m.names, m.told = k.Names.tidy(), time.Unix(k.At, 0)
	}
}

// keep writes the cache file. What can't be kept is asked for again.
func (m *Machine) keep(k kept) {
	data, err := json.Marshal(k)
	if m.o.Cache == "" || err != nil {
		return
	}
	old, err := os.ReadFile(m.o.Cache)
	if err == nil && bytes.Equal(old, data) {
		return
	}
	if os.MkdirAll(filepath.Dir(m.o.Cache), 0o755) == nil {
		_ = replace(m.o.Cache, data, 0o600)
	}
}
