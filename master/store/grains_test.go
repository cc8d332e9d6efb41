package store_test

import (
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

func someGrains(t *testing.T, minion string, at int64, data string) *proto.Record {
	t.Helper()
	rec, err := store.NewRecord(at, minion, &proto.Grains{Minion: minion, At: at, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestOnlyTheLatestGrainsAreKept stores grains in any order, and finds the same records everywhere.
func TestOnlyTheLatestGrainsAreKept(t *testing.T) {
	const n = 6
	var sets []string
	for range 3 {
		s, w := fresh(t, "m1")
		w.Add(time.Minute)
		for _, i := range rand.Perm(n) {
			check(t, s.Append(t.Context(), someGrains(t, "web1", start.UnixMicro()+int64(i), fmt.Sprintf(`{"n":%d}`, i))))
		}
		check(t, s.Append(t.Context(), someGrains(t, "web2", start.UnixMicro(), `{"n":100}`)))
		g, err := s.Grains(t.Context(), "web1")
		if err != nil || string(g.Data) != `{"n":5}` {
			t.Errorf("got %v, %v", g, err)
		}
		digest, records, _ := s.Set()
		if records != 2 {
			t.Errorf("%d records are kept, want 2", records)
		}
		sets = append(sets, fmt.Sprintf("%x", digest))
		if _, err := s.Grains(t.Context(), "web3"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of nobody: %v", err)
		}
		if _, err := s.Prune(t.Context(), w.Now().Add(time.Hour), 10); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Grains(t.Context(), "web1"); err != nil {
			t.Errorf("after pruning: %v", err)
		}
	}
	if sets[0] != sets[1] || sets[1] != sets[2] {
		t.Errorf("not the same records: %v", sets)
	}
}

func TestGrainsOutliveARestart(t *testing.T) {
	path, w := filepath.Join(t.TempDir(), "store.db"), &watch{now: start}
	s := at(t, path, "m1", w)
	check(t, s.Append(t.Context(), someGrains(t, "web1", start.UnixMicro(), `{"os":"Debian"}`)))
	check(t, s.Close())
	if g, err := at(t, path, "m1", w).Grains(t.Context(), "web1"); err != nil || string(g.Data) != `{"os":"Debian"}` {
		t.Errorf("got %v, %v", g, err)
	}
}

func TestGrainsThatAreRefused(t *testing.T) {
	at := start.UnixMicro()
	for name, g := range map[string]*proto.Grains{
		"another's":  {Minion: "web2", At: at, Data: []byte("{}")},
		"other time": {Minion: "web1", At: at + 1, Data: []byte("{}")},
		"a list":     {Minion: "web1", At: at, Data: []byte("[]")},
		"nothing":    {Minion: "web1", At: at},
		"no id":      {Minion: "", At: at, Data: []byte("{}")},
	} {
		if rec, err := store.NewRecord(at, "web1", g); err == nil {
			t.Errorf("%s: made %v", name, rec)
		}
	}
}
