package linktest

import (
	"encoding/base64"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

// A Master is a bus with just enough behind it to talk to a minion. Masters
// are not joined by routes.
type Master struct {
	Name     string
	Identity *pki.Identity
	Addr     string       // of the bus
	Heard    chan Message // what minions sent, as far as there is room

	t      testing.TB
	minion string

	mu     sync.Mutex // guards the fields below
	b      Behaviour
	server *server.Server
	conn   *nats.Conn
}

// A Message is what a minion sent.
type Message struct {
	Subject string
	Data    []byte
}

// Return is what a minion returned of a job; nil for any other message.
func (m Message) Return(minion, jid string) *pb.Return {
	id, _, kind, err := subject.ParseReturn(m.Subject)
	r := &pb.Return{}
	if err != nil || id != minion || kind != subject.KindFinal || proto.Unmarshal(m.Data, r) != nil || r.Jid != jid {
		return nil
	}
	return r
}

// Behaviour is how a master treats the minion, and what it was asked.
type Behaviour struct {
	Accepted  bool
	Refused   bool // no key may sign in
	Mute      bool // it does not tell which jobs it has seen
	Bundle    *pb.Envelope
	Addresses []*pb.MasterAddress
	Serials   []uint64 // that it was asked for a bundle with, in order
	Enrols    []*pb.EnrolRequest
	Pillar    func(*pb.PillarRequest) *pb.PillarReply // nil gives no answer
}

// Set changes or looks at the behaviour.
func (m *Master) Set(f func(*Behaviour)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.b)
}

// Address is what masters tell of each other.
func (m *Master) Address() *pb.MasterAddress { return &pb.MasterAddress{Name: m.Name, Bus: m.Addr} }

// Start runs the master with this bundle.
func (m *Master) Start(bundle *pb.Envelope) {
	m.t.Helper()
	host, text, err := net.SplitHostPort(m.Addr)
	if err != nil {
		m.t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		m.t.Fatal(err)
	}
	srv, err := server.NewServer(&server.Options{
		Host: host, Port: port, ServerName: m.Name, NoLog: true, NoSigs: true, AlwaysEnableNonce: true,
		TLS: true, TLSConfig: pki.ServerTLS(m.Identity), TLSTimeout: 3, CustomClientAuthentication: m,
		LameDuckDuration: 2 * time.Second, LameDuckGracePeriod: 100 * time.Millisecond,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		m.t.Fatal("the bus is not ready")
	}
	m.Set(func(b *Behaviour) { b.Bundle = bundle })
	conn, err := nats.Connect("", nats.InProcessServer(srv), nats.UserInfo("master", m.Name))
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.server, m.conn = srv, conn
	m.mu.Unlock()
	for _, name := range []string{subject.Requests, subject.Enrols, subject.Returns, subject.Relays(m.Name)} {
		if _, err := conn.Subscribe(name, m.answer); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		m.t.Fatal(err)
	}
}

// Kill ends the master at once.
func (m *Master) Kill() {
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

// Mute lets the bus live on with nobody to answer.
func (m *Master) Mute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn.Close()
}

// LameDuck stops the master as one does on purpose. It returns when that is done.
func (m *Master) LameDuck() {
	m.mu.Lock()
	srv := m.server
	m.mu.Unlock()
	srv.LameDuckShutdown()
}

// Check decides about a connection as real masters do.
func (m *Master) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if o.Username == "master" && o.Password == m.Name {
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
	if m.b.Refused {
		return false
	}
	t := subject.Token(m.minion)
	sub, pub := []string{subject.EnrolReply(o.Nkey)}, []string{subject.EnrolRequest(o.Nkey)}
	if m.b.Accepted {
		sub = []string{subject.JobAll, subject.Job(t), subject.Inbox(t) + ".>"}
		pub = []string{"ret." + t + ".>", subject.RelayPermission(t), "req." + t + ".>", "evt." + t + ".>"}
	}
	c.RegisterUser(&server.User{Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: pub},
		Subscribe: &server.SubjectPermission{Allow: sub},
	}})
	return true
}

func (m *Master) answer(msg *nats.Msg) {
	if returned, err := subject.ParseRelay(msg.Subject); err == nil {
		msg.Subject = returned
	}
	select {
	case m.Heard <- Message{msg.Subject, msg.Data}:
	default:
	}
	if pub, err := subject.ParseEnrol(msg.Subject); err == nil {
		req := &pb.EnrolRequest{}
		if proto.Unmarshal(msg.Data, req) == nil {
			m.Set(func(b *Behaviour) { b.Enrols = append(b.Enrols, req) })
		}
		m.Publish(subject.EnrolReply(pub), &pb.EnrolReply{Status: pb.EnrolReply_PENDING})
		return
	}
	if _, verb, err := subject.ParseRequest(msg.Subject); err == nil {
		m.request(verb, msg)
	}
}

func (m *Master) request(verb string, msg *nats.Msg) {
	switch verb {
	case subject.Bundle:
		req := &pb.BundleRequest{}
		reply := &pb.BundleReply{Master: m.Name, Now: time.Now().UnixMicro()}
		m.Set(func(b *Behaviour) {
			if proto.Unmarshal(msg.Data, req) == nil {
				b.Serials = append(b.Serials, req.Serial)
			}
			reply.Bundle, reply.Masters = b.Bundle, b.Addresses
		})
		m.Publish(msg.Reply, reply)
	case subject.Seen:
		mute := false
		m.Set(func(b *Behaviour) { mute = b.Mute })
		if !mute {
			m.Publish(msg.Reply, &pb.SeenReply{Now: time.Now().UnixMicro(), Live: []string{m.Name}})
		}
	case subject.Pillar:
		m.pillar(msg)
	case subject.Tree:
		m.Publish(msg.Reply, &pb.TreeReply{})
	default:
		m.PublishRaw(msg.Reply, append([]byte(m.Name+" "), msg.Data...))
	}
}

func (m *Master) pillar(msg *nats.Msg) {
	var reply func(*pb.PillarRequest) *pb.PillarReply
	m.Set(func(b *Behaviour) { reply = b.Pillar })
	req := &pb.PillarRequest{}
	if reply == nil || proto.Unmarshal(msg.Data, req) != nil {
		return
	}
	r := reply(req)
	r.Master = m.Name
	m.Publish(msg.Reply, m.Sign(pb.Kind_KIND_PILLAR, r))
}

// Publish sends a message.
func (m *Master) Publish(name string, msg proto.Message) {
	data, err := proto.Marshal(msg)
	if err != nil {
		m.t.Error(err)
		return
	}
	m.PublishRaw(name, data)
}

// PublishRaw sends bytes.
func (m *Master) PublishRaw(name string, data []byte) {
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn != nil {
		_ = conn.Publish(name, data) // a test that ends may have closed it
		_ = conn.Flush()
	}
}

// Sign makes an envelope of this master.
func (m *Master) Sign(kind pb.Kind, msg proto.Message) *pb.Envelope {
	m.t.Helper()
	body, err := proto.Marshal(msg)
	if err != nil {
		m.t.Fatal(err)
	}
	return pki.Sign(m.Identity.Key, m.Identity.Site(), kind, body)
}

// Order sends the minion a link order.
func (m *Master) Order(full bool, at int64) {
	m.t.Helper()
	m.Publish(subject.Link(subject.Token(m.minion)), m.Sign(pb.Kind_KIND_LINK_ORDER, &pb.LinkOrder{
		Master: m.Name, Minion: m.minion, IssuedAt: at, Full: full,
	}))
}

// Notice tells the minion which masters are live in the eyes of this one.
func (m *Master) Notice(at int64, live ...*Master) {
	n := &pb.Notice{Master: m.Name, IssuedAt: at}
	for _, l := range live {
		n.Live = append(n.Live, l.Address())
	}
	m.Publish(subject.JobAll, m.Sign(pb.Kind_KIND_NOTICE, n))
}
