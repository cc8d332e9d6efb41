package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/proto"
	"brine/proto/config"
	"brine/proto/target"
	"brine/states/regex"
)

// language is what targets may refer to.
func (c *Config) language() target.Language {
	return target.Language{Regexp: regex.Beginning, Groups: target.JSON(c.Nodegroups)}
}

// nodegroupProblems tells which nodegroups can't be read.
func (c *Config) nodegroupProblems(path, dropins string) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(c.Nodegroups)) {
		if _, err := c.language().Parse("nodegroup", name); err != nil {
			errs = append(errs, fmt.Errorf("%s: nodegroups.%s: %w", config.Where(path, dropins, "nodegroups", name), name, err))
		}
	}
	return errs
}

// facts returns what targets may ask of minions.
func (m *Master) facts(ctx context.Context, asks target.Asks, ids []string) (func(id string) target.Facts, error) {
	now := time.Now()
	all := make([]target.Facts, len(ids))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, id := range ids {
		if !asks.Pillar { // quick: nothing is made
			if err := m.fact(ctx, asks, id, now, &all[i]); err != nil {
				return nil, err
			}
			continue
		}
		work.Go(func() error { return m.fact(ctx, asks, id, now, &all[i]) })
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	at := make(map[string]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	return func(id string) target.Facts { return all[at[id]] }, nil
}

func (m *Master) fact(ctx context.Context, asks target.Asks, id string, now time.Time, f *target.Facts) (err error) {
	f.ID = id
	if asks.Grains {
		if f.Grains, err = m.grains.Facts(ctx, id); f.Grains == nil {
			f.Why = errNoGrains
		}
	}
	if asks.Pillar && err == nil {
		var why error
		if f.Pillar, why, err = m.pillarFacts(ctx, id, now); why != nil {
			f.Why = why
		}
	}
	return err
}

// ask reads a target, and returns the minions that there are with what it asks of them, if an operator may ask that; nil may.
func (m *Master) ask(ctx context.Context, op *proto.OperatorRecord, asked *proto.Target) (
	t *target.Matcher, fleet []string, facts func(id string) target.Facts, err error) {
	if t, err = m.o.Config.language().Read(asked); err != nil {
		return nil, nil, nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	fleet = m.keys.Accepted()
	if t.Pillar() != target.NoPillar && op != nil {
		if err := m.keys.Allowed(op, "pillar.items", fleet); err != nil {
			return nil, nil, nil, refuse(proto.ApiError_NOT_PERMITTED, "whom a target of pillar means is for those to know who may read it: %v", err)
		}
	}
	facts, err = m.facts(ctx, t.Asks(), fleet)
	return t, fleet, facts, err
}

// meant are the minions that a target means, in order.
func (m *Master) meant(ctx context.Context, op *proto.OperatorRecord, asked *proto.Target) (ids []string, err error) {
	t, fleet, facts, err := m.ask(ctx, op, asked)
	if err != nil {
		return nil, err
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

// minionTarget tells whom a target means, and what each part of it does.
func (m *Master) minionTarget(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.TargetRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	t, fleet, facts, err := m.ask(ctx, c.operator, req.Target)
	if err != nil {
		return nil, err
	}
	if err := job.UnknownIDs(t.IDs(), fleet, m.keyState); err != nil {
		return nil, err
	}
	reply := &proto.TargetReply{Accepted: uint32(len(fleet))}
	parts := t.Parts()
	for _, p := range parts {
		reply.Parts = append(reply.Parts, &proto.TargetPart{Text: p.Text, Group: p.Group})
	}
	unsure := map[string]error{}
	for _, id := range fleet {
		f := facts(id)
		ok, err := t.Decide(f)
		var unknown *target.Unknown
		if errors.As(err, &unknown) {
			unsure[id] = unknown
		} else if err != nil {
			return nil, refuse(proto.ApiError_INVALID, "%v", err)
		}
		if ok {
			reply.Minions = append(reply.Minions, &proto.MinionInfo{Id: id, Online: m.broker.Online(id), SealingKey: m.sealingKey(id)})
		}
		for i, p := range parts {
			if p.Matcher.Match(f) {
				reply.Parts[i].Minions++
			}
		}
	}
	reply.LeftOut = job.Left(unsure)
	if len(reply.Minions) == 0 {
		reply.Hint = job.Meant(req.Target, fleet, m.keyState)
	}
	slices.SortFunc(reply.Minions, func(a, b *proto.MinionInfo) int { return strings.Compare(a.Id, b.Id) })
	return reply, nil
}

// keyState says what the key of an id is that is not accepted, the newest of several, or "".
func (m *Master) keyState(id string) string {
	infos, err := m.keys.List([]string{id})
	if err != nil || len(infos) == 0 || infos[0].Id != id {
		return ""
	}
	switch last := slices.MaxFunc(infos, func(a, b *proto.KeyInfo) int { return cmp.Compare(a.ChangedAt, b.ChangedAt) }); last.State {
	case proto.KeyState_KEY_PENDING:
		return "waits: brine key accept " + id
	case proto.KeyState_KEY_REJECTED:
		return "is rejected"
	case proto.KeyState_KEY_REVOKED:
		return "is revoked"
	}
	return ""
}

// sealingKey is that of an accepted minion; nil of any other.
func (m *Master) sealingKey(id string) []byte {
	key, _ := m.keys.ByID(id)
	return key.GetSealingKey()
}
