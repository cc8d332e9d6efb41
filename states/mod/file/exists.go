package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

type pathArgs struct {
	Name string `arg:"name,required" doc:"the absolute path; links are followed"`
}

func planExists(_ context.Context, h *host.Host, a pathArgs) (module.Plan, error) {
	if err := absolute("look for", a.Name); err != nil {
		return module.Plan{}, err
	}
	i, err := lookAt(h, a.Name, true)
	if err == nil && i == nil {
		err = module.Unknown("Specified path %s does not exist", a.Name)
	}
	return module.Plan{Same: fmt.Sprintf("Path %s exists", a.Name)}, err
}

func planMissing(_ context.Context, h *host.Host, a pathArgs) (module.Plan, error) {
	if err := absolute("look for", a.Name); err != nil {
		return module.Plan{}, err
	}
	i, err := lookAt(h, a.Name, true)
	if err == nil && i != nil {
		err = module.Unknown("Specified path %s exists", a.Name)
	}
	return module.Plan{Same: fmt.Sprintf("Path %s is missing", a.Name)}, err
}

// lookAt is what lies at a name, nil for nothing.
func lookAt(h *host.Host, name string, follow bool) (*info, error) {
	s, err := seek(h, name, follow)
	if isNothing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.leave()
	return s.look()
}

// isNothing says whether an error tells that there is no such name.
func isNothing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}
