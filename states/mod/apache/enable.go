package apache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A kind is one of the things that are enabled by a link to them.
type kind struct {
	name   string // in the names of Debian's programs: mod, site, conf
	title  string // in Salt's answers
	doc    string
	dir    string // of links
	suffix string
}

var (
	conf = &kind{"conf", "Conf", "piece of configuration", "conf-enabled", ".conf"}
	mod  = &kind{"mod", "Mod", "module", "mods-enabled", ".load"}
	site = &kind{"site", "Site", "site", "sites-enabled", ".conf"}
)

// what is the thing in Salt's comments.
func (k *kind) what() string {
	if k == mod {
		return "module"
	}
	return k.name
}

// itemArgs name a thing; each kind has its own word for it in Salt's functions.
type itemArgs struct {
	Name string `arg:"name,required,alias=mod,alias=site,alias=conf" doc:"its name"`
}

// CheckArgs implements module.Checker.
func (a *itemArgs) CheckArgs() error {
	if a.Name == "" || strings.ContainsAny(a.Name, "/ \t\n") || a.Name[0] == '-' || a.Name[0] == '.' {
		return fmt.Errorf("%q can't be the name of something that Apache loads", a.Name)
	}
	return nil
}

// check says whether something is enabled. The site default is Debian's 000-default.
func (k *kind) check(_ context.Context, h *host.Host, a itemArgs) (bool, error) {
	file := a.Name
	if !strings.HasSuffix(file, k.suffix) && (k != mod || !strings.HasSuffix(file, ".conf")) {
		file += k.suffix
	}
	names := []string{file}
	if k == site && a.Name == "default" {
		names = append(names, "000-"+file)
	}
	for _, name := range names {
		st, err := os.Lstat(h.Path("/etc/apache2/" + k.dir + "/" + name))
		switch {
		case err == nil && st.Mode()&fs.ModeSymlink != 0:
			return true, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
	}
	return false, nil
}

func (k *kind) enable(ctx context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	return k.call(ctx, h, "en", "Enable", "enabled", a.Name)
}

func (k *kind) disable(ctx context.Context, h *host.Host, a itemArgs) (*value.Dict, error) {
	return k.call(ctx, h, "dis", "Disable", "disabled", a.Name)
}

// call runs one of Debian's programs, and returns what Salt does.
func (k *kind) call(ctx context.Context, h *host.Host, short, long, done, name string) (*value.Dict, error) {
	out, err := h.Exec(ctx, host.Command{Argv: inRoot(h, "a2"+short+k.name, name), Env: []string{"LC_ALL=C"}})
	if err != nil {
		return nil, err
	}
	d := value.NewDict("Name", "Apache2 "+long+" "+k.title, k.title, name)
	switch {
	case out.Code == 0:
		d.Put("Status", fmt.Sprintf("%s %s %s", k.title, name, done))
	case out.Code == 1:
		d.Put("Status", fmt.Sprintf("%s %s Not found", k.title, name))
	default:
		d.Put("Status", int64(out.Code))
	}
	return d, nil
}

// change runs one of Debian's programs; what it complains of is the error.
func (k *kind) change(ctx context.Context, h *host.Host, short, long, name string) error {
	argv := inRoot(h, "a2"+short+k.name, name)
	out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C"}, Merge: true})
	if err != nil || out.Code == 0 {
		return err
	}
	return fmt.Errorf("cannot %s the Apache %s %s: %s", long, k.what(), name, strings.TrimSpace(string(out.Stdout)))
}

func inRoot(h *host.Host, argv ...string) []string {
	if h.Real() {
		return argv
	}
	return append([]string{"chroot", h.Path("/")}, argv...)
}

func (k *kind) planEnabled(ctx context.Context, h *host.Host, a itemArgs) (module.Plan, error) {
	return k.plan(ctx, h, a, true)
}

func (k *kind) planDisabled(ctx context.Context, h *host.Host, a itemArgs) (module.Plan, error) {
	return k.plan(ctx, h, a, false)
}

func (k *kind) plan(ctx context.Context, h *host.Host, a itemArgs, on bool) (module.Plan, error) {
	word, short, long := "enabled", "en", "enable"
	var old, now any = nil, a.Name
	if !on {
		word, short, long, old, now = "disabled", "dis", "disable", a.Name, nil
	}
	p := module.Plan{
		Same:  fmt.Sprintf("%s already %s.", a.Name, word),
		Would: fmt.Sprintf("Apache %s %s is set to be %s.", k.what(), a.Name, word),
		Did:   fmt.Sprintf("Apache %s %s is %s", k.what(), a.Name, word),
	}
	is, err := k.check(ctx, h, a)
	if err != nil || is == on {
		return p, err
	}
	if on && !k.available(h, a.Name) {
		return p, module.Unknown("cannot enable the Apache %s %s: there is none in /etc/apache2", k.what(), a.Name)
	}
	p.Steps = []module.Step{{
		Changes: value.NewDict("old", old, "new", now),
		Do: func(ctx context.Context) (module.Done, error) {
			return module.Done{}, k.change(ctx, h, short, long, a.Name)
		},
	}}
	return p, nil
}

// available says whether there is something to enable.
func (k *kind) available(h *host.Host, name string) bool {
	dir := "/etc/apache2/" + strings.TrimSuffix(k.dir, "enabled") + "available/"
	for _, suffix := range []string{"", k.suffix, ".conf"} {
		for _, prefix := range []string{"", "000-"} {
			if _, err := os.Stat(h.Path(dir + prefix + name + suffix)); err == nil {
				return true
			}
		}
	}
	return false
}
