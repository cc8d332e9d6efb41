package runner

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"brine/proto"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

func (f *Functions) manage() module.Module {
	m := module.Module{Name: "manage", Doc: "Minions: which are there. Masters know that all the time, and ask nobody.", Funcs: []module.Func{
		{Name: "down", Doc: "Return the minions that are not there.", Do: module.Call(f.manageDown)},
		{Name: "status", Doc: "Return the minions that are there, as up, and those that are not, as down.", Do: module.Call(f.manageStatus)},
		{Name: "up", Doc: "Return the minions that are there.", Do: module.Call(f.manageUp)},
		{Name: "versions", Doc: "Return which minions have the version of the master, and which have others.", Do: module.Call(f.manageVersions)},
	}}
	for _, name := range []string{"alived", "allowed", "joined", "list_state", "present", "reaped"} {
		not := "not_" + name
		if name == "list_state" {
			not = "list_not_state"
		}
		m.Funcs = append(m.Funcs,
			module.Func{Name: name, Doc: "Return the minions that are there.", Do: module.Call(f.managePresent)},
			module.Func{Name: not, Doc: "Return the minions that are not there.", Do: module.Call(f.manageAbsent)})
	}
	sort.Slice(m.Funcs, func(i, k int) bool { return m.Funcs[i].Name < m.Funcs[k].Name })
	return m
}

type targetArgs struct {
	Tgt     string `arg:"tgt" default:"*" doc:"only of these minions"`
	TgtType string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read"`
}

type pingArgs struct {
	Output bool `arg:"output" default:"true" doc:"taken for Salt's sake"`
	targetArgs
	Timeout int64 `arg:"timeout" doc:"taken for Salt's sake: nobody is waited for"`
	Gather  int64 `arg:"gather_job_timeout" doc:"taken for Salt's sake"`
}

// there tells of the minions of a target which are there, and which are not.
func (f *Functions) there(ctx context.Context, a targetArgs) (up, down []string, err error) {
	ids, err := f.site.Meant(ctx, callOf(ctx).Caller, a.Tgt, a.TgtType)
	for _, m := range f.site.Minions(ctx) {
		switch {
		case !slices.Contains(ids, m.ID):
		case m.Online:
			up = append(up, m.ID)
		default:
			down = append(down, m.ID)
		}
	}
	return up, down, err
}

func (f *Functions) manageStatus(ctx context.Context, _ *host.Host, a pingArgs) (*value.Dict, error) {
	up, down, err := f.there(ctx, a.targetArgs)
	return value.NewDict("up", sorted(up), "down", sorted(down)), err
}

type upArgs struct {
	targetArgs
	Timeout int64 `arg:"timeout" doc:"taken for Salt's sake: nobody is waited for"`
	Gather  int64 `arg:"gather_job_timeout" doc:"taken for Salt's sake"`
}

func (f *Functions) manageUp(ctx context.Context, _ *host.Host, a upArgs) (*value.List, error) {
	up, _, err := f.there(ctx, a.targetArgs)
	return sorted(up), err
}

type downArgs struct {
	RemoveKeys bool `arg:"removekeys" doc:"delete the keys of those that are not there"`
	upArgs
}

func (f *Functions) manageDown(ctx context.Context, _ *host.Host, a downArgs) (*value.List, error) {
	_, down, err := f.there(ctx, a.targetArgs)
	if err == nil && a.RemoveKeys && len(down) > 0 {
		_, err = f.site.Decide(ctx, callOf(ctx).Caller, &proto.KeyDecideRequest{Patterns: down, State: proto.KeyState_KEY_DELETED})
	}
	return sorted(down), err
}

type presentArgs struct {
	Subset string `arg:"subset" doc:"only minions that connect from this network, such as 10.1.0.0/16"`
	ShowIP bool   `arg:"show_ip" doc:"return the address of each"`
}

func (f *Functions) managePresent(ctx context.Context, _ *host.Host, a presentArgs) (any, error) {
	var network netip.Prefix
	if a.Subset != "" {
		var err error
		if network, err = netip.ParsePrefix(a.Subset); err != nil {
			return nil, fmt.Errorf("subset: want a network such as 10.1.0.0/16, got %q", a.Subset)
		}
	}
	ids, addresses := value.NewList(), &value.Dict{}
	for _, m := range f.site.Minions(ctx) {
		address := m.Address
		if at, err := netip.ParseAddrPort(m.Address); err == nil {
			address = at.Addr().String()
			if a.Subset != "" && !network.Contains(at.Addr()) {
				continue
			}
		}
		if m.Online {
			ids.Items = append(ids.Items, m.ID)
			addresses.Put(m.ID, address)
		}
	}
	if a.ShowIP {
		return addresses, nil
	}
	return ids, nil
}

func (f *Functions) manageAbsent(ctx context.Context, _ *host.Host, _ presentArgs) (*value.List, error) {
	ids := value.NewList()
	for _, m := range f.site.Minions(ctx) {
		if !m.Online {
			ids.Items = append(ids.Items, m.ID)
		}
	}
	return ids, nil
}

func (f *Functions) manageVersions(ctx context.Context, _ *host.Host, _ noArgs) (*value.Dict, error) {
	all := value.NewDict("Master", proto.Version)
	groups := map[string]*value.Dict{}
	for _, m := range f.site.Minions(ctx) {
		if !m.Online {
			continue
		}
		grains, err := f.site.Grains(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		group, version := "Unknown", any("")
		if v, ok := grains.Get("saltversion"); ok {
			group, version = "Minion requires update", v
			if v == proto.Version {
				group = "Up to date"
			}
		}
		if groups[group] == nil {
			groups[group] = &value.Dict{}
		}
		groups[group].Put(m.ID, version)
	}
	for _, name := range []string{"Minion requires update", "Unknown", "Up to date"} {
		if groups[name] != nil {
			all.Put(name, groups[name])
		}
	}
	return all, nil
}
