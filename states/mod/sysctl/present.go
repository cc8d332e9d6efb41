package sysctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type nameArgs struct {
	Name string `arg:"name,required" doc:"the parameter, such as net.ipv4.ip_forward"`
}

func get(_ context.Context, h *host.Host, a nameArgs) (string, error) { return read(h, a.Name) }

type assignArgs struct {
	Name  string `arg:"name,required" doc:"the parameter, such as net.ipv4.ip_forward"`
	Value text   `arg:"value,required" doc:"its value"`
}

func assign(_ context.Context, h *host.Host, a assignArgs) (*value.Dict, error) {
	if err := write(h, a.Name, string(a.Value)); err != nil {
		return nil, err
	}
	return value.NewDict(a.Name, string(a.Value)), nil
}

func defaultConfig(_ context.Context, h *host.Host, _ struct{}) (string, error) {
	return standard(h), nil
}

type showArgs struct {
	ConfigFile string `arg:"config_file" doc:"a file; absent is what the kernel has now"`
}

func show(_ context.Context, h *host.Host, a showArgs) (*value.Dict, error) {
	if a.ConfigFile == "" || a.ConfigFile == "False" {
		return all(h)
	}
	c, err := load(h, a.ConfigFile)
	if err != nil {
		return nil, err
	}
	return c.all(), nil
}

// text is a value: true and false are 1 and 0, as Salt has them.
type text string

func (*text) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (t *text) ParseArg(v module.Value) error {
	s, err := v.Str()
	if b, ok := v.Data.(bool); ok {
		s, err = map[bool]string{true: "1", false: "0"}[b], nil
	}
	if err != nil || strings.ContainsAny(s, "\n\r") {
		return v.Want("a value in one line")
	}
	*t = text(strings.TrimSpace(s))
	return nil
}

type presentArgs struct {
	Name   string `arg:"name,required" doc:"the parameter, such as net.ipv4.ip_forward"`
	Value  text   `arg:"value,required" doc:"its value"`
	Config string `arg:"config" doc:"the file that keeps it; absent is /etc/sysctl.d/99-salt.conf, or /etc/sysctl.conf where there is no such directory"`
}

// CheckArgs implements module.Checker.
func (a *presentArgs) CheckArgs() error {
	_, err := procFile(a.Name)
	if err == nil && a.Config != "" && a.Config[0] != '/' {
		err = fmt.Errorf("argument \"config\": want an absolute path, got %q", a.Config)
	}
	return err
}

// A difference is what of a parameter is not as wanted.
type difference struct{ now, kept bool }

func (a *presentArgs) look(h *host.Host) (difference, error) {
	have, err := read(h, a.Name)
	if err != nil {
		return difference{}, err
	}
	c, err := load(h, a.config(h))
	if err != nil {
		return difference{}, err
	}
	val, ok := c.get(a.Name)
	return difference{now: !same(have, string(a.Value)), kept: !ok || !same(val, string(a.Value))}, nil
}

func (a *presentArgs) config(h *host.Host) string { return cmp.Or(a.Config, standard(h)) }

func (a *presentArgs) do(ctx context.Context, h *host.Host, d difference) error {
	if d.now {
		if err := write(h, a.Name, string(a.Value)); err != nil {
			return err
		}
	}
	if !d.kept {
		return nil
	}
	c, err := load(h, a.config(h))
	if err != nil {
		return err
	}
	c.set(a.Name, string(a.Value))
	return c.save(ctx, h, a.config(h))
}

func persist(ctx context.Context, h *host.Host, a presentArgs) (string, error) {
	d, err := a.look(h)
	if err != nil {
		return "", err
	}
	if d == (difference{}) {
		return "Already set", nil
	}
	return "Updated", a.do(ctx, h, d)
}

func planPresent(_ context.Context, h *host.Host, a presentArgs) (module.Plan, error) {
	d, err := a.look(h)
	if err != nil {
		return module.Plan{}, module.Unknown("%w", err) // a module that another state loads may bring it
	}
	p := module.Plan{
		Same: fmt.Sprintf("Sysctl value %s = %s is already set", a.Name, a.Value),
		Did:  fmt.Sprintf("Updated sysctl value %s = %s", a.Name, a.Value),
	}
	switch {
	case d == (difference{}):
		return p, nil
	case !d.now:
		p.Would = fmt.Sprintf("Sysctl value is currently set on the running system but not in a config file. "+
			"Sysctl option %s set to be changed to %s in config file.", a.Name, a.Value)
	default:
		p.Would = fmt.Sprintf("Sysctl option %s set to be changed to %s", a.Name, a.Value)
	}
	if d.now {
		if file, err := procFile(a.Name); err == nil {
			p.Writes = append(p.Writes, file)
		}
	}
	if d.kept {
		p.Writes = append(p.Writes, a.config(h))
	}
	p.Steps = []module.Step{module.Change(a.Name, string(a.Value), func(ctx context.Context) error { return a.do(ctx, h, d) })}
	return p, nil
}
