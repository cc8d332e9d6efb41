package manager

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"brine/states/value"
)

// A List is the packages that a host's database knows, by name. It must not be changed.
type List struct {
	packages map[string]*Package
	arch     string // the host's own
}

// A Package is a package of the database.
type Package struct {
	Versions []string // more than one of what can be installed side by side; none when it isn't installed
	Held     bool
	Broken   string // the version that is there but was not set up whole; it doesn't count as installed
	Config   string // the version of which only configuration is left
	Unwanted bool   // it is selected to be purged
}

func newList() *List { return &List{packages: map[string]*Package{}} }

// add adds an installed version.
func (l *List) add(name, version string) *Package {
	p := l.at(name)
	p.Versions = append(p.Versions, version)
	return p
}

func (l *List) at(name string) *Package {
	p := l.packages[name]
	if p == nil {
		p = &Package{}
		l.packages[name] = p
	}
	return p
}

// Get returns a package of the list; the zero one when there is none of that name.
func (l *List) Get(name string) Package {
	if p := l.packages[name]; p != nil {
		return *p
	}
	return Package{}
}

// Has says whether a package is installed.
func (l *List) Has(name string) bool { return len(l.Get(name).Versions) > 0 }

// Names are all names, sorted.
func (l *List) Names() []string { return slices.Sorted(maps.Keys(l.packages)) }

func (l *List) held() (names []string) {
	for _, name := range l.Names() {
		if l.packages[name].Held {
			names = append(names, name)
		}
	}
	return names
}

// Version is the installed version, or all of them with commas between; "" when the package is not installed.
func (p Package) Version() string {
	switch len(p.Versions) {
	case 0:
		return ""
	case 1:
		return p.Versions[0]
	}
	versions := slices.Clone(p.Versions)
	slices.Sort(versions)
	return strings.Join(versions, ",")
}

// A Change is what became, or becomes, of one package. Old or New is "" where it was not installed, or is no longer.
type Change struct{ Name, Old, New string }

// Changes are in order of name.
type Changes []Change

// Get returns the change of a package.
func (c Changes) Get(name string) (Change, bool) {
	i, ok := slices.BinarySearchFunc(c, name, func(x Change, name string) int { return strings.Compare(x.Name, name) })
	if !ok {
		return Change{}, false
	}
	return c[i], true
}

// With adds a change, or replaces that of the same name.
func (c Changes) With(x Change) Changes {
	i, ok := slices.BinarySearchFunc(c, x.Name, func(x Change, name string) int { return strings.Compare(x.Name, name) })
	if ok {
		c[i] = x
		return c
	}
	return slices.Insert(c, i, x)
}

// Dict is the changes as results tell them.
func (c Changes) Dict() *value.Dict {
	d := &value.Dict{}
	for _, x := range c {
		d.Put(x.Name, value.NewDict("old", x.Old, "new", x.New))
	}
	return d
}

// Difference is what changed of the installed packages.
func Difference(before, after *List) Changes { return difference(before, after, Package.Version) }

// ConfigDifference is what changed of the packages of which only configuration is left.
func ConfigDifference(before, after *List) Changes {
	return difference(before, after, func(p Package) string { return p.Config })
}

func difference(before, after *List, version func(Package) string) (changes Changes) {
	for name, p := range before.packages {
		if old, now := version(*p), version(after.Get(name)); old != now {
			changes = append(changes, Change{name, old, now})
		}
	}
	for name, p := range after.packages {
		if now := version(*p); before.packages[name] == nil && now != "" {
			changes = append(changes, Change{name, "", now})
		}
	}
	sort.Slice(changes, func(i, k int) bool { return changes[i].Name < changes[k].Name })
	return changes
}
