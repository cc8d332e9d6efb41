package lint

import (
	"brine/states/custom"
	"brine/states/plan"
)

// bring adds to the built-in modules those that the tree brings along.
func (c *checker) bring() error {
	late, told, err := custom.Offline(c.ctx, c.files, c.opts.Index, c.opts.Custom)
	c.opts.Index, c.brought = c.opts.Index.With(late...), told
	return err
}

// executables tells of files that have the place of a module of the tree, and are none or not known.
func (c *checker) executables() {
	for _, p := range c.brought {
		severity := Warning
		if p.Mistake {
			severity = Error
		}
		at := plan.Place{File: p.Path}
		c.findings.add("", mistake(plan.Errorf(at, "%v", p.Err), severity), at)
	}
}
