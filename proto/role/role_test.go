package role_test

import (
	"strings"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/role"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{ // read, and written again
		"admin":                              "admin",
		"* on * in *":                        "admin",
		"test.ping on web1":                  "test.ping on web1 in base",
		"test.*,state.apply on web* in base": "test.*,state.apply on web* in base",
		" test.* , cmd.run on web* db1 in dev, qa ": "test.*,cmd.run on web*,db1 in dev,qa",
		"* on web*":        "* on web* in base",
		"@job.list,@key.*": "@job.list,@key.*",
		"@job.* in base":   "@job.*",
		"viewer":           "@audit.list,@event.list,@hook.list,@job.list,@job.show,@key.list,@master.list,@minion.list,@notify.list,@operator.list,@rules.list",
	} {
		r, err := role.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := role.Format(r); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		again, err := role.Parse(role.Format(r))
		if err != nil || !pb.Equal(r, again) {
			t.Errorf("%q: read again it is %v, %v", text, again, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "it has no functions",
		"on web*":                           "it has no functions",
		"test.*":                            "it names no minions",
		"test.* on":                         `missing behind "on"`,
		"test.* on a in":                    `missing behind "in"`,
		"test.* in base on a":               `another "on"`,
		"test.* on a on b":                  `another "on"`,
		"te[st on we[b in ba[se":            `we[b`,
		strings.Repeat("a,", 201) + " on b": "at most 200",
		strings.Repeat("a", 300) + " on b":  "300 bytes",
	} {
		if _, err := role.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if err := role.Check(&proto.Role{Functions: []string{"te[st"}, Targets: []string{"we[b"}}); strings.Count(err.Error(), "no closing") != 2 {
		t.Errorf("not every mistake: %v", err)
	}
}

func TestRolesOfBeforeHoldEverywhere(t *testing.T) {
	old := &proto.Role{Functions: []string{"test.*"}, Targets: []string{"*"}}
	if got := role.Format(old); got != "test.* on * in *" || !role.Everywhere(old) {
		t.Errorf("got %q", got)
	}
	if !role.IsAdmin(&proto.Role{Functions: []string{"*"}, Targets: []string{"*"}}) {
		t.Error("the first operator of before is no admin")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"admin", "test.* on web* in base", "a on b in c", "@x", "[ on ] in"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := role.Parse(text)
		if err != nil {
			return
		}
		if again, err := role.Parse(role.Format(r)); err != nil || role.Format(again) != role.Format(r) {
			t.Errorf("%q was written as %q, which reads as %v, %v", text, role.Format(r), again, err)
		}
	})
}

func TestEnvironments(t *testing.T) {
	for name, want := range map[string]bool{
		"base": true, "feature/x": true, "ünï": true, "v1.2": true, "a@b": true, strings.Repeat("a", 128): true,
		"": false, "a b": false, "a,b": false, "a*": false, "a?b": false, "a&b": false, "a%b": false, "a+b": false, "..": false, "a/../b": false,
		"/a": false, "a/": false, "a//b": false, ".a": false, "a\\b": false, "a\xffb": false, strings.Repeat("a", 129): false,
	} {
		if err := role.CheckEnvironment(name); (err == nil) != want {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
