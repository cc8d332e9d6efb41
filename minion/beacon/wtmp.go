package beacon

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// The types of records of utmp(5).
const (
	typeLogin  = 7
	typeLogout = 8
)

// A utmpRecord is one record of utmp(5), in the host's order of bytes.
type utmpRecord []byte

// utmpLayout is how long a record is, and where its time and its address stand. Only on the newer machines of 64 bits a
// time has so many.
func utmpLayout() (size, second, addr int) {
	switch runtime.GOARCH {
	case "arm64", "loong64":
		return 400, 344, 360
	}
	return 384, 340, 348
}

func (r utmpRecord) kind() int64           { return int64(int16(binary.NativeEndian.Uint16(r))) }
func (r utmpRecord) short(at int) int64    { return int64(int16(binary.NativeEndian.Uint16(r[at:]))) }
func (r utmpRecord) long(at int) int64     { return int64(int32(binary.NativeEndian.Uint32(r[at:]))) }
func (r utmpRecord) text(at, n int) string { return ctext(r[at : at+n]) }

func wholeRecords(data []byte) int {
	size, _, _ := utmpLayout()
	return len(data) / size * size
}

// wtmp tells of logins and logouts.
func wtmp(s *section, e *env) looker {
	types := s.sub("ut_type")
	login, logout := int64(types.number("login", typeLogin)), int64(types.number("logout", typeLogout))
	types.end()
	users := map[string]string{} // by terminal, for its logout
	return logins(s, e, "/var/log/wtmp", func(r utmpRecord, d *value.Dict) {
		line := r.text(8, 32)
		switch r.kind() {
		case login:
			d.Put("action", "login")
			users[line] = r.text(44, 32)
		case logout:
			d.Put("action", "logout")
			if user, ok := users[line]; ok {
				d.Put("user", user)
				delete(users, line)
			}
		}
	})
}

// btmp tells of logins that failed.
func btmp(s *section, e *env) looker {
	return logins(s, e, "/var/log/btmp", func(utmpRecord, *value.Dict) {})
}

// logins reads a file of records, and completes what is told of each.
func logins(s *section, e *env, file string, complete func(utmpRecord, *value.Dict)) looker {
	t := &tail{env: e, name: file}
	who := readWho(s)
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		var found readings
		if t.file == nil && !exists(h, file) {
			t.begun = true // all that it will have is new
			return nil, nil
		}
		data, err := t.next(h, wholeRecords)
		size, _, _ := utmpLayout()
		for chunk := range slices.Chunk(data[:wholeRecords(data)], size) {
			r := utmpRecord(chunk)
			d := r.dict()
			complete(r, d)
			if user, _ := d.Get("user"); who.means(ctx, h, user, time.Now()) {
				found.keep(reading{data: d})
			}
		}
		return found, err
	}
}

// dict is a record by Salt's names.
func (r utmpRecord) dict() *value.Dict {
	_, second, addr := utmpLayout()
	return value.NewDict("type", r.kind(), "PID", r.long(4), "line", r.text(8, 32), "inittab", r.text(40, 4),
		"user", r.text(44, 32), "hostname", r.text(76, 256), "exit_status", r.short(332), "session", r.long(336),
		"time", r.long(second), "addr", r.long(addr))
}

// ctext is text up to its NUL.
func ctext(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(bytes.ToValidUTF8(text, []byte("\ufffd")))
}

// A clockRange is a part of each day.
type clockRange struct{ start, end time.Duration }

func (c *clockRange) holds(now time.Time) bool {
	if c == nil {
		return true
	}
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	if c.start > c.end { // over midnight
		return at >= c.start || at <= c.end
	}
	return at >= c.start && at <= c.end
}

// who is whose logins are told, and when.
type who struct {
	users, groups map[string]*clockRange
	all           *clockRange
}

func readWho(s *section) who {
	w := who{map[string]*clockRange{}, map[string]*clockRange{}, nil}
	defaults := s.sub("defaults")
	w.all = readRange(defaults)
	defaults.end()
	for key, into := range map[string]map[string]*clockRange{"users": w.users, "groups": w.groups} {
		names := s.sub(key)
		names.each(func(name string, v any) {
			one := names.under(name, v)
			if into[name] = readRange(one); into[name] == nil {
				into[name] = w.all
			}
			one.end()
		})
	}
	return w
}

func readRange(s *section) *clockRange {
	if s.any("time_range") == nil {
		return nil
	}
	r := s.sub("time_range")
	defer r.end()
	c := &clockRange{r.clock("start"), r.clock("end")}
	return c
}

// clock reads a time of day.
func (s *section) clock(key string) time.Duration {
	text := strings.ToLower(strings.ReplaceAll(s.text(key, ""), " ", ""))
	for _, layout := range []string{"15:04", "15:04:05", "3pm", "3:04pm", "3:04:05pm", "15"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Sub(t.Truncate(24 * time.Hour))
		}
	}
	s.wrong(key, "%q is no time of day: want such as 8am or 16:30", text)
	return 0
}

// means tells whether the logins of a user are told now.
func (w who) means(ctx context.Context, h *host.Host, user any, now time.Time) bool {
	name, _ := user.(string)
	if len(w.users) == 0 && len(w.groups) == 0 {
		return w.all.holds(now)
	}
	if c, ok := w.users[name]; ok {
		return c.holds(now)
	}
	for group, c := range w.groups {
		f, err := h.Account(ctx, "group", group)
		if err == nil && slices.Contains(strings.Split(f[3], ","), name) {
			return c.holds(now)
		}
	}
	return false
}
