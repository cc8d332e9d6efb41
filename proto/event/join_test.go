package event_test

import (
	"testing"

	"brine/proto/event"
)

func TestWordsOfACommandLineGetTheirQuotesBack(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"tag:salt/job/*", "since:2d", "disk full"}, `tag:salt/job/* since:2d "disk full"`},
		{[]string{"actor:operator *", "x"}, `actor:"operator *" x`},
		{[]string{"error: disk full"}, `"error: disk full"`},
		{[]string{"since:2026-11-30 14:00", "until:2d x"}, `since:"2026-11-30 14:00" until:2d x`},
		{[]string{`tag:salt/beacon/* minion:web* since:2d "disk full"`}, `tag:salt/beacon/* minion:web* since:2d "disk full"`},
		{[]string{"tag:a/* word"}, "tag:a/* word"},
		{[]string{"actor:rule* tag:a/*"}, "actor:rule* tag:a/*"},
	} {
		if got := event.Join(c.words); got != c.want {
			t.Errorf("%q: got %s, want %s", c.words, got, c.want)
		}
	}
}
