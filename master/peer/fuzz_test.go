package peer

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// newPost is a master of a site of its own.
func newPost(f *testing.F) *post {
	f.Helper()
	site, err := pki.NewSite("fuzz", time.Now())
	if err != nil {
		f.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	bundle, err := site.SignBundle(&proto.Bundle{Serial: 1, Masters: []*proto.MasterKey{
		{Name: "m1", Key: key.Public().(ed25519.PublicKey)},
	}})
	if err != nil {
		f.Fatal(err)
	}
	trust := pki.NewTrust(site.Site())
	if _, err := trust.Update(bundle); err != nil {
		f.Fatal(err)
	}
	return &post{name: "m1", own: &pki.Identity{Key: key}, site: site.Site(), trust: trust, now: time.Now}
}

// Bytes from the bus, as they are.
func FuzzOpen(f *testing.F) {
	p := newPost(f)
	good, err := p.seal(&proto.PeerMessage{Subject: "hb", Id: newID(), Payload: []byte("x")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Add(good[:len(good)/2])
	want := &proto.Envelope{}
	if err := pb.Unmarshal(good, want); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := p.open(data, "hb")
		var clock *clockError
		if err != nil && !errors.As(err, &clock) {
			return
		}
		got := &proto.Envelope{}
		if err := pb.Unmarshal(data, got); err != nil || string(got.Body) != string(want.Body) {
			t.Errorf("accepted what nobody signed: %v", m)
		}
	})
}

// Bytes that a master signed, but that nobody promised anything about.
func FuzzSigned(f *testing.F) {
	p := newPost(f)
	m := &proto.PeerMessage{From: "m1", Subject: "hb", At: time.Now().UnixMicro(), Id: newID()}
	body, err := pb.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte("\x0a\x02m1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		data, err := pb.Marshal(pki.Sign(p.own.Key, p.site, proto.Kind_KIND_PEER, body))
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := p.open(data, "hb"); err == nil && (m.From != "m1" || m.Subject != "hb" || len(m.Id) != idSize) {
			t.Errorf("accepted %v", m)
		}
	})
}

// A page of another master's log.
func FuzzCut(f *testing.F) {
	page := &proto.Page{Last: 9, Entries: []*proto.LogEntry{
		{Sequence: 3, Record: &proto.Record{Id: "a"}}, {Sequence: 5, Record: &proto.Record{Id: "b"}, Size: 4},
		{Sequence: 9, Record: &proto.Record{Id: "c"}},
	}}
	good, err := pb.Marshal(page)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, int64(2), int64(5))
	f.Add([]byte{}, int64(0), int64(1))
	f.Fuzz(func(t *testing.T, data []byte, after, target int64) {
		page := &proto.Page{}
		if pb.Unmarshal(data, page) != nil || after < 0 || target <= after {
			return
		}
		l := &puller{m: &master{name: "m2"}, target: target}
		entries, end, err := l.cut(page, after)
		if err != nil {
			return
		}
		if end <= after || end > target {
			t.Errorf("from %d to %d, up to %d", after, end, target)
		}
		for _, e := range entries {
			if e.Sequence <= after || e.Sequence > end || e.Record.Id == "" {
				t.Errorf("entry %v between %d and %d", e, after, end)
			}
			after = e.Sequence
		}
	})
}
