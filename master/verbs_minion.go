package master

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/broker"
	"brine/master/keys"
	"brine/pki"
	"brine/proto"
	"brine/proto/target"
)

const (
	maxLastJobs = 50  // of a minion that are told
	lastJobSize = 200 // bytes of one, about
)

// minionList tells of accepted minions: who is there, since when, via which master.
func (m *Master) minionList(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.MinionListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	match, err := anyOf(req.Patterns)
	if err != nil {
		return nil, err
	}
	at := map[string]*proto.MinionInfo{}
	for _, list := range m.connectionsEverywhere(ctx) {
		for _, info := range list.Minions {
			known := at[info.Id]
			if known == nil {
				known = &proto.MinionInfo{Id: info.Id}
				at[info.Id] = known
			}
			if info.Master != "" {
				known.Master, known.Since, known.Address, known.Online = info.Master, info.Since, info.Address, true
			}
			if info.Standby != "" {
				known.Standby = info.Standby
			}
			known.EventsDropped = max(known.EventsDropped, info.EventsDropped)
		}
	}
	reply, room := &proto.MinionListReply{}, grainsTogether
	more := func(info *proto.MinionInfo) error { // what goes with the grains
		err := m.addGrains(ctx, info)
		if err == nil && req.Jobs > 0 {
			info.Jobs, info.Highstate, err = m.jobs.OfMinion(ctx, info.Id, int(min(req.Jobs, maxLastJobs)))
		}
		room -= len(info.Grains.GetData()) + lastJobSize*len(info.Jobs)
		return err
	}
	for _, id := range m.keys.Accepted() {
		if !match(id) {
			continue
		}
		info := at[id]
		if info == nil {
			info = &proto.MinionInfo{Id: id}
		}
		info.Fingerprint = m.fingerprint(id)
		if req.Grains {
			if room <= 0 {
				reply.Left = append(reply.Left, id)
			} else if err := more(info); err != nil {
				return nil, err
			}
		}
		reply.Minions = append(reply.Minions, info)
	}
	return reply, nil
}

// anyOf matches ids by globs; none matches all.
func anyOf(patterns []string) (func(id string) bool, error) {
	var all []*target.Matcher
	for _, p := range patterns {
		t, err := target.Parse(&proto.Target{Syntax: proto.Target_GLOB, Expression: p})
		if err != nil {
			return nil, refuse(proto.ApiError_INVALID, "%v", err)
		}
		all = append(all, t)
	}
	return func(id string) bool {
		return len(all) == 0 || slices.ContainsFunc(all, func(t *target.Matcher) bool { return t.Match(target.Facts{ID: id}) })
	}, nil
}

// connectionsEverywhere asks every live master for its connections.
func (m *Master) connectionsEverywhere(ctx context.Context) []*proto.MinionListReply {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	var all []*proto.MinionListReply
	var wait sync.WaitGroup
	for _, name := range m.peers.Live() {
		wait.Go(func() {
			list := &proto.MinionListReply{}
			if name == m.id.Name {
				list = m.connections()
			} else if err := m.peers.Call(ctx, name, "sys", "connections", &proto.Empty{}, list); err != nil {
				m.log.Warn("cannot ask a master for its connections", "master", name, "err", err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, list)
		})
	}
	wait.Wait()
	return all
}

// connections are the minions connected to this master, and those that lost events here.
func (m *Master) connections() *proto.MinionListReply {
	list := &proto.MinionListReply{}
	for id, n := range m.quotas.dropped() {
		list.Minions = append(list.Minions, &proto.MinionInfo{Id: id, EventsDropped: n})
	}
	for _, c := range m.broker.Connections() {
		if c.Role != broker.RoleMinion {
			continue
		}
		info := &proto.MinionInfo{Id: c.ID, Address: c.Address, Since: c.Since.UnixMicro()}
		if c.Full {
			info.Master = m.id.Name
		} else {
			info.Standby = m.id.Name
		}
		list.Minions = append(list.Minions, info)
	}
	return list
}

// keyList tells of minions' keys.
func (m *Master) keyList(_ context.Context, c *call) (pb.Message, error) {
	req := &proto.KeyListRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	keys, err := m.keys.List(req.Patterns)
	if err != nil {
		return nil, refuse(proto.ApiError_INVALID, "%v", err)
	}
	return &proto.KeyListReply{Keys: keys}, nil
}

// keyDecide accepts, rejects, revokes or deletes keys.
func (m *Master) keyDecide(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.KeyDecideRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	reply, err := m.keys.Decide(ctx, c.operator.Name, req)
	if err != nil {
		return nil, keyRefusal(err)
	}
	if !req.Dry {
		m.audit(c, "key."+strings.ToLower(strings.TrimPrefix(req.State.String(), "KEY_")), strings.Join(req.Patterns, " "))
	}
	return reply, nil
}

// keyToken makes an enrolment token for the masters that are live now.
func (m *Master) keyToken(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.TokenRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	var masters []string
	for _, name := range m.peers.Live() {
		if bus := m.peers.Beat(name).GetAddress().GetBus(); bus != "" {
			masters = append(masters, bus)
		}
	}
	text, err := m.keys.Token(ctx, req, m.id.Site(), masters)
	if err != nil {
		return nil, keyRefusal(err)
	}
	m.audit(c, "key.token", req.Pattern)
	return &proto.TokenReply{Token: text}, nil
}

// keyRefusal gives what the key database says its code.
func keyRefusal(err error) error {
	code := proto.ApiError_UNAVAILABLE
	switch {
	case errors.Is(err, keys.ErrNoKey):
		code = proto.ApiError_NOT_FOUND
	case errors.Is(err, keys.ErrInvalid):
		code = proto.ApiError_INVALID
	case errors.Is(err, keys.ErrConflict):
		code = proto.ApiError_CONFLICT
	}
	return refuse(code, "%v", err)
}

func (m *Master) fingerprint(id string) string {
	k, ok := m.keys.ByID(id)
	if !ok {
		return ""
	}
	return pki.MinionFingerprint(k.SigningKey, k.SealingKey).String()
}
