package lab_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// TestOperatorRequestsServeOnce repeats requests that were copied from the bus:
// at the master they were for, at another one, and after a restart of it.
func TestOperatorRequestsServeOnce(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	stranger := newKey(t)
	accept := marshal(t, &proto.KeyDecideRequest{Patterns: []string{"db1"}, State: proto.KeyState_KEY_ACCEPTED})
	pends(t, s, "m2", "db1", stranger)
	admin := operatorKey(t, s)
	eavesdropper := mustSignIn(t, s, "m1", admin)
	req := eavesdropper.apiRequest("admin", "key.decide")
	req.Payload = accept
	copied := signed(t, s, admin, proto.Kind_KIND_API_REQUEST, req)
	send := func(at, to string) *proto.ApiReply {
		p := mustSignIn(t, s, at, admin)
		defer p.conn.Close()
		inbox := subject.Inbox(subject.OperatorToken("admin")) + ".copied"
		heard := p.hears(inbox)
		must(t, p.conn.PublishRequest(subject.API(to, "key.decide"), inbox, copied))
		reply := &proto.ApiReply{}
		must(t, pb.Unmarshal(await(t, "an answer of "+to, heard, func(*nats.Msg) bool { return true }).Data, reply))
		return reply
	}
	if r := send("m2", "m1"); r.Error != nil {
		t.Fatalf("the first time: got %v", r.Error)
	}
	must(t, decide(t, s.Client, "db1", proto.KeyState_KEY_DELETED))
	restart := func() {
		s.Stop("m1")
		s.StartMaster("m1")
		s.Together()
	}
	for name, again := range map[string]func() *proto.ApiReply{
		"at another master": func() *proto.ApiReply { return send("m2", "m2") },
		"again":             func() *proto.ApiReply { return send("m1", "m1") },
		"after a restart":   func() *proto.ApiReply { restart(); return send("m2", "m1") },
	} {
		if r := again(); r.Error == nil {
			t.Errorf("%s: it was served", name)
		}
	}
	list := &proto.KeyListReply{}
	must(t, s.Client.Call(within(t), "key.list", &proto.KeyListRequest{Patterns: []string{"db1"}}, list))
	for _, k := range list.Keys {
		if k.State == proto.KeyState_KEY_ACCEPTED {
			t.Error("a request that was repeated accepted a key again")
		}
	}
	if since := time.Since(time.UnixMicro(req.IssuedAt)); since > 50*time.Second {
		t.Errorf("the test took %v: its request was too old to be taken anyhow", since)
	}
	if err := decide(t, s.Client, "none", proto.KeyState_KEY_ACCEPTED); !client.IsCode(err, proto.ApiError_NOT_FOUND) {
		t.Errorf("the operator's own client after the restart: got %v", err)
	}
}
