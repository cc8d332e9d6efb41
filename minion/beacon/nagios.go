package beacon

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// A plugin is a check plugin with its command.
type plugin struct {
	name string
	argv []string
	user string // "" is the minion's own
}

// nagios runs check plugins, and tells their states.
func nagios(s *section, _ *env) looker {
	var all []plugin
	add := func(one *section, name string) {
		p := plugin{name: name}
		if list, ok := one.any("command").(*value.List); ok && list != nil {
			p.argv = one.texts("command")
		} else if line := one.text("command", ""); line != "" {
			p.argv = []string{"/bin/sh", "-c", line}
		}
		if len(p.argv) == 0 {
			one.wrong("command", "want a command line, or a list of its words")
		}
		p.user = one.text("user", "")
		all = append(all, p)
	}
	if s.has("command") {
		add(s, "")
	}
	checks := s.sub("checks")
	checks.each(func(name string, v any) {
		if _, isDict := v.(*value.Dict); !isDict {
			if _, isList := v.(*value.List); !isList || isWords(v) {
				v = value.NewDict("command", v)
			}
		}
		one := checks.under(name, v)
		add(one, name)
		one.end()
	})
	if len(all) == 0 {
		s.wrong("", "want a command, or checks by name, in it")
	}
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		turn := make(chan struct{}, pluginsAtOnce)
		return beside(all, func(p plugin) reading {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return p.unknown("it was not run: others took all the time")
			}
			defer func() { <-turn }()
			return p.run(ctx, h)
		}), nil
	}
}

const (
	pluginsAtOnce = 16                     // so that one that hangs keeps no other from its turn
	maxPlugin     = 8 << 10                // bytes of its output, as in Nagios
	pluginGrace   = 500 * time.Millisecond // for one that took too long
	cannotRun     = 127                    // as a shell has it
)

// unknown is a reading of one that does not tell how things are.
func (p plugin) unknown(why string) reading {
	return p.reading(host.Output{Code: 3, Stdout: []byte(why)})
}

// isWords says whether something is a list of words, not of dicts.
func isWords(v any) bool {
	l, ok := v.(*value.List)
	return ok && !slices.ContainsFunc(l.Items, func(item any) bool { _, isDict := item.(*value.Dict); return isDict })
}

// run runs it. What keeps it from telling how things are makes its state UNKNOWN.
func (p plugin) run(ctx context.Context, h *host.Host) reading {
	c := host.Command{Argv: p.argv, Limit: maxPlugin, Grace: pluginGrace}
	var err error
	if p.user != "" {
		if c.User, err = h.User(ctx, p.user); err != nil {
			return p.unknown(err.Error())
		}
	}
	began := time.Now()
	out, err := h.Exec(ctx, c)
	switch {
	case err != nil && ctx.Err() != nil:
		return p.unknown(fmt.Sprintf("it took more than %v, and was ended", time.Since(began).Truncate(time.Second)))
	case err != nil:
		return p.reading(host.Output{Code: cannotRun, Stderr: []byte(err.Error())})
	}
	return p.reading(out)
}

// reading is what an output means.
func (p plugin) reading(out host.Output) reading {
	states := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}
	state := states[3]
	if out.Code >= 0 && out.Code < len(states) {
		state = states[out.Code]
	}
	text, long, perf := pluginOutput(string(out.Stdout))
	if text == "" && state == states[3] {
		text = strings.TrimSpace(string(out.Stderr))
	}
	data := value.NewDict("check", p.name, "state", state, "retcode", int64(out.Code), "output", text, "perfdata", perf)
	if long != "" {
		data.Put("long_output", long)
	}
	return reading{tag: p.name, about: p.name, state: state, first: "OK", tell: state != "OK", data: data}
}

// pluginOutput takes the output of a check plugin apart: TEXT|PERFDATA, then further lines of text, and of perfdata behind
// another |.
func pluginOutput(out string) (text, long string, perf *value.Dict) {
	first, rest, _ := strings.Cut(strings.TrimRight(out, "\n"), "\n")
	text, data, _ := strings.Cut(first, "|")
	long, more, _ := strings.Cut(rest, "|")
	return strings.TrimSpace(text), strings.TrimSpace(long), perfdata(data + " " + strings.ReplaceAll(more, "\n", " "))
}

// perfdata reads 'LABEL'=VALUE[UNIT];[WARN];[CRIT];[MIN];[MAX] again and again. What is none of it is left out.
func perfdata(text string) *value.Dict {
	all := &value.Dict{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		label, rest, ok := perfLabel(text)
		if !ok {
			return all
		}
		item := rest
		if i := strings.IndexAny(rest, " \t"); i >= 0 {
			item, text = rest[:i], rest[i:]
		} else {
			text = ""
		}
		if d := perfItem(item); d != nil {
			all.Put(label, d)
		}
	}
	return all
}

// perfLabel is the label at the beginning, whose quotes are doubled in it.
func perfLabel(text string) (label, rest string, ok bool) {
	if !strings.HasPrefix(text, "'") {
		label, rest, ok = strings.Cut(text, "=")
		return label[strings.LastIndexAny(label, " \t")+1:], rest, ok // what stands before a space is none
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '\'':
		case i+1 < len(text) && text[i+1] == '\'':
			i++
		default:
			return strings.ReplaceAll(text[1:i], "''", "'"), strings.TrimPrefix(text[i+1:], "="), strings.HasPrefix(text[i+1:], "=")
		}
	}
	return "", "", false
}

func perfItem(item string) *value.Dict {
	parts := strings.Split(item, ";")
	end := strings.LastIndexAny(parts[0], "0123456789.") + 1
	n, err := strconv.ParseFloat(parts[0][:end], 64)
	if err != nil {
		return nil // U: not known now
	}
	d := value.NewDict("value", n)
	if unit := parts[0][end:]; unit != "" {
		d.Put("unit", unit)
	}
	for i, key := range []string{"warn", "crit", "min", "max"} {
		if i+1 >= len(parts) || parts[i+1] == "" {
			continue
		}
		if n, err := strconv.ParseFloat(parts[i+1], 64); err == nil {
			d.Put(key, n)
		} else {
			d.Put(key, parts[i+1]) // a range
		}
	}
	return d
}
