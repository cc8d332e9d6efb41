package manager

import (
	"context"
	"fmt"
	"strings"
)

// group asks for the packages of a group, by its id or its name.
func (d dnf) group(ctx context.Context, name string, o Options) (Group, error) {
	argv := append(d.options(o, "-q"), "group", "info", name)
	out, err := d.tell(ctx, argv...)
	if err != nil {
		return Group{}, err
	}
	g := dnfGroup(out)
	if len(g.Mandatory)+len(g.Default)+len(g.Optional) == 0 {
		return g, fmt.Errorf("cannot find the group %q: no repository has it", name)
	}
	return g, nil
}

// dnfGroup reads headings such as "Mandatory Packages:" with names below them, or of dnf5 "Mandatory packages : name" with
// the next names below behind colons. Before a name yum may put a sign.
func dnfGroup(out string) (g Group) {
	var into *[]string
	for line := range strings.Lines(out) {
		heading, rest, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(heading)) {
		case "mandatory packages":
			into = &g.Mandatory
		case "default packages":
			into = &g.Default
		case "optional packages", "conditional packages":
			into = &g.Optional
		case "": // of dnf5: the heading goes on
		default:
			if strings.Contains(line, ":") {
				into = nil
			} else {
				rest = line
			}
		}
		name := strings.TrimLeft(strings.TrimSpace(rest), "+-= ")
		if into != nil && name != "" {
			*into = append(*into, name)
		}
	}
	return g
}
