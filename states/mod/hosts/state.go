package hosts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type presentArgs struct {
	Name    string   `arg:"name,required" doc:"the name of a host"`
	IP      []string `arg:"ip,required" doc:"its address, or addresses"`
	Comment *string  `arg:"comment" doc:"what stands behind the addresses; absent leaves that as it is"`
	Clean   bool     `arg:"clean" doc:"take the name off all other addresses"`
}

// CheckArgs implements module.Checker.
func (a *presentArgs) CheckArgs() error {
	errs := []error{checkName(a.Name)}
	for _, ip := range a.IP {
		errs = append(errs, checkAddress(ip))
	}
	if a.Comment != nil && strings.Contains(*a.Comment, "\n") {
		errs = append(errs, errors.New(`argument "comment" is more than one line`))
	}
	return errors.Join(errs...)
}

// edits collects what is to be done to the table, and what is said of it.
type edits struct {
	do               []func(*table)
	changes          *value.Dict
	same, would, did []string
}

// note adds one change: the value to a list under key and address.
func (e *edits) note(key, ip, val string, do func(*table)) {
	e.do = append(e.do, do)
	of, _ := e.changes.Get(key)
	d, ok := of.(*value.Dict)
	if !ok {
		d = &value.Dict{}
		e.changes.Put(key, d)
	}
	old, _ := d.Get(ip)
	l, ok := old.(*value.List)
	if !ok {
		l = &value.List{}
		d.Put(ip, l)
	}
	l.Items = append(l.Items, val)
}

func (e *edits) says(would, did string) {
	e.would, e.did = append(e.would, would), append(e.did, did)
}

func (e *edits) plan(h *host.Host) module.Plan {
	p := module.Plan{
		Same:  strings.Join(e.same, "\n"),
		Would: strings.Join(append(slices.Clone(e.same), e.would...), "\n"),
		Did:   strings.Join(append(slices.Clone(e.same), e.did...), "\n"),
	}
	if len(e.do) > 0 {
		p.Writes = []string{path}
		p.Steps = []module.Step{{Changes: e.changes, Do: func(ctx context.Context) (module.Done, error) {
			t, err := load(h)
			if err != nil {
				return module.Done{}, err
			}
			for _, do := range e.do {
				do(t)
			}
			return module.Done{}, t.save(ctx, h)
		}}}
	}
	return p
}

func planPresent(_ context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	t, err := load(h)
	if err != nil {
		return module.Plan{}, err
	}
	e := edits{changes: &value.Dict{}}
	for _, ip := range a.IP {
		a.has(t, ip, &e)
	}
	var warnings []string
	for _, ip := range t.addresses() {
		wanted := slices.ContainsFunc(a.IP, func(w string) bool { return same(w, ip) })
		switch {
		case wanted || !t.has(ip, a.Name):
		case a.Clean:
			e.note("removed", ip, a.Name, func(t *table) { t.remove(ip, a.Name) })
			e.says(fmt.Sprintf("Host %s (%s) would be removed", a.Name, ip), fmt.Sprintf("Removed host %s (%s)", a.Name, ip))
		default:
			warnings = append(warnings, fmt.Sprintf("Host %s present for IP address %s. To get rid of this warning, either run this state "+
				"with 'clean' set to True to remove %s from %s, or add %s to the 'ip' argument.", a.Name, ip, a.Name, ip, ip))
		}
	}
	p := e.plan(h)
	p.Warnings = warnings
	return p, nil
}

// has plans that one address has the name, and the comment when one is said.
func (a *presentArgs) has(t *table, ip string, e *edits) {
	if t.has(ip, a.Name) {
		e.same = append(e.same, fmt.Sprintf("Host %s (%s) already present", a.Name, ip))
	} else {
		e.note("added", ip, a.Name, func(t *table) { t.add(ip, a.Name) })
		e.says(fmt.Sprintf("Host %s (%s) would be added", a.Name, ip), fmt.Sprintf("Added host %s (%s)", a.Name, ip))
	}
	if a.Comment != nil && *a.Comment != t.comment(ip) {
		e.note("comment_added", ip, *a.Comment, func(t *table) { t.setComment(ip, *a.Comment) })
		e.says(fmt.Sprintf("Comment for %s (%s) would be added", ip, *a.Comment), fmt.Sprintf("Set comment for host %s (%s)", ip, *a.Comment))
	}
}

type absentArgs struct {
	Name string   `arg:"name,required" doc:"the name of a host"`
	IP   []string `arg:"ip,required" doc:"the address, or addresses, that it is taken off"`
}

func planAbsent(_ context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	t, err := load(h)
	if err != nil {
		return module.Plan{}, err
	}
	e := edits{changes: &value.Dict{}}
	for _, ip := range a.IP {
		if !t.has(ip, a.Name) {
			e.same = append(e.same, fmt.Sprintf("Host %s (%s) already absent", a.Name, ip))
			continue
		}
		e.changes.Put("host", a.Name)
		e.do = append(e.do, func(t *table) { t.remove(ip, a.Name) })
		e.says(fmt.Sprintf("Host %s (%s) needs to be removed", a.Name, ip), fmt.Sprintf("Removed host %s (%s)", a.Name, ip))
	}
	return e.plan(h), nil
}

type onlyArgs struct {
	Name      string   `arg:"name,required" doc:"an address"`
	Hostnames []string `arg:"hostnames,required" doc:"its names, in their order; all others are taken off"`
}

// CheckArgs implements module.Checker.
func (a *onlyArgs) CheckArgs() error {
	errs := []error{checkAddress(a.Name)}
	for _, name := range a.Hostnames {
		errs = append(errs, checkName(name))
	}
	return errors.Join(errs...)
}

func planOnly(_ context.Context, h *host.Host, a onlyArgs) (module.Plan, error) {
	t, err := load(h)
	if err != nil {
		return module.Plan{}, err
	}
	old, now := strings.Join(t.names(a.Name), " "), strings.Join(a.Hostnames, " ")
	p := module.Plan{
		Same:  fmt.Sprintf("IP address %s already set to %q", a.Name, now),
		Would: fmt.Sprintf("Would change %s from %q to %q", a.Name, old, now),
		Did:   fmt.Sprintf("successfully changed %s from %q to %q", a.Name, old, now),
	}
	if old != now {
		p.Writes = []string{path}
		p.Steps = []module.Step{module.Replace(a.Name, old, now, func(ctx context.Context) error {
			t, err := load(h)
			if err != nil {
				return err
			}
			t.set(a.Name, a.Hostnames)
			return t.save(ctx, h)
		})}
	}
	return p, nil
}
