package master

import (
	"cmp"
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const (
	chunk      = 64 << 10 // of a file over the bus
	unusedBlob = 31 * 24 * time.Hour
	maxEnrols  = 1024 // that wait to be answered
	maxAsks    = 8192 // likewise, of accepted minions
	askers     = 4
)

// chores is what hooks have put off: they run where nothing may wait.
type chores struct {
	mu   sync.Mutex // guards the field below
	todo []func()
	wake chan struct{}
}

func newChores() *chores { return &chores{wake: make(chan struct{}, 1)} }

// later has f run soon, after what was put off before it.
func (m *Master) later(f func()) {
	m.chores.mu.Lock()
	m.chores.todo = append(m.chores.todo, f)
	m.chores.mu.Unlock()
	select {
	case m.chores.wake <- struct{}{}:
	default:
	}
}

// doLater runs what was put off, until ctx ends.
func (m *Master) doLater(ctx context.Context) {
	for {
		select {
		case <-m.chores.wake:
		case <-ctx.Done():
			return
		}
		m.chores.mu.Lock()
		todo := m.chores.todo
		m.chores.todo = nil
		m.chores.mu.Unlock()
		for _, f := range todo {
			f()
		}
	}
}

// keepHouse removes what is older than the retention, now and then.
func (m *Master) keepHouse(ctx context.Context) {
	tick := time.NewTicker(houseKeep)
	defer tick.Stop()
	for {
		m.setRoutes()
		if _, err := m.files.Tree(ctx, ""); err != nil && ctx.Err() == nil {
			m.log.Error("cannot read the file tree", "err", err)
		}
		if err := m.prune(ctx); err != nil && ctx.Err() == nil {
			m.log.Error("cannot remove old records", "err", err)
		}
		if err := m.files.Prune(time.Now().Add(-unusedBlob)); err != nil {
			m.log.Error("cannot remove unused file content", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// routes are the route addresses of the other masters that the bundle trusts:
// as the configuration says, or as they told.
func (m *Master) routes(ctx context.Context) []string {
	told := map[string]string{}
	masters, err := m.store.Masters(ctx)
	if err != nil {
		m.log.Error("cannot read the masters' addresses", "err", err)
	}
	for _, a := range masters {
		told[a.Name] = a.Route
	}
	var out []string
	for _, k := range m.trust.Bundle().GetMasters() {
		if k.Name == m.id.Name || k.Revoked {
			continue
		}
		address := m.o.Config.Peers[k.Name].Route
		if address == "" {
			address = told[k.Name]
		}
		if address != "" && !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out
}

func (m *Master) setRoutes() {
	if err := m.broker.SetRoutes(m.routes(context.Background())); err != nil {
		m.log.Error("cannot set the routes to other masters", "err", err)
	}
}

// fetchTree gets what is missing of a tree from another master.
func (m *Master) fetchTree(ctx context.Context, tree, from string) error {
	address := m.o.Config.Peers[from].Files
	if address == "" {
		address = m.peers.Beat(from).GetAddress().GetFiles()
	}
	return m.files.Ensure(ctx, tree, address, pki.PeerTLS(m.id, m.trust))
}

func (m *Master) fillBeat(h *proto.Heartbeat) {
	h.BundleSerial, h.Version = m.trust.Serial(), proto.Version
	h.CertificateNotAfter = m.id.Now().Certificate.NotAfter.UnixMicro()
	h.Minions = uint32(m.broker.Minions())
	h.Tree = m.files.Current("base")
	if horizon := m.store.Horizon(); !horizon.IsZero() {
		h.Horizon = horizon.UnixMicro()
	}
	h.Schedule, h.Nodegroups = m.scheduledNames(), m.o.Config.groupSums()
	h.Warnings, h.Returner, h.Reactor = m.warnings.list(), m.returnerState(), m.reactorState()
	h.Channels = m.notes.Channels()
	if err := m.store.Err(); err != nil {
		h.State = err.Error()
	} else if m.store.Aside() != "" {
		h.State = "filling its store again"
	}
	h.Draining = m.draining()
}

// An ask is a minion's request that waits for its answer; the subject proves who asks.
type ask struct {
	msg      *nats.Msg
	id, verb string
}

// asked puts a minion's request aside, so that one that takes long holds up no other. When too many wait, or too many of the
// same minion, it is dropped; the minion asks again.
func (m *Master) asked(msg *nats.Msg) {
	if m.askedPillar(msg) {
		return
	}
	id, verb, err := subject.ParseRequest(msg.Subject)
	if err != nil || !m.shortly.begin(id, maxShort) {
		return
	}
	queue := m.asks
	if verb == subject.Push { // the disk takes as long as it takes
		queue = m.pushes
	}
	select {
	case queue <- ask{msg, id, verb}:
	default:
		m.shortly.end(id)
	}
}

// serveAsks answers what waits in a queue.
func (m *Master) serveAsks(ctx context.Context, queue <-chan ask) {
	for {
		select {
		case a := <-queue:
			m.minionAsks(ctx, a)
			m.shortly.end(a.id)
		case <-ctx.Done():
			return
		}
	}
}

// minionAsks answers a minion's request.
func (m *Master) minionAsks(ctx context.Context, a ask) {
	msg, id, verb := a.msg, a.id, a.verb
	if verb == subject.Bundle {
		m.toldBundle(id, msg.Data) // whoever it comes through, and if the minion has left after it
	}
	if !m.broker.ConnectedHere(id) {
		return // another master's minion: that one answers
	}
	if (verb == subject.File || verb == subject.Push) && !m.broker.OnlineHere(id) && m.broker.Online(id) {
		return // the one that the minion hears: what is large is not sent twice
	}
	var answer pb.Message
	var err error
	switch verb {
	case subject.Bundle:
		answer, err = m.bundleReply(id, msg.Data)
	case subject.Seen:
		answer, err = m.jobs.Seen(ctx, id)
	case subject.File:
		answer, err = m.fileReply(msg.Data)
	case subject.Push:
		answer, err = m.pushReply(id, msg.Data)
	case subject.Tree:
		answer, err = m.treeReply(ctx, msg.Data)
	case subject.Rotate:
		if !m.broker.OnlineHere(id) && m.broker.Online(id) {
			return // one that stores it is enough
		}
		answer = m.keys.Rotate(ctx, id, msg.Data, m.addressOf(id))
	default:
		return
	}
	if err != nil {
		m.complain(id, "cannot answer minion", "minion", id, "verb", verb, "err", err)
		return
	}
	data, err := pb.Marshal(answer)
	if err == nil {
		err = m.broker.Reply(msg, subject.Token(id), data)
	}
	if err != nil {
		m.complain(id, "cannot answer minion", "minion", id, "verb", verb, "err", err)
	}
}

func (m *Master) bundleReply(id string, data []byte) (pb.Message, error) {
	req := &proto.BundleRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, err
	}
	m.bundles.set(id, req.Serial)
	reply := &proto.BundleReply{Bundle: m.trust.Envelope(), Master: m.id.Name, Now: time.Now().UnixMicro()}
	for _, name := range m.peers.Live() {
		if a := m.peers.Beat(name).GetAddress(); a != nil {
			reply.Masters = append(reply.Masters, a)
		}
	}
	return reply, nil
}

func (m *Master) fileReply(data []byte) (pb.Message, error) {
	req := &proto.FileRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, err
	}
	piece, size, err := m.files.Chunk(req.Sha256, req.Offset, chunk)
	if err != nil {
		return &proto.FileReply{Error: err.Error()}, nil
	}
	return &proto.FileReply{Data: piece, Size: size}, nil
}

// treeReply names the files that a job which the minion makes itself sees.
func (m *Master) treeReply(ctx context.Context, data []byte) (pb.Message, error) {
	req := &proto.TreeRequest{}
	if err := pb.Unmarshal(data, req); err != nil {
		return nil, err
	}
	tree, err := m.files.Tree(ctx, req.Environment)
	if err != nil {
		return &proto.TreeReply{Error: err.Error()}, nil
	}
	reply := &proto.TreeReply{Tree: tree}
	if !req.All {
		return reply, nil
	}
	for _, env := range m.files.Environments() {
		if env == cmp.Or(req.Environment, "base") {
			continue
		}
		e := &proto.EnvironmentTree{Name: env}
		if e.Tree, e.Commits, err = m.files.TreeFrom(ctx, env); err != nil {
			e.Why = err.Error()
		}
		reply.Environments = append(reply.Environments, e)
	}
	return reply, nil
}

// askedToEnrol puts a request aside: to answer it takes a commit at the other
// masters. When too many wait it is dropped; the minion asks again.
func (m *Master) askedToEnrol(msg *nats.Msg) {
	select {
	case m.enrols <- msg:
	default:
	}
}

func (m *Master) serveEnrols(ctx context.Context) {
	for {
		select {
		case msg := <-m.enrols:
			m.enrol(ctx, msg)
		case <-ctx.Done():
			return
		}
	}
}

// enrol answers a key that is not accepted yet.
func (m *Master) enrol(ctx context.Context, msg *nats.Msg) {
	pub, err := subject.ParseEnrol(msg.Subject)
	if err != nil {
		return
	}
	address := m.broker.Address(pub)
	if address == "" {
		return // another master's connection: that one answers
	}
	reply, err := pb.Marshal(m.keys.Enrol(ctx, pub, msg.Data, address))
	if err == nil {
		err = m.broker.Site().Publish(subject.EnrolReply(pub), reply)
	}
	if err != nil {
		m.log.Warn("cannot answer an enrolment", "err", err)
	}
}

// tellAccepted lets a waiting minion know at once.
func (m *Master) tellAccepted(key []byte) {
	pub := pki.NKey(key)
	data, err := pb.Marshal(&proto.EnrolReply{Status: proto.EnrolReply_ACCEPTED})
	if err == nil {
		err = m.broker.Site().Publish(subject.EnrolReply(pub), data)
	}
	if err != nil {
		m.log.Warn("cannot tell a minion that it is accepted", "err", err)
	}
}

// tellOperator keeps this master's address beside the first operator's
// configuration, which was made before the address was known.
func (m *Master) tellOperator() {
	config := m.layout.OperatorConfig()
	if _, err := os.Stat(config); err != nil {
		return // another master's host
	}
	known := client.LoadMasters(config)
	if slices.Contains(known, m.address.Bus) {
		return
	}
	if err := client.SaveMasters(config, append(known, m.address.Bus)); err != nil {
		m.log.Warn("cannot tell the operator's command where this master is", "file", config, "err", err)
	}
}

// advertised is what others are told of a listener: what the configuration
// says, or the address it is bound to, with this host's name in place of "any".
func advertised(configured, bound string) string {
	if configured != "" {
		return configured
	}
	host, port, err := net.SplitHostPort(bound)
	ip := net.ParseIP(host)
	if err != nil || ip == nil || !ip.IsUnspecified() {
		return bound
	}
	name, err := os.Hostname()
	if err != nil {
		return bound
	}
	return net.JoinHostPort(name, port)
}
