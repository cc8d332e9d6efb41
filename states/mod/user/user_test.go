package user_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"brine/states/account/accounttest"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/user"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

func TestModule(t *testing.T) {
	moduletest.Run(t, user.Module, moduletest.Options{
		Host: func(t testing.TB) *hosttest.Host { return accounttest.New(t).Host }, Afterwards: []string{"present"},
	})
}

// state runs a state whose arguments are written as in an SLS.
func state(t *testing.T, h *accounttest.Host, name, args string, test bool) module.Result {
	t.Helper()
	b, err := bind(t, name, args)
	if err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	return b.Run(t.Context(), h.Host.Host, test)
}

func bind(t *testing.T, name, args string) (*module.Bound, error) {
	t.Helper()
	s, err := module.NewIndex(user.Module).State("user." + name)
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

func call(t *testing.T, h *accounttest.Host, name string, args ...string) string {
	t.Helper()
	f, err := module.NewIndex(user.Module).Func("user." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host.Host, module.Words(args...))
	if err != nil {
		return err.Error()
	}
	json, _ := value.MarshalJSON(r.Value)
	return string(json)
}

// TestPresent runs what changes a user that is there, in test mode, for real and again.
func TestPresent(t *testing.T) {
	for _, tt := range []struct{ name, args, ran, changes string }{
		{"nothing is asked for", "{name: me}", "", `{}`},
		{"all of passwd at once", "{name: me, shell: /bin/zsh, home: /srv/me, createhome: false, fullname: Me Too, workphone: 123}",
			"usermod -c Me Too,,123 -d /srv/me -s /bin/zsh me", `{"home":"/srv/me","shell":"/bin/zsh","fullname":"Me Too","workphone":"123"}`},
		{"a number with leave", "{name: me, uid: 1234, allow_uid_change: true}", "usermod -u 1234 me", `{"uid":1234}`},
		{"a group by name", "{name: me, gid: wheel, allow_gid_change: true}", "usermod -g 10 me", `{"gid":10,"groups":["games","wheel"]}`},
		{"groups are all", "{name: me, groups: [wheel]}", "usermod -G wheel me", `{"groups":["me","wheel"]}`},
		{"no groups", "{name: me, groups: []}", "usermod -G  me", `{"groups":["me"]}`},
		{"groups are left", "{name: me, groups: [wheel], remove_groups: false}", "usermod -G games,wheel me", `{"groups":["games","me","wheel"]}`},
		{"optional ones as far as they are there", "{name: me, groups: [games], optional_groups: [wheel, nosuch]}",
			"usermod -G games,wheel me", `{"groups":["games","me","wheel"]}`},
		{"optional ones that are not there change nothing", "{name: me, optional_groups: [nosuch]}", "", `{}`},
		{"the primary group is no other", "{name: me, groups: [me, games]}", "", `{}`},
		{"an empty password is none", "{name: me, password: '', enforce_password: true}", "", `{}`},
		{"a hash", "{name: me, password: $6$salt$hash}", "chpasswd -e < me:$6$salt$hash", `{"passwd":"XXX-REDACTED-XXX","lstchg":TODAY}`},
		{"a hash and a lock", "{name: me, password: $6$salt$hash, password_lock: true}", "chpasswd -e < me:!$6$salt$hash",
			`{"passwd":"XXX-REDACTED-XXX","lstchg":TODAY}`},
		{"no password", "{name: me, empty_password: true}", "passwd -d me", `{"passwd":"XXX-REDACTED-XXX","lstchg":TODAY}`},
		{"dates", "{name: me, date: 2000-01-01, mindays: 1, maxdays: 90, inactdays: 5, warndays: 3, expire: 2030-01-01}",
			"chage -d 10957 -m 1 -M 90 -W 3 -I 5 -E 21915 me", `{"lstchg":10957,"min":1,"max":90,"warn":3,"inact":5,"expire":21915}`},
		{"a hash with a date", "{name: me, password: $6$salt$hash, date: 0}", "chpasswd -e < me:$6$salt$hash; chage -d 0 me",
			`{"passwd":"XXX-REDACTED-XXX","lstchg":0}`},
		{"the home comes back", "{name: root, createhome: true, uid: 0}", "", `{"homeDoesNotExist":"/root"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := accounttest.New(t)
			changes := strings.ReplaceAll(tt.changes, "TODAY", today())
			foretold := state(t, h, "present", tt.args, true)
			if ran := h.Ran(); len(ran) > 0 {
				t.Errorf("test mode ran %q", ran)
			}
			if tt.name == "the home comes back" && !isRoot() {
				return // only root gives directories away
			}
			done := state(t, h, "present", tt.args, false)
			if got := strings.Join(h.Ran(), "; "); got != tt.ran {
				t.Errorf("ran %q, want %q", got, tt.ran)
			}
			if !value.Equal(foretold.Changes, done.Changes) || !strings.HasSuffix(shown(done), " "+changes) || !strings.HasPrefix(shown(done), "true") {
				t.Errorf("got    %s\nforetold %s\nwant changes %s", shown(done), shown(foretold), changes)
			}
			if again := state(t, h, "present", tt.args, false); again.Changes.Len() > 0 || len(h.Ran()) > strings.Count(tt.ran, ";")+1 {
				t.Errorf("again: %s, ran %q", shown(again), h.Ran())
			}
		})
	}
}

// TestNew makes users. What test mode foretold of them is true, if not all.
func TestNew(t *testing.T) {
	for _, tt := range []struct{ args, ran, changes string }{
		{"{name: a}", "useradd -m a",
			`{"gid":1001,"groups":["a"],"home":"/home/a","name":"a","passwd":"x","shell":"/bin/sh","uid":1001,"fullname":"","roomnumber":"","workphone":"","homephone":"","other":""}`},
		{"{name: wheel}", "useradd -g wheel -m wheel", // which useradd alone refuses
			`{"gid":10,"groups":["wheel"],"home":"/home/wheel","name":"wheel","passwd":"x","shell":"/bin/sh","uid":1001,"fullname":"","roomnumber":"","workphone":"","homephone":"","other":""}`},
		{"{name: a, gid_from_name: true, system: true, createhome: false, home: /nonexistent, shell: /usr/sbin/nologin}",
			"useradd -s /usr/sbin/nologin -U -M -d /nonexistent -r a",
			`{"gid":990,"groups":["a"],"home":"/nonexistent","name":"a","passwd":"x","shell":"/usr/sbin/nologin","uid":990,"fullname":"","roomnumber":"","workphone":"","homephone":"","other":""}`},
		{"{name: a, uid: 0, unique: false, gid: games, groups: [games, wheel], optional_groups: [nosuch], nologinit: true, fullname: A B, other: 'c,d'}",
			"useradd -u 0 -g 20 -G games,wheel -m -c A B,,,,c,d -o -l a",
			`{"gid":20,"groups":["games","wheel"],"home":"/home/a","name":"a","passwd":"x","shell":"/bin/sh","uid":0,"fullname":"A B","roomnumber":"","workphone":"","homephone":"","other":"c,d"}`},
		{"{name: a, password: $6$a$b, maxdays: 5, uid: 77, usergroup: true}", "useradd -u 77 -U -m a; chpasswd -e < a:$6$a$b; chage -M 5 a",
			`{"gid":1001,"groups":["a"],"home":"/home/a","name":"a","passwd":"x","shell":"/bin/sh","uid":77,"fullname":"","roomnumber":"","workphone":"","homephone":"","other":"","password":"XXX-REDACTED-XXX","maxdays":5}`},
	} {
		h := accounttest.New(t)
		foretold := state(t, h, "present", tt.args, true)
		if foretold.Result != nil || len(h.Ran()) > 0 {
			t.Errorf("%s: test mode: %s, ran %q", tt.args, shown(foretold), h.Ran())
		}
		done := state(t, h, "present", tt.args, false)
		if got := strings.Join(h.Ran(), "; "); got != tt.ran || !strings.HasSuffix(shown(done), tt.changes) {
			t.Errorf("%s: ran %q, want %q\n got %s\nwant %s", tt.args, got, tt.ran, shown(done), tt.changes)
		}
		for k, v := range foretold.Changes.All() {
			if got, _ := done.Changes.Get(k); !value.Equal(got, v) {
				t.Errorf("%s: foretold %v: %v, got %v", tt.args, k, v, got)
			}
		}
		if again := state(t, h, "present", tt.args, true); again.Changes.Len() > 0 || again.Result == nil {
			t.Errorf("%s: again %s", tt.args, shown(again))
		}
	}
}

// TestHashedPassword keeps the hash that is there while the password fits it.
func TestHashedPassword(t *testing.T) {
	h := accounttest.New(t)
	const args = "{name: me, password: geheim, hash_password: true}"
	first := state(t, h, "present", args, false)
	ran := strings.Join(h.Ran(), "")
	if !strings.HasPrefix(ran, "chpasswd -e < me:$6$") || strings.Contains(shown(first), "$6$") || strings.Contains(shown(first), "geheim") {
		t.Errorf("ran %q, got %s", ran, shown(first))
	}
	if again := state(t, h, "present", args, false); again.Changes.Len() > 0 {
		t.Errorf("again %s", shown(again))
	}
	if locked := state(t, h, "present", "{name: me, password: geheim, hash_password: true, password_lock: true}", false); locked.Changes.Len() == 0 {
		t.Error("it was not locked")
	}
	if again := state(t, h, "present", "{name: me, password: geheim, hash_password: true, password_lock: true}", false); again.Changes.Len() > 0 {
		t.Errorf("locked again %s", shown(again))
	}
	h.Forget()
	kept := state(t, h, "present", "{name: me, password: $6$other$x, enforce_password: false}", false)
	if len(h.Ran()) > 0 {
		t.Errorf("a password that was set was taken away: %s", shown(kept))
	}
}

// TestAbsent removes users with the group that was theirs alone.
func TestAbsent(t *testing.T) {
	for _, tt := range []struct{ args, ran, want string }{
		{"{name: nosuch}", "", `true User nosuch is not present {}`},
		{"{name: me}", "userdel me", `true Removed user me {"me group":"removed","me":"removed"}`},
		{"{name: me, purge: true, force: true}", "userdel -r -f me", `true Removed user me {"me group":"removed","me":"removed"}`},
		{"{name: root}", "", `false cannot remove root: no one could log in any more {}`},
		{"{name: srv, purge: true, force: true}", "", `false cannot remove the files of the user "srv": its home /srv is a directory of the system {}`},
	} {
		h := accounttest.New(t)
		h.Write("/etc/passwd", h.Read("/etc/passwd")+"srv:x:50:50::/srv:/bin/sh\n")
		done := state(t, h, "absent", tt.args, false)
		if got := strings.Join(h.Ran(), "; "); got != tt.ran || shown(done) != tt.want {
			t.Errorf("%s: ran %q, want %q\n got %s\nwant %s", tt.args, got, tt.ran, shown(done), tt.want)
		}
	}
}

// TestRefused finds what can't be, before anything runs or without a change.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"{name: 'a:b'}", `argument "name": want the name of an account, got "a:b"`},
		{"{name: -r}", `argument "name": want the name of an account, got "-r"`},
		{"{name: a, fullname: 'Doe, J'}", `argument "fullname": a colon, line end or comma can't be in it, got "Doe, J"`},
		{"{name: a, other: 'a:b', home: rel}", "\n    argument \"home\": want an absolute path, got \"rel\"\n    argument \"other\": a colon, line end can't be in it, got \"a:b\""},
		{"{name: a, password: geheim}", `argument "password": want a hash as shadow has it; set hash_password to give the password itself`},
		{"{name: a, password: '*', empty_password: true}", `arguments "password" and "empty_password" contradict one another: give one`},
		{"{name: a, hash_password: true}", `argument "hash_password": there is no password to hash`},
		{"{name: a, gid: 5, gid_from_name: true}", `arguments "gid" and "gid_from_name" both name the primary group: give one`},
		{"{name: a, gid: 5, usergroup: true}", `arguments "gid" and "usergroup" both name the primary group: give one`},
		{"{name: a, uid: x, expire: soon, groups: [-a]}", "\n    argument \"expire\": want a number of days since 1970, or YYYY-MM-DD, got \"soon\"\n" +
			"    argument \"groups\": want names of accounts, got \"-a\"\n    argument \"uid\": want the number of an account, got \"x\""},
	} {
		if _, err := bind(t, "present", tt.args); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got  %v\nwant %s", tt.args, err, tt.want)
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"{name: me, groups: [a, games, b]}", `false cannot put a user into groups that are not there: a, b {}`},
		{"{name: me, gid: nosuch}", `false cannot use the group "nosuch" for the user "me": there is none of that name {}`},
		{"{name: new, gid: 5555}", `false cannot use the group 5555 for the user "new": there is no group of that number {}`},
		{"{name: me, uid: 7, gid: 0}", "false cannot change the uid of the user \"me\" from 1000 to 7: set allow_uid_change to do it; " +
			"its files outside of the home directory keep the old number\ncannot change the gid of the user \"me\" from 1000 to 0: set " +
			"allow_gid_change to do it; its files outside of the home directory keep the old number {}"},
		{"{name: bad user}", `false cannot make an account with the name "bad user": want at most 32 bytes without blanks, and no ~ first {}`},
		{"{name: new, uid: 0}", `false cannot give the user "new" the number 0: the user "root" has it {}`},
		{"{name: me, uid: 0, allow_uid_change: true}", `false cannot give the user "me" the number 0: the user "root" has it {}`},
	} {
		h := accounttest.New(t)
		if got := shown(state(t, h, "present", tt.args, true)); got != strings.ReplaceAll(tt.want, "ROOT", h.Root) {
			t.Errorf("%s: test mode: got  %s\nwant %s", tt.args, got, tt.want)
		}
		if got := shown(state(t, h, "present", tt.args, false)); got != strings.ReplaceAll(tt.want, "ROOT", h.Root) {
			t.Errorf("%s: got  %s\nwant %s", tt.args, got, tt.want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct {
		name, args, ran, want string
	}{
		{"info", "me", "", `{"gid":1000,"groups":["games","me"],"home":"/home/me","name":"me","passwd":"x","shell":"/bin/sh","uid":1000,"fullname":"Me","roomnumber":"","workphone":"","homephone":"","other":""}`},
		{"info", "nosuch", "", `{}`},
		{"info", "1000", "", `{}`},
		{"list_users", "", "", `["me","root"]`},
		{"list_groups", "me", "", `["games","me"]`},
		{"list_groups", "nosuch", "", `cannot find user "nosuch": no such account`},
		{"primary_group", "me", "", `"me"`},
		{"add", "a 500 games wheel /srv/a /bin/zsh", "useradd -s /bin/zsh -u 500 -g 20 -G wheel -m -d /srv/a a", "true"},
		{"add", "me", "", `cannot make the user "me": it is there already`},
		{"delete", "me remove=true", "userdel -r me", "true"},
		{"delete", "nosuch", "", `cannot find user "nosuch": no such account`},
		{"chuid", "me 77", "usermod -u 77 me", "true"},
		{"chuid", "me 1000", "", "true"},
		{"chgid", "me wheel", "usermod -g 10 me", "true"},
		{"chshell", "me /bin/zsh", "usermod -s /bin/zsh me", "true"},
		{"chshell", "me zsh", "", `argument "value": want an absolute path, got "zsh"`},
		{"chhome", "me /srv/me persist=true", "usermod -d /srv/me -m me", "true"},
		{"chgroups", "me wheel", "usermod -G wheel me", "true"},
		{"chgroups", "me wheel,games append=true", "usermod -G games,wheel me", "true"},
		{"chgroups", "me nosuch", "", "cannot put a user into groups that are not there: nosuch"},
		{"chfullname", "me Moi", "usermod -c Moi me", "true"},
		{"chroomnumber", "me 5", "usermod -c Me,5 me", "true"},
		{"chhomephone", "me homephone=5", "usermod -c Me,,,5 me", "true"},
		{"chother", "me a,b", "usermod -c Me,,,,a,b me", "true"},
		{"rename", "me moi", "usermod -l moi me", "true"},
		{"rename", "me root", "", `cannot rename "me": there is a user "root" already`},
	} {
		h := accounttest.New(t)
		got := call(t, h, tt.name, strings.Fields(tt.args)...)
		if ran := strings.Join(h.Ran(), "; "); got != tt.want || ran != tt.ran {
			t.Errorf("%s %s: got %s and ran %q, want %s and %q", tt.name, tt.args, got, ran, tt.want, tt.ran)
		}
	}
}

// TestBusyBox uses the few programs that BusyBox has.
func TestBusyBox(t *testing.T) {
	const password = "me:$6$a$b"
	for _, tt := range []struct{ state, args, ran, want string }{
		{"present", "{name: me, groups: [wheel], password: $6$a$b}", "addgroup me wheel; delgroup me games; chpasswd -e < " + password, "cannot run chage"},
		{"present", "{name: me, shell: /bin/zsh}", "", `cannot change the user "me": cannot run usermod: this host has BusyBox's programs alone (install the package shadow)`},
		{"present", "{name: a, uid: 5, gid: '20', groups: [wheel], home: /home/a, fullname: A, system: true}",
			"adduser -D -h /home/a -G games -g A -u 5 -S a; addgroup a wheel", ""},
		{"present", "{name: a, system: true, usergroup: true, createhome: false}", "addgroup -S a; adduser -D -G a -H -S a", ""},
		{"present", "{name: wheel}", "adduser -D -G wheel wheel", ""},
		{"present", "{name: a, unique: false}", "", "cannot make the user \"a\": BusyBox's adduser makes no second user with a number"},
		{"absent", "{name: me, purge: true}", "deluser --remove-home me", ""},
	} {
		h := accounttest.New(t)
		h.Write("/bin/busybox", "")
		var ran []string
		h.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
			line := strings.Join(c.Argv[3:], " ")
			if len(c.Stdin) > 0 {
				line += " < " + strings.TrimSpace(string(c.Stdin))
			}
			ran = append(ran, line)
			return host.Output{}, nil
		}
		done := state(t, h, tt.state, tt.args, false)
		if got := strings.Join(ran, "; "); got != tt.ran || !strings.Contains(done.Comment, tt.want) {
			t.Errorf("%s: ran %q, want %q\n got %s\nwant %s", tt.args, got, tt.ran, shown(done), tt.want)
		}
	}
}
