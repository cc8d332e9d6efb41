package sysctl

import (
	"context"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/value"
)

// standard is where parameters are kept: Salt's file where the system reads such ones, so that hosts which come from there
// have each parameter once.
func standard(h *host.Host) string {
	if st, err := os.Stat(h.Path("/etc/sysctl.d")); err == nil && st.IsDir() {
		return "/etc/sysctl.d/99-salt.conf"
	}
	return "/etc/sysctl.conf"
}

// A config is a file of parameters, line by line.
type config struct{ lines []string }

func load(h *host.Host, name string) (*config, error) {
	data, err := file.Get(h, name)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return &config{}, nil
	}
	return &config{strings.Split(text, "\n")}, nil
}

// setting reads a line such as "-net.ipv4.ip_forward = 1"; false when it sets nothing.
func setting(line string) (name, val string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", false
	}
	name, val, ok = strings.Cut(line, "=")
	return spelled(strings.TrimSpace(strings.TrimPrefix(name, "-"))), strings.TrimSpace(val), ok
}

// spelled writes a name with dots where it was written with slashes.
func spelled(name string) string {
	if dot, slash := strings.IndexByte(name, '.'), strings.IndexByte(name, '/'); slash >= 0 && (dot < 0 || slash < dot) {
		return strings.NewReplacer("/", ".", ".", "/").Replace(name)
	}
	return name
}

// get returns what the file sets a parameter to: the last of its lines counts.
func (c *config) get(name string) (val string, ok bool) {
	for _, line := range c.lines {
		if n, v, is := setting(line); is && n == spelled(name) {
			val, ok = v, true
		}
	}
	return val, ok
}

// set has the parameter in one line: the first that it had, or a new last one.
func (c *config) set(name, val string) {
	line := name + " = " + val
	var lines []string
	done := false
	for _, old := range c.lines {
		n, _, is := setting(old)
		switch {
		case !is || n != spelled(name):
			lines = append(lines, old)
		case !done:
			lines, done = append(lines, line), true
		}
	}
	if !done {
		lines = append(lines, line)
	}
	c.lines = lines
}

func (c *config) save(ctx context.Context, h *host.Host, name string) error {
	return file.Put(ctx, h, name, []byte(strings.Join(c.lines, "\n")+"\n"), 0o644)
}

func (c *config) all() *value.Dict {
	d := &value.Dict{}
	for _, line := range c.lines {
		if name, val, ok := setting(line); ok {
			d.Put(name, val)
		}
	}
	return d
}
