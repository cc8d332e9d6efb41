package group_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/account/accounttest"
	"brine/states/host/hosttest"
	"brine/states/mod/group"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

func newHost(t testing.TB) *accounttest.Host {
	h := accounttest.New(t)
	h.Write("/etc/passwd", h.Read("/etc/passwd")+"fred:x:1001:100::/:/bin/sh\n")
	h.Write("/etc/group", h.Read("/etc/group")+"two:x:30:me,fred\n")
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, group.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host { return newHost(t).Host }})
}

func bind(t *testing.T, name, args string) (*module.Bound, error) {
	t.Helper()
	s, err := module.NewIndex(group.Module).State("group." + name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := yaml.Parse("", []byte(args))
	if err != nil {
		t.Fatal(err)
	}
	var in module.Input
	for _, p := range n.Pairs {
		in.Args = append(in.Args, module.Arg{Name: p.Key.Text, Value: module.Node(p.Value)})
	}
	return s.Bind(in)
}

func shown(r module.Result) string {
	json, _ := value.MarshalJSON(r.Changes)
	result := "None"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return result + " " + r.Comment + " " + string(json)
}

// TestStates runs each state in test mode, for real and again.
func TestStates(t *testing.T) {
	for _, tt := range []struct{ state, args, ran, want string }{
		{"present", "{name: games}", "", `true Group games is present and up to date {}`},
		{"present", "{name: new, gid: 77, members: [me, fred, me]}", "groupadd -g 77 new; gpasswd -a me new; gpasswd -a fred new",
			`true New group new created {"name":"new","passwd":"x","gid":77,"members":["me","fred"]}`},
		{"present", "{name: new, gid: 20, non_unique: true, system: true, addusers: fred}", "groupadd -g 20 -r -o new; gpasswd -a fred new",
			`true New group new created {"name":"new","passwd":"x","gid":20,"members":["fred"]}`},
		{"present", "{name: games, gid: 21, addusers: [fred], delusers: [me, nosuch]}", "groupmod -g 21 games; gpasswd -a fred games; gpasswd -d me games",
			`true Updated group games {"gid":21,"addusers":["fred"],"delusers":["me"]}`},
		{"present", "{name: two, members: [fred]}", "gpasswd -d me two", `true Updated group two {"delusers":["me"]}`},
		{"present", "{name: two, members: []}", "gpasswd -d me two; gpasswd -d fred two", `true Updated group two {"delusers":["me","fred"]}`},
		{"present", "{name: two, members: [fred, me]}", "", `true Group two is present and up to date {}`},
		{"present", "{name: new, gid: 20}", "", `false cannot give the group "new" the number 20: the group "games" has it {}`},
		{"present", "{name: two, gid: 20}", "", `false cannot give the group "two" the number 20: the group "games" has it {}`},
		{"present", "{name: two, members: [nosuch, me, nor]}", "", `false cannot put users into the group "two" that are not there: nosuch, nor {}`},
		{"absent", "{name: nosuch}", "", `true Group nosuch is not present {}`},
		{"absent", "{name: two}", "groupdel two", `true Removed group two {"two":"removed"}`},
		{"absent", "{name: me}", "", `false cannot remove the group "me": it is the primary group of the user "me" {}`},
	} {
		h := newHost(t)
		b, err := bind(t, tt.state, tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		foretold := b.Run(t.Context(), h.Host.Host, true)
		if len(h.Ran()) > 0 {
			t.Errorf("%s: test mode ran %q", tt.args, h.Ran())
		}
		done := b.Run(t.Context(), h.Host.Host, false)
		if got := strings.Join(h.Ran(), "; "); got != tt.ran || shown(done) != tt.want {
			t.Errorf("%s: ran %q, want %q\n got %s\nwant %s", tt.args, got, tt.ran, shown(done), tt.want)
		}
		if !value.Equal(foretold.Changes, done.Changes) {
			t.Errorf("%s: foretold %s, got %s", tt.args, shown(foretold), shown(done))
		}
		h.Forget()
		if again := b.Run(t.Context(), h.Host.Host, false); again.Changes.Len() > 0 || len(h.Ran()) > 0 {
			t.Errorf("%s: again %s, ran %q", tt.args, shown(again), h.Ran())
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"{name: '-a'}", `argument "name": want the name of an account, got "-a"`},
		{"{name: a, members: [me], addusers: [me]}", `argument "members" names all users: leave "addusers" and "delusers" out`},
		{"{name: a, addusers: [me, x], delusers: [x, me]}", "\n    arguments \"addusers\" and \"delusers\" both name \"me\"\n    arguments \"addusers\" and \"delusers\" both name \"x\""},
		{"{name: a, gid: -1, addusers: ['a:b']}", "\n    argument \"addusers\": want names of accounts, got \"a:b\"\n    argument \"gid\": want the number of an account, got \"-1\""},
	} {
		if _, err := bind(t, "present", tt.args); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got  %v\nwant %s", tt.args, err, tt.want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct{ name, args, ran, want string }{
		{"info", "games", "", `{"name":"games","passwd":"x","gid":20,"members":["me"]}`},
		{"info", "20", "", `{}`},
		{"getent", "", "", `[{"name":"root","passwd":"x","gid":0,"members":[]},{"name":"me","passwd":"x","gid":1000,"members":[]},` +
			`{"name":"wheel","passwd":"x","gid":10,"members":[]},{"name":"games","passwd":"x","gid":20,"members":["me"]},{"name":"two","passwd":"x","gid":30,"members":["me","fred"]}]`},
		{"add", "new 44 true", "groupadd -g 44 -r new", "true"},
		{"add", "games", "", `cannot make the group "games": it is there already`},
		{"add", "new 20", "groupadd -g 20 new", "cannot make the group \"new\": command \"groupadd --root ROOT -g 20 new\" ended with 1: groupadd: GID '20' already exists"},
		{"delete", "games", "groupdel games", "true"},
		{"delete", "nosuch", "", `cannot find group "nosuch": no such account`},
		{"chgid", "games 44", "groupmod -g 44 games", "true"},
		{"chgid", "games 20", "", "true"},
		{"adduser", "games fred", "gpasswd -a fred games", "true"},
		{"adduser", "games me", "", "true"},
		{"adduser", "games nosuch", "", `cannot find user "nosuch": no such account`},
		{"deluser", "games me", "gpasswd -d me games", "true"},
		{"deluser", "games fred", "", "true"},
		{"members", "two fred,root", "gpasswd -a root two; gpasswd -d me two", "true"},
		{"members", "two nosuch", "", `cannot put users into the group "two" that are not there: nosuch`},
	} {
		h := newHost(t)
		f, err := module.NewIndex(group.Module).Func("group." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host.Host, module.Words(strings.Fields(tt.args)...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = strings.ReplaceAll(err.Error(), h.Root, "ROOT")
		}
		if ran := strings.Join(h.Ran(), "; "); got != tt.want || ran != tt.ran {
			t.Errorf("%s %s: got %s and ran %q, want %s and %q", tt.name, tt.args, got, ran, tt.want, tt.ran)
		}
	}
}
