package file

import (
	"context"
	"fmt"
	"path"
	"reflect"
	"strings"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/module"
)

// look makes the Planner of a state whose argument name is a path, in which ~ and ~USER are home directories as in Salt.
func look[A any](plan func(context.Context, *host.Host, A) (module.Plan, error)) module.Planner {
	return module.Look(func(ctx context.Context, h *host.Host, a A) (module.Plan, error) {
		name := reflect.ValueOf(&a).Elem().FieldByName("Name")
		if err := expand(ctx, h, name); err != nil {
			return module.Plan{}, module.Unknown("%w", err) // a state before this one may make the user
		}
		p, err := plan(ctx, h, a)
		if p.Writes == nil && strings.HasPrefix(name.String(), "/") {
			p.Writes = []string{name.String()}
		}
		if err == nil && len(p.Steps) > 0 {
			err = fixed(h, name.String(), reflect.ValueOf(a).FieldByName("Attrs"))
		}
		return p, err
	})
}

// fixed says why nothing can change a file, or come into the directory where there is none: that is immutable, and the
// state does not manage its attributes. A state before this one may.
func fixed(h *host.Host, name string, flags reflect.Value) error {
	if flags.IsValid() && flags.FieldByName("set").Bool() {
		return nil
	}
	s, err := seek(h, name, true)
	if err != nil {
		return nil // the state has found a way
	}
	defer s.leave()
	i, err := s.look()
	if err != nil || i != nil && !i.isFile() {
		return nil
	}
	at := s.base
	if i == nil {
		at = "."
	}
	if why := lockedBy(s.fd, at, path.Join(s.dir, at), immutable); why != "" {
		return module.Unknown("cannot change %s: %w: %s", name, unix.EPERM, why)
	}
	return nil
}

func expand(ctx context.Context, h *host.Host, name reflect.Value) error {
	full, err := atHome(ctx, h, name.String())
	if err == nil {
		name.SetString(full)
	}
	return err
}

// atHome replaces ~, the home directory of the minion's user, and ~USER at the start of a path.
func atHome(ctx context.Context, h *host.Host, name string) (string, error) {
	if !strings.HasPrefix(name, "~") {
		return name, nil
	}
	user, rest, _ := strings.Cut(name[1:], "/")
	if user == "" {
		user = fmt.Sprint(unix.Geteuid())
	}
	u, err := h.User(ctx, user)
	if err != nil {
		return "", fmt.Errorf("cannot find the home directory of %q: %w", name, err)
	}
	return path.Join(u.Home, rest), nil
}
