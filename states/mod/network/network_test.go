package network_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/network"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, network.Module, moduletest.Options{}) }

func call(t *testing.T, h *host.Host, name string, args ...string) string {
	t.Helper()
	f, err := module.NewIndex(network.Module).Func("network." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Words(args...))
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

// recorded is a host whose /proc was written down.
func recorded(t *testing.T) *hosttest.Host {
	t.Helper()
	h := hosttest.New(t)
	files, err := filepath.Glob("testdata/proc/net/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h.Write("/proc/net/"+filepath.Base(f), string(data))
	}
	h.Write("/proc/sys/kernel/hostname", "web1\n")
	h.Write("/proc/4711/comm", "sshd\n")
	h.Write("/proc/4711/fd/0", "")
	if err := os.Symlink("socket:[11]", h.Path("/proc/4711/fd/3")); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRecordedHost(t *testing.T) {
	h := recorded(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"active_tcp", nil, `{"0":{"local_addr":"192.0.2.20","local_port":22,"remote_addr":"192.0.2.7","remote_port":50000},` +
			`"1":{"local_addr":"::1","local_port":80,"remote_addr":"::1","remote_port":40000}}`},
		{"netstat", nil, `[` +
			`{"proto":"tcp","recv-q":"0","send-q":"0","local-address":"127.0.0.1:22","remote-address":"0.0.0.0:*","state":"LISTEN",` +
			`"user":"0","inode":"11","program":"4711/sshd"},` +
			`{"proto":"tcp","recv-q":"2","send-q":"16","local-address":"192.0.2.20:22","remote-address":"192.0.2.7:50000",` +
			`"state":"ESTABLISHED","user":"1000","inode":"12","program":"-"},` +
			`{"proto":"tcp6","recv-q":"0","send-q":"0","local-address":"::1:80","remote-address":"::1:40000",` +
			`"state":"ESTABLISHED","user":"33","inode":"13","program":"-"},` +
			`{"proto":"udp","recv-q":"0","send-q":"0","local-address":"0.0.0.0:68","remote-address":"0.0.0.0:*",` +
			`"user":"0","inode":"14","program":"-"}]`},
		{"arp", nil, `{"02:42:ac:11:00:01":"192.0.2.1"}`},
		{"routes", []string{"inet"}, `[` +
			`{"addr_family":"inet","destination":"0.0.0.0","gateway":"192.0.2.1","netmask":"0.0.0.0","flags":"UG","interface":"eth0"},` +
			`{"addr_family":"inet","destination":"192.0.2.0","gateway":"0.0.0.0","netmask":"255.255.255.0","flags":"U","interface":"eth0"}]`},
		{"default_route", nil, `[` +
			`{"addr_family":"inet","destination":"0.0.0.0","gateway":"192.0.2.1","netmask":"0.0.0.0","flags":"UG","interface":"eth0"},` +
			`{"addr_family":"inet6","destination":"::/0","gateway":"fe80::1","netmask":"","flags":"UG","interface":"eth0"}]`},
		{"default_route", []string{"family=inet6"}, `[` +
			`{"addr_family":"inet6","destination":"::/0","gateway":"fe80::1","netmask":"","flags":"UG","interface":"eth0"}]`},
		{"get_hostname", nil, `"web1"`},
		{"get_fqdn", nil, `"web1"`},
	} {
		if got := call(t, h.Host, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
	h.Grains.Put("fqdn", "web1.example.org")
	if got := call(t, h.Host, "get_fqdn"); got != `"web1.example.org"` {
		t.Errorf("got %s", got)
	}
	for _, name := range []string{"active_tcp", "netstat", "arp", "routes"} { // without any /proc
		if got := call(t, hosttest.New(t).Host, name); len(got) != 2 {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"iphexval", []string{"192.0.2.255"}, `"C00002FF"`},
		{"iphexval", []string{"x"}, `cannot read the address "x"`},
		{"is_loopback", []string{"127.9.9.9"}, "true"},
		{"is_loopback", []string{"::1"}, "true"},
		{"is_loopback", []string{"10.0.0.1"}, "false"},
		{"is_private", []string{"10.0.0.3"}, "true"},
		{"is_private", []string{"172.32.0.1"}, "false"},
		{"is_private", []string{"fd00::1"}, "true"},
		{"is_private", []string{"8.8.8.8"}, "false"},
		{"is_private", []string{"10.0.0"}, `cannot read the address "10.0.0"`},
		{"calc_net", []string{"172.17.0.5", "255.255.240.0"}, `"172.17.0.0/20"`},
		{"calc_net", []string{"2a02:f6e:a000:80:84d8:8332:7866:4e07/64"}, `"2a02:f6e:a000:80::/64"`},
		{"calc_net", []string{"172.17.0.5"}, `"172.17.0.5/32"`},
		{"calc_net", []string{"172.17.0.5", "255.0.255.0"}, `cannot read the netmask "255.0.255.0": its ones are not all before its zeros`},
		{"convert_cidr", []string{"172.17.5.0/20"}, `{"network":"172.17.0.0","netmask":"255.255.240.0"}`},
		{"reverse_ip", []string{"172.17.0.4"}, `"4.0.17.172.in-addr.arpa"`},
		{"reverse_ip", []string{"2001:db8::5"}, `"5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"`},
		{"ip_in_subnet", []string{"172.17.0.4", "172.16.0.0/12"}, "true"},
		{"ip_in_subnet", []string{"172.32.0.4", "172.16.0.0/12"}, "false"},
		{"ip_in_subnet", []string{"x", "y"}, "cannot read the address \"x\"\ncannot read the network \"y\": want one such as 10.0.0.0/8"},
		{"in_subnet", []string{"198.51.100.0/30"}, "false"},
		{"ip_addrs", []string{"type=secret"}, `cannot look for addresses of type "secret": there are public and private`},
		{"routes", []string{"ipx"}, `cannot look for routes of the family "ipx": there are inet and inet6`},
		{"ping", []string{"-f"}, `cannot ask for "-f": it is no name of a host and no address`},
		{"ping", []string{"a;b"}, `cannot ask for "a;b": it is no name of a host and no address`},
		{"ping", []string{"a", "timeout=0.5"}, `cannot call network.ping: argument "timeout": want whole seconds, got "0.5"`},
		{"connect", []string{"-x", "0", "proto=sctp", "family=ipx"}, "cannot ask for \"-x\": it is no name of a host and no address\n" +
			"cannot connect to port 0: it must be from 1 to 65535\ncannot connect by \"sctp\": there are tcp and udp\n" +
			"cannot connect by the family \"ipx\": there are ipv4 and ipv6"},
	} {
		if got := call(t, hosttest.New(t).Host, tt.name, tt.args...); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
	if got := call(t, &host.Host{}, "hw_addr", "nosuch0"); !strings.HasPrefix(got, `cannot find the interface "nosuch0"`) {
		t.Errorf("got %s", got)
	}
}

func TestPing(t *testing.T) {
	h := hosttest.New(t)
	h.Answer("ping -W 3 -c 4 example.org", host.Output{Stdout: []byte("4 packets\n")})
	h.Answer("ping -c 4 192.0.2.1", host.Output{Code: 1})
	for _, tt := range []struct{ args, want string }{
		{"example.org timeout=3", `"4 packets"`},
		{"example.org timeout=3 return_boolean=True", "true"},
		{"192.0.2.1 return_boolean=True timeout=False", "false"},
	} {
		if got := call(t, h.Host, "ping", strings.Fields(tt.args)...); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestConnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if got := call(t, &host.Host{}, "connect", "127.0.0.1", port); got !=
		`{"result":true,"comment":"Successfully connected to 127.0.0.1 (127.0.0.1) on tcp port `+port+`"}` {
		t.Errorf("got %s", got)
	}
	l.Close()
	if got := call(t, &host.Host{}, "connect", "127.0.0.1", port, "timeout=2", "family=ipv4"); got !=
		`{"result":false,"comment":"Unable to connect to 127.0.0.1 (127.0.0.1) on tcp port `+port+`"}` {
		t.Errorf("got %s", got)
	}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	defer func() { u.Close(); <-done }()
	go func() {
		defer close(done)
		b := make([]byte, 255)
		n, from, err := u.ReadFrom(b)
		if err == nil {
			_, _ = u.WriteTo(b[:n], from)
		}
	}()
	_, port, _ = net.SplitHostPort(u.LocalAddr().String())
	if got := call(t, &host.Host{}, "connect", "127.0.0.1", port, "proto=udp"); !strings.Contains(got, `"result":true`) {
		t.Errorf("got %s", got)
	}
}

func TestRouteTo(t *testing.T) {
	f, err := module.NewIndex(network.Module).Func("network.get_route")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		out  host.Output
		want string
	}{
		{host.Output{Stdout: []byte("192.0.2.9 via 10.0.0.1 dev eth0 src 10.0.0.2 uid 0 \n    cache \n")},
			`{"destination":"192.0.2.9","gateway":"10.0.0.1","interface":"eth0","source":"10.0.0.2"}`},
		{host.Output{Stdout: []byte("192.0.2.9 dev eth0 src 10.0.0.2\n")},
			`{"destination":"192.0.2.9","gateway":null,"interface":"eth0","source":"10.0.0.2"}`},
		{host.Output{}, `cannot find the route: ip writes nothing`},
		{host.Output{Code: 2, Stderr: []byte("unreachable")}, `cannot find the route to 192.0.2.9: command "ip route get 192.0.2.9" ended with 2: unreachable`},
	} {
		h := hosttest.New(t)
		h.Answer("ip route get 192.0.2.9", tt.out)
		r, err := f.Call(t.Context(), h.Host, module.Words("192.0.2.9"))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
