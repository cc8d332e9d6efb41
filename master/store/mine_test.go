package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"brine/master/store"
	"brine/proto"
)

func someMine(t *testing.T, minion string, at int64, packed string) *proto.Record {
	t.Helper()
	rec, err := store.NewRecord(at, minion, &proto.Mine{Minion: minion, At: at, Key: key(minion), Packed: []byte(packed)})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestTheMineOutlivesARebuild keeps of each minion the latest, whatever is stored when.
func TestTheMineOutlivesARebuild(t *testing.T) {
	path, w := filepath.Join(t.TempDir(), "store.db"), &watch{now: start}
	w.Add(time.Minute)
	s := at(t, path, "m1", w)
	for _, i := range []int64{1, 2, 0} {
		check(t, s.Append(t.Context(), someMine(t, "web1", start.UnixMicro()+i, string(rune('a'+i)))))
	}
	check(t, s.Append(t.Context(), someGrains(t, "web1", start.UnixMicro(), `{}`)))
	before := digest(t, s)
	if _, err := s.Mine(t.Context(), "web2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	check(t, s.Close())
	if n := must(store.Rebuild(t.Context(), path, nil))(t); n != 2 {
		t.Errorf("%d records after the rebuild, want 2", n)
	}
	s = at(t, path, "m1", w)
	if _, err := s.Prune(t.Context(), w.Now().Add(time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Mine(t.Context(), "web1"); err != nil || string(m.Packed) != "c" || digest(t, s) != before {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestMinesThatAreRefused(t *testing.T) {
	at := start.UnixMicro()
	for name, m := range map[string]*proto.Mine{
		"another's":  {Minion: "web2", At: at, Key: key("x")},
		"other time": {Minion: "web1", At: at + 1, Key: key("x")},
		"no key":     {Minion: "web1", At: at},
		"no id":      {At: at, Key: key("x")},
	} {
		if rec, err := store.NewRecord(at, "web1", m); err == nil {
			t.Errorf("%s: made %v", name, rec)
		}
	}
}
