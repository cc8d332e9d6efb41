package lint

import (
	"brine/states/custom"
	"brine/states/plan"
)

// bring adds to the built-in modules those that the tree brings along, and tells of files that are none.
func (c *checker) bring() error {
	late, told, err := custom.Offline(c.ctx, c.files, c.opts.Index, c.opts.Custom)
	if err != nil {
		return err
	}
	c.opts.Index = c.opts.Index.With(late...)
	for _, p := range told {
		severity := Warning
		if p.Mistake {
			severity = Error
		}
		at := plan.Place{File: p.Path}
		c.findings.add("", mistake(plan.Errorf(at, "%v", p.Err), severity), at)
	}
	return nil
}
