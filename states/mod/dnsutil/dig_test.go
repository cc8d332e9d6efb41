package dnsutil_test

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/dnsutil"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestDigModule(t *testing.T) { moduletest.Run(t, dnsutil.Dig, moduletest.Options{}) }

// A record is one of the zone, with its data as it is sent.
type record struct {
	kind uint16
	data []byte
}

const typeA, typeNS, typeCNAME, typePTR, typeMX, typeTXT = 1, 2, 5, 12, 15, 16

func packed(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

func text(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func zone(name string) []record {
	return map[string][]record{
		"a.test":                 {{typeA, []byte{192, 0, 2, 9}}, {typeA, []byte{192, 0, 2, 3}}},
		"ns.test":                {{typeA, []byte{192, 0, 2, 53}}},
		"www.test":               {{typeCNAME, packed("a.test")}, {typeA, []byte{192, 0, 2, 3}}},
		"7.2.0.192.in-addr.arpa": {{typePTR, packed("a.test")}},
		"test": {
			{typeMX, append([]byte{0, 10}, packed("a.test")...)},
			{typeNS, packed("ns.test")},
			{typeTXT, text(`say "hi"`)},
			{typeTXT, text("v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.1 ip4:192.0.2.0/99 include:b.test. mx ~all")},
		},
		"b.test": {{typeTXT, text("v=spf1 +ip6:2001:db8::/32 redirect=test.")}},
	}[name]
}

// serve answers questions for the zone, that there is no such name for others, and broken.test not at all well.
func serve(t *testing.T) string {
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
			_, _ = conn.WriteTo(answer(buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

func answer(query []byte) []byte {
	end := 12
	var labels []string
	for query[end] != 0 {
		n := int(query[end])
		labels = append(labels, string(query[end+1:end+1+n]))
		end += n + 1
	}
	name, kind := strings.Join(labels, "."), binary.BigEndian.Uint16(query[end+1:])
	out := append([]byte{}, query[:end+5]...)
	copy(out[2:], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	records := zone(name)
	switch {
	case name == "broken.test":
		out[3] = 2
	case records == nil:
		out[3] = 3
	}
	at := []byte{0xc0, 12} // the name that was asked for
	for _, r := range records {
		if r.kind != kind && r.kind != typeCNAME {
			continue
		}
		out[7]++
		out = append(out, at...)
		out = append(out, 0, byte(r.kind), 0, 1, 0, 0, 0, 60, 0, byte(len(r.data)))
		out = append(out, r.data...)
		if r.kind == typeCNAME {
			at = r.data
		}
	}
	return out
}

func TestDig(t *testing.T) {
	server := serve(t)
	for _, c := range [][2]string{
		{"A a.test", `["192.0.2.3","192.0.2.9"]`},
		{"A www.test", `["192.0.2.3"]`},
		{"AAAA a.test", `[]`},
		{"A nosuch.test", `[]`},
		{"A broken.test", `[]`},
		{"CNAME www.test", `"a.test."`},
		{"CNAME a.test", `""`},
		{"CNAME nosuch.test", `""`},
		{"MX test", `[["10","a.test."]]`},
		{"MX test resolve=true", `[["10","192.0.2.3"]]`},
		{"NS test", `["192.0.2.53"]`},
		{"NS test resolve=false", `["ns.test."]`},
		{"PTR 192.0.2.7", `["a.test."]`},
		{"PTR 192.0.2.8", `[]`},
		{"PTR a.test", `"a.test" is no address`},
		{"TXT test", `["\"say \\\"hi\\\"\"","\"v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.1 ip4:192.0.2.0/99 include:b.test. mx ~all\""]`},
		{"SPF nosuch.test", `[]`},
		{"check_ip 192.0.2.0/24", `true`}, {"check_ip ::1", `true`}, {"check_ip 192.0.2.0/33", `false`}, {"check_ip x", `false`},
	} {
		if got := dig(t, hosttest.New(t), c[0], server); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

// Domains that include each other end.
func TestDigSPF(t *testing.T) {
	got := dig(t, hosttest.New(t), "SPF test", serve(t))
	if want := `["192.0.2.0/24","2001:db8::/32",`; !strings.HasPrefix(got, want) || strings.Count(got, ",") > 20 {
		t.Errorf("got %s, want %s and no more than some times", got, want)
	}
}

func TestDigLogsWhatWentWrong(t *testing.T) {
	h := hosttest.New(t)
	var logged string
	h.Log = func(level, message string) { logged = level + ": " + message }
	dig(t, h, "TXT broken.test", serve(t))
	if want := `warn: cannot look up "broken.test": `; !strings.HasPrefix(logged, want) {
		t.Errorf("logged %q, want %s", logged, want)
	}
}

func dig(t *testing.T, h *hosttest.Host, line, server string) string {
	t.Helper()
	words := strings.Fields(line)
	f, err := module.NewIndex(dnsutil.Dig).Func("dig." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	args := words[1:]
	if words[0] != "check_ip" {
		args = append(args, "nameserver="+server)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(args...))
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}
