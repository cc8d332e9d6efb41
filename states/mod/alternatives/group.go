package alternatives

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// A group is what is known of one name.
type group struct {
	known   bool
	link    string
	manual  bool
	current string
	paths   []string
	prio    map[string]int
}

// program is the one that the host has.
func program(h *host.Host) (string, error) {
	for _, name := range []string{"update-alternatives", "alternatives"} {
		for _, dir := range filepath.SplitList(host.DefaultPath) {
			if _, err := os.Stat(h.Path(dir + "/" + name)); err == nil {
				return name, nil
			}
		}
	}
	return "", module.Unknown("cannot look at alternatives: this host has neither update-alternatives nor alternatives")
}

// look asks for a name. --display is what both programs have, and each writes it in its own way.
func look(ctx context.Context, h *host.Host, name string) (*group, string, error) {
	if name == "" || strings.ContainsAny(name, "/ \t\n") || name[0] == '-' {
		return nil, "", fmt.Errorf("%q can't be the name of alternatives", name)
	}
	p, err := program(h)
	if err != nil {
		return nil, "", err
	}
	out, err := h.Run(ctx, p, "--display", name)
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) {
		if exit.Code == 2 || strings.Contains(exit.Stderr, "no alternatives for") || exit.Stderr == "" {
			return &group{}, "", nil
		}
		return nil, "", fmt.Errorf("cannot look at the alternatives of %s: %w", name, err)
	}
	if err != nil {
		return nil, "", err
	}
	if strings.TrimSpace(out) == "" {
		return &group{}, "", nil
	}
	g := parse(out)
	if g.link == "" { // Red Hat's program does not tell it
		g.link = linkOf(h, name)
	}
	return g, out, nil
}

// linkOf reads the link of a name where Red Hat's program keeps it: the second line of its file.
func linkOf(h *host.Host, name string) string {
	data, err := os.ReadFile(h.Path("/var/lib/alternatives/" + name))
	lines := strings.Split(string(data), "\n")
	if err != nil || len(lines) < 2 {
		return ""
	}
	return lines[1]
}

func parse(out string) *group {
	g := &group{known: true, prio: map[string]int{}}
	for line := range strings.SplitSeq(out, "\n") {
		words := strings.Fields(line)
		switch {
		case strings.Contains(line, " - manual mode"), strings.Contains(line, "status is manual"):
			g.manual = true
		case strings.Contains(line, "link currently points to "):
			_, g.current, _ = strings.Cut(line, "link currently points to ")
		case len(words) >= 3 && words[0] == "link" && words[len(words)-2] == "is":
			if g.link == "" && len(words) == 4 {
				g.link = words[3]
			}
		case len(words) >= 4 && strings.HasPrefix(words[0], "/") && words[1] == "-" && words[2] == "priority":
			if n, err := strconv.Atoi(words[3]); err == nil {
				g.paths, g.prio[words[0]] = append(g.paths, words[0]), n
			}
		}
	}
	return g
}

func (g *group) has(path string) bool { return slices.Contains(g.paths, path) }

// run changes something, and makes sure that it did.
func run(ctx context.Context, h *host.Host, name string, done func(*group) bool, args ...string) error {
	p, err := program(h)
	if err != nil {
		return err
	}
	if _, err := h.Run(ctx, append([]string{p}, args...)...); err != nil {
		return fmt.Errorf("cannot change the alternatives of %s: %w", name, err)
	}
	g, _, err := look(ctx, h, name)
	if err == nil && !done(g) {
		err = fmt.Errorf("cannot change the alternatives of %s: %s reported no error, and they are as before", name, p)
	}
	return err
}
