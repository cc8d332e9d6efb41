package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"brine/states/host"
	"brine/states/module"
)

type absentArgs struct {
	Name string `arg:"name,required" doc:"the absolute path; of a symbolic link the link itself goes"`
}

func planAbsent(_ context.Context, h *host.Host, a absentArgs) (module.Plan, error) {
	if !filepath.IsAbs(a.Name) {
		return module.Plan{}, fmt.Errorf("cannot remove %q: it is not an absolute path", a.Name)
	}
	name, err := placed(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	if name == h.Path("/") {
		return module.Plan{}, fmt.Errorf("cannot remove %q: it is the root directory", a.Name)
	}
	st, err := there(name)
	if err != nil {
		return module.Plan{}, err
	}
	if st == nil {
		return module.Plan{Same: fmt.Sprintf("File %s is not present", a.Name)}, nil
	}
	what := "file"
	if st.IsDir() {
		what = "directory"
	}
	remove := func(context.Context) error {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("cannot remove %s: %w", a.Name, err)
		}
		return nil
	}
	return module.Plan{
		Steps: []module.Step{module.Change("removed", a.Name, remove)},
		Would: fmt.Sprintf("The %s %s is set for removal", what, a.Name),
		Did:   fmt.Sprintf("Removed %s %s", what, a.Name),
	}, nil
}
