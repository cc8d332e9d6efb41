package debconf_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/debconf"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const templates = `Name: shared/mailname
Type: string
Description: the name

Name: tzdata/Areas
Type: select
Default: Etc
Choices: Europe, Etc

Name: app/secret
Type: password

Name: app/about
Type: text

`

const config = `Name: shared/mailname
Template: shared/mailname
Value: old.example.com
Owners: nullmailer, postfix
Flags: seen

Name: tzdata/Areas
Template: tzdata/Areas
Owners: tzdata
Variables:
 choices = x

Name: app/about
Template: app/about
Owners: app

`

// A debian is a host whose debconf-set-selections adds what it reads to the database.
type debian struct {
	*hosttest.Host
	set string
}

func newDebian(t testing.TB) *debian {
	d := &debian{Host: hosttest.New(t)}
	d.Write("/var/cache/debconf/templates.dat", templates)
	d.Write("/var/cache/debconf/config.dat", config)
	d.Write("/etc/debconf.conf", "Config: configdb\n\nName: passwords\nFilename: /var/lib/passwords.dat\n")
	d.Write("/var/lib/passwords.dat", "Name: app/secret\nTemplate: app/secret\nValue: se cret\nOwners: app\n\n")
	d.Change("chroot "+d.Path("/")+" debconf-set-selections", func(c host.Command) (host.Output, error) {
		d.set += string(c.Stdin)
		for line := range strings.Lines(string(c.Stdin)) {
			w := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
			d.Write("/var/cache/debconf/templates.dat", d.Read("/var/cache/debconf/templates.dat")+fmt.Sprintf("Name: %s\nType: %s\n\n", w[1], w[2]))
			old := strings.Split(d.Read("/var/cache/debconf/config.dat"), "\n\n")
			var left []string
			for _, s := range old {
				if s != "" && !strings.HasPrefix(s, "Name: "+w[1]+"\n") {
					left = append(left, s)
				}
			}
			left = append(left, fmt.Sprintf("Name: %s\nTemplate: %s\nValue: %s\nOwners: %s\n\n", w[1], w[1], w[3], w[0]))
			d.Write("/var/cache/debconf/config.dat", strings.Join(left, "\n\n"))
		}
		return host.Output{}, nil
	})
	d.Files.Serve("salt://web/selections", "# ours\nnullmailer shared/mailname string new.example.com\n\ntzdata tzdata/Areas select Etc\napp app/long string a \\\nb\n", 0o644)
	return d
}

func TestModule(t *testing.T) {
	moduletest.Run(t, debconf.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host { return newDebian(t).Host }})
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ args, told, set string }{
		{"set|name=postfix|data={shared/mailname: {type: string, value: old.example.com}}", "{} All specified answers are already set", ""},
		{"set|name=other|data={shared/mailname: {type: string, value: old.example.com}}", `{"shared/mailname":"old.example.com"} Answers were set: shared/mailname`,
			"other shared/mailname string old.example.com\n"},
		{"set|name=tzdata|data={tzdata/Areas: {type: select, value: Etc}}", "{} All specified answers are already set", ""},
		{"set|name=app|data={app/secret: {type: password, value: se cret}}", "{} All specified answers are already set", ""},
		{"set|name=app|data={app/secret: {type: password, value: other}, app/on: {type: boolean, value: True}, app/list: {type: multiselect, value: [a, b]}}",
			`{"app/secret":"(password hidden)","app/on":"true","app/list":"a, b"} Answers were set: app/secret, app/on, app/list`,
			"app app/secret password other\napp app/on boolean true\napp app/list multiselect a, b\n"},
		{"set_file|name=x|source=salt://web/selections", `{"shared/mailname":"new.example.com","app/long":"a b"} Answers were set: shared/mailname, app/long`,
			"nullmailer shared/mailname string new.example.com\napp app/long string a b\n"},
	} {
		d := newDebian(t)
		words := strings.Split(c.args, "|")
		s, err := module.NewIndex(debconf.Module).State("debconf." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words(words[1:]...))
		if err != nil {
			t.Fatal(err)
		}
		test := b.Run(t.Context(), d.Host.Host, true)
		r := b.Run(t.Context(), d.Host.Host, false)
		json, _ := value.MarshalJSON(r.Changes)
		if foretold, _ := value.MarshalJSON(test.Changes); string(foretold) != string(json) {
			t.Errorf("%s: foretold %s, did %s", c.args, foretold, json)
		}
		if got := fmt.Sprintf("%s %s", json, r.Comment); got != c.told || d.set != c.set {
			t.Errorf("%s: got %s and %q, want %s and %q", c.args, got, d.set, c.told, c.set)
		}
		if again := b.Run(t.Context(), d.Host.Host, false); again.Changes.Len() > 0 {
			json, _ := value.MarshalJSON(again.Changes)
			t.Errorf("%s: the second run changed %s", c.args, json)
		}
	}
}

func TestMistakes(t *testing.T) {
	s, err := module.NewIndex(debconf.Module).State("debconf.set")
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"name=a b|data={q: {type: string, value: x}}":  `"a b" can't be the name of a package or a question`,
		"name=a|data={q: {type: strin, value: x}}":     "question q: want a type such as string, boolean, select, multiselect, password or note, got \"strin\"",
		"name=a|data={q: {type: string}, r: 3}":        "argument \"data\": question q: want type and value, got",
		"name=a|data={q: {type: boolean, value: 3}}":   "question q: want true or false, got \"3\"",
		`name=a|data={q: {type: string, value: 'x\'}}`: "question q: its value can't be written to debconf",
	} {
		_, err := s.Bind(module.Words(strings.Split(args, "|")...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	d := newDebian(t)
	for _, c := range [][2]string{
		{"show|postfix", `[["shared/mailname","string","old.example.com"]]`}, {"show|none", "null"},
		{"show|app", `[["app/secret","password","(password hidden)"]]`}, {"show|app|private=true", `[["app/secret","password","se cret"]]`},
		{"get_selections|private=true|fetchempty=false", `{"app":[["app/secret","password","se cret"]],"nullmailer":[["shared/mailname","string","old.example.com"]],` +
			`"postfix":[["shared/mailname","string","old.example.com"]],"tzdata":[["tzdata/Areas","select","Etc"]]}`},
		{"get_selections", `{"app":[["app/secret","password","(password hidden)"]],"nullmailer":[["shared/mailname","string","old.example.com"]],` +
			`"postfix":[["shared/mailname","string","old.example.com"]],"tzdata":[["tzdata/Areas","select","Etc"]]}`},
		{"set|tzdata|tzdata/Areas|select|Europe", "true"}, {"show|tzdata", `[["tzdata/Areas","select","Europe"]]`},
		{"set|a|a/b|string|one|two", "true"}, {"show|a", `[["a/b","string","one two"]]`},
		{"set_file|salt://web/selections", "true"}, {"set_file|salt://web/none", "false"},
	} {
		words := strings.Split(c[0], "|")
		f, err := module.NewIndex(debconf.Module).Func("debconf." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), d.Host.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		if err != nil || string(json) != c[1] {
			t.Errorf("%s: got %s, %v, want %s", c[0], json, err, c[1])
		}
	}
}

func TestAFailureDoesNotShowPasswords(t *testing.T) {
	d := newDebian(t)
	d.Change("chroot "+d.Path("/")+" debconf-set-selections", func(c host.Command) (host.Output, error) {
		return host.Output{Code: 1, Stderr: []byte("error: parse error on line 1: '" + string(c.Stdin) + "'")}, nil
	})
	s, _ := module.NewIndex(debconf.Module).State("debconf.set")
	b, err := s.Bind(module.Words("name=app", "data={app/secret: {type: password, value: hidden}}"))
	if err != nil {
		t.Fatal(err)
	}
	if r := b.Run(t.Context(), d.Host.Host, false); *r.Result || strings.Contains(r.Comment, "hidden") {
		t.Errorf("got %s", r.Comment)
	}
}
