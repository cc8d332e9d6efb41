package ssh

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
	Name string `arg:"name,required" doc:"the key: itself, with its type before and its comment behind, or a whole line with options"`
	userFile
	keyArgs
}

// CheckArgs implements module.Checker.
func (a *presentArgs) CheckArgs() error { return a.check() }

// keys are those that the state is about.
func (a *presentArgs) keys(ctx context.Context, h *host.Host) ([]key, error) {
	if a.Source != "" {
		return a.sourceKeys(ctx, h)
	}
	k, err := a.key(a.Name)
	return []key{k}, err
}

func planPresent(ctx context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	p, err := authorized(ctx, h, a.User, a.Config)
	if err == nil {
		err = p.ready(h)
	}
	if err != nil {
		return module.Plan{}, err
	}
	keys, err := a.keys(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	l, err := p.read(h)
	if err != nil {
		return module.Plan{}, err
	}
	plan := module.Plan{Same: "All host keys in file " + a.Source + " are already present"}
	if a.Source == "" {
		plan.Same = fmt.Sprintf("The authorized host key %s is already present for user %s", keys[0].blob, a.User)
	}
	changes, would, did := a.put(l, keys)
	if changes.Len() == 0 {
		return plan, nil
	}
	plan.Would, plan.Did = would, did
	plan.Steps = []module.Step{step(changes, func(ctx context.Context) error {
		return p.edit(ctx, h, func(l *lines) {
			for _, k := range keys {
				l.put(k)
			}
		})
	})}
	return plan, nil
}

// put tells what becomes of keys.
func (a *presentArgs) put(l lines, keys []key) (changes *value.Dict, would, did string) {
	var woulds, dids []string
	changes = &value.Dict{}
	for _, k := range keys {
		s := l.put(k)
		if s == exists {
			continue
		}
		changes.Put(k.blob, map[status]string{add: "New", update: "Updated"}[s])
		past := map[status]string{add: "added", update: "updated"}[s]
		woulds = append(woulds, fmt.Sprintf("Key %s for user %s is set to be %s", k.blob, a.User, past))
		dids = append(dids, fmt.Sprintf("The authorized host key %s for user %s was %s", k.blob, a.User, past))
	}
	return changes, strings.Join(woulds, "\n"), strings.Join(dids, "\n")
}

func step(changes *value.Dict, do func(context.Context) error) module.Step {
	return module.Step{Changes: changes, Do: func(ctx context.Context) (module.Done, error) { return module.Done{}, do(ctx) }}
}

type absentArgs struct {
	Name string `arg:"name,required" doc:"the key: itself, with its type before and its comment behind, or a whole line with options"`
	userFile
	keyArgs
}

// CheckArgs implements module.Checker.
func (a *absentArgs) CheckArgs() error { return a.check() }

// keys are those that the state is about. One of which only a part is left can be meant too.
func (a *absentArgs) keys(ctx context.Context, h *host.Host) ([]key, error) {
	if a.Source != "" {
		return a.sourceKeys(ctx, h)
	}
	k, whole := parse(a.Name)
	if !whole {
		k.blob, _, _ = strings.Cut(strings.TrimSpace(a.Name), " ")
	}
	return []key{k}, nil
}

func planAbsent(ctx context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	same := module.Plan{Same: "Key not present"}
	p, err := authorized(ctx, h, a.User, a.Config)
	if errors.Is(err, host.ErrNoAccount) {
		return same, nil // who is not there has no keys
	}
	if err != nil {
		return module.Plan{}, err
	}
	keys, err := a.keys(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	l, err := p.read(h)
	if err != nil {
		return module.Plan{}, err
	}
	meant := func(k key) bool {
		return slices.ContainsFunc(keys, func(other key) bool { return k.blob == other.blob })
	}
	gone := l.drop(meant)
	if len(gone) == 0 {
		return same, nil
	}
	changes := &value.Dict{}
	var would []string
	for _, blob := range gone {
		changes.Put(blob, "Removed")
		would = append(would, fmt.Sprintf("Key %s for user %s is set for removal", blob, a.User))
	}
	return module.Plan{Would: strings.Join(would, "\n"), Did: "Key removed", Steps: []module.Step{
		step(changes, func(ctx context.Context) error {
			return p.edit(ctx, h, func(l *lines) { l.drop(meant) })
		}),
	}}, nil
}

type manageArgs struct {
	Name    string   `arg:"name,required" doc:"any text: the keys are named in ssh_keys"`
	SSHKeys []string `arg:"ssh_keys" doc:"the keys, each as in ssh_auth.present"`
	userFile
	keyArgs
}

// CheckArgs implements module.Checker.
func (a *manageArgs) CheckArgs() error {
	errs := []error{a.check()}
	if len(a.SSHKeys) == 0 && a.Source == "" {
		errs = append(errs, errors.New(`argument "ssh_keys" is missing: without a key nobody could log in (ssh_auth.absent takes single ones away)`))
	}
	return errors.Join(errs...)
}

// all are the keys that there may be.
func (a *manageArgs) all(ctx context.Context, h *host.Host) (keys []key, err error) {
	if a.Source != "" {
		if keys, err = a.sourceKeys(ctx, h); err != nil {
			return nil, err
		}
	}
	for _, text := range a.SSHKeys {
		k, err := a.key(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func planManage(ctx context.Context, h *host.Host, a manageArgs) (module.Plan, error) {
	keys, err := a.all(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	p, err := authorized(ctx, h, a.User, a.Config)
	if err == nil {
		err = p.ready(h)
	}
	if err != nil {
		return module.Plan{}, err
	}
	l, err := p.read(h)
	if err != nil {
		return module.Plan{}, err
	}
	other := func(k key) bool {
		return !slices.ContainsFunc(keys, func(want key) bool { return k.blob == want.blob })
	}
	gone := &value.Dict{}
	var would, did []string
	for _, blob := range l.drop(other) {
		gone.Put(blob, "Key removed")
		would = append(would, blob+" Key set for removal")
		did = append(did, blob+" Key removed")
	}
	changes, would2, did2 := (&presentArgs{userFile: a.userFile}).put(l, keys)
	for blob, what := range changes.All() {
		gone.Put(blob.(string), what)
	}
	plan := module.Plan{Same: fmt.Sprintf("The authorized host keys of user %s are as wanted", a.User)}
	if gone.Len() == 0 {
		return plan, nil
	}
	plan.Would = strings.TrimSuffix(strings.Join(append(would, would2), "\n"), "\n")
	plan.Did = strings.TrimSuffix(strings.Join(append(did, did2), "\n"), "\n")
	plan.Steps = []module.Step{step(gone, func(ctx context.Context) error {
		return p.edit(ctx, h, func(l *lines) {
			l.drop(other)
			for _, k := range keys {
				l.put(k)
			}
		})
	})}
	return plan, nil
}
