package dnsutil_test

import (
	"net"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/dnsutil"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, dnsutil.Module, moduletest.Options{}) }

// nameServer answers questions for A of a.test with two addresses, for nosuch.test that there is none, and all others
// that it failed.
func nameServer(t *testing.T) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(reply(buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

func reply(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // its type and class
	name, kind := string(query[12:end-4]), query[end-3]
	out := append([]byte{}, query[:end]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	switch {
	case strings.Contains(name, "nosuch"):
		out[3] |= 3
	case name == "\x01a\x04test\x00" && kind == 1:
		out[7] = 2
		for _, last := range []byte{9, 3} {
			out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last)
		}
	case name == "\x01a\x04test\x00":
	default:
		out[3] |= 2
	}
	return out
}

func TestFunctions(t *testing.T) {
	server := "nameserver=" + nameServer(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"A", []string{"a.test", server}, `["192.0.2.3","192.0.2.9"]`},
		{"AAAA", []string{"a.test", server}, `[]`},
		{"A", []string{"nosuch.test", server}, `[]`},
		{"A", []string{"192.0.2.7"}, `["192.0.2.7"]`},
		{"A", []string{"b.test", server}, `cannot look up "b.test": `},
		{"MX", []string{"nosuch.test", server}, `[]`},
		{"NS", []string{"b.test", server}, `cannot look up "b.test": `},
		{"check_ip", []string{"::1"}, `true`},
		{"check_ip", []string{"1.2.3"}, `false`},
		{"parse_hosts", nil, `{"127.0.0.1":["localhost","me"],"::1":["localhost"]}`},
		{"parse_hosts", []string{"/nosuch"}, `cannot read the hosts: `},
	} {
		h := hosttest.New(t)
		h.Write("/etc/hosts", "# hosts\n127.0.0.1 localhost # here\n\n127.0.0.1 me\n::1 localhost\nbroken\n")
		f, err := module.NewIndex(dnsutil.Module).Func("dnsutil." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(tt.args...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want && !(strings.HasPrefix(tt.want, "cannot") && strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}

func TestSerial(t *testing.T) {
	h := hosttest.New(t)
	call := func(words ...string) string {
		f, err := module.NewIndex(dnsutil.Module).Func("dnsutil.serial")
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words...))
		if err != nil {
			t.Fatal(err)
		}
		return r.Value.(string)
	}
	first := call("a.test")
	if len(first) != 10 || !strings.HasSuffix(first, "01") {
		t.Errorf("got %s", first)
	}
	if got := call("a.test", "update=True"); got != first || call("a.test") != first {
		t.Errorf("the first of today: got %s, want %s", got, first)
	}
	if got := call("a.test", "update=True"); got != first[:9]+"2" || call("a.test") != got || call("b.test") != first {
		t.Errorf("the second of today: got %s", got)
	}
	h.Facts.Set("dnsserial", "2001010105")
	if got := call("update=True"); got != first {
		t.Errorf("after an old one: got %s, want %s", got, first)
	}
}
