package job

import (
	"context"
	"encoding/json"
	"errors"
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

// readsPillar is the function that shows pillar: who may use it on a minion learns nothing of that one's pillar by targets.
const readsPillar = "pillar.items"

// mayAskPillar refuses patterns of pillar to who may not read that of all minions: by who is meant they would tell secrets.
func (m *Manager) mayAskPillar(q *request, fleet []string) error {
	if q.target.Pillar() != target.PillarPatterns {
		return nil
	}
	if err := m.o.Allowed(q.operator, readsPillar, fleet); err != nil {
		return refuse(proto.ApiError_NOT_PERMITTED, "operator %q may not target by patterns of pillar, only by whole values (-I KEY:VALUE), "+
			"as a pattern finds out secrets: %v", q.operator.GetName(), err)
	}
	return nil
}

// askable are those of a fleet whose pillar a request may compare: where its operator may do what is asked for, or may
// read the pillar. The pillar of others is as good as empty, or whoever guesses a secret could tell that it is right.
func (m *Manager) askable(q *request, fleet []string) []string {
	if q.target.Pillar() == target.NoPillar || m.o.Allowed(q.operator, readsPillar, fleet) == nil || m.mayRun(q.operator, q.JobRequest, fleet) == nil {
		return fleet
	}
	return slices.DeleteFunc(slices.Clone(fleet), func(id string) bool {
		one := []string{id}
		return m.mayRun(q.operator, q.JobRequest, one) != nil && m.o.Allowed(q.operator, readsPillar, one) != nil
	})
}

// factsFor returns what a target may ask of the minions of a fleet, of which only some may be asked for pillar.
func (m *Manager) factsFor(ctx context.Context, asks target.Asks, fleet, some []string) (func(id string) target.Facts, error) {
	facts, err := m.o.Facts(ctx, asks, some)
	if err != nil || len(some) == len(fleet) {
		return facts, err
	}
	asks.Pillar = false
	others, err := m.o.Facts(ctx, asks, fleet)
	if err != nil {
		return nil, err
	}
	inside := make(map[string]bool, len(some))
	for _, id := range some {
		inside[id] = true
	}
	return func(id string) target.Facts {
		if inside[id] {
			return facts(id)
		}
		f := others(id)
		f.Pillar = target.JSON{}
		return f
	}, nil
}

// matching are the minions of a fleet that a target means, as far as this master knows them, sorted, and why it can't tell
// of others. Only those in some may be asked for their pillar.
func (m *Manager) matching(ctx context.Context, t *target.Matcher, fleet, some []string) (ids []string, unsure map[string]error, err error) {
	facts := func(id string) target.Facts { return target.Facts{ID: id} }
	if asks := t.Asks(); !asks.ID() && m.o.Facts != nil {
		if facts, err = m.factsFor(ctx, asks, fleet, some); err != nil {
			return nil, nil, refuse(proto.ApiError_UNAVAILABLE, "cannot find the minions: %v", err)
		}
	}
	unsure = map[string]error{}
	for _, id := range fleet {
		ok, err := t.Decide(facts(id))
		var unknown *target.Unknown
		switch {
		case errors.As(err, &unknown):
			unsure[id] = unknown
		case err != nil:
			return nil, nil, refuse(proto.ApiError_INVALID, "%v", err)
		case ok:
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, unsure, nil
}
