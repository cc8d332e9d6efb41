package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"brine/proto"
	"brine/proto/target"
)

// language is what targets of new requests may refer to.
func (m *Manager) language() target.Language {
	if m.o.Language == nil {
		return target.Language{}
	}
	return m.o.Language()
}

// readTarget reads the target of a request, and writes down the nodegroups that the minions must know of.
func (m *Manager) readTarget(q *request) (err error) {
	language := m.language()
	if q.target, err = language.Read(q.Target); err != nil {
		return err
	}
	names := q.target.Groups()
	if len(names) == 0 {
		return nil
	}
	groups := make(map[string]any, len(names))
	for _, name := range names {
		groups[name], _ = language.Groups.Get(name)
	}
	q.nodegroups, err = json.Marshal(groups)
	return err
}

// made reads the target of a job that was made: nodegroups are what they were then.
func (m *Manager) made(nodegroups []byte, t *proto.Target) (*target.Matcher, error) {
	language := m.language()
	language.Groups = nil
	if len(nodegroups) > 0 {
		var groups target.JSON
		if err := json.Unmarshal(nodegroups, &groups); err != nil {
			return nil, fmt.Errorf("cannot read the nodegroups of a job: %w", err)
		}
		language.Groups = groups
	}
	return language.Read(t)
}

// matching are the minions of a fleet that a target means, as far as this master knows them, sorted.
func (m *Manager) matching(ctx context.Context, t *target.Matcher, fleet []string) (ids []string, err error) {
	facts := func(id string) target.Facts { return target.Facts{ID: id} }
	if asks := t.Asks(); !asks.ID() && m.o.Facts != nil {
		if facts, err = m.o.Facts(ctx, asks, fleet); err != nil {
			return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot find the minions: %v", err)
		}
	}
	for _, id := range fleet {
		ok, err := t.Decide(facts(id))
		if err != nil {
			return nil, refuse(proto.ApiError_INVALID, "%v", err)
		}
		if ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
