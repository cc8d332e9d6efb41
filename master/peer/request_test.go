package peer_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

func TestCall(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1").start(), l.node("m2").start()
	m2.Handle("sys", "drain", func(_ context.Context, from string, payload []byte) (pb.Message, error) {
		return &proto.CancelRequest{Jid: from + string(payload)}, nil
	})
	m2.Handle("sys", "fail", func(context.Context, string, []byte) (pb.Message, error) {
		return nil, errors.New("no room")
	})
	m2.Handle("sys", "huge", func(context.Context, string, []byte) (pb.Message, error) {
		return &proto.BodyReply{Data: make([]byte, 2<<20)}, nil
	})
	reply := &proto.CancelRequest{}
	if err := m1.Call(t.Context(), "m2", "sys", "drain", &proto.Empty{}, reply); err != nil || reply.Jid != "m1" {
		t.Errorf("got %v, %v", reply, err)
	}
	for verb, want := range map[string]string{
		"fail": `cannot ask master "m2" for sys.fail: no room`,
		"huge": "more than the",
		"what": "sys.what is unknown here",
	} {
		err := m1.Call(t.Context(), "m2", "sys", verb, &proto.Empty{}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", verb, err, want)
		}
	}
	huge := &proto.BodyReply{Data: make([]byte, 2<<20)}
	if err := m1.Call(t.Context(), "m2", "sys", "drain", huge, nil); err == nil {
		t.Error("a request above the bus's limit was sent")
	}
}

// sealed is a message as a master, or who holds its key, can make it.
func (l *lab) sealed(key ed25519.PrivateKey, m *proto.PeerMessage) []byte {
	l.t.Helper()
	body, err := pb.Marshal(m)
	if err != nil {
		l.t.Fatal(err)
	}
	data, err := pb.Marshal(pki.Sign(key, l.site.Site(), proto.Kind_KIND_PEER, body))
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

func TestForgedAndReplayedRequests(t *testing.T) {
	l := newLab(t)
	m1, m2, m3 := l.node("m1"), l.node("m2"), l.node("m3")
	m1.start()
	var served atomic.Int32
	m1.Handle("sys", "drain", func(context.Context, string, []byte) (pb.Message, error) {
		served.Add(1)
		return &proto.Empty{}, nil
	})
	_, stranger, _ := ed25519.GenerateKey(nil)
	raw := l.connect()
	to := subject.Peer("sys", "m1", "drain")
	inbox := subject.PeerInbox("m2") + ".x"
	answers, err := raw.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	serial := byte(0)
	good := func() *proto.PeerMessage {
		serial++
		id := fmt.Appendf(nil, "%016d", serial)
		return &proto.PeerMessage{From: "m2", Subject: to, At: time.Now().UnixMicro(), Id: id}
	}
	with := func(change func(*proto.PeerMessage)) []byte {
		m := good()
		change(m)
		return l.sealed(m2.id.Key, m)
	}
	env := &proto.Envelope{}
	if err := pb.Unmarshal(l.sealed(m2.id.Key, good()), env); err != nil {
		t.Fatal(err)
	}
	env.Body = append(env.Body, 0x12, 0x00)
	changed, _ := pb.Marshal(env)
	wrongKind, _ := pb.Marshal(pki.Sign(m2.id.Key, l.site.Site(), proto.Kind_KIND_JOB, []byte("x")))
	otherSite, err := pki.NewSite("other", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := pb.Marshal(good())
	elsewhere, _ := pb.Marshal(pki.Sign(m2.id.Key, otherSite.Site(), proto.Kind_KIND_PEER, body))
	replay := l.sealed(m2.id.Key, good())
	for name, c := range map[string]struct {
		reply string
		data  []byte
	}{
		"empty":              {inbox, nil},
		"garbage":            {inbox, []byte("\xff\xff garbage")},
		"truncated":          {inbox, replay[:len(replay)/2]},
		"unsigned":           {inbox, body},
		"changed":            {inbox, changed},
		"another kind":       {inbox, wrongKind},
		"another site":       {inbox, elsewhere},
		"unknown key":        {inbox, l.sealed(stranger, good())},
		"another's name":     {inbox, l.sealed(m3.id.Key, good())},
		"for another verb":   {inbox, with(func(m *proto.PeerMessage) { m.Subject = "sys.m1.status" })},
		"for another master": {inbox, with(func(m *proto.PeerMessage) { m.Subject = "sys.m3.drain" })},
		"no id":              {inbox, with(func(m *proto.PeerMessage) { m.Id = nil })},
		"old":                {inbox, with(func(m *proto.PeerMessage) { m.At -= 61e6 })},
		"before our start":   {inbox, with(func(m *proto.PeerMessage) { m.At -= 50e6 })},
		"early":              {inbox, with(func(m *proto.PeerMessage) { m.At += 61e6 })},
		"reply to job.all":   {subject.JobAll, l.sealed(m2.id.Key, good())},
		"reply to hb":        {subject.Heartbeat, l.sealed(m2.id.Key, good())},
		"reply to a peer":    {subject.Peer("repl", "m3", "commit"), l.sealed(m2.id.Key, good())},
		"reply to another":   {subject.PeerInbox("m3") + ".x", l.sealed(m2.id.Key, good())},
		"no reply":           {"", l.sealed(m2.id.Key, good())},
	} {
		if err := raw.PublishMsg(&nats.Msg{Subject: to, Reply: c.reply, Data: c.data}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	l.settle(raw, m1)
	if n := served.Load(); n != 0 {
		t.Errorf("%d bad requests were served", n)
	}
	l.noAnswers(answers)

	for range 3 {
		if err := raw.PublishRequest(to, inbox, replay); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the good request served", func() bool { return served.Load() > 0 })
	l.settle(raw, m1)
	if n := served.Load(); n != 1 {
		t.Errorf("a replayed request was served %d times", n)
	}
}

// settle waits until m has judged everything that conn sent.
func (l *lab) settle(conn *nats.Conn, m *node) {
	l.t.Helper()
	if err := conn.Flush(); err != nil {
		l.t.Fatal(err)
	}
	other := l.node("settler" + fmt.Sprint(time.Now().UnixNano())).start()
	defer other.halt()
	if err := other.Call(l.t.Context(), m.id.Name, "sys", "nothing", &proto.Empty{}, nil); err == nil {
		l.t.Fatal("sys.nothing was answered")
	}
}

// noAnswers makes sure that the master published to nobody but the askers that
// may hear: a message to the sender's inbox must be an error signed for it.
func (l *lab) noAnswers(all *nats.Subscription) {
	l.t.Helper()
	for {
		msg, err := all.NextMsg(time.Millisecond)
		if err != nil {
			return
		}
		env, m := &proto.Envelope{}, &proto.PeerMessage{}
		if pb.Unmarshal(msg.Data, env) != nil || pb.Unmarshal(env.Body, m) != nil {
			continue
		}
		if !strings.HasPrefix(m.Subject, "reply:") {
			continue
		}
		asker := strings.HasPrefix(msg.Subject, subject.PeerInbox("m2")+".")
		if !asker && !strings.Contains(msg.Subject, "settler") || m.Error == "" {
			l.t.Errorf("answered on %q: %v", msg.Subject, m)
		}
	}
}

func TestForgedHeartbeats(t *testing.T) {
	l := newLab(t)
	m1, m2 := l.node("m1"), l.node("m2")
	m1.start()
	raw := l.connect()
	tape, err := raw.SubscribeSync(subject.Heartbeat)
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	m2.start()
	eventually(t, "m2 live", liveIs(m1, "m1", "m2"))
	m2.halt()
	eventually(t, "m2 missed", liveIs(m1, "m1"))

	payload, _ := pb.Marshal(&proto.Heartbeat{Instance: "x", StartedAt: time.Now().UnixMicro()})
	_, stranger, _ := ed25519.GenerateKey(nil)
	beat := &proto.PeerMessage{
		From: "m2", Subject: subject.Heartbeat, At: time.Now().UnixMicro(), Id: make([]byte, 16), Payload: payload,
	}
	bad := [][]byte{nil, []byte("garbage"), payload, l.sealed(stranger, beat)}
	beat.At -= 61e6
	bad = append(bad, l.sealed(m2.id.Key, beat))
	beat.At, beat.Payload = time.Now().UnixMicro(), []byte("\xff\xff")
	bad = append(bad, l.sealed(m2.id.Key, beat))
	beat.From = "m1"
	bad = append(bad, l.sealed(m2.id.Key, beat))
	for played := 0; ; played++ {
		msg, err := tape.NextMsg(time.Millisecond)
		if err != nil {
			break
		}
		bad = append(bad, msg.Data)
	}
	for _, data := range bad {
		if err := raw.Publish(subject.Heartbeat, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	// A good one, so that all before it were judged.
	m3 := l.node("m3").start()
	eventually(t, "m3 live", func() bool { return m1.Beat("m3") != nil })
	if live := m1.Live(); strings.Contains(strings.Join(live, " "), "m2") {
		t.Errorf("live on forged or old heartbeats: %v", live)
	}
	if len(m1.other) > 0 {
		t.Error("a forged heartbeat made a duplicate")
	}
	m3.halt()
}

func TestForgedAnswers(t *testing.T) {
	l := newLab(t)
	m1, m2, m3 := l.node("m1"), l.node("m2"), l.node("m3")
	m1.start()
	raw := l.connect()
	to := subject.Peer("sys", "m2", "ask")
	bad := 0
	_, err := raw.Subscribe(to, func(msg *nats.Msg) {
		env, req := &proto.Envelope{}, &proto.PeerMessage{}
		if pb.Unmarshal(msg.Data, env) != nil || pb.Unmarshal(env.Body, req) != nil {
			return
		}
		answer := func(key ed25519.PrivateKey, change func(*proto.PeerMessage)) []byte {
			m := &proto.PeerMessage{From: "m2", Subject: "reply:" + to, At: time.Now().UnixMicro(), Id: req.Id}
			change(m)
			return l.sealed(key, m)
		}
		none := func(*proto.PeerMessage) {}
		for _, data := range [][]byte{
			[]byte("garbage"), msg.Data,
			answer(m3.id.Key, none),
			answer(m3.id.Key, func(m *proto.PeerMessage) { m.From = "m3" }),
			answer(m2.id.Key, func(m *proto.PeerMessage) { m.Id = make([]byte, 16) }),
			answer(m2.id.Key, func(m *proto.PeerMessage) { m.Subject = to }),
			answer(m2.id.Key, func(m *proto.PeerMessage) { m.Subject = "reply:sys.m2.other" }),
		} {
			bad++
			if err := msg.Respond(data); err != nil {
				t.Error(err)
			}
		}
		right, _ := pb.Marshal(&proto.CancelRequest{Jid: "right"})
		good := answer(m2.id.Key, func(m *proto.PeerMessage) { m.Payload = right })
		if err := msg.Respond(good); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	reply := &proto.CancelRequest{}
	if err := m1.Call(t.Context(), "m2", "sys", "ask", &proto.Empty{}, reply); err != nil || reply.Jid != "right" {
		t.Errorf("after %d bad answers: got %v, %v", bad, reply, err)
	}
}
