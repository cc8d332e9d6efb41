package grains_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/grains"
	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newDB(t *testing.T) (*grains.DB, *store.Store) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: "m1", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return grains.New(s, func() time.Time { return now }), s
}

// hear hands a message in and waits for the answer.
func hear(t *testing.T, db *grains.DB, minion string, data []byte) *proto.ToldReply {
	t.Helper()
	answers := make(chan *proto.ToldReply, 1)
	db.Hear(t.Context(), subject.Grains(subject.Token(minion)), data, func(id string, a *proto.ToldReply) {
		if id != minion {
			t.Errorf("answers %q, want %q", id, minion)
		}
		answers <- a
	})
	return <-answers
}

func message(t *testing.T, at time.Time, data string, warnings ...string) []byte {
	t.Helper()
	m, err := pb.Marshal(&proto.Grains{At: at.UnixMicro(), Data: []byte(data), Warnings: warnings, Minion: "somebody.else"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGrainsAreStored(t *testing.T) {
	db, s := newDB(t)
	if _, err := db.Of(t.Context(), "web1.example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before: got %v", err)
	}
	for i, step := range []struct {
		at       time.Time
		data     string
		answer   time.Time
		stored   string
		sequence int64
	}{
		{now, `{"a":1}`, now, `{"a":1}`, 1},
		{now, `{"a":1}`, now, `{"a":1}`, 1},                                           // sent twice
		{now.Add(time.Second), `{"a":1}`, now.Add(time.Second), `{"a":1}`, 1},         // nothing new
		{now.Add(2 * time.Second), `{"a":2}`, now.Add(2 * time.Second), `{"a":2}`, 2}, // changed
		{now.Add(time.Second), `{"a":3}`, now.Add(2 * time.Second), `{"a":2}`, 2},     // its clock was set back
		{now.Add(3 * time.Second), `{"a":3}`, now.Add(3 * time.Second), `{"a":3}`, 3}, // so it stamps later
	} {
		a := hear(t, db, "web1.example.com", message(t, step.at, step.data))
		g, err := db.Of(t.Context(), "web1.example.com")
		_, _, last := s.Set()
		if err != nil || a.Error != "" || a.At != step.answer.UnixMicro() || string(g.Data) != step.stored ||
			g.Minion != "web1.example.com" || last != step.sequence {
			t.Errorf("%d: got %v, %v, %v, sequence %d", i, a, g, err, last)
		}
	}
}

func TestWarningsAreNewsToo(t *testing.T) {
	db, _ := newDB(t)
	hear(t, db, "web1", message(t, now, `{}`))
	hear(t, db, "web1", message(t, now.Add(time.Second), `{}`, "cannot read x"))
	if g, err := db.Of(t.Context(), "web1"); err != nil || len(g.Warnings) != 1 {
		t.Errorf("got %v, %v", g, err)
	}
}

func TestWhatAnotherMasterStoredCounts(t *testing.T) {
	db, s := newDB(t)
	hear(t, db, "web1", message(t, now, `{"a":1}`))
	rec, err := store.NewRecord(now.Add(5*time.Second).UnixMicro(), "web1",
		&proto.Grains{Minion: "web1", At: now.Add(5 * time.Second).UnixMicro(), Data: []byte(`{"a":9}`)})
	if err == nil {
		err = s.Append(context.Background(), rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a := hear(t, db, "web1", message(t, now.Add(time.Second), `{"a":2}`)); a.At != now.Add(5*time.Second).UnixMicro() {
		t.Errorf("got %v", a)
	}
}

func TestRefusals(t *testing.T) {
	db, _ := newDB(t)
	for want, data := range map[string][]byte{
		"cannot be read":        {0xff},
		"no JSON object":        message(t, now, `[1]`),
		"are no JSON object":    message(t, now, `{"a":`),
		"have 262145 bytes":     message(t, now, "{"+strings.Repeat(" ", grains.Limit-1)+"}"),
		"have 400":              make([]byte, 400_000),
		"clock differs by 61 s": message(t, now.Add(61*time.Second), `{}`),
	} {
		if a := hear(t, db, "web1", data); !strings.Contains(a.Error, want) {
			t.Errorf("got %v, want %s", a, want)
		}
	}
	if _, err := db.Of(t.Context(), "web1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("stored all the same: %v", err)
	}
	db.Hear(t.Context(), "grains.x.y", nil, func(string, *proto.ToldReply) { t.Error("answers nobody") })
	db.Hear(t.Context(), "evt.web1", nil, func(string, *proto.ToldReply) { t.Error("answers nobody") })
}

func FuzzHear(f *testing.F) {
	s, err := store.Open(filepath.Join(f.TempDir(), "store.db"), store.Options{Master: "m1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	db := grains.New(s, time.Now)
	good, _ := pb.Marshal(&proto.Grains{At: 1, Data: []byte(`{"a":1}`)})
	f.Add(good)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		done := make(chan struct{})
		db.Hear(t.Context(), subject.Grains("web1"), data, func(string, *proto.ToldReply) { close(done) })
		<-done
	})
}
