// Package lint checks a tree of state files without a master and without a host: every SLS is compiled for hosts of which
// only recorded grains and pillar are known. Nothing of the machine it runs on is looked at but the tree.
package lint

import (
	"context"

	"brine/states/custom"
	"brine/states/module"
	"brine/states/sls"
	"brine/states/value"
)

// A Host is one that the tree is checked for.
type Host struct {
	Name   string      // its id
	Grains *value.Dict // as grains.items gives them
	Pillar *value.Dict // laid over that of Options.PillarRoots; nil for none
}

// Options say how a tree is checked.
type Options struct {
	Index *module.Index // the states and functions there are
	Hosts []Host        // none: the built-in Default

	Env         string        // that of the run; "" is base
	Strategy    string        // how the top files of several environments are brought together; "" is sls.TopMerge
	PillarRoots Roots         // nil for no pillar but that of hosts
	Lenient     bool          // unknown arguments are warnings
	Custom      *custom.Store // in which the tree's own modules are asked what is in them; nil: none of them is run
	Nodegroups  *value.Dict   // as the masters' configuration has them; nil for none
	Answers     *value.Dict   // what functions give that are not called here, by their names; nil for none
	Exclude     []string      // globs of paths from the root: such files are checked only where others include them
	Only        []string      // paths from the root: what is told of other files is left out; none for all
}

// Severities of findings. Only errors keep a tree from being applied.
const (
	Error   = "error"
	Warning = "warning"
)

// A Finding is one thing that is wrong in a tree.
type Finding struct {
	File     string   `json:"file"`   // from the root of its tree; of another environment than the run's ENV:PATH, of pillar pillar:PATH
	Line     int      `json:"line"`   // from 1; 0 where it stands in no line
	Column   int      `json:"column"` // from 1, in characters; 0 where it is not known
	Severity string   `json:"severity"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint"`   // what was meant, such as: did you mean "pkg.installed"?
	Detail   string   `json:"detail"` // further lines: the line of a template with a mark, and what imported it
	Hosts    []string `json:"hosts"`  // for which it is wrong, in the order in which they were given; all for what is wrong for any
}

// A Report is what checking found.
type Report struct {
	Hosts    []string  // that the tree was checked for
	Files    []string  // that were compiled, in order
	Findings []Finding // by file and line
}

// Errors counts the findings that are errors.
func (r *Report) Errors() int { return r.count(Error) }

// Warnings counts the other findings.
func (r *Report) Warnings() int { return r.count(Warning) }

func (r *Report) count(severity string) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// Tree checks all files of a tree. What the top file gives a host is compiled together, as a highstate is; an SLS that
// it gives nobody is compiled by itself, for each host. The error says that the tree could not be checked at all: it has
// no files, or a host is not what it should be.
func Tree(ctx context.Context, roots Roots, o Options) (*Report, error) {
	c, err := newChecker(ctx, roots, o)
	if err != nil {
		return nil, err
	}
	for _, h := range c.hosts {
		c.pillar(h)
	}
	c.executables()
	c.top()
	c.rest()
	c.templates()
	return c.report(), ctx.Err()
}

// Run checks the SLS named, in one run for each host, as state.apply does with them.
func Run(ctx context.Context, roots Roots, names []string, o Options) (*Report, error) {
	c, err := newChecker(ctx, roots, o)
	if err != nil {
		return nil, err
	}
	for _, h := range c.hosts {
		if c.pillar(h) {
			c.run(h, mods(names), false)
		}
	}
	return c.report(), ctx.Err()
}

func mods(names []string) []sls.Mod {
	list := make([]sls.Mod, len(names))
	for i, name := range names {
		list[i] = sls.Mod{Name: name}
	}
	return list
}
