package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

const minionID = "web1.example.com"

// quick are timings that let a test see in moments what takes a minute in life.
var quick = Timings{
	Ping: 150 * time.Millisecond, Dial: 3 * time.Second, Hedge: 200 * time.Millisecond,
	Retry: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, StandbyMax: 200 * time.Millisecond,
	Enrol: 200 * time.Millisecond, Rotate: 10 * time.Second, Refresh: time.Hour, Notice: 50 * time.Millisecond,
	SpreadMin: 50 * time.Millisecond, SpreadMax: 300 * time.Millisecond,
}

// A site is a site key, its bundle and its masters.
type site struct {
	t       *testing.T
	key     *pki.SiteKey
	serial  uint64
	masters []*pb.MasterKey
}

func newSite(t *testing.T) *site {
	t.Helper()
	key, err := pki.NewSite("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, key: key}
}

// bundle signs the present masters under the next serial.
func (s *site) bundle() *pb.Envelope {
	s.t.Helper()
	s.serial++
	masters := make([]*pb.MasterKey, len(s.masters))
	for i, m := range s.masters {
		masters[i] = proto.CloneOf(m)
	}
	env, err := s.key.SignBundle(&pb.Bundle{Serial: s.serial, IssuedAt: time.Now().UnixMicro(), Masters: masters})
	if err != nil {
		s.t.Fatal(err)
	}
	return env
}

func (s *site) revoke(name string) {
	for _, m := range s.masters {
		if m.Name == name {
			m.Revoked = true
		}
	}
}

// A master is a bus with just enough behind it to talk to a link.
type master struct {
	t    *testing.T
	name string
	id   *pki.Identity
	addr string // of the bus, once started

	mu        sync.Mutex
	accepted  bool
	refused   bool
	mute      bool // does not answer seen
	bundle    *pb.Envelope
	addresses []*pb.MasterAddress
	serials   []uint64 // asked with, in order
	enrols    []*pb.EnrolRequest

	server *server.Server
	conn   *nats.Conn
	log    chan string // subjects of what minions sent
}

// master makes one more master of the site; it does not run yet.
func (s *site) master(name string) *master {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := s.key.IssueMaster(name, public, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := pki.NewIdentity(private, der, s.key.CA().Raw)
	if err != nil {
		s.t.Fatal(err)
	}
	s.masters = append(s.masters, &pb.MasterKey{Name: name, Key: public})
	m := &master{t: s.t, name: name, id: id, accepted: true, log: make(chan string, 1000), addr: freeAddr(s.t)}
	s.t.Cleanup(m.kill)
	return m
}

// freeAddr is an address that a master can have again after a restart.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (m *master) address() *pb.MasterAddress { return &pb.MasterAddress{Name: m.name, Bus: m.addr} }

// start runs the master with this bundle.
func (m *master) start(bundle *pb.Envelope) {
	m.t.Helper()
	host, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		m.t.Fatal(err)
	}
	srv, err := server.NewServer(&server.Options{
		Host: host, Port: n, ServerName: m.name, NoLog: true, NoSigs: true, AlwaysEnableNonce: true,
		TLS: true, TLSConfig: pki.ServerTLS(m.id), TLSTimeout: 3, CustomClientAuthentication: m,
		LameDuckDuration: 2 * time.Second, LameDuckGracePeriod: 100 * time.Millisecond,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		m.t.Fatal("server not ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv), nats.UserInfo("master", m.name))
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.server, m.conn, m.bundle = srv, conn, bundle
	m.mu.Unlock()
	for _, name := range []string{subject.Requests, subject.Enrols, subject.Returns} {
		if _, err := conn.Subscribe(name, m.answer); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *master) kill() {
	m.mu.Lock()
	srv, conn := m.server, m.conn
	m.server, m.conn = nil, nil
	m.mu.Unlock()
	if srv != nil {
		conn.Close()
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// Check decides about a connection as real masters do.
func (m *master) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if o.Username == "master" && o.Password == m.name {
		return true
	}
	key, err := pki.ParseNKey(o.Nkey)
	if err != nil {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(o.Sig)
	if err != nil || pki.VerifyNonce(key, c.GetNonce(), sig) != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused {
		return false
	}
	t := subject.Token(minionID)
	sub, pub := []string{subject.EnrolReply(o.Nkey)}, []string{subject.EnrolRequest(o.Nkey)}
	if m.accepted {
		sub = []string{subject.JobAll, subject.Job(t), subject.Inbox(t) + ".>"}
		pub = []string{"ret." + t + ".>", "req." + t + ".>", "evt." + t + ".>"}
	}
	c.RegisterUser(&server.User{Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: pub},
		Subscribe: &server.SubjectPermission{Allow: sub},
	}})
	return true
}

func (m *master) answer(msg *nats.Msg) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case m.log <- msg.Subject:
	default:
	}
	if pub, err := subject.ParseEnrol(msg.Subject); err == nil {
		req := &pb.EnrolRequest{}
		if proto.Unmarshal(msg.Data, req) == nil {
			m.enrols = append(m.enrols, req)
		}
		m.publish(subject.EnrolReply(pub), &pb.EnrolReply{Status: pb.EnrolReply_PENDING})
		return
	}
	_, verb, err := subject.ParseRequest(msg.Subject)
	if err != nil {
		return
	}
	switch verb {
	case subject.Bundle:
		req := &pb.BundleRequest{}
		if proto.Unmarshal(msg.Data, req) == nil {
			m.serials = append(m.serials, req.Serial)
		}
		m.publish(msg.Reply, &pb.BundleReply{
			Bundle: m.bundle, Masters: m.addresses, Master: m.name, Now: time.Now().UnixMicro(),
		})
	case subject.Seen:
		if !m.mute {
			m.publish(msg.Reply, &pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{m.name}})
		}
	default:
		m.conn.Publish(msg.Reply, append([]byte(m.name+" "), msg.Data...))
	}
}

// publish sends a message; m.mu is held or not needed.
func (m *master) publish(name string, msg proto.Message) {
	data, err := proto.Marshal(msg)
	if err != nil {
		m.t.Error(err)
		return
	}
	if m.conn != nil {
		m.conn.Publish(name, data)
		m.conn.Flush()
	}
}

// signed publishes an envelope of this master.
func (m *master) signed(name string, kind pb.Kind, msg proto.Message) {
	m.t.Helper()
	body, err := proto.Marshal(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.publish(name, pki.Sign(m.id.Key, m.id.Site(), kind, body))
}

func (m *master) order(full bool, at int64) {
	m.t.Helper()
	m.signed(subject.Link(subject.Token(minionID)), pb.Kind_KIND_LINK_ORDER, &pb.LinkOrder{
		Master: m.name, Minion: minionID, IssuedAt: at, Full: full,
	})
}

func (m *master) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// A minion is a link under test, with what came through it.
type minion struct {
	*Link
	t      *testing.T
	jobs   chan string
	order  chan string // "seen", and "job" for each job, in order
	saved  chan []*pb.MasterAddress
	bundle chan *pb.Envelope
	pins   chan pki.Fingerprint
	stop   func()
}

func newMinion(t *testing.T, trust *pki.Trust, change func(*Options), masters ...string) *minion {
	t.Helper()
	key, err := pki.NewMinionKey()
	if err != nil {
		t.Fatal(err)
	}
	m := &minion{
		t: t, jobs: make(chan string, 1000), order: make(chan string, 1000),
		saved: make(chan []*pb.MasterAddress, 100), bundle: make(chan *pb.Envelope, 100),
		pins: make(chan pki.Fingerprint, 100),
	}
	o := Options{
		ID: minionID, Key: key, Trust: trust, Masters: masters, Timings: quick, Version: "test",
		Log: hclog.New(&hclog.LoggerOptions{Name: "link", Level: hclog.Debug, Output: testLog{t}}),
		Job: func(data []byte) bool {
			if len(data) == 0 || data[0] != '#' {
				return false
			}
			m.order <- "job"
			m.jobs <- string(data)
			return true
		},
		Seen:        func(*pb.SeenReply) { m.order <- "seen" },
		SaveMasters: func(a []*pb.MasterAddress) { m.saved <- a },
		SaveBundle:  func(e *pb.Envelope) { m.bundle <- e },
		Pinned:      func(f pki.Fingerprint) { m.pins <- f },
	}
	if change != nil {
		change(&o)
	}
	if m.Link, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	m.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(m.stop)
	return m
}

func (m *minion) until(what string, ok func(Status) bool) Status {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	if err := m.Wait(ctx, ok); err != nil {
		m.t.Fatalf("never %s: now %+v", what, m.Status())
	}
	return m.Status()
}

func (m *minion) linked(what string) Status {
	m.t.Helper()
	return m.until(what, func(s Status) bool { return s.State == Linked })
}

// hears publishes text at the master until it arrives.
func (m *minion) hears(at *master, text string) {
	m.t.Helper()
	if !heard(m, at, text) {
		m.t.Fatalf("%q sent by %s was not heard", text, at.name)
	}
}

func heard(m *minion, at *master, text string) bool {
	at.conn.Publish(subject.JobAll, []byte("#"+text))
	at.conn.Flush()
	timeout := time.After(5 * time.Second)
	for {
		select {
		case got := <-m.jobs:
			if got == "#"+text {
				return true
			}
		case <-timeout:
			return false
		}
	}
}

// take receives one value or fails.
func take[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(string(p[:len(p)-1]))
	return len(p), nil
}

// A proxy stands before a master and can stop passing anything on, as a
// frozen process or a cut wire would look.
type proxy struct {
	addr  string
	mu    sync.Mutex
	stall chan struct{} // open while stalled
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String()}
	var wg sync.WaitGroup
	done := make(chan struct{})
	pass := func(dst, src net.Conn) {
		defer wg.Done()
		defer dst.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			if gate := p.gate(); gate != nil {
				select {
				case <-gate:
				case <-done:
					return
				}
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			wg.Add(3)
			go pass(up, c)
			go pass(c, up)
			go func() {
				defer wg.Done()
				<-done
				c.Close()
				up.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		close(done)
		l.Close()
		wg.Wait()
	})
	return p
}

func (p *proxy) gate() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stall
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = make(chan struct{})
}

var _ io.Writer = testLog{}
