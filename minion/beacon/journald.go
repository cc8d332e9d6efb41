package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

const maxEntry = 256 << 10 // bytes of an entry of the journal, or of a line of a program

// A match is the fields that an entry of the journal must have for a service.
type match struct {
	name   string
	fields [][2]string
}

// journald tells of entries of the systemd journal.
func journald(s *section, e *env) looker {
	f := &follower{env: e}
	names := s.sub("services")
	if !s.has("services") {
		s.wrong("", "want services in it")
	}
	var all []match
	names.each(func(name string, v any) {
		one, m := names.under(name, v), match{name: name}
		one.each(func(field string, _ any) { m.fields = append(m.fields, [2]string{field, one.text(field, "")}) })
		if len(m.fields) == 0 {
			one.wrong("", "want fields of the journal in it, such as SYSLOG_IDENTIFIER")
		}
		all = append(all, m)
	})
	cursor := "" // of the last entry that was read; one follow after another uses it
	follow := func(ctx context.Context, h *host.Host) error {
		argv := journalctl(all, cursor)
		cursor = "" // where it can't be gone on from, the next one begins anew
		return eachLine(ctx, h, host.Command{Argv: argv}, func(line []byte) error {
			v, err := value.FromJSON(line)
			entry, ok := v.(*value.Dict)
			if err != nil || !ok {
				return fmt.Errorf("cannot read an entry of the journal: %w", err)
			}
			if at, _ := entry.Get("__CURSOR"); at != nil {
				cursor, _ = at.(string)
			}
			for _, m := range all {
				if m.means(entry) {
					f.add(reading{tag: m.name, data: simple(entry)})
				}
			}
			return nil
		})
	}
	return func(_ context.Context, h *host.Host) ([]reading, error) { return f.look(h, follow) }
}

// journalctl is the command that writes the entries that any of the matches means, as they come: those after a cursor, or
// from now on.
func journalctl(all []match, after string) []string {
	argv := []string{"journalctl", "--follow", "--lines=0", "--output=json", "--no-pager", "--quiet"}
	if after != "" {
		argv[2] = "--no-tail"
		argv = append(argv, "--after-cursor="+after)
	}
	for n, m := range all {
		if n > 0 {
			argv = append(argv, "+")
		}
		for _, f := range m.fields {
			argv = append(argv, f[0]+"="+f[1])
		}
	}
	return argv
}

func (m match) means(entry *value.Dict) bool {
	for _, f := range m.fields {
		if v, ok := entry.Get(f[0]); !ok || fmt.Sprint(v) != f[1] {
			return false
		}
	}
	return true
}

// simple is an entry with those fields that are numbers as numbers, and without those that are no text.
func simple(entry *value.Dict) *value.Dict {
	d := &value.Dict{}
	for k, v := range entry.All() {
		name := value.KeyText(k)
		text, ok := v.(string)
		if !ok {
			continue // bytes, or one that is too long
		}
		switch name {
		case "PRIORITY", "ERRNO", "SYSLOG_FACILITY", "SYSLOG_PID", "CODE_LINE", "EXIT_STATUS", "_PID", "_UID", "_GID", "_AUDIT_LOGINUID", "LEADER":
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				d.Put(name, n)
				continue
			}
		}
		d.Put(name, text)
	}
	return d
}

// eachLine runs a command until ctx ends, and calls take with each line that it writes. That it ends by itself is an error.
func eachLine(ctx context.Context, h *host.Host, c host.Command, take func(line []byte) error) error {
	var rest []byte
	var bad error
	c.Limit, c.Bytes, c.Env = 4096, true, []string{"LC_ALL=C"}
	c.Tee = func(data []byte) {
		rest = append(rest, data...)
		for {
			line, after, ok := bytes.Cut(rest, []byte("\n"))
			if !ok {
				break
			}
			if err := take(line); err != nil {
				bad = err
			}
			rest = after
		}
		if len(rest) > maxEntry {
			rest = nil
		}
		rest = append([]byte(nil), rest...) // not the tail of what grows
	}
	out, err := h.Exec(ctx, c)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s ended with %d: %s", c.Argv[0], out.Code, strings.TrimSpace(string(out.Stderr)))
	}
	return errors.Join(err, bad)
}
