package event_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/event"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want *proto.EventQuery
	}{
		{"", &proto.EventQuery{}},
		{`tag:salt/beacon/* minion:web* since:2d "disk full"`, &proto.EventQuery{Tags: []string{"salt/beacon/*"}, Origins: []string{"web*"},
			Texts: []string{"disk full"}, Since: now.Add(-48 * time.Hour).UnixMicro()}},
		{" tag:a  tag:b\tmaster:m1\n", &proto.EventQuery{Tags: []string{"a", "b"}, Origins: []string{"m1"}}},
		{"two words", &proto.EventQuery{Texts: []string{"two", "words"}}},
		{`"a:b" c"d"`, &proto.EventQuery{Texts: []string{"a:b", `c"d"`}}},
		{`since:"2026-11-01 10:00" until:2026-11-02`, &proto.EventQuery{
			Since: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).UnixMicro(), Until: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).UnixMicro()}},
		{"since:1.5w actor:rule* cause:event/1/x", &proto.EventQuery{
			Since: now.Add(-252 * time.Hour).UnixMicro(), Actors: []string{"rule*"}, Cause: "event/1/x"}},
		{"since:2026-11-01T10:00:00Z", &proto.EventQuery{Since: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).UnixMicro()}},
	} {
		got, err := event.Parse(c.text, now)
		if err != nil || !pb.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v", c.text, protojson.Format(got), err)
		}
	}
}

func TestMistakesInAFilterShowTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"tag:a foo:bar":     "no key \"foo\"|\n    tag:a foo:bar\n          ^|quoted: \"foo:bar\"",
		"ö since:yesterday": "\"yesterday\" is no time|\n    ö since:yesterday\n      ^",
		`a "b`:              "a quote is not closed|\n    a \"b\n      ^",
		"tag:":              "tag: has no value",
		"minion:web[1":      "no closing ]",
		"cause:a cause:b":   "there can be one cause",
		"since:1d until:2d": "since is after until",
		"since:-5m":         "\"-5m\" is no time",
	} {
		_, err := event.Parse(text, now)
		for _, part := range strings.Split(want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: got %v, want %q", text, err, part)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	e := &proto.Event{Tag: "salt/beacon/web1/load/", Origin: "web1", Actor: "rule r", At: now.Add(-time.Hour).UnixMicro(), Data: []byte(`{"text":"Disk Full"}`)}
	for text, want := range map[string]bool{
		"": true, "tag:salt/beacon/*": true, "tag:salt": false, "tag:x tag:salt*": true, "minion:web?": true, "minion:db*": false,
		`"disk full"`: true, "full disk": true, "beacon/WEB1": true, "nosuch": false, "since:2h": true, "since:30m": false,
		"until:30m": true, "until:2h": false, "actor:rule*": true, "actor:operator*": false, "minion:web1 actor:x": false,
	} {
		q, err := event.Parse(text, now)
		if err != nil {
			t.Fatal(err)
		}
		f, err := event.Compile(q)
		if err != nil || f.Match(e) != want {
			t.Errorf("%q: got %v, %v", text, !want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`tag:salt/beacon/* minion:web[0-9] since:2d "disk full"`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := event.Parse(text, now)
		if err != nil {
			return
		}
		filter, err := event.Compile(q)
		if err != nil {
			t.Fatalf("%q is read, and can't be compiled: %v", text, err)
		}
		filter.Match(&proto.Event{Tag: text, Data: []byte(text)})
	})
}
