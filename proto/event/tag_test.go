package event_test

import (
	"strings"
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

func TestTagsOfMinions(t *testing.T) {
	for tag, want := range map[string]string{
		"site/deploy/done":                          "",
		"salt/beacon/web1/load/":                    "",
		"salt/minion/web1":                          "",
		"salt/job/20260131120000000123/prog/web1/3": "",
		"salt/jobs":                                 "",
		"salt/job/20260131120000000123/prog/web2/3": "is not for minion",
		"salt/job/20260131120000000123/ret/web1":    "is not for minion",
		"salt.job.1":                                "is not for minion",
		"salt/beacon/web2/load/":                    "is not for minion",
		"salt/beacon/web11":                         "is not for minion",
		"salt.beacon/web1/load":                     "is not for minion",
		"brine/rule/x":                              "is not for minion",
		"":                                          "cannot use the tag",
		"_x":                                        "cannot use the tag",
		"a b":                                       "cannot use the tag",
		strings.Repeat("x", 513):                    "cannot use the tag",
	} {
		err := event.CheckTag(tag, "web1")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", tag, err, want)
		}
	}
}
