package lab_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// repliesGoHome: whatever subject a minion, an operator or a stranger names
// for the answer, a master says nothing there unless it is their own inbox.
func repliesGoHome(t *testing.T, s *lab.Site) {
	web2, admin := s.Minions["web2"].Key().Signing, operatorKey(t, s)
	var ears []chan *nats.Msg
	for _, master := range []string{"m1", "m2"} {
		ears = append(ears,
			mustSignIn(t, s, master, web2).hears(subject.JobAll, subject.Job("web2"), subject.Inbox("web2")+".>"),
			mustSignIn(t, s, master, admin).hears(subject.Inbox(subject.OperatorToken("admin"))+".>"))
	}
	for _, master := range []string{"m1", "m2"} {
		minion := mustSignIn(t, s, master, s.Minions["web1"].Key().Signing)
		stranger := mustSignIn(t, s, master, newKey(t))
		root := mustSignIn(t, s, master, admin)
		replies := slices.DeleteFunc(table(minion.nkey, stranger.nkey), is(subject.Ack("web1"), subject.Inbox("web1")+".x"))
		replies = append(replies, "", "_INBOX_web1.", "_INBOX_web1..x", "_INBOX_web1.*", "_INBOX_web1.>")
		bundle := marshal(t, &proto.BundleRequest{Serial: 1})
		enrol := marshal(t, &proto.EnrolRequest{
			Id: "db1", SigningKey: publicOf(stranger.key), SealingKey: make([]byte, 32),
		})
		for _, reply := range replies {
			for _, verb := range []string{subject.Bundle, subject.Seen, subject.File} {
				must(t, minion.conn.PublishMsg(
					&nats.Msg{Subject: subject.Request("web1", verb), Reply: reply, Data: bundle}))
			}
			must(t, minion.conn.PublishMsg(&nats.Msg{Subject: subject.Final("web1", "1"), Reply: reply, Data: bundle}))
			must(t, stranger.conn.PublishMsg(
				&nats.Msg{Subject: subject.EnrolRequest(stranger.nkey), Reply: reply, Data: enrol}))
			for _, verb := range []string{"key.list", "no.verb"} {
				if reply == subject.Inbox(subject.OperatorToken("admin"))+".x" {
					continue
				}
				data := signed(t, s, admin, proto.Kind_KIND_API_REQUEST, root.apiRequest("admin", verb))
				must(t, root.conn.PublishMsg(&nats.Msg{Subject: subject.API(master, verb), Reply: reply, Data: data}))
			}
		}
		own := minion.hears(subject.Inbox("web1") + ".answer")
		ctx := within(t)
		for answered := false; !answered; { // of so many questions some are dropped: it asks again, as a minion does
			must(t, ctx.Err())
			must(t, minion.conn.PublishRequest(subject.Request("web1", subject.Bundle), subject.Inbox("web1")+".answer", bundle))
			select {
			case m := <-own:
				answered = len(m.Data) > 0
			case <-time.After(300 * time.Millisecond):
			}
		}
		must(t, root.conn.FlushTimeout(patience))
		must(t, stranger.conn.FlushTimeout(patience))
	}
	for i, heard := range ears {
		for len(heard) > 0 {
			if m := <-heard; !expected(t, s, m) {
				t.Errorf("%d heard %d bytes on %s", i, len(m.Data), m.Subject)
			}
		}
	}
	works(t, s, 2)
}

// expected are the messages that a site sends by itself.
func expected(t *testing.T, s *lab.Site, m *nats.Msg) bool {
	t.Helper()
	env, ack := &proto.Envelope{}, &proto.Ack{}
	if m.Subject == subject.Ack("web2") && pb.Unmarshal(m.Data, ack) == nil && len(ack.Items)+len(ack.Others) > 0 {
		return s.Masters[ack.Master] != nil
	}
	if pb.Unmarshal(m.Data, env) != nil {
		return false
	}
	_, err := pki.Verify(env, s.Client.Trust().Pin(), env.Kind, s.Client.Trust().Check)
	return err == nil
}
