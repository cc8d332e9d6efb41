package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

func hostname(_ context.Context, h *host.Host, _ struct{}) (string, error) {
	data, err := os.ReadFile(h.Path("/proc/sys/kernel/hostname"))
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	return os.Hostname()
}

func fqdn(ctx context.Context, h *host.Host, _ struct{}) (string, error) {
	grains := h.Grains
	if h.Facts != nil {
		grains = h.Facts.Now(ctx)
	}
	if name, ok := grains.Get("fqdn"); ok {
		if s, isText := name.(string); isText && s != "" {
			return s, nil
		}
	}
	return hostname(ctx, h, struct{}{})
}

type hostArgs struct {
	Host string `arg:"host,required" doc:"a name or an address"`
}

// check refuses what a program would take for an option, or what no name holds.
func (a hostArgs) check() error {
	name := strings.TrimRight(a.Host, ".")
	ok := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:%", r))
	}) < 0
	if name == "" || name[0] == '-' || !ok {
		return fmt.Errorf("cannot ask for %q: it is no name of a host and no address", a.Host)
	}
	return nil
}

type pingArgs struct {
	hostArgs
	Timeout seconds `arg:"timeout" doc:"how many seconds to wait for an answer"`
	Boolean bool    `arg:"return_boolean" doc:"return whether there was an answer, not the text"`
}

func ping(ctx context.Context, h *host.Host, a pingArgs) (any, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	argv := []string{"ping"}
	if a.Timeout > 0 {
		argv = append(argv, "-W", strconv.Itoa(int(a.Timeout)))
	}
	out, err := h.Exec(ctx, host.Command{Argv: append(argv, "-c", "4", a.Host), Env: []string{"LC_ALL=C"}, Merge: true})
	if err != nil {
		return nil, err
	}
	if a.Boolean {
		return out.Code == 0, nil
	}
	return strings.TrimRight(string(out.Stdout), " \n"), nil
}

type connectArgs struct {
	hostArgs
	Port    int           `arg:"port,required" doc:"the port"`
	Proto   string        `arg:"proto" default:"tcp" doc:"tcp, or udp, where only a host that answers counts"`
	Timeout time.Duration `arg:"timeout" default:"5" doc:"how long to wait"`
	Family  string        `arg:"family" doc:"ipv4 or ipv6; either when absent"`
}

func connect(ctx context.Context, _ *host.Host, a connectArgs) (*value.Dict, error) {
	family := map[string]string{"": "", "ipv4": "4", "ipv6": "6"}
	suffix, ok := family[a.Family]
	var errs []error
	if err := a.check(); err != nil {
		errs = append(errs, err)
	}
	if a.Port < 1 || a.Port > 65535 {
		errs = append(errs, fmt.Errorf("cannot connect to port %d: it must be from 1 to 65535", a.Port))
	}
	if a.Proto != "tcp" && a.Proto != "udp" {
		errs = append(errs, fmt.Errorf("cannot connect by %q: there are tcp and udp", a.Proto))
	}
	if !ok {
		errs = append(errs, fmt.Errorf("cannot connect by the family %q: there are ipv4 and ipv6", a.Family))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	ctx, stop := context.WithTimeout(ctx, a.Timeout)
	defer stop()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+suffix, a.Host)
	if err != nil || len(ips) == 0 {
		return value.NewDict("result", false,
			"comment", fmt.Sprintf("Unable to resolve host %s on %s port %d", a.Host, a.Proto, a.Port)), nil
	}
	text, good := "Unable to connect to", false
	at := net.JoinHostPort(ips[0].Unmap().String(), strconv.Itoa(a.Port))
	if a.reach(ctx, at) == nil {
		text, good = "Successfully connected to", true
	}
	return value.NewDict("result", good,
		"comment", fmt.Sprintf("%s %s (%s) on %s port %d", text, a.Host, ips[0].Unmap(), a.Proto, a.Port)), nil
}

func (a connectArgs) reach(ctx context.Context, at string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, a.Proto, at)
	if err != nil {
		return err
	}
	defer conn.Close()
	if a.Proto == "tcp" {
		return nil
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(rand.Text())); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 255))
	return err
}

func dig(ctx context.Context, _ *host.Host, a hostArgs) (string, error) {
	if err := a.check(); err != nil {
		return "", err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", a.Host)
	if err != nil {
		return "", fmt.Errorf("cannot look up %q: %v", a.Host, err)
	}
	name := strings.TrimRight(a.Host, ".") + "."
	var lines []string
	for _, ip := range ips {
		kind := "A"
		if ip = ip.Unmap(); ip.Is6() {
			kind = "AAAA"
		}
		lines = append(lines, fmt.Sprintf("%s\tIN\t%s\t%s", name, kind, ip))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n"), nil
}
