package master

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"

	pb "google.golang.org/protobuf/proto"

	"brine/master/hook"
	"brine/master/store"
	"brine/proto"
)

// hookList tells of the sources of hooks, of all masters together.
func (m *Master) hookList(ctx context.Context, c *call) (pb.Message, error) {
	reply := m.ownHooks()
	all := map[string]*proto.HookListReply{m.id.Name: reply}
	var mu sync.Mutex // guards all and reply.Unheard
	var wait sync.WaitGroup
	for _, name := range m.peers.Live() {
		if name == m.id.Name {
			continue
		}
		wait.Go(func() {
			theirs := &proto.HookListReply{}
			err := m.peers.Call(ctx, name, "sys", "hooks", &proto.Empty{}, theirs)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				reply.Unheard = append(reply.Unheard, name)
				return
			}
			all[name] = theirs
		})
	}
	wait.Wait()
	sum := &proto.HookListReply{Ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.id.CA.Raw}), Unheard: reply.Unheard}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		addHooks(sum, all[name])
	}
	for _, h := range sum.Hooks {
		for name, of := range all {
			if !slices.ContainsFunc(of.Hooks, func(x *proto.HookInfo) bool { return x.Name == h.Name }) {
				h.Missing = append(h.Missing, name)
			}
		}
		slices.Sort(h.Missing)
		var err, err2 error
		h.Events, err = m.store.CountEvents(ctx, "brine/hook/"+h.Name+"/*")
		h.Unmapped, err2 = m.store.CountEvents(ctx, "brine/hook/"+h.Name+"/-/*")
		if err := errors.Join(err, err2); err != nil {
			return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot count events: %v", err)
		}
	}
	slices.SortFunc(sum.Hooks, func(a, b *proto.HookInfo) int { return cmp.Compare(a.Name, b.Name) })
	return sum, nil
}

// addHooks adds what one master tells to what all tell.
func addHooks(sum, of *proto.HookListReply) {
	sum.Addresses = append(sum.Addresses, of.Addresses...)
	for _, h := range of.Hooks {
		i := slices.IndexFunc(sum.Hooks, func(x *proto.HookInfo) bool { return x.Name == h.Name })
		if i < 0 {
			sum.Hooks = append(sum.Hooks, h)
			continue
		}
		x := sum.Hooks[i]
		x.Requests, x.Refused, x.Repeated, x.Last = x.Requests+h.Requests, x.Refused+h.Refused, x.Repeated+h.Repeated, max(x.Last, h.Last)
	}
}

// ownHooks are the sources of this master.
func (m *Master) ownHooks() *proto.HookListReply {
	tallies := m.hooked.Tallies()
	reply := &proto.HookListReply{}
	for name, s := range m.hookSettings.sources {
		t := tallies[name]
		h := &proto.HookInfo{Name: name, Kind: s.Kind, Requests: t.Requests, Refused: t.Refused, Repeated: t.Repeated}
		if !t.Last.IsZero() {
			h.Last = t.Last.UnixMicro()
		}
		reply.Hooks = append(reply.Hooks, h)
	}
	address := m.address.Files
	if m.hookAddress != "" {
		address = m.hookAddress
		if host, port, err := net.SplitHostPort(address); err == nil {
			if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
				own, _, _ := net.SplitHostPort(m.address.Files)
				address = net.JoinHostPort(own, port)
			}
		}
	}
	reply.Addresses = []string{"https://" + address + "/hook/NAME"}
	return reply
}

func (m *Master) peerHooks(context.Context, string, []byte) (pb.Message, error) {
	return m.ownHooks(), nil
}

const (
	maxUnmapped = 10_000 // events that are looked at
	maxNearest  = 3
)

// hookUnmapped tells of hosts that no minion was known for.
func (m *Master) hookUnmapped(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.HookUnmappedRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	events, err := m.store.Events(ctx, store.EventFilter{Tags: []string{"brine/hook/*/-/problem"}, Since: req.Since, Limit: maxUnmapped})
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot read events: %v", err)
	}
	index, err := m.hookHosts(ctx)
	if err != nil {
		return nil, refuse(proto.ApiError_UNAVAILABLE, "cannot read grains: %v", err)
	}
	reply := &proto.HookUnmappedReply{More: len(events) == maxUnmapped}
	seen := map[[2]string]*proto.UnmappedHost{}
	for _, e := range events {
		d := hook.Data{}
		if json.Unmarshal(e.Event.Data, &d) != nil {
			continue // masters alone write such events
		}
		h := seen[[2]string{d.Source, d.Host}]
		if h == nil {
			h = &proto.UnmappedHost{Source: d.Source, Host: d.Host, Reason: d.Unmapped, Nearest: index.Nearest(d.Host, maxNearest)}
			var aliases map[string]string
			if s := m.hookSettings.sources[d.Source]; s != nil {
				aliases = s.Aliases
			}
			h.Minion, _ = index.FindWith(d.Host, aliases)
			seen[[2]string{d.Source, d.Host}] = h
			reply.Hosts = append(reply.Hosts, h)
		}
		h.Events++
		h.Last = max(h.Last, e.Event.At)
	}
	return reply, nil
}
