package ssh

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type knownPresentArgs struct {
	Name string `arg:"name,required" doc:"the host"`
	hostsArgs
	wantedHost
}

// CheckArgs implements module.Checker.
func (a *knownPresentArgs) CheckArgs() error {
	if name, port, ok := strings.Cut(strings.TrimPrefix(a.Name, "["), "]:"); ok && a.Name[0] == '[' && a.Port == 0 {
		if n, err := strconv.Atoi(port); err == nil { // as known_hosts calls it
			a.Name, a.Port = name, n
		}
	}
	return errors.Join(checkHost(a.Name), a.hostsArgs.check(), a.wantedHost.check())
}

// dicts are lines as results show them; nothing for none.
func dicts(all []known, t hashType) any {
	if len(all) == 0 {
		return nil
	}
	l := &value.List{}
	for i := range all {
		l.Items = append(l.Items, all[i].dict(t))
	}
	return l
}

// learn plans that a host is known. Old and new are what was known of it and what is then; nothing is new when it is
// known already.
func (a *knownPresentArgs) learn(ctx context.Context, h *host.Host) (p place, old, new []known, err error) {
	if err = a.settle(); err == nil {
		p, err = a.place(ctx, h)
	}
	if err == nil {
		err = p.ready(h)
	}
	if err != nil {
		return p, nil, nil, err
	}
	l, err := p.read(h)
	if err != nil {
		return p, nil, nil, err
	}
	old = l.about(hostName(a.Name, a.Port))
	if a.status(old) != exists {
		new, err = a.scan(ctx, h, a.Name)
	}
	return p, old, new, err
}

// save puts keys of the host in the place of others of the same types.
func (a *knownPresentArgs) save(ctx context.Context, h *host.Host, p place, keys []known) error {
	name := hostName(a.Name, a.Port)
	return p.edit(ctx, h, func(l *lines) {
		l.forget(name, func(k known) bool {
			for _, now := range keys {
				if k.enc == now.enc {
					return true
				}
			}
			return false
		})
		for _, k := range keys {
			if a.HashHosts {
				k.hosts = hashed(name)
			}
			*l = append(*l, k.line())
		}
	})
}

func planKnown(ctx context.Context, h *host.Host, a knownPresentArgs) (module.Plan, error) {
	p, old, now, err := a.learn(ctx, h)
	if err != nil || len(now) == 0 {
		return module.Plan{Same: fmt.Sprintf("%s already exists in %s", a.Name, a.shown())}, err
	}
	plan := module.Plan{
		Would: fmt.Sprintf("Key for %s is set to be added to %s", a.Name, a.shown()),
		Did:   fmt.Sprintf("%s's key saved to %s (fingerprint: %s)", a.Name, a.shown(), a.Hash.of(now[0].blob)),
	}
	if len(old) > 0 {
		plan.Would = fmt.Sprintf("Key for %s is set to be updated in %s", a.Name, a.shown())
	}
	if a.Key != "" {
		plan.Did = fmt.Sprintf("%s's key saved to %s (key: %s)", a.Name, a.shown(), a.Key)
	}
	changes := value.NewDict("old", dicts(old, a.Hash), "new", dicts(now, a.Hash))
	plan.Steps = []module.Step{step(changes, func(ctx context.Context) error { return a.save(ctx, h, p, now) })}
	return plan, nil
}

type knownAbsentArgs struct {
	Name string `arg:"name,required" doc:"the host"`
	hostsArgs
}

// CheckArgs implements module.Checker.
func (a *knownAbsentArgs) CheckArgs() error { return errors.Join(checkHost(a.Name), a.check()) }

func planForgotten(ctx context.Context, h *host.Host, a knownAbsentArgs) (module.Plan, error) {
	same := module.Plan{Same: "Host is already absent"}
	p, err := a.place(ctx, h)
	if errors.Is(err, host.ErrNoAccount) {
		return same, nil // who is not there knows nobody
	}
	if err != nil {
		return module.Plan{}, err
	}
	l, err := p.read(h)
	if err != nil {
		return module.Plan{}, err
	}
	name := hostName(a.Name, 0)
	old := l.about(name)
	if len(old) == 0 {
		return same, nil
	}
	return module.Plan{
		Would: fmt.Sprintf("Key for %s is set to be removed from %s", a.Name, a.shown()),
		Did:   fmt.Sprintf("Key for %s removed from %s", a.Name, a.shown()),
		Steps: []module.Step{step(value.NewDict("old", dicts(old, ""), "new", nil), func(ctx context.Context) error {
			return p.edit(ctx, h, func(l *lines) { l.forget(name, func(known) bool { return true }) })
		})},
	}, nil
}
