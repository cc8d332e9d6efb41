package job

import (
	"cmp"
	"encoding/json"
	"slices"

	"brine/proto"
	"brine/proto/role"
)

// environments are those that a request reaches: of the file tree, if it has
// the files of one, and of what saltenv and pillarenv name. Without pillarenv
// minions have the pillar that they always have.
func environments(q *proto.JobRequest) []string {
	var all []string
	if q.GetEnvironment() != "" || needsFiles(q) {
		all = append(all, cmp.Or(q.GetEnvironment(), role.Base))
	}
	for _, a := range q.GetArgs() {
		if a.GetName() != "saltenv" && a.GetName() != "pillarenv" {
			continue
		}
		name := a.GetText()
		if data := a.GetJson(); len(data) > 0 && json.Unmarshal(data, &name) != nil {
			name = string(data)
		}
		if name != "" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mayRun tells why an operator may not do what a request asks for to minions, or nil.
func (m *Manager) mayRun(op *proto.OperatorRecord, q *proto.JobRequest, ids []string) error {
	return m.o.Allowed(op, q.GetFunction(), ids, environments(q)...)
}
