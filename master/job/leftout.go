package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/proto"
)

const (
	maxReasons = 20  // why minions are left out, each told by itself
	maxLeftWhy = 500 // bytes of one
	shownLeft  = 5   // ids of an explanation
)

// Left groups minions of which nobody can tell whether a target means them by the reason, in order of their ids. Few
// minions have a reason of their own: a broken pillar breaks it for many.
func Left(unsure map[string]error) []*proto.LeftOut {
	var left []*proto.LeftOut
	at := map[string]*proto.LeftOut{}
	for _, id := range slices.Sorted(maps.Keys(unsure)) {
		why := unsure[id].Error()
		why = strings.ToValidUTF8(why[:min(len(why), maxLeftWhy)], "")
		if at[why] == nil && len(left) >= maxReasons {
			why = "for one of many other reasons"
		}
		if at[why] == nil {
			at[why] = &proto.LeftOut{Why: why}
			left = append(left, at[why])
		}
		at[why].Minions = append(at[why].Minions, id)
	}
	return left
}

// leftOut are the minions to name as left out of a request: those to which its operator may do what is asked for.
func (m *Manager) leftOut(q *request, unsure map[string]error) []*proto.LeftOut {
	if len(unsure) > 0 && m.mayRun(q.operator, q.JobRequest, slices.Sorted(maps.Keys(unsure))) != nil {
		maps.DeleteFunc(unsure, func(id string, _ error) bool { return m.mayRun(q.operator, q.JobRequest, []string{id}) != nil })
	}
	return Left(unsure)
}

// explained adds to a message who was left out, each reason in a line.
func explained(left []*proto.LeftOut) string {
	var b strings.Builder
	for _, l := range left {
		names := strings.Join(l.Minions[:min(len(l.Minions), shownLeft)], ", ")
		if more := len(l.Minions) - shownLeft; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(&b, "\n%s left out: %s", names, l.Why)
	}
	return b.String()
}
