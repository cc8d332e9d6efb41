package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/mod/pkg/manager"
	"brine/states/value"
)

// An Edit is what has to change of a host's files. The zero Edit is nothing.
type Edit struct {
	Changes  *value.Dict
	Warnings []string
	keys     []*key
	files    []written
}

type written struct {
	name string
	data string
	gone bool // it is removed
}

// Empty says that nothing has to change.
func (e *Edit) Empty() bool { return e.Changes.Len() == 0 }

// Do changes the files: keys first, so that no repository is there without its key.
func (e *Edit) Do(ctx context.Context, h *host.Host) error {
	for _, k := range e.keys {
		if err := k.put(ctx, h); err != nil {
			return err
		}
	}
	var errs []error
	for _, f := range e.files {
		if f.gone {
			errs = append(errs, file.Remove(ctx, h, f.name))
		} else {
			errs = append(errs, file.Put(ctx, h, f.name, []byte(f.data), 0o644))
		}
	}
	return errors.Join(errs...)
}

// Managed plans what makes a repository as it is wanted. It changes nothing.
func Managed(ctx context.Context, h *host.Host, s *manager.System, a Args) (*Edit, error) {
	k, err := storeOf(h, s)
	if err != nil {
		return nil, err
	}
	return k.managed(ctx, h, a)
}

// Absent plans what takes a repository away.
func Absent(ctx context.Context, h *host.Host, s *manager.System, a Args) (*Edit, error) {
	k, err := storeOf(h, s)
	if err != nil {
		return nil, err
	}
	return k.absent(ctx, h, a)
}

// List returns all repositories by name, each as a map of what its files say; those of apt by URI, each a list.
func List(h *host.Host, s *manager.System) (*value.Dict, error) {
	k, err := storeOf(h, s)
	if err != nil {
		return nil, err
	}
	return k.list(h)
}

// Get returns what the files say of one repository; nothing when there is none.
func Get(ctx context.Context, h *host.Host, s *manager.System, a Args) (*value.Dict, error) {
	k, err := storeOf(h, s)
	if err != nil {
		return nil, err
	}
	return k.get(ctx, h, a)
}

// A store is how a package manager keeps its repositories.
type store interface {
	managed(ctx context.Context, h *host.Host, a Args) (*Edit, error)
	absent(ctx context.Context, h *host.Host, a Args) (*Edit, error)
	list(h *host.Host) (*value.Dict, error)
	get(ctx context.Context, h *host.Host, a Args) (*value.Dict, error)
}

func storeOf(h *host.Host, s *manager.System) (store, error) {
	switch name := s.Name(); name {
	case "apt":
		return aptFiles{}, nil
	case "dnf", "dnf5", "yum":
		return sections{dir: "/etc/yum.repos.d"}, nil
	case "zypper":
		return sections{dir: "/etc/zypp/repos.d", zypper: true}, nil
	case "pacman":
		return sections{file: "/etc/pacman.conf"}, nil
	case "apk":
		return lines{"/etc/apk/repositories"}, nil
	default:
		return nil, fmt.Errorf("cannot manage repositories of %s", name)
	}
}

// under are the names of files in a directory of the host that end so, sorted.
func under(h *host.Host, dir string, ends ...string) (all []string) {
	entries, _ := os.ReadDir(h.Path(dir))
	for _, e := range entries {
		if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) {
			all = append(all, dir+"/"+e.Name())
		}
	}
	return all
}
