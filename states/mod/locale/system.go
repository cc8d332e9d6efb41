package locale

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// A place is the file that has the host's locale, and the variable of it there.
type place struct{ file, variable string }

// placeOf finds it for a host where systemd is not asked.
func placeOf(h *host.Host) place {
	family, _ := h.Grains.Get("os_family")
	switch {
	case family == "Suse":
		return place{"/etc/sysconfig/language", "RC_LANG"}
	case family == "RedHat" && has(h, "/etc/sysconfig/i18n"):
		return place{"/etc/sysconfig/i18n", "LANG"}
	case family == "Debian":
		return place{"/etc/default/locale", "LANG"}
	case family == "Gentoo":
		return place{"/etc/env.d/02locale", "LANG"}
	}
	return place{"/etc/locale.conf", "LANG"}
}

// asked says whether localectl is asked. On SLE 12 packages overwrite what it writes.
func asked(h *host.Host) bool {
	family, _ := h.Grains.Get("os_family")
	major, _ := h.Grains.Get("osmajorrelease")
	return has(h, "/run/systemd/system") && (family != "Suse" || fmt.Sprint(major) != "12")
}

// current returns the variables of the host's locale by localectl, such as LANG=de_DE.UTF-8.
func current(ctx context.Context, h *host.Host) ([]string, error) {
	out, err := h.Run(ctx, "localectl", "status")
	if err != nil {
		return nil, err
	}
	var all []string
	under := ""
	for line := range strings.Lines(out) {
		if key, rest, ok := strings.Cut(line, ": "); ok {
			under, line = strings.TrimSpace(key), rest
		}
		if line = strings.TrimSpace(line); under == "System Locale" && strings.Contains(line, "=") {
			all = append(all, line)
		}
	}
	return all, nil
}

func getLocale(ctx context.Context, h *host.Host, _ struct{}) (string, error) {
	if !asked(h) {
		return placeOf(h).get(h)
	}
	all, err := current(ctx, h)
	for _, v := range all {
		if lang, ok := strings.CutPrefix(v, "LANG="); ok {
			return lang, nil
		}
	}
	return "", err
}

func setLocale(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	err := a.Locale.set(ctx, h)
	return err == nil, err
}

// set has the host speak a locale.
func (n name) set(ctx context.Context, h *host.Host) error {
	if !asked(h) {
		return placeOf(h).set(ctx, h, n.plain())
	}
	all, err := current(ctx, h)
	if err != nil {
		return err
	}
	argv := []string{"localectl", "set-locale", "LANG=" + n.plain()}
	for _, v := range all {
		if !strings.HasPrefix(v, "LANG=") {
			argv = append(argv, v)
		}
	}
	_, err = h.Run(ctx, argv...)
	return err
}

func (p place) get(h *host.Host) (string, error) {
	data, err := file.Get(h, p.file)
	val := ""
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), p.variable+"="); ok {
			val = strings.Trim(v, `"'`)
		}
	}
	return val, err
}

func (p place) set(ctx context.Context, h *host.Host, val string) error {
	data, err := file.Get(h, p.file)
	if err != nil {
		return err
	}
	var b strings.Builder
	line := fmt.Sprintf("%s=%q\n", p.variable, val)
	for old := range strings.Lines(string(data)) {
		if !strings.HasPrefix(strings.TrimSpace(old), p.variable+"=") {
			b.WriteString(strings.TrimSuffix(old, "\n") + "\n")
		} else if line != "" {
			b.WriteString(line)
			line = "" // once
		}
	}
	b.WriteString(line)
	err = file.Put(ctx, h, p.file, []byte(b.String()), 0o644)
	if err == nil && strings.HasPrefix(p.file, "/etc/env.d/") {
		_, err = h.Run(ctx, "env-update")
	}
	if err != nil {
		return fmt.Errorf("cannot set the locale %q: %w", val, err)
	}
	return nil
}
