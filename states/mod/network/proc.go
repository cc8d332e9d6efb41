package network

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// table returns the lines of a file of /proc/net as fields; a file that isn't there has none.
func table(h *host.Host, name string) ([][]string, error) {
	data, err := os.ReadFile(h.Path("/proc/net/" + name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		rows = append(rows, strings.Fields(line))
	}
	return rows, nil
}

// kernelIP reads an address as the kernel writes it: words of 32 bits in the machine's own order.
func kernelIP(text string) (netip.Addr, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, fmt.Errorf("cannot read the address %q of the kernel", text)
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip.Unmap(), nil
}

// kernelAddrPort reads ADDRESS:PORT.
func kernelAddrPort(text string) (netip.AddrPort, error) {
	addr, digits, _ := strings.Cut(text, ":")
	ip, err := kernelIP(addr)
	port, bad := strconv.ParseUint(digits, 16, 16)
	return netip.AddrPortFrom(ip, uint16(port)), errors.Join(err, bad)
}

// A socket is a line of /proc/net/tcp and its like.
type socket struct {
	proto         string
	local, remote netip.AddrPort
	state         string
	queues        string // SEND:RECEIVE
	user, inode   string
}

var states = []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"}

func sockets(h *host.Host, protos ...string) ([]socket, error) {
	var all []socket
	for _, proto := range protos {
		rows, err := table(h, proto)
		if err != nil {
			return nil, err
		}
		for _, f := range rows {
			if len(f) < 10 || f[0] == "sl" {
				continue
			}
			local, err1 := kernelAddrPort(f[1])
			remote, err2 := kernelAddrPort(f[2])
			state, err3 := strconv.ParseUint(f[3], 16, 8)
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, fmt.Errorf("cannot read /proc/net/%s: %w", proto, err)
			}
			s := socket{proto: proto, local: local, remote: remote, queues: f[4], user: f[7], inode: f[9]}
			if int(state) < len(states) {
				s.state = states[state]
			}
			all = append(all, s)
		}
	}
	return all, nil
}

func activeTCP(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	all, err := sockets(h, "tcp", "tcp6")
	d := &value.Dict{}
	for _, s := range all {
		if s.state != "ESTABLISHED" {
			continue
		}
		_ = d.Set(int64(d.Len()), value.NewDict( // an integer is a key
			"local_addr", s.local.Addr().String(), "local_port", int64(s.local.Port()),
			"remote_addr", s.remote.Addr().String(), "remote_port", int64(s.remote.Port())))
	}
	return d, err
}

func netstat(_ context.Context, h *host.Host, _ struct{}) (*value.List, error) {
	all, err := sockets(h, "tcp", "tcp6", "udp", "udp6")
	if err != nil {
		return nil, err
	}
	programs := programsOf(h)
	list := value.NewList()
	for _, s := range all {
		send, receive, _ := strings.Cut(s.queues, ":")
		d := value.NewDict("proto", s.proto, "recv-q", decimal(receive), "send-q", decimal(send),
			"local-address", shown(s.local), "remote-address", shown(s.remote))
		if strings.HasPrefix(s.proto, "tcp") {
			d.Put("state", s.state)
		}
		d.Put("user", s.user)
		d.Put("inode", s.inode)
		program := programs[s.inode]
		if program == "" {
			program = "-"
		}
		d.Put("program", program)
		list.Items = append(list.Items, d)
	}
	return list, nil
}

func decimal(hexadecimal string) string {
	n, _ := strconv.ParseUint(hexadecimal, 16, 32)
	return strconv.FormatUint(n, 10)
}

// shown is an address and port as netstat writes them.
func shown(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String() + ":*"
	}
	return a.Addr().String() + ":" + strconv.Itoa(int(a.Port()))
}

// programsOf maps the inodes of sockets to PID/NAME. What may not be read is left out.
func programsOf(h *host.Host) map[string]string {
	found := map[string]string{}
	links, _ := filepath.Glob(h.Path("/proc") + "/[0-9]*/fd/*") // the pattern is a good one
	for _, link := range links {
		to, err := os.Readlink(link)
		inode, ok := strings.CutPrefix(to, "socket:[")
		if err != nil || !ok {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		name, _ := os.ReadFile(dir + "/comm") // it may have ended since
		if inode = strings.TrimSuffix(inode, "]"); found[inode] == "" {
			found[inode] = filepath.Base(dir) + "/" + strings.TrimSpace(string(name))
		}
	}
	return found
}

func arp(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	rows, err := table(h, "arp")
	d := &value.Dict{}
	for _, f := range rows {
		if len(f) >= 6 && strings.Count(f[3], ":") == 5 && f[3] != "00:00:00:00:00:00" {
			d.Put(f[3], f[0])
		}
	}
	return d, err
}

type familyArgs struct {
	Family string `arg:"family" doc:"only those of inet, or of inet6"`
}

func routes(_ context.Context, h *host.Host, a familyArgs) (*value.List, error) {
	if a.Family != "" && a.Family != "inet" && a.Family != "inet6" {
		return nil, fmt.Errorf("cannot look for routes of the family %q: there are inet and inet6", a.Family)
	}
	list := value.NewList()
	for family, read := range map[string]func(*host.Host) ([]any, error){"inet": routes4, "inet6": routes6} {
		if a.Family != "" && a.Family != family {
			continue
		}
		found, err := read(h)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, found...)
	}
	slices.SortStableFunc(list.Items, func(x, y any) int {
		one, _ := x.(*value.Dict).Get("addr_family")
		two, _ := y.(*value.Dict).Get("addr_family")
		return strings.Compare(one.(string), two.(string))
	})
	return list, nil
}

// flags are the letters that route writes for the bits of a route.
func flags(bits uint64) string {
	var b strings.Builder
	for i, letter := range "UGHRDM" {
		if bits&(1<<i) != 0 {
			b.WriteRune(letter)
		}
	}
	if bits&0x200 != 0 {
		b.WriteByte('!')
	}
	return b.String()
}

// routes4 reads: interface, destination, gateway, flags, -, -, metric, mask.
func routes4(h *host.Host) ([]any, error) {
	rows, err := table(h, "route")
	var all []any
	for _, f := range rows {
		if len(f) < 8 || f[0] == "Iface" {
			continue
		}
		to, err1 := kernelIP(f[1])
		gateway, err2 := kernelIP(f[2])
		mask, err3 := kernelIP(f[7])
		bits, err4 := strconv.ParseUint(f[3], 16, 32)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return nil, fmt.Errorf("cannot read /proc/net/route: %w", err)
		}
		all = append(all, value.NewDict("addr_family", "inet", "destination", to.String(), "gateway", gateway.String(),
			"netmask", mask.String(), "flags", flags(bits), "interface", f[0]))
	}
	return all, err
}

// routes6 reads: destination, its length, -, -, gateway, metric, -, -, flags, interface.
func routes6(h *host.Host) ([]any, error) {
	rows, err := table(h, "ipv6_route")
	var all []any
	for _, f := range rows {
		if len(f) < 10 {
			continue
		}
		to, err1 := plainIP(f[0])
		length, err2 := strconv.ParseUint(f[1], 16, 8)
		gateway, err3 := plainIP(f[4])
		bits, err4 := strconv.ParseUint(f[8], 16, 32)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return nil, fmt.Errorf("cannot read /proc/net/ipv6_route: %w", err)
		}
		all = append(all, value.NewDict("addr_family", "inet6", "destination", fmt.Sprintf("%s/%d", to, length),
			"gateway", gateway.String(), "netmask", "", "flags", flags(bits), "interface", f[9]))
	}
	return all, err
}

func plainIP(text string) (netip.Addr, error) {
	b, err := hex.DecodeString(text)
	ip, ok := netip.AddrFromSlice(b)
	if err != nil || !ok {
		return ip, fmt.Errorf("cannot read the address %q of the kernel", text)
	}
	return ip, nil
}

func defaultRoute(ctx context.Context, h *host.Host, a familyArgs) (*value.List, error) {
	all, err := routes(ctx, h, a)
	if err != nil {
		return nil, err
	}
	found := value.NewList()
	for _, r := range all.Items {
		to, _ := r.(*value.Dict).Get("destination")
		mask, _ := r.(*value.Dict).Get("netmask")
		where, _ := r.(*value.Dict).Get("interface")
		if to == "0.0.0.0" && mask == "0.0.0.0" || to == "::/0" && where != "lo" {
			found.Items = append(found.Items, r)
		}
	}
	return found, nil
}
