package aliases_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/aliases"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const before = "# by hand\nold: me\nPostmaster:   root\t# who else\nteam: a@example.com,\n  b@example.com\n\"odd: one\": |\"/bin/x #1\"\n"

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/etc/aliases", before)
	h.Write("/usr/bin/newaliases", "")
	h.Change("chroot "+h.Path("/")+" newaliases", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	return h
}

func TestModules(t *testing.T) {
	moduletest.Run(t, aliases.Module, moduletest.Options{Host: newHost})
	moduletest.Run(t, aliases.StateModule, moduletest.Options{Host: newHost})
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, done, old, new string }{
		{"present|name=root|target=[a@x, b@x]", `{"alias":"root"} Set email alias root -> a@x, b@x`, "", ""},
		{"present|name=postmaster|target=me", `{"alias":"postmaster"} Set email alias postmaster -> me`,
			"Postmaster:   root\t# who else\n", "Postmaster: me\t# who else\n"},
		{"present|name=team|target=[a@example.com, b@example.com]", "{} Alias team already present", "", ""},
		{`present|name="odd: one"|target=|"/bin/x #1"`, `{} Alias "odd: one" already present`, "", ""},
		{"absent|name=team", `{"alias":"team"} Removed alias team`, "team: a@example.com,\n  b@example.com\n", ""},
		{"absent|name=nobody", "{} Alias nobody already absent", "", ""},
	} {
		words := strings.SplitN(c.state, "|", 3)
		s, err := module.NewIndex(aliases.StateModule).State("alias." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		in := module.Words(words[1:]...)
		for i := range in.Args {
			if name, text, _ := module.SplitNamed(words[1:][i]); strings.Contains(text, `"`) {
				in.Args[i] = module.Arg{Name: name, Value: module.Data(text)}
			}
		}
		b, err := s.Bind(in)
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t)
		r := b.Run(t.Context(), h.Host, false)
		json, _ := value.MarshalJSON(r.Changes)
		if got := fmt.Sprintf("%s %s", json, r.Comment); got != c.done {
			t.Errorf("%s: got %s, want %s", c.state, got, c.done)
		}
		want := strings.Replace(before, c.old, c.new, 1)
		if strings.Contains(c.state, "name=root") {
			want += "root: a@x, b@x\n"
		}
		if got := h.Read("/etc/aliases"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.state, got, want)
		}
		if changed := r.Changes.Len() > 0; changed != (len(h.Ran()) == 1) {
			t.Errorf("%s: ran %q", c.state, h.Ran())
		}
	}
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	h.Pillar = value.NewDict("aliases.file", "/etc/mail/aliases")
	h.Write("/etc/mail/aliases", "one: 1\n")
	for _, c := range [][2]string{
		{"list_aliases", `{"one":"1"}`}, {"get_target|one", `"1"`}, {"get_target|two", `""`},
		{"has_target|one|1", "true"}, {"has_target|one|2", "false"}, {"set_target|one|2", "true"},
		{"set_target|two|[a, b]", "true"}, {"rm_alias|none", "true"}, {"rm_alias|one", "true"}, {"list_aliases", `{"two":"a, b"}`},
		{"set_target|a:b|c", `cannot call aliases.set_target: "a:b" can't be the name of an alias`},
	} {
		words := strings.Split(c[0], "|")
		f, err := module.NewIndex(aliases.Module).Func("aliases." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}
