package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"brine/master/client"
	"brine/proto"
)

// Settled waits until what runs of the lab has come to rest: each master is live to all others, and has read their logs as
// far as they went when they were asked first; and each minion that is accepted is at one master, has its standby at
// another, is online to all, and all know the same of it. Of what has ended, all know that it is gone. What was stopped, as
// by SIGSTOP, is not waited for.
func (l *Lab) Settled(ctx context.Context) error {
	s := &settling{operator: l.Operator, states: map[string]string{}, views: map[string]*view{}, written: map[string]*proto.MasterInfo{}}
	for _, p := range l.States() {
		s.states[p.Name] = p.State
	}
	defer s.close()
	for _, m := range l.Masters {
		if s.states[m.Name] == "running" {
			if err := s.add(m.Name, m.Address); err != nil {
				return err
			}
		}
	}
	return until(ctx, "the site has settled", func() error { return s.look(ctx) })
}

// settling is what is known of a site while it is waited for.
type settling struct {
	operator string // whose configuration is used

	states  map[string]string            // of the lab's processes
	views   map[string]*view             // by name, of the masters that run
	written map[string]*proto.MasterInfo // each at the beginning, as it told of itself
}

// A view is what one master tells.
type view struct {
	name    string
	client  *client.Client
	masters map[string]*proto.MasterInfo
	grains  map[string]int64    // when those that it knows were collected
	linked  []*proto.MinionInfo // with the connections of the minions, as all live masters tell of them
	online  map[string]bool
}

// add has a master asked, and it alone.
func (s *settling) add(name, address string) error {
	config, err := client.LoadConfig(s.operator)
	if err != nil {
		return err
	}
	config.Masters = []string{address}
	c, err := client.New(config)
	if err != nil {
		return err
	}
	c.Only()
	s.views[name] = &view{name: name, client: c}
	return nil
}

func (s *settling) close() {
	for _, v := range s.views {
		v.client.Close()
	}
}

func (s *settling) look(ctx context.Context) error {
	for _, name := range s.names() {
		if err := s.views[name].ask(ctx); err != nil {
			return fmt.Errorf("master %s: %w", name, err)
		}
	}
	if err := s.meet(); err != nil {
		return err
	}
	for name, v := range s.views {
		if own := v.masters[name]; s.written[name].GetIncarnation() != own.GetIncarnation() {
			s.written[name] = own
		}
	}
	for _, name := range s.names() {
		if err := errors.Join(s.mastersAt(s.views[name]), s.minionsAt(s.views[name])); err != nil {
			return err
		}
	}
	return nil
}

func (s *settling) names() []string { return slices.Sorted(maps.Keys(s.views)) }

// meet adds the masters that are live and were started by others than the lab. They are asked from the next look on.
func (s *settling) meet() error {
	var met []error
	for _, name := range s.names() {
		for _, m := range s.views[name].masters {
			if s.states[m.Name] == "" && s.views[m.Name] == nil && m.State == "live" {
				met = append(met, fmt.Errorf("master %s was not asked", m.Name), s.add(m.Name, m.Bus))
			}
		}
	}
	return errors.Join(met...)
}

func (v *view) ask(ctx context.Context) error {
	masters, linked, found := &proto.MasterListReply{}, &proto.MinionListReply{}, &proto.TargetReply{}
	all := &proto.TargetRequest{Target: &proto.Target{Syntax: proto.Target_GLOB, Expression: "*"}}
	err := v.client.Call(ctx, "master.list", &proto.Empty{}, masters)
	if err == nil {
		err = v.client.Call(ctx, "minion.list", &proto.MinionListRequest{Grains: true}, linked)
	}
	if err == nil {
		err = v.client.Call(ctx, "minion.target", all, found)
	}
	if err != nil {
		return err
	}
	v.linked, v.masters, v.grains, v.online = linked.Minions, map[string]*proto.MasterInfo{}, map[string]int64{}, map[string]bool{}
	for _, m := range masters.Masters {
		v.masters[m.Name] = m
	}
	for _, m := range linked.Minions {
		v.grains[m.Id] = m.Grains.GetAt()
	}
	for _, m := range found.Minions {
		v.online[m.Id] = m.Online
	}
	return nil
}

// mastersAt compares what a master knows of the others with what they know of themselves.
func (s *settling) mastersAt(v *view) error {
	for name, m := range v.masters {
		if s.states[name] == "down" && m.State == "live" {
			return fmt.Errorf("master %s counts as live at %s", name, v.name)
		}
	}
	for name, written := range s.written {
		own, known := s.views[name].masters[name], v.masters[name]
		switch {
		case known.GetState() != "live":
			return fmt.Errorf("master %s is %q at %s", name, known.GetState(), v.name)
		case own.GetReactor().GetLag() > 0:
			return fmt.Errorf("the rules of master %s have not seen %d records", name, own.Reactor.Lag)
		case known.Since != own.Since || known.Incarnation != own.Incarnation:
			return fmt.Errorf("%s has not heard of the last start of master %s", v.name, name)
		case name != v.name && known.Sequence-known.Lag < written.Sequence:
			return fmt.Errorf("%s lacks records of master %s: %d of %d are read", v.name, name, known.Sequence-known.Lag, written.Sequence)
		}
	}
	return nil
}

// minionsAt looks where the lab's minions are.
func (s *settling) minionsAt(v *view) error {
	var live []string
	for name, m := range v.masters {
		if m.State == "live" && s.states[name] != "stopped" {
			live = append(live, name)
		}
	}
	var errs []error
	for _, m := range v.linked {
		at := fmt.Sprintf("minion %s is at %q, with its standby at %q, online to %s: %v", m.Id, m.Master, m.Standby, v.name, v.online[m.Id])
		there := v.online[m.Id] && slices.Contains(live, m.Master)
		ready := len(live) < 2 || m.Standby != m.Master && slices.Contains(live, m.Standby)
		gone := !m.Online && m.Standby == "" && !v.online[m.Id]
		switch state := s.states[m.Id]; {
		case state == "running" && !(there && ready):
			errs = append(errs, errors.New(at))
		case state == "down" && !gone:
			errs = append(errs, fmt.Errorf("%s, though it has ended", at))
		}
		for _, other := range s.views {
			if v.grains[m.Id] < other.grains[m.Id] {
				errs = append(errs, fmt.Errorf("%s does not know the grains of minion %s as %s does", v.name, m.Id, other.name))
			}
		}
	}
	return errors.Join(errs...)
}
