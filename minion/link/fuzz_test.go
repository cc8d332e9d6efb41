package link

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
)

// FuzzForeignBytes hands arbitrary bytes to everything that reads what came
// over the bus. Nothing that the site's masters did not sign may have an effect.
func FuzzForeignBytes(f *testing.F) {
	key, err := pki.NewMinionKey()
	if err != nil {
		f.Fatal(err)
	}
	site, err := pki.NewSite("test", time.Now())
	if err != nil {
		f.Fatal(err)
	}
	l, err := New(Options{
		ID: minionID, Key: key, Trust: pki.NewTrust(site.Site()), Masters: []string{"127.0.0.1:1"},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []proto.Message{
		&pb.LinkOrder{Master: "m1", Minion: minionID, IssuedAt: 1, Full: true},
		&pb.Notice{Master: "m1", IssuedAt: 1, Live: []*pb.MasterAddress{{Name: "m2", Bus: "127.0.0.1:2"}}},
	} {
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for _, kind := range []pb.Kind{pb.Kind_KIND_LINK_ORDER, pb.Kind_KIND_NOTICE, pb.Kind_KIND_JOB} {
			data, err := proto.Marshal(pki.Sign(key.Signing, site.Site(), kind, body))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("\x08\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := l.takeOrder(data); err == nil {
			t.Error("an order that no master signed was obeyed")
		}
		l.takeNotice(data)
		l.takeEnrol(data)
		for len(l.events) > 0 {
			(<-l.events)() // the trust bundle may be asked for again, no more
		}
		if len(l.roster.places) != 1 || len(l.notices) != 0 {
			t.Error("a notice that no master signed had an effect")
		}
	})
}
