package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/event"
	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type site struct {
	t     *testing.T
	store *store.Store
	log   *event.Log
	at    int64
}

func newSite(t *testing.T) *site {
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{Master: "m1", Now: func() time.Time { return start.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &site{t, s, event.New(s), start.UnixMicro()}
}

// add stores what happened, a second after what was stored before.
func (s *site) add(origin string, body pb.Message) {
	s.t.Helper()
	s.at += 1_000_000
	if e, ok := body.(*proto.Event); ok {
		e.Origin, e.At = origin, s.at
	}
	rec, err := store.NewRecord(s.at, origin, body)
	if err == nil {
		err = s.store.Append(s.t.Context(), rec)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func envelope(kind proto.Kind, body pb.Message) *proto.Envelope {
	data, err := pb.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &proto.Envelope{Kind: kind, Body: data, Key: make([]byte, 32), Signature: make([]byte, 64)}
}

func aJob(id string) *proto.JobRecord {
	return &proto.JobRecord{Expected: []string{"db1", "web1"}, Offline: []string{"db1"}, Job: envelope(proto.Kind_KIND_JOB, &proto.Job{
		Master: "m1", IssuedAt: start.UnixMicro(), NotAfter: start.Add(time.Minute).UnixMicro(),
		Request: envelope(proto.Kind_KIND_JOB_REQUEST, &proto.JobRequest{
			Jid: id, RequestId: make([]byte, 16), Function: "cmd.run", Operator: "ada",
			Target: &proto.Target{Syntax: proto.Target_GRAIN, Expression: "os:*"},
			Args: []*proto.Argument{
				{Value: &proto.Argument_Text{Text: "[1, x]"}}, {Name: "cwd", Value: &proto.Argument_Json{Json: []byte(`"/tmp"`)}},
			},
		}),
	})}
}

var theJID = jid.FromTime(start)

// fill stores two events, a job and its return.
func (s *site) fill() {
	s.add("web1", &proto.Event{Tag: "salt/beacon/web1/load/", Data: []byte(`{"1m":2}`)})
	s.add("m1", aJob(theJID))
	s.add("web1", &proto.Return{Jid: theJID, RequestId: make([]byte, 16), Minion: "web1", Outcome: proto.Outcome_FAILED, Retcode: 3,
		Value: []byte(`"no such file"`), FinishedAt: start.UnixMicro(), Function: "cmd.run"})
	s.add("m1", &proto.Event{Tag: "site/done", Data: []byte(`{}`), Actor: "operator ada"})
}

func tags(all []*proto.EventInfo) string {
	var out []string
	for _, e := range all {
		out = append(out, strings.Replace(e.Event.Tag, theJID, "JID", 1))
	}
	return strings.Join(out, " ")
}

func TestJobsAndReturnsAreEvents(t *testing.T) {
	s := newSite(t)
	s.fill()
	for _, c := range []struct {
		q    *proto.EventQuery
		want string
	}{
		{&proto.EventQuery{}, "site/done salt/job/JID/ret/web1 salt/job/JID/new salt/beacon/web1/load/"},
		{&proto.EventQuery{Tags: []string{"salt/job/*"}}, "salt/job/JID/ret/web1 salt/job/JID/new"},
		{&proto.EventQuery{Tags: []string{"*/ret/*"}}, "salt/job/JID/ret/web1"},
		{&proto.EventQuery{Tags: []string{"salt/b*"}}, "salt/beacon/web1/load/"},
		{&proto.EventQuery{Origins: []string{"web*"}}, "salt/job/JID/ret/web1 salt/beacon/web1/load/"},
		{&proto.EventQuery{Since: start.Add(3 * time.Second).UnixMicro()}, "site/done salt/job/JID/ret/web1"},
		{&proto.EventQuery{Actors: []string{"operator*"}}, "site/done salt/job/JID/new"},
		{&proto.EventQuery{Texts: []string{"1m"}}, "salt/beacon/web1/load/"},
		{&proto.EventQuery{Texts: []string{"Such File"}}, "salt/job/JID/ret/web1"},
		{&proto.EventQuery{Tags: []string{"salt/job/*"}, Texts: []string{"cmd.run"}}, "salt/job/JID/ret/web1 salt/job/JID/new"},
		{&proto.EventQuery{Tags: []string{"site/*"}, Texts: []string{"cmd.run"}}, ""},
	} {
		reply, err := s.log.List(t.Context(), c.q, 0, 0)
		if err != nil || tags(reply.GetEvents()) != c.want || reply.Next != 0 {
			t.Errorf("%v: got %s, %v", c.q, tags(reply.GetEvents()), err)
		}
	}
	if _, err := s.log.List(t.Context(), &proto.EventQuery{Tags: []string{"a[b"}}, 0, 0); err == nil {
		t.Error("a glob that can't be read is taken")
	}
}

func TestAfterLeavesOutReturnsThatNobodyWants(t *testing.T) {
	s := newSite(t)
	s.fill()
	for returns, want := range map[bool]string{
		true:  "salt/beacon/web1/load/ salt/job/JID/new salt/job/JID/ret/web1 site/done",
		false: "salt/beacon/web1/load/ salt/job/JID/new site/done",
	} {
		var all []*proto.EventInfo
		for at := int64(0); ; {
			lot, upTo, err := s.log.After(t.Context(), at, 2, returns)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range lot {
				all = append(all, &proto.EventInfo{Event: e.Event})
			}
			if at = upTo; len(lot) < 2 {
				break
			}
		}
		if got := tags(all); got != want {
			t.Errorf("returns %v: got %s, want %s", returns, got, want)
		}
	}
}

// Beyond what is looked through for one answer the next one goes on.
func TestSearchedPagesMissNothing(t *testing.T) {
	s := newSite(t)
	s.fill()
	var recs []*proto.Record
	for n := range 6_000 {
		at := start.Add(time.Duration(n+1) * time.Millisecond)
		s.at = max(s.at, at.UnixMicro())
		minion := fmt.Sprintf("n%d", n)
		rec, err := store.NewRecord(at.UnixMicro(), minion, &proto.Return{Jid: theJID, RequestId: make([]byte, 16), Minion: minion,
			Outcome: proto.Outcome_OK, Value: []byte(`"fine"`), FinishedAt: at.UnixMicro(), Function: "test.ping"})
		if err != nil {
			t.Fatal(err)
		}
		if recs = append(recs, rec); len(recs) == 1000 {
			if err := s.store.Append(t.Context(), recs...); err != nil {
				t.Fatal(err)
			}
			recs = nil
		}
	}
	s.add("m1", &proto.Event{Tag: "site/such", Data: []byte(`{}`)})
	var all []string
	pages := 0
	for before := int64(0); pages == 0 || before > 0; pages++ {
		reply, err := s.log.List(t.Context(), &proto.EventQuery{Texts: []string{"such"}}, 3, before)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		all, before = append(all, tags(reply.Events)), reply.Next
	}
	if got := strings.Join(strings.Fields(strings.Join(all, " ")), " "); got != "site/such salt/job/JID/ret/web1" || pages != 2 {
		t.Errorf("got %s in %d pages", got, pages)
	}
}

func TestTheDataOfJobsAreSalts(t *testing.T) {
	s := newSite(t)
	s.fill()
	args := `[[1,"x"],{"cwd":"/tmp","__kwarg__":true}]`
	want := map[string]string{
		"salt/job/" + theJID + "/new": `{"jid":"` + theJID + `","tgt_type":"grain","tgt":"os:*","user":"ada","fun":"cmd.run","arg":` + args +
			`,"minions":["db1","web1"],"missing":["db1"]}`,
		"salt/job/" + theJID + "/ret/web1": `{"cmd":"_return","id":"web1","jid":"` + theJID + `","fun":"cmd.run","fun_args":` + args +
			`,"user":"ada","success":false,"retcode":3,"return":"no such file"}`,
	}
	reply, err := s.log.List(t.Context(), &proto.EventQuery{Tags: []string{"salt/job/*"}}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range reply.Events {
		if got := string(e.Event.Data); got != want[e.Event.Tag] || !json.Valid(e.Event.Data) {
			t.Errorf("%s: got %s, want %s", e.Event.Tag, got, want[e.Event.Tag])
		}
	}
	if len(reply.Events) != 2 {
		t.Errorf("got %d events", len(reply.Events))
	}
}

func TestPagesMissNothingAndRepeatNothing(t *testing.T) {
	s := newSite(t)
	for i := range 10 {
		s.add("web1", &proto.Event{Tag: fmt.Sprintf("n/%d", i), Data: []byte("{}")})
		if i == 4 {
			s.add("m1", aJob(theJID))
		}
	}
	var all []string
	for before, pages := int64(0), 0; ; pages++ {
		reply, err := s.log.List(t.Context(), &proto.EventQuery{}, 3, before)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		all = append(all, tags(reply.Events))
		if before = reply.Next; before == 0 {
			break
		}
	}
	if got := strings.Join(strings.Fields(strings.Join(all, " ")), " "); got != "n/9 n/8 n/7 n/6 n/5 salt/job/JID/new n/4 n/3 n/2 n/1 n/0" {
		t.Errorf("got %s", got)
	}
}

func TestWatchTellsWhatIsStored(t *testing.T) {
	for name, c := range map[string]struct {
		after int64
		want  []string
	}{"from now on": {0, []string{"a/1", "a/2"}}, "after a time": {start.UnixMicro(), []string{"before", "a/1", "a/2"}}} {
		s := newSite(t)
		s.add("web1", &proto.Event{Tag: "before", Data: []byte("{}")})
		ctx, cancel := context.WithCancel(t.Context())
		frames := make(chan *proto.EventFrame)
		done := make(chan error, 1)
		go func() {
			done <- s.log.Watch(ctx, &proto.EventQuery{Tags: []string{"before", "a/*"}}, c.after, func(f *proto.EventFrame) error {
				select {
				case frames <- f:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}()
		if f := <-frames; !f.Alive {
			t.Fatal("nothing is told at once")
		}
		go func() {
			for _, tag := range []string{"a/1", "b", "a/2"} {
				s.add("web1", &proto.Event{Tag: tag, Data: []byte("{}")})
			}
		}()
		var got []string
		for len(got) < len(c.want) {
			for _, e := range (<-frames).Events {
				got = append(got, e.Event.Tag)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
