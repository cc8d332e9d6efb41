package run

import (
	"path"
	"slices"
	"strings"

	"brine/states/plan"
)

// deciding returns the first of the states that would change which may decide why n can't tell what it would do; nil when none can.
func (r *runner) deciding(n *plan.Node, why string) *plan.Node {
	for _, earlier := range r.pending {
		if decides(earlier, n, why) {
			return earlier
		}
	}
	return nil
}

// decides says whether what a state changes can be why another one, which it does not require, can't tell what it would do. Of most states nobody knows
// how far they reach, such as commands and packages. Those of files change what is at their path, above it and below it, and that matters to
// a state of files or a command only where these have to do with the path.
func decides(earlier, n *plan.Node, why string) bool {
	switch earlier.Module {
	case "cron", "sysctl", "timezone", "locale", "host", "ssh_auth", "ssh_known_hosts", "alias", "environ", "grains":
		return earlier.Module == n.Module
	case "file":
	default:
		return true
	}
	if n.Module != "file" && n.Module != "cmd" || !path.IsAbs(earlier.Name) {
		return true
	}
	about := append(strings.FieldsFunc(why, func(c rune) bool { return strings.ContainsRune(" \t\n\"'`,;:()[]", c) }), n.Name)
	about = slices.DeleteFunc(about, func(word string) bool { return !path.IsAbs(word) })
	return len(about) == 0 || slices.ContainsFunc(about, func(name string) bool {
		return within(name, earlier.Name) || within(earlier.Name, name)
	})
}

// thingOf is what a state is about, where its name says that: of two about the same thing an earlier one may leave the
// later one something to do, whether it requires it or not.
func thingOf(n *plan.Node) string {
	switch n.Module {
	case "file", "ini":
		if path.IsAbs(n.Name) {
			return "file " + path.Clean(n.Name)
		}
	case "service", "pkg", "user", "group", "host", "sysctl", "grains":
		return n.Module + " " + n.Name
	}
	return ""
}

// within says whether a path is another, or below it.
func within(name, dir string) bool {
	name, dir = path.Clean(name), path.Clean(dir)
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}
