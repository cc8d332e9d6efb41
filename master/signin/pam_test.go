package signin_test

import (
	"errors"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/master/signin"
	"brine/master/signin/signintest"
)

func TestPAMDecides(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "mux")
	var asked []string
	s, err := signintest.NewSASLAuthd(socket, func(user, password, service string) string {
		asked = append(asked, user+" "+service)
		switch password {
		case "right":
			return "OK"
		case "odd":
			return "MAYBE"
		}
		return "NO PAM auth error"
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{PAM: everyone()}, Auth: signin.Auth{PAM: signin.PAM{Socket: socket}}})
	if name, _, err := try(d, "pam", me.Username, "right"); err != nil || name != "pam:"+me.Username {
		t.Errorf("got %q, %v", name, err)
	}
	for _, c := range []struct {
		user, password string
		want           error
	}{
		{me.Username, "wrong", signin.ErrWrong},
		{me.Username, "odd", signin.ErrBackend},
		{"nobody-of-this-name", "right", signin.ErrBackend}, // PAM knows someone whom the system doesn't
		{"-u", "right", signin.ErrWrong},
		{me.Username, strings.Repeat("x", 257), signin.ErrWrong},
	} {
		if _, _, err := try(d, "pam", c.user, c.password); !errors.Is(err, c.want) {
			t.Errorf("%q, %.8q: got %v, want %v", c.user, c.password, err, c.want)
		}
	}
	if want := me.Username + " brine"; !slices.Contains(asked, want) || slices.Contains(asked, "-u brine") {
		t.Errorf("asked were %q", asked)
	}
}

func TestPAMKnowsTheGroupsOfTheSystem(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "mux")
	s, err := signintest.NewSASLAuthd(socket, func(string, string, string) string { return "OK" })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rights := map[string]any{group.Name + "%": []any{"test.ping"}}
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{PAM: rights}, Auth: signin.Auth{PAM: signin.PAM{Socket: socket}}})
	if _, groups, err := try(d, "pam", me.Username, "right"); err != nil || !slices.Equal(groups, []string{group.Name}) {
		t.Errorf("got %q, %v", groups, err)
	}
}

func TestPAMWithoutSASLAuthdIsAFault(t *testing.T) {
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{PAM: everyone()},
		Auth: signin.Auth{PAM: signin.PAM{Socket: filepath.Join(t.TempDir(), "none")}}})
	if _, _, err := try(d, "pam", "root", "x"); !errors.Is(err, signin.ErrBackend) {
		t.Errorf("got %v", err)
	}
}
