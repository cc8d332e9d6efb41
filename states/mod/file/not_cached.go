package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type notCachedArgs struct {
	Name    string `arg:"name,required" doc:"salt://PATH or https://HOST/PATH; a file of this host is left alone"`
	Saltenv string `arg:"saltenv" doc:"environment of the file; the job's when absent"`
}

// CheckArgs implements module.Checker.
func (a *notCachedArgs) CheckArgs() error {
	if !knownSource(a.Name) {
		return fmt.Errorf("argument %q: want salt://PATH, https://HOST/PATH or an absolute path, got %q", "name", a.Name)
	}
	return nil
}

// A forgetter keeps copies of the masters' files that can be removed.
type forgetter interface {
	keeper
	// Forget removes the copy of the file that a salt:// URL means.
	Forget(ctx context.Context, url string) error
}

func planNotCached(ctx context.Context, h *host.Host, a notCachedArgs) (plan module.Plan, err error) {
	plan.Same = fmt.Sprintf("%s is not cached", withoutSecrets(a.Name))
	switch {
	case isHTTP(a.Name):
		return forgetWeb(h, a, plan)
	case !strings.HasPrefix(a.Name, "salt://"):
		plan.Same = fmt.Sprintf("File %s is a local path, no action taken", strings.TrimPrefix(a.Name, "file://"))
		return plan, nil
	}
	f, ok := h.Files.(forgetter)
	if !ok {
		return plan, nil // what would be removed is the file itself, or never kept
	}
	at := ofEnvironment(a.Name, a.Saltenv)
	have, err := f.Cached(ctx, at)
	if errors.Is(err, fs.ErrNotExist) || err == nil && have == "" {
		return plan, nil
	}
	if err != nil {
		return plan, err
	}
	plan.Would, plan.Did = fmt.Sprintf("%s is set to be deleted", have), fmt.Sprintf("%s was deleted", have)
	plan.Steps = []module.Step{module.Change("deleted", true, func(ctx context.Context) error { return f.Forget(ctx, at) })}
	return plan, nil
}

// ofEnvironment is a salt:// URL in an environment; "" is that of the job.
func ofEnvironment(source, saltenv string) string {
	if saltenv == "" || strings.Contains(source, "?saltenv=") {
		return source
	}
	return source + "?saltenv=" + url.QueryEscape(saltenv)
}

func forgetWeb(h *host.Host, a notCachedArgs, plan module.Plan) (module.Plan, error) {
	name, err := WebCopy(a.Name, cmp.Or(a.Saltenv, "base"))
	if err != nil {
		return plan, err
	}
	i, err := lookAt(h, name, false)
	if i == nil || err != nil {
		return plan, err
	}
	plan.Would, plan.Did = fmt.Sprintf("%s is set to be deleted", name), fmt.Sprintf("%s was deleted", name)
	plan.Steps = []module.Step{module.Change("deleted", true, func(ctx context.Context) error {
		return errors.Join(Remove(ctx, h, name), Remove(ctx, h, name+".etag"))
	})}
	return plan, nil
}
