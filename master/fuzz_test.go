package master

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/keys"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

func TestEventsOfMinions(t *testing.T) {
	for _, c := range []struct {
		subject, tag, data string
		ok                 bool
	}{
		{"evt.web1.load.high", "load/high", `{"a": 1}`, true},
		{"evt.web1.salt.beacon.web1.load", "salt/beacon/web1/load", `{}`, true},
		{"evt.web1.salt.minion.web1", "salt/minion/web1", `{}`, true},
		{"evt.web1.load.high", "load/low", `{}`, false},
		{"evt.web1.load", "load", ``, false},
		{"evt.web1.load", "load", `{`, false},
		{"evt.web1.salt.job.1.new", "salt/job/1/new", `{}`, false},
		{"evt.web1.salt.key", "salt/key", `{}`, false},
		{"evt.web1.salt.beacon.web2.load", "salt/beacon/web2/load", `{}`, false},
		{"evt.web1.salt.minion.web11.start", "salt/minion/web11/start", `{}`, false},
		{"evt.web1.salt.job.1.new", "salt.job.1.new", `{}`, false}, // as a subject it is the same
		{"evt.web1.salt.beacon.web2.load", "salt.beacon/web2/load", `{}`, false},
		{"evt.web1.salt.beacon.web1.org.load", "salt/beacon/web1.org/load", `{}`, false},
		{"evt.web1.salt.beacon.web1.load", "salt/beacon/web1.load", `{}`, false},
		{"evt.web1.salt.job.20260131120000000123.prog.web1.3", "salt/job/20260131120000000123/prog/web1/3", `{}`, true},
		{"evt.web1.salt.job.20260131120000000123.prog.web2.3", "salt/job/20260131120000000123/prog/web2/3", `{}`, false},
		{"evt.web1.salt.job.20260131120000000123.prog.web1.x", "salt/job/20260131120000000123/prog/web1/x", `{}`, false},
		{"evt.web1.salt.job.20260131120000000123.prog.web1.", "salt/job/20260131120000000123/prog/web1/", `{}`, false},
		{"evt.web1.salt.job.7.prog.web1.3", "salt/job/7/prog/web1/3", `{}`, false},
		{"evt.web1.salt.job.20260131120000000123.ret.web1", "salt/job/20260131120000000123/ret/web1", `{}`, false},
		{"evt.web1", "", `{}`, false},
	} {
		data, err := pb.Marshal(&proto.Event{Tag: c.tag, Origin: "web2", Data: []byte(c.data), At: time.Now().UnixMicro()})
		if err != nil {
			t.Fatal(err)
		}
		e, err := readEvent(c.subject, data, time.Now())
		if (err == nil) != c.ok {
			t.Errorf("%s with tag %q: got %v", c.subject, c.tag, err)
		}
		if err == nil && e.Origin != "web1" {
			t.Errorf("%s: origin is %q", c.subject, e.Origin)
		}
	}
	for off, ok := range map[time.Duration]bool{-time.Hour: true, 50 * time.Second: true, 2 * time.Minute: false} {
		now := time.Now()
		data, err := pb.Marshal(&proto.Event{Tag: "load", Data: []byte("{}"), At: now.Add(off).UnixMicro()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readEvent("evt.web1.load", data, now); (err == nil) != ok {
			t.Errorf("%v ahead: got %v", off, err)
		}
	}
}

// FuzzUnpack: what another master passes on is taken whole or not at all.
func FuzzUnpack(f *testing.F) {
	for _, b := range []*proto.RelayBatch{
		{}, {Subjects: []string{"ret.web1.fin"}, Data: [][]byte{{1}}}, {Subjects: []string{"ret.web1.acc"}}, {Data: [][]byte{nil}},
	} {
		data, err := pb.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		if err := unpack(data, func(string, []byte) { n++ }); err != nil && n > 0 {
			t.Errorf("%d messages were taken, then: %v", n, err)
		}
	})
}

func FuzzReadEvent(f *testing.F) {
	for _, e := range []*proto.Event{
		{Tag: "load/high", Data: []byte("{}"), At: 1}, {Tag: "salt/job/1/new", Data: []byte("1")}, {},
	} {
		data, err := pb.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(subject.Event("web1", e.Tag), data)
	}
	f.Fuzz(func(t *testing.T, on string, data []byte) {
		e, err := readEvent(on, data, time.Now())
		if err != nil {
			return
		}
		if id, _, err := subject.ParseEvent(on); err != nil || e.Origin != id {
			t.Errorf("origin %q of an event on %q", e.Origin, on)
		}
		if strings.HasPrefix(strings.ReplaceAll(e.Tag, "/", "."), "salt.job.") || !json.Valid(e.Data) {
			t.Errorf("event %q was taken", e.Tag)
		}
	})
}

// FuzzOperatorRequest: no bytes but what the operator has signed, for this
// master and verb, once and in time, become a call.
func FuzzOperatorRequest(f *testing.F) {
	ctx := context.Background()
	site, err := pki.NewSite("test", time.Now())
	if err != nil {
		f.Fatal(err)
	}
	db, err := store.Open(filepath.Join(f.TempDir(), "store.db"), store.Options{Master: "m1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	known, err := keys.New(ctx, keys.Options{Master: "m1", Store: db, Log: hclog.NewNullLogger()})
	if err != nil {
		f.Fatal(err)
	}
	key, err := pki.NewOperatorKey()
	if err != nil {
		f.Fatal(err)
	}
	op := &proto.OperatorRecord{Name: "ann", Key: key.Public().(ed25519.PublicKey)}
	if _, err := known.SetOperator(ctx, op); err != nil {
		f.Fatal(err)
	}
	m := &Master{id: &pki.Identity{Name: "m1", CA: site.CA()}, keys: known, log: hclog.NewNullLogger()}
	o := newOperators(ctx, m, "start1")
	now := time.Now().UnixMicro()
	for _, r := range []*proto.ApiRequest{
		{Operator: "ann", Master: "m1", Instance: "start1", Verb: "key.list", Id: make([]byte, 16), IssuedAt: now},
		{Operator: "bob", Master: "m2", Verb: "key.list", Id: make([]byte, 15), IssuedAt: now - 1e9}, {},
	} {
		body, err := pb.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		data, err := pb.Marshal(pki.Sign(key, site.Site(), proto.Kind_KIND_API_REQUEST, body))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign {
			data, _ = pb.Marshal(pki.Sign(key, site.Site(), proto.Kind_KIND_API_REQUEST, data))
		}
		msg := &nats.Msg{Subject: subject.API("m1", "key.list"), Data: data}
		c, err := o.open(msg)
		switch {
		case c == nil && err == nil:
			t.Error("neither a call nor an error")
		case err == nil && (c.request.Verb != "key.list" || c.request.Master != "m1" || c.operator.Name != "ann"):
			t.Errorf("got %v", c.request)
		case err == nil:
			if _, err := o.open(msg); err == nil {
				t.Error("the same request was taken twice")
			}
		}
	})
}

// FuzzBackup: what is no backup is refused before anything is changed.
func FuzzBackup(f *testing.F) {
	var whole bytes.Buffer
	w := tar.NewWriter(&whole)
	for _, name := range append([]string{storeEntry, "master.toml"}, backupFiles...) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: 3}); err != nil {
			f.Fatal(err)
		}
		if _, err := io.WriteString(w, "abc"); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:600])
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if (&staged{dir: t.TempDir()}).unpack(bytes.NewReader(data)) != nil {
			return
		}
		for _, name := range append([]string{storeEntry, "master.toml"}, backupFiles...) {
			if !bytes.Contains(data, []byte(name)) {
				t.Errorf("%s is not in it", name)
			}
		}
	})
}
