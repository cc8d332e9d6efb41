package mine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/mine"
	"brine/master/store"
	"brine/proto"
	"brine/proto/subject"
	"brine/proto/target"
	"brine/states/regex"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newDB(t testing.TB) (*mine.DB, *store.Store) {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: "m1", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return mine.New(s, func() time.Time { return now }), s
}

// keyOf is the key of a minion, and of one that came later under its id.
func keyOf(minion string) ed25519.PublicKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, minion)
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

func hear(t testing.TB, db *mine.DB, minion string, data []byte) *proto.ToldReply {
	t.Helper()
	answers := make(chan *proto.ToldReply, 1)
	db.Hear(t.Context(), subject.Mine(subject.Token(minion)), data, func(id string, a *proto.ToldReply) {
		if id != minion {
			t.Errorf("answers %q, want %q", id, minion)
		}
		answers <- a
	})
	return <-answers
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// message has entries NAME=JSON, or NAME=JSON=ALLOW=HOW.
func message(t testing.TB, minion string, at time.Time, entries ...string) []byte {
	t.Helper()
	all := &proto.MineEntries{}
	for _, text := range entries {
		f := append(strings.Split(text, "="), "", "")
		all.Entries = append(all.Entries, &proto.MineEntry{Name: f[0], Data: []byte(f[1]), AllowTgt: f[2], AllowTgtType: f[3]})
	}
	return whole(t, minion, at, zipped(encoded(t, all)))
}

func whole(t testing.TB, minion string, at time.Time, packed []byte) []byte {
	return encoded(t, &proto.Mine{Minion: "somebody.else", At: at.UnixMicro(), Key: keyOf(minion), Packed: packed})
}

func encoded(t testing.TB, m pb.Message) []byte {
	t.Helper()
	data, err := pb.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fleet are minions with an os and a pillar of their own.
type fleet []string

func (f fleet) site() mine.Site {
	return mine.Site{
		PillarKeys: []string{"role", "app:tier"},
		Accepted:   func() []string { return f },
		Key:        func(id string) (ed25519.PublicKey, bool) { return keyOf(id), slices.Contains(f, id) },
		Language: func() target.Language {
			return target.Language{Regexp: regex.Beginning, Groups: target.JSON(map[string]any{"webs": "web*", "secret": "I@password:pw-db1"})}
		},
		Facts: func(_ context.Context, _ target.Asks, _ []string) (func(string) target.Facts, error) {
			return func(id string) target.Facts {
				facts := target.Facts{ID: id, Grains: target.JSON(map[string]any{"os": "os-" + id}),
					Pillar: target.JSON(map[string]any{"password": "pw-" + id, "role": "role-" + id,
						"app": map[string]any{"tier": "tier-" + id, "key": "key-" + id}})}
				if id == "broken" {
					facts.Pillar = nil
				}
				return facts
			}, nil
		},
	}
}

func get(t testing.TB, db *mine.DB, f fleet, q mine.Query) string {
	t.Helper()
	items, err := db.Get(t.Context(), f.site(), q)
	if err != nil {
		return "error: " + err.Error()
	}
	var all []string
	for _, i := range items {
		all = append(all, fmt.Sprintf("%s %s=%s", i.Function, i.Minion, i.Data))
	}
	return strings.Join(all, "; ")
}

func TestTheLatestIsStoredAndTold(t *testing.T) {
	db, s := newDB(t)
	for i, step := range []struct {
		at, answer time.Time
		data, want string
		sequence   int64
	}{
		{now, now, "a=1", "a web.1=1", 1},
		{now, now, "a=1", "a web.1=1", 1},
		{now.Add(time.Second), now.Add(time.Second), "a=1", "a web.1=1", 1},
		{now.Add(2 * time.Second), now.Add(2 * time.Second), "a=2", "a web.1=2", 2},
		{now.Add(time.Second), now.Add(2 * time.Second), "a=3", "a web.1=2", 2}, // its clock was set back
		{now.Add(3 * time.Second), now.Add(3 * time.Second), "b=3", "", 3},
	} {
		a := hear(t, db, "web.1", message(t, "web.1", step.at, step.data))
		_, _, last := s.Set()
		got := get(t, db, fleet{"web.1"}, mine.Query{Asker: "x", Target: "*", Functions: []string{"a"}})
		if a.Error != "" || a.At != step.answer.UnixMicro() || got != step.want || last != step.sequence {
			t.Errorf("%d: got %v, %s, sequence %d", i, a, got, last)
		}
	}
}

func TestWhoGetsWhat(t *testing.T) {
	db, _ := newDB(t)
	all := fleet{"broken", "db1", "web1", "web2"}
	for _, id := range all {
		a := hear(t, db, id, message(t, id, now, `ip="`+id+`"`, "weak=1=web*=", "ids=1=web1,db1=list", "grain=1=os:os-web1=grain",
			"pillar=1=password:pw-web2=pillar", "not=1=not I@password:pw-web2=compound", "group=1=webs=nodegroup", "bad=1=G@=compound", "kind=1=*=no"))
		if a.Error != "" {
			t.Fatal(a)
		}
	}
	for _, c := range []struct{ asker, kind, target, functions, want string }{
		{"web1", "", "web*", "ip", `ip web1="web1"; ip web2="web2"`},
		{"web1", "grain", "os:*db1", "ip none", `ip db1="db1"`},
		{"web1", "list", "web2,db1", "weak ip", `weak db1=1; weak web2=1; ip db1="db1"; ip web2="web2"`},
		{"db1", "", "db1", "weak ids grain pillar group bad kind", "ids db1=1"},
		{"web1", "", "db1", "weak ids grain pillar group bad kind", "weak db1=1; ids db1=1; grain db1=1; group db1=1"},
		{"web2", "", "db1", "weak ids grain pillar group bad kind", "weak db1=1; pillar db1=1; group db1=1"},
		{"gone", "", "db1", "weak ids grain pillar group ip", `ip db1="db1"`},
		{"web1", "", "db1", "not", "not db1=1"},
		{"web2", "", "db1", "not", ""},
		{"broken", "", "db1", "not pillar weak ip", `ip db1="db1"`},
		{"web1", "compound", "not I@role:role-db1", "ip", `ip web1="web1"; ip web2="web2"`},
		{"web1", "pillar", "role:role-db1", "ip", `ip db1="db1"`},
		{"web1", "compound", "I%@app%tier%tier-db1", "ip", `ip db1="db1"`},
		{"web1", "nodegroup", "secret", "ip", `ip db1="db1"`},
		{"web1", "pillar", "role:role*", "ip", ""},
		{"web1", "pillar_pcre", "role:r.*", "ip", ""},
		{"web1", "compound", "I@role:* or J@role:.*", "ip", ""},
		{"web1", "pillar", "password:pw-db1", "ip", "error: cannot look into the mine by the pillar key \"password\""},
		{"web1", "compound", "web1 and not I@password:pw-db1", "ip", "error: cannot look into the mine by the pillar key"},
		{"web1", "pillar", "app:key:key-db1", "ip", "error: cannot look into the mine by the pillar key \"app\""},
		{"web1", "pillar", "app:tier", "ip", "error: cannot look into the mine by the pillar key \"app\""},
		{"web1", "pillar", "*:pw-db1", "ip", "error: cannot look into the mine by the pillar key \"*\""},
		{"web1", "pillar_pcre", "pass.*:.*", "ip", "error: cannot look into the mine by the pillar key"},
		{"web1", "", "", "ip", "error: cannot read target"},
		{"web1", "globb", "*", "ip", "error: cannot read target"},
	} {
		got := get(t, db, all, mine.Query{Asker: c.asker, Target: c.target, Type: c.kind, Functions: strings.Fields(c.functions)})
		if got != c.want && (!strings.HasPrefix(c.want, "error") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%v: got %s", c, got)
		}
	}
}

// TestNothingDependsOnPillarThatIsBeingMade would wait for itself for ever otherwise.
func TestNothingDependsOnPillarThatIsBeingMade(t *testing.T) {
	db, _ := newDB(t)
	hear(t, db, "web1", message(t, "web1", now, "ip=1", "pillar=1=password:pw-web1=pillar"))
	q := mine.Query{Asker: "web1", Target: "*", Functions: []string{"ip", "pillar"}, Making: true}
	if got := get(t, db, fleet{"web1"}, q); got != "ip web1=1" {
		t.Errorf("got %s", got)
	}
	q.Target, q.Type = "role:role-web1", "pillar"
	if got := get(t, db, fleet{"web1"}, q); got != "error: cannot look into the mine by pillar while pillar is made" {
		t.Errorf("got %s", got)
	}
}

func TestKeysThatCountNoMore(t *testing.T) {
	db, _ := newDB(t)
	hear(t, db, "web1", message(t, "web1", now, "ip=1"))
	hear(t, db, "web2", message(t, "of another host", now, "ip=1"))
	q := mine.Query{Asker: "x", Target: "*", Functions: []string{"ip"}}
	if got := get(t, db, fleet{"web2"}, q); got != "" {
		t.Errorf("got %s", got)
	}
	if got := get(t, db, fleet{"web1", "web2"}, q); got != "ip web1=1" {
		t.Errorf("got %s", got)
	}
}

func TestLargeAnswers(t *testing.T) {
	db, _ := newDB(t)
	var all fleet
	big := `"` + strings.Repeat("x", 1_000_000) + `"`
	for i := range 68 {
		id := fmt.Sprintf("web%d", i)
		all = append(all, id)
		hear(t, db, id, message(t, id, now, "big="+big))
	}
	got := get(t, db, all, mine.Query{Asker: "x", Target: "*", Functions: []string{"big"}})
	if got != "error: cannot answer: the answer has over 64 MiB: ask for fewer minions or functions" {
		t.Errorf("got %.200s", got)
	}
	if got := get(t, db, all[:2], mine.Query{Asker: "x", Target: "*", Functions: []string{"big"}}); len(got) < 2_000_000 {
		t.Errorf("got %.200s", got)
	}
}

func TestRefusals(t *testing.T) {
	db, s := newDB(t)
	noise := make([]byte, 901<<10)
	_, _ = rand.Read(noise)
	for want, data := range map[string][]byte{
		"the message cannot be read":              {0xff},
		"the mine cannot be read":                 whole(t, "web1", now, []byte("no gzip")),
		"the mine has over 1048576 bytes":         whole(t, "web1", now, zipped(make([]byte, mine.Limit+1))),
		"bytes when compressed, the limit is":     whole(t, "web1", now, noise),
		`what the mine has as "a" is no JSON`:     message(t, "web1", now, "a={"),
		`what the mine has as "n" is no JSON`:     message(t, "web1", now, "n="+strings.Repeat("1", 5000)),
		"the mine has something without a name":   message(t, "web1", now, "=1"),
		"clock differs by 61 s from minion":       message(t, "web1", now.Add(61*time.Second), "a=1"),
		"does not say whose key it is of":         encoded(t, &proto.Mine{At: now.UnixMicro(), Packed: zipped(nil)}),
		"clock differs by -1772366400 s from min": encoded(t, &proto.Mine{Packed: zipped(nil)}),
	} {
		if a := hear(t, db, "web1", data); !strings.Contains(a.Error, want) {
			t.Errorf("got %v, want %s", a, want)
		}
	}
	if _, _, last := s.Set(); last != 0 {
		t.Errorf("%d records were stored all the same", last)
	}
	db.Hear(t.Context(), "mine.x.y", nil, func(string, *proto.ToldReply) { t.Error("answers nobody") })
}

func FuzzHear(f *testing.F) {
	db, _ := newDB(f)
	f.Add(message(f, "web1", now, "a=1=*=glob"))
	f.Add(whole(f, "web1", now, zipped([]byte("x"))))
	f.Fuzz(func(t *testing.T, data []byte) { hear(t, db, "web1", data) })
}

// BenchmarkGet asks 10,000 minions for their addresses; what they told is in memory after the first time.
func BenchmarkGet(b *testing.B) {
	db, _ := newDB(b)
	var all fleet
	address, err := json.Marshal([]string{"192.0.2.1", "198.51.100.1"})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		id := fmt.Sprintf("web%05d", i)
		all = append(all, id)
		hear(b, db, id, message(b, "x", now, "network.ip_addrs="+string(address), "grain=1=os:x=grain"))
	}
	site := all.site()
	key := keyOf("x")
	site.Key = func(string) (ed25519.PublicKey, bool) { return key, true }
	for b.Loop() {
		items, err := db.Get(b.Context(), site, mine.Query{Asker: "x", Target: "*", Functions: []string{"network.ip_addrs"}})
		if err != nil || len(items) != len(all) {
			b.Fatal(len(items), err)
		}
	}
}
