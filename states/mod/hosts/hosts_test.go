package hosts_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/hosts"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const before = "# by hand\n127.0.0.1\tlocalhost  lo # this one\n\n192.0.2.7 old db0\n2001:DB8:0::7 six\n"

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/etc/hosts", before)
	return h
}

func TestModules(t *testing.T) {
	moduletest.Run(t, hosts.Module, moduletest.Options{Host: newHost})
	moduletest.Run(t, hosts.StateModule, moduletest.Options{Host: newHost})
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestStates(t *testing.T) {
	const head = "# by hand\n127.0.0.1\tlocalhost  lo # this one\n\n"
	for _, c := range []struct{ state, test, done, after, warning string }{
		{"present|name=db1|ip=192.0.2.7", `would {"added":{"192.0.2.7":["db1"]}} Host db1 (192.0.2.7) would be added`,
			`true {"added":{"192.0.2.7":["db1"]}} Added host db1 (192.0.2.7)`, head + "192.0.2.7\t\told db0 db1\n2001:DB8:0::7 six\n", ""},
		{"present|name=six|ip=[2001:db8::7, 192.0.2.9]", `would {"added":{"192.0.2.9":["six"]}} Host six (2001:db8::7) already present` +
			"\nHost six (192.0.2.9) would be added", `true {"added":{"192.0.2.9":["six"]}} Host six (2001:db8::7) already present` +
			"\nAdded host six (192.0.2.9)", before + "192.0.2.9\t\tsix\n", ""},
		{"present|name=db0|ip=192.0.2.8|clean=True|comment=moved", `would {"added":{"192.0.2.8":["db0"]},"comment_added":{"192.0.2.8":["moved"]},` +
			`"removed":{"192.0.2.7":["db0"]}} Host db0 (192.0.2.8) would be added` + "\nComment for 192.0.2.8 (moved) would be added\n" +
			"Host db0 (192.0.2.7) would be removed", `true {"added":{"192.0.2.8":["db0"]},"comment_added":{"192.0.2.8":["moved"]},` +
			`"removed":{"192.0.2.7":["db0"]}} Added host db0 (192.0.2.8)` + "\nSet comment for host 192.0.2.8 (moved)\nRemoved host db0 (192.0.2.7)",
			head + "192.0.2.7\t\told\n2001:DB8:0::7 six\n192.0.2.8\t\tdb0\t# moved\n", ""},
		{"present|name=old|ip=192.0.2.8", `would {"added":{"192.0.2.8":["old"]}} Host old (192.0.2.8) would be added`,
			`true {"added":{"192.0.2.8":["old"]}} Added host old (192.0.2.8)`, before + "192.0.2.8\t\told\n", "present for IP address 192.0.2.7"},
		{"present|name=lo|ip=127.0.0.1|comment=this one", "true {} Host lo (127.0.0.1) already present",
			"true {} Host lo (127.0.0.1) already present", before, ""},
		{"absent|name=six|ip=2001:db8::7", `would {"host":"six"} Host six (2001:db8::7) needs to be removed`,
			`true {"host":"six"} Removed host six (2001:db8::7)`, head + "192.0.2.7 old db0\n", ""},
		{"absent|name=none|ip=127.0.0.1", "true {} Host none (127.0.0.1) already absent", "true {} Host none (127.0.0.1) already absent", before, ""},
		{"only|name=192.0.2.7|hostnames=[db1.example.com, db0]", `would {"192.0.2.7":{"old":"old db0","new":"db1.example.com db0"}} ` +
			`Would change 192.0.2.7 from "old db0" to "db1.example.com db0"`, `true {"192.0.2.7":{"old":"old db0","new":"db1.example.com db0"}} ` +
			`successfully changed 192.0.2.7 from "old db0" to "db1.example.com db0"`, head + "192.0.2.7\t\tdb1.example.com db0\n2001:DB8:0::7 six\n", ""},
	} {
		words := strings.Split(c.state, "|")
		s, err := module.NewIndex(hosts.StateModule).State("host." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words(words[1:]...))
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t)
		test := b.Run(t.Context(), h.Host, true)
		done := told(b.Run(t.Context(), h.Host, false))
		if told(test) != c.test || done != c.done || h.Read("/etc/hosts") != c.after {
			t.Errorf("%s: got %s, %s and\n%s\nwant %s, %s and\n%s", c.state, told(test), done, h.Read("/etc/hosts"), c.test, c.done, c.after)
		}
		if got := strings.Join(test.Warnings, ""); (got == "") != (c.warning == "") || !strings.Contains(got, c.warning) {
			t.Errorf("%s: got warnings %q", c.state, got)
		}
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.state, told(again))
		}
	}
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	for _, c := range [][2]string{
		{"get_ip|db0", `"192.0.2.7"`}, {"get_ip|none", `""`}, {"get_alias|127.0.0.1", `["localhost","lo"]`}, {"has_pair|192.0.2.7|old", "true"},
		{"add_host|192.0.2.7|db1", "true"}, {"rm_host|192.0.2.7|old", "true"}, {"get_alias|192.0.2.7", `["db0","db1"]`},
		{"set_host|192.0.2.7|one", "true"}, {"set_comment|192.0.2.7|mine", "true"}, {"set_comment|192.0.2.99|mine", "false"},
		{"list_hosts", `{"127.0.0.1":{"aliases":["localhost","lo"],"comment":"this one"},"192.0.2.7":{"aliases":["one"],"comment":"mine"},` +
			`"2001:DB8:0::7":{"aliases":["six"]}}`},
		{"add_host|nonsense|x", `cannot call hosts.add_host: "nonsense" is no IP address`},
	} {
		words := strings.Split(c[0], "|")
		f, err := module.NewIndex(hosts.Module).Func("hosts." + words[0])
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
