package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

// anEvent is an event of the tests' start and some seconds.
func anEvent(origin, tag, data string, seconds int) *proto.Event {
	return &proto.Event{Tag: tag, Origin: origin, Data: []byte(data), At: start.Add(time.Duration(seconds) * time.Second).UnixMicro()}
}

// tell stores an event and returns the id of its record.
func tell(t testing.TB, s *store.Store, ev *proto.Event) string {
	t.Helper()
	rec, err := store.NewRecord(ev.At, ev.Origin, ev)
	if err == nil {
		err = s.Append(context.Background(), rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rec.Id
}

// eventsOf are the data of the events that a filter chooses.
func eventsOf(t *testing.T, s *store.Store, f store.EventFilter) string {
	t.Helper()
	found, err := s.Events(context.Background(), f)
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	var all []string
	for _, e := range found {
		all = append(all, string(e.Event.Data))
	}
	return strings.Join(all, " ")
}

func TestEventsAreChosenByEachPartOfAFilter(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	for i, e := range []struct{ origin, tag, data string }{
		{"web1", "salt/beacon/web1/diskusage/", `{"n":0,"text":"the disk is full"}`},
		{"web2", "salt/beacon/web2/diskusage/", `{"n":1,"text":"Full disk"}`},
		{"db1", "salt/beacon/db1/load/", `{"n":2,"text":"disk fuller"}`},
		{"m1", "salt/key", `{"n":3,"id":"web1"}`},
		{"web1", "my/tag", `{"n":4,"text":"größer als 5%"}`},
	} {
		ev := anEvent(e.origin, e.tag, e.data, i)
		ev.Actor = map[bool]string{true: "rule r", false: ""}[i == 2]
		tell(t, s, ev)
	}
	at := func(seconds int) int64 { return start.Add(time.Duration(seconds) * time.Second).UnixMicro() }
	for _, c := range []struct {
		name string
		f    store.EventFilter
		want string // the n of those that are found
	}{
		{"all", store.EventFilter{}, "4 3 2 1 0"},
		{"limit", store.EventFilter{Limit: 2}, "4 3"},
		{"tag", store.EventFilter{Tags: []string{"salt/beacon/*"}}, "2 1 0"},
		{"tag with a part of a word", store.EventFilter{Tags: []string{"salt/beacon/*/disk*"}}, "1 0"},
		{"tag without a whole word", store.EventFilter{Tags: []string{"*lt/ke*"}}, "3"},
		{"tag with sets", store.EventFilter{Tags: []string{"salt/beacon/web[!2/]/*"}}, "0"},
		{"tag with a set that begins with its end", store.EventFilter{Tags: []string{"salt/beacon/web[]1]/*"}}, "0"},
		{"tag exact", store.EventFilter{Tags: []string{"my/tag"}}, "4"},
		{"tag in another case", store.EventFilter{Tags: []string{"My/tag"}}, ""},
		{"either tag", store.EventFilter{Tags: []string{"my/tag", "salt/key"}}, "4 3"},
		{"origin", store.EventFilter{Origins: []string{"web*"}}, "4 1 0"},
		{"origin and tag", store.EventFilter{Origins: []string{"web1"}, Tags: []string{"salt/*"}}, "0"},
		{"text", store.EventFilter{Texts: []string{"disk"}}, "2 1 0"},
		{"text of two words", store.EventFilter{Texts: []string{"disk full"}}, "2"},
		{"text in another case", store.EventFilter{Texts: []string{"full DISK"}}, "1"},
		{"two texts", store.EventFilter{Texts: []string{"full", "the disk"}}, "0"},
		{"text in the tag", store.EventFilter{Texts: []string{"beacon/db1"}}, "2"},
		{"text beyond ASCII", store.EventFilter{Texts: []string{"Größer"}}, "4"},
		{"text without a word", store.EventFilter{Texts: []string{"%"}}, "4"},
		{"quotes", store.EventFilter{Texts: []string{`"n":3`}}, "3"},
		{"words of a query language", store.EventFilter{Texts: []string{"OR NOT"}}, ""},
		{"since", store.EventFilter{Since: at(3)}, "4 3"},
		{"since and text", store.EventFilter{Since: at(1), Texts: []string{"disk"}}, "2 1"},
		{"until", store.EventFilter{Until: at(1)}, "1 0"},
		{"actor", store.EventFilter{Actors: []string{"rule *"}}, "2"},
		{"nobody", store.EventFilter{Origins: []string{"nosuch"}}, ""},
	} {
		var got []string
		for _, data := range strings.Fields(eventsOf(t, s, c.f)) {
			if n, ok := strings.CutPrefix(data, `{"n":`); ok {
				got = append(got, n[:1])
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestEventsAreFoundByAWordOfTheirData(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	for i, e := range []struct{ tag, data string }{
		{"hook/a/web1", `{"n":0,"key":"0a1b2c"}`},
		{"hook/a/web2", `{"n":1,"key":"0a1b2c"}`},
		{"hook/a/0a1b2c", `{"n":2,"key":"0a1b2c3"}`},
		{"hook/b/web1", `{"n":3,"key":"0a1b2c"}`},
		{"hook/a/web1", `{"n":4,"key":"0A1B2C and more"}`},
	} {
		tell(t, s, anEvent("m1", e.tag, e.data, i))
	}
	for _, c := range []struct {
		tag, word string
		limit     int
		want      string
	}{
		{"hook/a/*", "0a1b2c", 9, "4 1 0"}, {"hook/a/*", "0a1b2c", 2, "4 1"}, {"hook/*", "0a1b2c", 9, "4 3 1 0"}, {"hook/b/*", "0a1b2c3", 9, ""},
		{"hook/a/*", "0a1b", 9, ""}, {"hook/a/*", "and", 9, "4"},
	} {
		found, err := s.EventsNaming(t.Context(), c.tag, c.word, c.limit)
		var all []string
		for _, e := range found {
			all = append(all, string(e.Event.Data[5]))
		}
		if got := strings.Join(all, " "); err != nil || got != c.want {
			t.Errorf("%s under %s: got %q, %v, want %q", c.word, c.tag, got, err, c.want)
		}
	}
	for _, odd := range []string{"", "two words", `"`, "*", "größer"} {
		if _, err := s.EventsNaming(t.Context(), "*", odd, 9); err == nil {
			t.Errorf("%q was taken for a word", odd)
		}
	}
}

func TestEventsComeInPages(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	for i := range 100 {
		tell(t, s, anEvent("web1", "a/b", fmt.Sprintf(`{"n":%d,"even":"%v"}`, i, i%2 == 0), i))
	}
	var all []int64
	f := store.EventFilter{Limit: 7, Texts: []string{"true"}}
	for {
		found, err := s.Events(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			all = append(all, e.Seq)
		}
		if len(found) < f.Limit {
			break
		}
		f.Before = all[len(all)-1]
	}
	if len(all) != 50 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
		t.Errorf("got %d: %v", len(all), all)
	}
}

func TestEventsAreCountedByTheirTags(t *testing.T) {
	s, _ := fresh(t, "m1")
	for i, tag := range []string{"site/a/b", "site/a/c", "site/ab/c", "other/a/b"} {
		tell(t, s, anEvent("web1", tag, "{}", i))
	}
	for glob, want := range map[string]int64{"site/a/*": 2, "site/*": 3, "*/a/b": 2, "none/*": 0} {
		if got, err := s.CountEvents(t.Context(), glob); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", glob, got, err, want)
		}
	}
}

func TestTheChainOfACause(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	names := map[string]string{} // of records, by id
	caused := func(name, cause string, seconds int) string {
		ev := anEvent("m1", "b", `"`+name+`"`, seconds)
		ev.Cause = cause
		id := tell(t, s, ev)
		names[id] = name
		return id
	}
	first := caused("first", "", 3501)
	fourth := caused("fourth, which came first", first, 3504)
	second := caused("second", first, 3502)
	id := jidAfter(3 * time.Second)
	job := aJob(id, "a", "m1", "web1")
	sign(job, func(q *proto.JobRequest) { q.Cause = second })
	names[put(t, s, job)[0].Id] = "job"
	ret := put(t, s, aReturn(id, "a", "web1", proto.Outcome_OK, "true"))[0].Id
	names[ret] = "return"
	caused("of the return", ret, 3706)
	caused("while it ran", id, 3707)
	caused("stranger", "event/of/another/master", 3708)
	put(t, s, aJob(jidAfter(9*time.Second), "b", "m1", "web1"))
	told := anEvent("web1", "b", `"told"`, 1) // by the clock of the monitoring
	told.Cause, told.Actor = fourth, "hook nagios"
	names[tell(t, s, told)] = "told by a hook"
	for cause, want := range map[string]string{
		first:    "told by a hook, while it ran, of the return, return, job, fourth, which came first, second, first",
		fourth:   "told by a hook, fourth, which came first",
		id:       "while it ran, of the return, return, job",
		ret:      "of the return, return",
		"nosuch": "",
	} {
		found, err := s.Chain(t.Context(), cause)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range found {
			got = append(got, names[e.Record.Id])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q, want %q", names[cause], got, want)
		}
	}
}

// sign changes what a job was asked for.
func sign(rec *proto.JobRecord, change func(*proto.JobRequest)) {
	j, q := &proto.Job{}, &proto.JobRequest{}
	if err := pb.Unmarshal(rec.Job.Body, j); err != nil {
		panic(err)
	}
	if err := pb.Unmarshal(j.Request.Body, q); err != nil {
		panic(err)
	}
	change(q)
	j.Request = envelope(proto.Kind_KIND_JOB_REQUEST, q)
	rec.Job = envelope(proto.Kind_KIND_JOB, j)
}

func TestPrunedEventsAreNotFound(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	tell(t, s, anEvent("web1", "a/b", "old", 1))
	tell(t, s, anEvent("web1", "a/b", "new", 100))
	if _, err := s.Prune(context.Background(), start.Add(50*time.Second), 10); err != nil {
		t.Fatal(err)
	}
	for _, f := range []store.EventFilter{{}, {Texts: []string{"old"}}, {Tags: []string{"a/*"}}, {Since: 1}} {
		if got := eventsOf(t, s, f); got != "new" && !(len(f.Texts) > 0 && got == "") {
			t.Errorf("%+v: got %q", f, got)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	s, w := fresh(b, "m1")
	w.Add(100 * 24 * time.Hour)
	const events = 1_000_000
	kinds := []string{"diskusage", "service", "load", "inotify"}
	begin := time.Now()
	done := make(chan error, events)
	for i := range events {
		id, kind := fmt.Sprintf("web%d", i*7%1000), kinds[i*13%4]
		text := fmt.Sprintf(`{"mount":"/var/%d","percent":%d,"text":"it is at %d percent"}`, i, i%100, i*3%100)
		if i%100_000 == 5 {
			text = `{"text":"disk full"}`
		}
		ev := anEvent(id, "salt/beacon/"+id+"/"+kind+"/", text, i)
		rec, err := store.NewRecord(ev.At, ev.Origin, ev)
		if err != nil {
			b.Fatal(err)
		}
		s.Enqueue(rec, func(err error) { done <- err })
	}
	for range events {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%.0f events a second stored", events/time.Since(begin).Seconds())
	for name, f := range map[string]store.EventFilter{
		"newest": {}, "text": {Texts: []string{"disk full"}}, "absent": {Texts: []string{"nosuch"}}, "minions": {Origins: []string{"web9?"}},
		"all":    {Tags: []string{"salt/beacon/*/diskusage/"}, Origins: []string{"web1*"}, Since: start.Add(events * time.Second / 2).UnixMicro(), Texts: []string{"percent"}},
		"oldest": {Until: start.Add(time.Minute).UnixMicro()}, "part": {Tags: []string{"*ct/nosuc*"}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Events(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Whether a glob means few tags or many, the same events are found, the newest first.
func TestEventsOfFewAndOfManyTags(t *testing.T) {
	s, w := fresh(t, "m1")
	w.Add(time.Hour)
	var recs []*proto.Record
	for n := range 700 {
		ev := anEvent("web1", fmt.Sprintf("t/%d/x", n), fmt.Sprint(n), n)
		rec, err := store.NewRecord(ev.At, ev.Origin, ev)
		check(t, err)
		recs = append(recs, rec)
	}
	check(t, s.Append(t.Context(), recs...))
	tell(t, s, anEvent("web2", "t/7/x", "again", 701))
	for _, c := range []struct {
		tags  []string
		limit int
		want  string
	}{
		{[]string{"t/*"}, 3, "again 699 698"},
		{[]string{"*/69?/x"}, 2, "699 698"},
		{[]string{"t/7/?"}, 9, "again 7"},
		{[]string{"*7[!0-8]/*"}, 9, "679 579 479 379 279 179 79"},
		{[]string{"t/7/x", "t/*/nosuch"}, 9, "again 7"},
		{[]string{"*such*"}, 9, ""},
	} {
		if got := eventsOf(t, s, store.EventFilter{Tags: c.tags, Limit: c.limit}); got != c.want {
			t.Errorf("%v: got %s, want %s", c.tags, got, c.want)
		}
	}
	if got := eventsOf(t, s, store.EventFilter{Tags: []string{"t/7/x"}, Origins: []string{"web1"}}); got != "7" {
		t.Errorf("got %s of one minion", got)
	}
	if n, err := s.CountEvents(t.Context(), "t/7/*"); n != 2 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}
