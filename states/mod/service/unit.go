package service

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// unitTypes are the kinds of units that a service's name may end with; without one it is a .service.
func unitTypes() []string {
	return []string{
		"service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope",
	}
}

var unitName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+$`) })

// canonical makes the whole name of a unit of what stands in a state.
func canonical(name string) (string, error) {
	unit := name
	if !slices.Contains(unitTypes(), strings.TrimPrefix(path.Ext(name), ".")) {
		unit += ".service"
	}
	switch {
	case strings.HasPrefix(name, "/"):
		return "", fmt.Errorf("%q is a path and no name of a unit: take the one that systemd-escape --path --suffix=mount prints", name)
	case !unitName().MatchString(unit) || len(unit) > 255 || unit[0] == '.' || unit[0] == '@':
		return "", fmt.Errorf("%q can't be the name of a unit", name)
	}
	return unit, nil
}

// short is a unit's name as Salt shows it: without .service.
func short(unit string) string { return strings.TrimSuffix(unit, ".service") }

// template is the name of the file that an instance such as getty@tty1.service is made of; "" when unit is none.
func template(unit string) string {
	prefix, rest, ok := strings.Cut(unit, "@")
	if ext := path.Ext(unit); ok && rest != ext {
		return prefix + "@" + ext
	}
	return ""
}

// isTemplate says whether a unit is one of which only instances can run, such as getty@.service.
func isTemplate(unit string) bool { return strings.HasSuffix(unit, "@"+path.Ext(unit)) }
