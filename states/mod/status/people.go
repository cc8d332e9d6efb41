package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// A process is one of the host's.
type process struct {
	pid       int
	user, cmd string
}

// processes reads /proc; one that ends meanwhile is left out.
func processes(h *host.Host) []process {
	names := accounts(h)
	dirs, _ := filepath.Glob(h.Path("/proc") + "/[0-9]*") // the pattern is a good one
	var all []process
	for _, dir := range dirs {
		p := process{}
		var err error
		if p.pid, err = strconv.Atoi(filepath.Base(dir)); err != nil {
			continue
		}
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		name, uid := "", ""
		for line := range strings.Lines(string(status)) {
			switch f := strings.Fields(line); {
			case len(f) > 1 && f[0] == "Name:":
				name = f[1]
			case len(f) > 1 && f[0] == "Uid:":
				uid = f[1]
			}
		}
		if p.user = names[uid]; p.user == "" {
			p.user = uid
		}
		line, _ := os.ReadFile(dir + "/cmdline") // a thread of the kernel has none
		p.cmd = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		if p.cmd == "" {
			p.cmd = "[" + name + "]"
		}
		all = append(all, p)
	}
	sort.Slice(all, func(i, k int) bool { return all[i].pid < all[k].pid })
	return all
}

// accounts maps the numbers of users to their names.
func accounts(h *host.Host) map[string]string {
	names := map[string]string{}
	data, _ := os.ReadFile(h.Path("/etc/passwd")) // without it numbers stand for names
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(line, ":"); len(f) > 2 && names[f[2]] == "" {
			names[f[2]] = f[0]
		}
	}
	return names
}

func procs(_ context.Context, h *host.Host, _ none) (*value.Dict, error) {
	d := &value.Dict{}
	for _, p := range processes(h) {
		d.Put(strconv.Itoa(p.pid), value.NewDict("user", p.user, "cmd", p.cmd))
	}
	return d, nil
}

type pidArgs struct {
	Sig string `arg:"sig,required" doc:"a regular expression"`
}

func pid(_ context.Context, h *host.Host, a pidArgs) (string, error) {
	re, err := regexp.Compile(a.Sig)
	if err != nil {
		return "", fmt.Errorf("cannot look for processes: %v", err)
	}
	var pids []string
	for _, p := range processes(h) {
		if re.MatchString(p.user+" "+p.cmd) && p.pid != os.Getpid() {
			pids = append(pids, strconv.Itoa(p.pid))
		}
	}
	return strings.Join(pids, "\n"), nil
}

func uptime(ctx context.Context, h *host.Host, _ none) (*value.Dict, error) {
	all, err := rows(h, "uptime")
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("cannot tell the uptime: there is no /proc/uptime")
	}
	up, err := strconv.ParseFloat(all[0][0], 64)
	if err != nil {
		return nil, fmt.Errorf("cannot read /proc/uptime: %w", err)
	}
	seconds := int64(up)
	since := time.Now().Add(-time.Duration(seconds) * time.Second)
	d := value.NewDict("seconds", seconds, "since_iso", since.UTC().Format("2006-01-02T15:04:05.000000"),
		"since_t", since.Unix(), "days", seconds/86400, "time", fmt.Sprintf("%d:%d", seconds%86400/3600, seconds%3600/60))
	if users, err := sessions(ctx, h); err == nil { // a host without w has no one to count
		d.Put("users", int64(len(users)))
	} else if ctx.Err() != nil {
		return nil, err
	}
	return d, nil
}

// sessions are who is logged in, as w(1) tells. Its columns differ, so they are found by its heading.
func sessions(ctx context.Context, h *host.Host) ([]*value.Dict, error) {
	out, err := h.Run(ctx, "w")
	if err != nil {
		return nil, err
	}
	keys := map[string]string{"USER": "user", "TTY": "tty", "FROM": "from", "LOGIN@": "login", "IDLE": "idle", "JCPU": "jcpu",
		"PCPU": "pcpu", "WHAT": "what"}
	var heading []string
	var all []*value.Dict
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case heading == nil:
			if len(f) > 0 && f[0] == "USER" {
				heading = f
			}
		case len(f) >= len(heading):
			d := &value.Dict{}
			for i, name := range heading {
				text := f[i]
				if name == "WHAT" {
					text = strings.Join(f[i:], " ")
				}
				d.Put(keys[name], text)
			}
			all = append(all, d)
		}
	}
	return all, nil
}

func who(ctx context.Context, h *host.Host, _ none) (*value.List, error) {
	all, err := sessions(ctx, h)
	list := value.NewList()
	for _, d := range all {
		list.Items = append(list.Items, d)
	}
	return list, err
}

func allStatus(ctx context.Context, h *host.Host, _ none) (*value.Dict, error) {
	d := &value.Dict{}
	for _, part := range []struct {
		name string
		of   func(context.Context, *host.Host, none) (*value.Dict, error)
	}{
		{"cpuinfo", cpuinfo}, {"cpustats", cpustats}, {"diskstats", diskstats},
		{"diskusage", func(ctx context.Context, h *host.Host, _ none) (*value.Dict, error) {
			return diskusage(ctx, h, usageArgs{})
		}},
		{"loadavg", loadavg}, {"meminfo", meminfo}, {"netdev", netdev}, {"netstats", netstats}, {"uptime", uptime},
		{"vmstats", vmstats},
	} {
		v, err := part.of(ctx, h, none{})
		if err != nil {
			return nil, err
		}
		d.Put(part.name, v)
	}
	users, err := who(ctx, h, none{})
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	d.Put("w", users)
	return d, nil
}

type masterArgs struct {
	Master string `arg:"master,required" doc:"a name or an address, with :PORT where it isn't 4511"`
}

func pingMaster(ctx context.Context, _ *host.Host, a masterArgs) (bool, error) {
	at := a.Master
	if _, _, err := net.SplitHostPort(at); err != nil {
		at = net.JoinHostPort(strings.Trim(at, "[]"), "4511")
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", at)
	if err != nil {
		return false, ctx.Err()
	}
	return true, conn.Close()
}

type timeArgs struct {
	Format string `arg:"format" default:"%A, %d. %B %Y %I:%M%p" doc:"a format of strftime(3)"`
}

func now(_ context.Context, _ *host.Host, a timeArgs) (string, error) {
	return strftime(time.Now(), a.Format)
}

// strftime writes a time in the C locale.
func strftime(t time.Time, format string) (string, error) {
	layouts := map[byte]string{
		'A': "Monday", 'a': "Mon", 'B': "January", 'b': "Jan", 'h': "Jan", 'c': "Mon Jan _2 15:04:05 2006", 'D': "01/02/06",
		'd': "02", 'e': "_2", 'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'M': "04", 'm': "01", 'p': "PM",
		'R': "15:04", 'r': "03:04:05 PM", 'S': "05", 'T': "15:04:05", 'X': "15:04:05", 'x': "01/02/06", 'Y': "2006", 'y': "06",
		'Z': "MST", 'z': "-0700",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; c {
		case '%':
			b.WriteByte('%')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		case 'u':
			b.WriteString(strconv.Itoa((int(t.Weekday())+6)%7 + 1))
		case 'w':
			b.WriteString(strconv.Itoa(int(t.Weekday())))
		case 'V':
			_, week := t.ISOWeek()
			fmt.Fprintf(&b, "%02d", week)
		default:
			layout, ok := layouts[c]
			if !ok {
				return "", fmt.Errorf("cannot write the time: %%%c is not known", c)
			}
			b.WriteString(t.Format(layout))
		}
	}
	return b.String(), nil
}
