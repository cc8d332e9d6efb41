// Package system tells and sets the host's time and name, and ends or restarts it.
package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// Module is the system module.
var Module = module.Module{
	Name: "system",
	Doc:  "Tell and set the host's time and name, and end or restart it.",
	Funcs: []module.Func{
		{Name: "get_computer_desc", Doc: "Return the description of the host; empty text when it has none.", Do: module.Call(description)},
		{Name: "get_computer_name", Doc: "Return the name of the host.", Do: module.Call(name)},
		{
			Name: "get_reboot_required_witnessed", Doc: "Say whether set_reboot_required_witnessed was called since the host was booted.",
			Do: module.Call(rebootRequired),
		},
		{
			Name: "get_system_date", Doc: "Return the host's date, such as Thu 11/26/2026.",
			Example: "utc_offset=+0100", Do: module.Call(shown("Mon 01/02/2006")),
		},
		{
			Name: "get_system_date_time", Doc: "Return the host's date and time, such as 2026-11-26 17:30:00.",
			Example: "utc_offset=+0100", Do: module.Call(shown("2006-01-02 15:04:05")),
		},
		{
			Name: "get_system_time", Doc: "Return the host's time, such as 05:30:00 PM.",
			Example: "utc_offset=+0100", Do: module.Call(shown("03:04:05 PM")),
		},
		{Name: "halt", Doc: "Stop the host.", Do: module.Call(plain("halt"))},
		{Name: "init", Doc: "Change the runlevel.", Example: "3", Do: module.Call(runlevel)},
		{Name: "poweroff", Doc: "Power the host off.", Do: module.Call(plain("poweroff"))},
		{Name: "reboot", Doc: "Restart the host.", Example: "at_time=5", Do: module.Call(shutdown("-r"))},
		{
			Name: "set_computer_desc", Doc: "Set the description of the host.",
			Example: "'web server of the shop'", Do: module.Call(setDescription),
		},
		{Name: "set_computer_name", Doc: "Set the name of the host.", Example: "web1", Do: module.Call(setName)},
		{
			Name: "set_reboot_required_witnessed", Doc: "Note until the host is booted that it has to be.",
			Do: module.Call(requireReboot),
		},
		{
			Name: "set_system_date", Doc: "Set the host's date and leave its time.",
			Example: "2026-11-26", Do: module.Call(setDate),
		},
		{
			Name: "set_system_date_time", Doc: "Set parts of the host's date and time, and leave those that are not given.",
			Example: "years=2026 months=11 days=26 utc_offset=+0000", Do: module.Call(setDateTime),
		},
		{
			Name: "set_system_time", Doc: "Set the host's time and leave its date.",
			Example: "'17:30:00'", Do: module.Call(setTime),
		},
		{Name: "shutdown", Doc: "Shut the host down.", Example: "at_time=23:00", Do: module.Call(shutdown("-h"))},
	},
}

type none = struct{}

func plain(program string) func(context.Context, *host.Host, none) (string, error) {
	return func(ctx context.Context, h *host.Host, _ none) (string, error) { return h.Run(ctx, program) }
}

type levelArgs struct {
	Level string `arg:"runlevel,required" doc:"0 to 6, or s"`
}

func runlevel(ctx context.Context, h *host.Host, a levelArgs) (string, error) {
	if len(a.Level) != 1 || !strings.Contains("0123456sS", a.Level) {
		return "", fmt.Errorf("cannot change to the runlevel %q: there are 0 to 6 and s", a.Level)
	}
	return h.Run(ctx, "init", a.Level)
}

type whenArgs struct {
	At string `arg:"at_time" doc:"when: minutes from now, or HH:MM; now when absent"`
}

var whenPattern = regexp.MustCompile(`^(now|\+?[0-9]{1,6}|([01]?[0-9]|2[0-3]):[0-5][0-9])$`)

func shutdown(option string) func(context.Context, *host.Host, whenArgs) (string, error) {
	return func(ctx context.Context, h *host.Host, a whenArgs) (string, error) {
		at := a.At
		if at == "" {
			at = "now"
		}
		if !whenPattern.MatchString(at) {
			return "", fmt.Errorf("cannot shut down at %q: want minutes from now, or HH:MM", a.At)
		}
		return h.Run(ctx, "shutdown", option, at)
	}
}

const (
	infoFile = "/etc/machine-info"
	nameFile = "/etc/hostname"
	witness  = "/run/brine/reboot_required" // gone after a boot
)

// description reads PRETTY_HOSTNAME; see machine-info(5).
func description(_ context.Context, h *host.Host, _ none) (string, error) {
	data, err := read(h, infoFile)
	for line := range strings.Lines(data) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_HOSTNAME="); ok {
			return unquote(v), nil
		}
	}
	return "", err
}

func read(h *host.Host, file string) (string, error) {
	data, err := os.ReadFile(h.Path(file))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(data), err
}

var shellQuoted = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`")

func unquote(v string) string {
	if len(v) < 2 || v[0] != v[len(v)-1] || v[0] != '"' && v[0] != '\'' {
		return v
	}
	if v[0] == '\'' {
		return v[1 : len(v)-1]
	}
	return shellQuoted.Replace(v[1 : len(v)-1])
}

type descArgs struct {
	Desc string `arg:"desc,required" doc:"the description; empty text for none"`
}

func setDescription(ctx context.Context, h *host.Host, a descArgs) (bool, error) {
	if strings.ContainsAny(a.Desc, "\n\x00") {
		return false, errors.New("cannot set the description: it must be one line")
	}
	old, err := read(h, infoFile)
	if err != nil {
		return false, err
	}
	var b strings.Builder
	for line := range strings.Lines(old) {
		if !strings.HasPrefix(strings.TrimSpace(line), "PRETTY_HOSTNAME=") {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	if a.Desc != "" {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(a.Desc)
		b.WriteString(`PRETTY_HOSTNAME="` + quoted + "\"\n")
	}
	return true, file.Put(ctx, h, infoFile, []byte(b.String()), 0o644)
}

func name(_ context.Context, h *host.Host, _ none) (string, error) {
	if data, err := os.ReadFile(h.Path("/proc/sys/kernel/hostname")); err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	return os.Hostname()
}

type nameArgs struct {
	Name string `arg:"hostname,required" doc:"the name"`
}

var namePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
})

func setName(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	if !namePattern().MatchString(a.Name) || len(a.Name) > 64 {
		return false, fmt.Errorf("cannot set the name %q: want at most 64 letters, digits, hyphens and dots", a.Name)
	}
	if err := file.Put(ctx, h, nameFile, []byte(a.Name+"\n"), 0o644); err != nil {
		return false, fmt.Errorf("cannot set the name: %w", err)
	}
	_, err := h.Run(ctx, "hostname", a.Name)
	return err == nil, err
}

func requireReboot(_ context.Context, h *host.Host, _ none) (bool, error) {
	file := h.Path(witness)
	if err := os.MkdirAll(strings.TrimSuffix(file, "/reboot_required"), 0o755); err != nil {
		return false, err
	}
	err := os.WriteFile(file, nil, 0o644)
	return err == nil, err
}

func rebootRequired(_ context.Context, h *host.Host, _ none) (bool, error) {
	_, err := os.Stat(h.Path(witness))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

type offsetArgs struct {
	Offset *offset `arg:"utc_offset" doc:"in this distance from UTC, such as +0100; the host's own when absent"`
}

// offset is seconds east of UTC.
type offset int

func (o *offset) ArgType() string { return "offset from UTC" }

func (o *offset) ParseArg(v module.Value) error {
	s, err := v.Str()
	t, bad := time.Parse("-0700", s)
	if err != nil || bad != nil {
		return v.Want("an offset such as +0100")
	}
	_, seconds := t.Zone()
	*o = offset(seconds)
	return nil
}

func (o *offset) in(t time.Time) time.Time {
	if o == nil {
		return t.Local()
	}
	return t.In(time.FixedZone("", int(*o)))
}

func shown(layout string) func(context.Context, *host.Host, offsetArgs) (string, error) {
	return func(_ context.Context, _ *host.Host, a offsetArgs) (string, error) {
		return a.Offset.in(time.Now()).Format(layout), nil
	}
}
