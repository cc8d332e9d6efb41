package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// filled makes a store of some size, closes it and gives its path and digest.
func filled(t *testing.T, w *watch) (path, sum string) {
	path = filepath.Join(t.TempDir(), "store.db")
	s := at(t, path, "m1", w)
	put(t, s, everything(jidAfter(0))...)
	var more []pb.Message
	for i := range 300 {
		more = append(more, aReturn(jidAfter(0), "r", fmt.Sprintf("db%d", i), proto.Outcome_OK, strings.Repeat("v", 500)))
	}
	put(t, s, more...)
	sum = digest(t, s)
	check(t, s.Close())
	return path, sum
}

// spoilt are ways in which a database comes to harm.
var spoilt = map[string]func([]byte) []byte{
	"empty":            func([]byte) []byte { return nil },
	"cut to one byte":  func(b []byte) []byte { return b[:1] },
	"cut in a page":    func(b []byte) []byte { return b[:len(b)/2+100] },
	"cut at a page":    func(b []byte) []byte { return b[:len(b)/2&^4095] },
	"short of a page":  func(b []byte) []byte { return b[:len(b)-4096] },
	"garbled head":     func(b []byte) []byte { return scribble(b, 0, 100) },
	"garbled schema":   func(b []byte) []byte { return scribble(b, 100, 4096) },
	"garbled middle":   func(b []byte) []byte { return scribble(b, len(b)/2&^4095, len(b)/2&^4095+8192) },
	"garbled all over": func(b []byte) []byte { return scribble(b, 4096, len(b)) },
	"another file":     func(b []byte) []byte { return []byte(strings.Repeat("no database at all\n", 1000)) },
}

func scribble(b []byte, from, to int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	random.Read(b[from:to])
	return b
}

func spoil(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, f(data), 0o600))
}

func TestACorruptStoreIsRefusedThenSetAside(t *testing.T) {
	for name, f := range spoilt {
		t.Run(name, func(t *testing.T) {
			w := &watch{now: start}
			path, sum := filled(t, w)
			peer, _ := fresh(t, "m2")
			put(t, peer, everything(jidAfter(0))...)
			spoil(t, path, f)
			bad, err := os.ReadFile(path)
			check(t, err)
			for range 2 { // the second start says the same
				_, err := store.Open(path, store.Options{Master: "m1", Now: w.Now})
				var corrupt *store.CorruptError
				if !errors.As(err, &corrupt) || corrupt.Path != path || !strings.Contains(err.Error(), "start empty") {
					t.Fatalf("got %v, want a CorruptError", err)
				}
			}
			s, err := store.Open(path, store.Options{Master: "m1", Now: w.Now, Reset: true})
			check(t, err)
			kept, err := os.ReadFile(s.Aside())
			if check(t, err); string(kept) != string(bad) {
				t.Errorf("%q is not the corrupt database", s.Aside())
			}
			check(t, pull(t.Context(), s, peer, "m2"))
			if digest(t, s) != digest(t, peer) || digest(t, s) == sum {
				t.Error("not refilled from the peer")
			}
			check(t, s.Close())
			again := at(t, path, "m1", w)
			if again.Aside() != s.Aside() || again.Last() != s.Last() {
				t.Errorf("after a restart: aside %q, last %d", again.Aside(), again.Last())
			}
			check(t, again.Settle(t.Context(), []string{"m2"}))
			check(t, again.Close())
			if aside := at(t, path, "m1", w).Aside(); aside != "" || again.Aside() != "" {
				t.Errorf("settled: aside %q", aside)
			}
		})
	}
}

func TestAStoreThatIsGoneIsNotTakenForANewOne(t *testing.T) {
	w := &watch{now: start}
	path, _ := filled(t, w)
	for _, tail := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Remove(path + tail); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for range 2 { // nobody has filled it meanwhile: the second start says the same
		s, err := store.Open(path, store.Options{Master: "m1", Now: w.Now, Reset: true})
		check(t, err)
		if s.Aside() == "" || s.Last() != 0 {
			t.Errorf("got aside %q, last %d; want an empty store that knows that it has to be filled", s.Aside(), s.Last())
		}
		check(t, s.Close())
	}
	s, err := store.Open(path, store.Options{Master: "m1", Now: w.Now, Reset: true})
	check(t, err)
	check(t, s.Settle(t.Context(), []string{"m2"}))
	check(t, s.Close())
	if aside := at(t, path, "m1", w).Aside(); aside != "" {
		t.Errorf("settled: aside %q", aside)
	}
}

func TestAStoreThatComesToHarmInUseSaysSo(t *testing.T) {
	w := &watch{now: start}
	path, _ := filled(t, w)
	var told atomic.Int32
	s, err := store.Open(path, store.Options{Master: "m1", Now: w.Now, OnDamage: func(error) { told.Add(1) }})
	check(t, err)
	spoil(t, path, spoilt["garbled all over"])
	_, err = s.Digest(t.Context())
	var corrupt *store.CorruptError
	if !errors.As(err, &corrupt) || !errors.As(s.Err(), &corrupt) {
		t.Errorf("digest: %v; err: %v; want a CorruptError", err, s.Err())
	}
	_, _ = s.Digest(t.Context())
	if n := told.Load(); n != 1 {
		t.Errorf("told of the damage %d times", n)
	}
	if err := s.Append(t.Context(), record(t, s.Stamp(), &proto.Audit{Action: "a"})); !errors.As(err, &corrupt) {
		t.Errorf("it takes what it cannot keep: got %v", err)
	}
	_ = s.Close()
	if _, err := store.Open(path, store.Options{Master: "m1"}); !errors.As(err, &corrupt) {
		t.Errorf("the next start: %v, want a CorruptError", err)
	}
	s, err = store.Open(path, store.Options{Master: "m1", Now: w.Now, Reset: true})
	check(t, err)
	keptAre := func(what string, settled bool, text string) {
		t.Helper()
		kept := must(store.ListKept(path))(t)
		if len(kept) != 1 || kept[0].Settled != settled || !kept[0].At.Equal(start) ||
			!strings.Contains(kept[0].Text(), "found damaged while it was in use") || !strings.Contains(kept[0].Text(), text) {
			t.Errorf("%s: got %+v", what, kept)
		}
	}
	keptAre("at first", false, "not filled again yet")
	aside := s.Aside()
	check(t, s.Settle(t.Context(), []string{"m2", "m3"}))
	keptAre("filled again", true, "filled again from m2, m3")
	check(t, os.Remove(aside))
	if kept := must(store.ListKept(path))(t); len(kept) > 0 {
		t.Errorf("removed: got %v", kept)
	}
	put(t, s, &proto.Audit{Action: "works again"})
	check(t, s.Close())
}

// TestRandomHarmNeverEndsTheDaemon spoils a few bytes anywhere: the store may
// find out at once, later or, in a value, not at all, but it answers.
func TestRandomHarmNeverEndsTheDaemon(t *testing.T) {
	w := &watch{now: start}
	path, _ := filled(t, w)
	good, err := os.ReadFile(path)
	check(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 60 {
		dir := t.TempDir()
		path := filepath.Join(dir, "store.db")
		bad := append([]byte(nil), good...)
		for range 1 + random.IntN(40) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		check(t, os.WriteFile(path, bad, 0o600))
		s, err := store.Open(path, store.Options{Master: "m1", Now: w.Now})
		if err != nil {
			found++
			continue
		}
		_, err1 := s.Page(t.Context(), 0, 1<<20, false)
		_, err2 := s.Digest(t.Context())
		_, err3 := s.Keys(t.Context())
		err4 := s.Append(t.Context(), record(t, s.Stamp(), &proto.Audit{Action: "a"}))
		if errors.Join(err1, err2, err3, err4, s.Check(t.Context()), s.Close()) != nil {
			found++
		}
	}
	if found == 0 {
		t.Error("no harm was ever found")
	}
}

func TestAnUncleanEndLosesNothing(t *testing.T) {
	w := &watch{now: start}
	dir := t.TempDir()
	s := at(t, filepath.Join(dir, "store.db"), "m1", w)
	put(t, s, everything(jidAfter(0))...)
	// What a crash leaves: the files as they are, the log's end cut short.
	crashed := filepath.Join(t.TempDir(), "store.db")
	for _, tail := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, "store.db"+tail))
		check(t, err)
		if tail == "-wal" {
			data = append(data, make([]byte, 1000)...)
		}
		check(t, os.WriteFile(crashed+tail, data, 0o600))
	}
	if got := digest(t, at(t, crashed, "m1", w)); got != digest(t, s) {
		t.Error("the store that crashed holds something else")
	}
}
