package apache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// program is the one that the host has to control Apache.
func program(h *host.Host) (string, error) {
	for _, name := range []string{"apache2ctl", "apachectl"} {
		for _, dir := range filepath.SplitList(host.DefaultPath) {
			if _, err := os.Stat(h.Path(dir + "/" + name)); err == nil {
				return name, nil
			}
		}
	}
	return "", module.Unknown("cannot ask Apache: this host has neither apache2ctl nor apachectl")
}

// ask returns what Apache writes.
func ask(ctx context.Context, h *host.Host, args ...string) (string, error) {
	p, err := program(h)
	if err != nil {
		return "", err
	}
	argv := inRoot(h, append([]string{p}, args...)...)
	out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C"}})
	if err != nil {
		return "", err
	}
	return string(out.Stdout), out.Failed(argv)
}

type noArgs struct{}

func version(ctx context.Context, h *host.Host, _ noArgs) (string, error) {
	out, err := ask(ctx, h, "-v")
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(out, "\n")
	_, v, ok := strings.Cut(first, ": ")
	if !ok {
		return "", fmt.Errorf("cannot read the version of Apache: it answered %q", first)
	}
	return strings.TrimSpace(v), nil
}

func fullVersion(ctx context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	out, err := ask(ctx, h, "-V")
	if err != nil {
		return nil, err
	}
	with := value.NewList()
	d := value.NewDict("compiled_with", with)
	for line := range strings.Lines(out) {
		if key, val, ok := strings.Cut(line, ": "); ok {
			key = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(key)), " ", "_")
			d.Put(key, strings.TrimSpace(val))
		} else if _, def, ok := strings.Cut(line, " -D "); ok {
			with.Items = append(with.Items, strings.TrimSpace(def))
		}
	}
	return d, nil
}

func modules(ctx context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	out, err := ask(ctx, h, "-M")
	if err != nil {
		return nil, err
	}
	static, shared := &value.List{Items: []any{}}, &value.List{Items: []any{}}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.Contains(line, "(static)"):
			static.Items = append(static.Items, words[0])
		case strings.Contains(line, "(shared)"):
			shared.Items = append(shared.Items, words[0])
		}
	}
	return value.NewDict("static", static, "shared", shared), nil
}

func serverMods(ctx context.Context, h *host.Host, _ noArgs) ([]string, error) {
	out, err := ask(ctx, h, "-l")
	all := []string{}
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasSuffix(line, ".c") {
			all = append(all, line)
		}
	}
	return all, err
}

func directives(ctx context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	out, err := ask(ctx, h, "-L")
	d := &value.Dict{}
	for line := range strings.Lines(strings.ReplaceAll(out, "\n\t", "\t")) {
		if name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); name != "" {
			d.Put(name, strings.ReplaceAll(rest, "\t", "\n"))
		}
	}
	return d, err
}

// vhosts reads what apache2ctl -S writes of virtual hosts.
func vhosts(ctx context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	out, err := ask(ctx, h, "-S")
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	var of *value.Dict
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case strings.Contains(line, "is a NameVirtualHost"):
			of = &value.Dict{}
			d.Put(words[0], of)
		case of == nil || len(words) < 4:
		case words[0] == "default":
			of.Put("default", value.NewDict("vhost", words[2], "conf", strings.Trim(words[3], "()")))
		case words[0] == "port" && len(words) > 4:
			of.Put(words[3], value.NewDict("vhost", words[3], "conf", strings.Trim(words[4], "()"), "port", words[1]))
		}
	}
	return d, nil
}

type signalArgs struct {
	Signal order `arg:"signal,required" doc:"start, stop, restart, graceful, graceful-stop, configtest, status or fullstatus"`
}

// An order is what apachectl does.
type order string

func (o *order) ArgType() string { return "name of an order" }

func (o *order) ParseArg(v module.Value) error {
	switch text, _ := v.Str(); text {
	case "start", "stop", "restart", "graceful", "graceful-stop", "configtest", "status", "fullstatus":
		*o = order(text)
		return nil
	}
	return v.Want("start, stop, restart, graceful, graceful-stop, configtest, status or fullstatus")
}

func signal(ctx context.Context, h *host.Host, a signalArgs) (module.Returned, error) {
	p, err := program(h)
	if err != nil {
		return module.Returned{}, err
	}
	args := []string{p, "-k", string(a.Signal)}
	switch a.Signal {
	case "configtest", "status", "fullstatus":
		args = []string{p, string(a.Signal)}
	}
	out, err := h.Exec(ctx, host.Command{Argv: inRoot(h, args...), Env: []string{"LC_ALL=C"}})
	if err != nil {
		return module.Returned{}, err
	}
	text := strings.TrimSpace(string(out.Stderr))
	if text == "" {
		text = strings.TrimSpace(string(out.Stdout))
	}
	if text == "" {
		text = fmt.Sprintf("Command: \"%s\" completed successfully!", strings.Join(args, " "))
	}
	return module.Returned{Value: text, Retcode: out.Code}, nil
}
