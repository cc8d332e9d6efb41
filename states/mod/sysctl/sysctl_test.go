package sysctl_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/sysctl"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	for name, val := range map[string]string{
		"net/ipv4/ip_forward": "0\n", "net/ipv4/tcp_rmem": "4096\t131072\t6291456\n", "net/ipv4/conf/eth0.100/forwarding": "1\n",
		"vm/swappiness": "60\n",
	} {
		h.Write("/proc/sys/"+name, val)
	}
	h.Write("/etc/sysctl.d/99-salt.conf", "# kept\nvm.swappiness=10\nnet/ipv4/tcp_rmem = 4096 131072 6291456\nvm.swappiness = 60\n")
	return h
}

func TestModule(t *testing.T) { moduletest.Run(t, sysctl.Module, moduletest.Options{Host: newHost}) }

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

func TestPresent(t *testing.T) {
	s, err := module.NewIndex(sysctl.Module).State("sysctl.present")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, test, done, file, text string }{
		{"name=net.ipv4.ip_forward|value=True", `would {"net.ipv4.ip_forward":"1"} Sysctl option net.ipv4.ip_forward set to be changed to 1`,
			`true {"net.ipv4.ip_forward":"1"} Updated sysctl value net.ipv4.ip_forward = 1`, "/proc/sys/net/ipv4/ip_forward", "1\n"},
		{"name=net.ipv4.tcp_rmem|value=4096 131072 6291456", "true {} Sysctl value net.ipv4.tcp_rmem = 4096 131072 6291456 is already set",
			"true {} Sysctl value net.ipv4.tcp_rmem = 4096 131072 6291456 is already set", "/proc/sys/vm/swappiness", "60\n"},
		{"name=vm.swappiness|value=10", `would {"vm.swappiness":"10"} Sysctl option vm.swappiness set to be changed to 10`,
			`true {"vm.swappiness":"10"} Updated sysctl value vm.swappiness = 10`, "/etc/sysctl.d/99-salt.conf",
			"# kept\nvm.swappiness = 10\nnet/ipv4/tcp_rmem = 4096 131072 6291456\n"},
		{"name=vm.swappiness|value=60|config=/etc/sysctl.conf", `would {"vm.swappiness":"60"} Sysctl value is currently set on the running ` +
			`system but not in a config file. Sysctl option vm.swappiness set to be changed to 60 in config file.`,
			`true {"vm.swappiness":"60"} Updated sysctl value vm.swappiness = 60`, "/etc/sysctl.conf", "vm.swappiness = 60\n"},
		{"name=net.ipv4.conf.eth0/100.forwarding|value=1", `would {"net.ipv4.conf.eth0/100.forwarding":"1"} Sysctl value is currently set on ` +
			`the running system but not in a config file. Sysctl option net.ipv4.conf.eth0/100.forwarding set to be changed to 1 in config file.`,
			`true {"net.ipv4.conf.eth0/100.forwarding":"1"} Updated sysctl value net.ipv4.conf.eth0/100.forwarding = 1`,
			"/proc/sys/net/ipv4/conf/eth0.100/forwarding", "1\n"},
		{"name=net/ipv4/ip_forward|value=1", `would {"net/ipv4/ip_forward":"1"} Sysctl option net/ipv4/ip_forward set to be changed to 1`,
			`true {"net/ipv4/ip_forward":"1"} Updated sysctl value net/ipv4/ip_forward = 1`, "/proc/sys/net/ipv4/ip_forward", "1\n"},
		{"name=no.such|value=1", "false {} cannot read no.such: the kernel has no such parameter",
			"false {} cannot read no.such: the kernel has no such parameter", "/none", ""},
	} {
		h := newHost(t)
		b, err := s.Bind(module.Words(strings.Split(c.args, "|")...))
		if err != nil {
			t.Fatal(err)
		}
		test, done := told(b.Run(t.Context(), h.Host, true)), told(b.Run(t.Context(), h.Host, false))
		if test != c.test || done != c.done || h.Read(c.file) != c.text {
			t.Errorf("%s: got %s, %s and %q, want %s, %s and %q", c.args, test, done, h.Read(c.file), c.test, c.done, c.text)
		}
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.args, told(again))
		}
	}
	for args, want := range map[string]string{
		"name=../x|value=1": `"../x" can't be the name of a parameter`, "name=a.b|value=1|config=x": `argument "config": want an absolute path, got "x"`,
	} {
		if _, err := s.Bind(module.Words(strings.Split(args, "|")...)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	for _, c := range [][2]string{
		{"get net.ipv4.ip_forward", `"0"`}, {"assign net.ipv4.ip_forward 1", `{"net.ipv4.ip_forward":"1"}`}, {"get net.ipv4.ip_forward", `"1"`},
		{"persist vm.swappiness 60", `"Already set"`}, {"persist vm.swappiness 5", `"Updated"`}, {"default_config", `"/etc/sysctl.d/99-salt.conf"`},
		{"show", `{"net.ipv4.conf.eth0/100.forwarding":"1","net.ipv4.ip_forward":"1","net.ipv4.tcp_rmem":"4096\t131072\t6291456","vm.swappiness":"5"}`},
		{"show config_file=/etc/sysctl.d/99-salt.conf", `{"vm.swappiness":"5","net.ipv4.tcp_rmem":"4096 131072 6291456"}`},
		{"get no.such", "cannot read no.such: the kernel has no such parameter"},
	} {
		words := strings.Fields(c[0])
		f, err := module.NewIndex(sysctl.Module).Func("sysctl." + words[0])
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
