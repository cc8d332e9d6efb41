package job

import (
	"cmp"
	"errors"
	"slices"

	"brine/proto"
	"brine/proto/role"
)

// environments are those that a request reaches: of the file tree, if it has
// the files of one, and of what saltenv, pillarenv and URLs of files name. Without pillarenv
// minions have the pillar that they always have.
func environments(q *proto.JobRequest) []string {
	var all []string
	if q.GetEnvironment() != "" || needsFiles(q) {
		all = append(all, cmp.Or(q.GetEnvironment(), role.Base))
	}
	for _, c := range q.Asked() {
		for _, a := range c.GetArgs() {
			if a.GetName() != "saltenv" && a.GetName() != "pillarenv" {
				continue
			}
			if name := nameIn(a); name != "" {
				all = append(all, name)
			}
		}
	}
	all = append(all, askedFor(q)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// mayRun tells why an operator may not do what a request asks for to minions, or nil. Of several functions each is checked.
func (m *Manager) mayRun(op *proto.OperatorRecord, q *proto.JobRequest, ids []string) error {
	envs := environments(q)
	var errs []error
	seen := map[string]bool{}
	for _, c := range q.Asked() {
		if !seen[c.GetFunction()] {
			seen[c.GetFunction()] = true
			errs = append(errs, m.o.Allowed(op, c.GetFunction(), ids, envs...))
		}
	}
	return errors.Join(errs...)
}
