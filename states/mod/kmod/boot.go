package kmod

import (
	"context"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// bootFile is where modules are kept that are loaded at boot: Salt's file, so that hosts which come from there have each
// module once.
func bootFile(h *host.Host) string {
	for _, name := range []string{"/run/systemd/system", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"} {
		if _, err := os.Stat(h.Path(name)); err == nil {
			return "/etc/modules-load.d/salt_managed.conf"
		}
	}
	return "/etc/modules"
}

// nameIn returns the name of the module in a line; "" when it has none.
func nameIn(line string) string {
	f := strings.Fields(line)
	if len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], ";") {
		return ""
	}
	return kernelName(f[0])
}

// atBoot returns the names of the modules that are loaded at boot.
func atBoot(h *host.Host) ([]string, error) {
	data, err := file.Get(h, bootFile(h))
	all := []string{}
	for line := range strings.Lines(string(data)) {
		if name := nameIn(line); name != "" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// keep has a module loaded at boot: by the line that was commented out, or a new one.
func keep(ctx context.Context, h *host.Host, m mod) error {
	return edit(ctx, h, func(lines []string) []string {
		for i, line := range lines {
			if bare, commented := strings.CutPrefix(strings.TrimSpace(line), "#"); commented && strings.Join(strings.Fields(bare), " ") == m.line {
				lines[i] = m.line
				return lines
			}
		}
		return append(lines, m.line)
	})
}

// forget has a module no longer loaded at boot.
func forget(ctx context.Context, h *host.Host, m mod, comment bool) error {
	return edit(ctx, h, func(lines []string) []string {
		var left []string
		for _, line := range lines {
			switch {
			case nameIn(line) != m.name:
				left = append(left, line)
			case comment:
				left = append(left, "#"+line)
			}
		}
		return left
	})
}

func edit(ctx context.Context, h *host.Host, change func([]string) []string) error {
	name := bootFile(h)
	data, err := file.Get(h, name)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	text := ""
	for _, line := range change(lines) {
		text += line + "\n"
	}
	return file.Put(ctx, h, name, []byte(text), 0o644)
}
