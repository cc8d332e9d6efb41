package tag_test

import (
	"strings"
	"testing"

	"brine/proto/tag"
)

func TestTagsOfMinions(t *testing.T) {
	for name, want := range map[string]string{
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
		err := tag.Check(name, "web1")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}
