package alternatives

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// CheckArgs implements module.Checker.
func (a *installArgs) CheckArgs() error {
	return errors.Join(absolute("link", a.Link), absolute("path", a.Path))
}

// CheckArgs implements module.Checker.
func (a *pathArgs) CheckArgs() error { return absolute("path", a.Path) }

func absolute(name, path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("argument %q: want an absolute path, got %q", name, path)
	}
	return nil
}

func planInstall(ctx context.Context, h *host.Host, a installArgs) (module.Plan, error) {
	g, _, err := look(ctx, h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Alternative %s for %s is already registered", a.Path, a.Name),
		Would: fmt.Sprintf("Alternative will be set for %s to %s with priority %d", a.Name, a.Path, a.Priority),
		Did:   fmt.Sprintf("Alternative for %s set to path %s with priority %d", a.Name, a.Path, a.Priority),
	}
	if g.has(a.Path) && g.prio[a.Path] == a.Priority {
		return p, nil
	}
	p.Steps = []module.Step{{
		Changes: value.NewDict("name", a.Name, "link", a.Link, "path", a.Path, "priority", int64(a.Priority)),
		Do: func(ctx context.Context) (module.Done, error) {
			_, err := install(ctx, h, a)
			return module.Done{}, err
		},
	}}
	return p, nil
}

func planRemove(ctx context.Context, h *host.Host, a pathArgs) (module.Plan, error) {
	g, _, err := look(ctx, h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	p := module.Plan{
		Same:  fmt.Sprintf("Alternative for %s doesn't exist", a.Name),
		Would: fmt.Sprintf("Alternative for %s will be removed", a.Name),
		Did:   fmt.Sprintf("Alternative for %s removed", a.Name),
	}
	if g.has(a.Path) {
		p.Steps = []module.Step{module.Change("path", a.Path, func(ctx context.Context) error {
			_, err := remove(ctx, h, a)
			return err
		})}
	}
	return p, nil
}

func planSet(ctx context.Context, h *host.Host, a pathArgs) (module.Plan, error) {
	g, _, err := look(ctx, h, a.Name)
	switch {
	case err != nil:
		return module.Plan{}, err
	case g.current == a.Path:
		return module.Plan{Same: fmt.Sprintf("Alternative for %s already set to %s", a.Name, a.Path)}, nil
	case !g.has(a.Path):
		return module.Plan{}, module.Unknown("Alternative %s for %s doesn't exist", a.Path, a.Name)
	}
	return module.Plan{
		Would: fmt.Sprintf("Alternative for %s will be set to path %s", a.Name, a.Path),
		Did:   fmt.Sprintf("Alternative for %s set to path %s", a.Name, a.Path),
		Steps: []module.Step{module.Change("path", a.Path, func(ctx context.Context) error {
			_, err := set(ctx, h, a)
			return err
		})},
	}, nil
}

func planAuto(ctx context.Context, h *host.Host, a nameArgs) (module.Plan, error) {
	g, _, err := look(ctx, h, a.Name)
	switch {
	case err != nil:
		return module.Plan{}, err
	case !g.known:
		return module.Plan{}, module.Unknown("Alternatives for %s don't exist", a.Name)
	case !g.manual:
		return module.Plan{Same: fmt.Sprintf("%s already in auto mode", a.Name)}, nil
	}
	return module.Plan{
		Would: fmt.Sprintf("%s will be put in auto mode", a.Name),
		Did:   fmt.Sprintf("%s put in auto mode", a.Name),
		Steps: []module.Step{module.Change("result", true, func(ctx context.Context) error {
			_, err := auto(ctx, h, a)
			return err
		})},
	}, nil
}
