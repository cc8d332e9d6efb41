package store

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"brine/proto/jid"
)

// CallFilter chooses calls of functions of masters, orchestrations among them.
type CallFilter struct {
	Limit  int    // 0: 50
	Before string // only those with a job id below this one
	Since  string // only those with this job id or a later one
	Actor  string // glob over who had it made: "operator ann", "schedule night"; "" is anybody
	First  bool   // only those that no record led to, such as a step of an orchestration
}

// ofCalls chooses the events by which calls begin: the index of them is used where these very words stand.
const ofCalls = "(tag GLOB 'salt/run/????????????????????/new' OR tag GLOB 'salt/wheel/????????????????????/new')"

// idOfCall is the job id in such a tag.
const idOfCall = "substr(tag, -24, 20)"

// Calls lists the events by which calls of functions of masters begin, those with the highest job id first,
// and of one that was taken up by another master the last.
func (s *Store) Calls(ctx context.Context, f CallFilter) ([]EventEntry, error) {
	where := ofCalls + " AND " + idOfCall + " < ? AND " + idOfCall + " >= ?"
	args := []any{cmp.Or(f.Before, strings.Repeat("9", jid.Len)+"9"), f.Since}
	if f.Actor != "" {
		where, args = where+" AND actor GLOB ?", append(args, glob(f.Actor))
	}
	if f.First {
		where += " AND cause = ''"
	}
	seqs, err := s.sequences(ctx, "SELECT seq FROM events INDEXED BY events_calls WHERE "+where+" ORDER BY "+idOfCall+" DESC, seq DESC LIMIT ?",
		append(args, cmp.Or(max(f.Limit, 0), 50))...)
	if err != nil {
		return nil, err
	}
	var all []EventEntry
	for _, seq := range seqs {
		e, err := s.eventAt(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue // pruned meanwhile
		} else if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}
