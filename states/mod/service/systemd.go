package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"brine/states/host"
)

// systemd asks and tells systemd by systemctl. It looks at unit files itself where that saves asking for each unit
// apart: systemctl show takes some milliseconds a unit.
type systemd struct{ h *host.Host }

// most is how many units one command asks about.
const most = 1000

func (s systemd) look(ctx context.Context, names []string) (map[string]*facts, error) {
	all := make(map[string]*facts, len(names))
	files := unitFiles{h: s.h}
	var listed, asked []*facts
	for _, name := range names {
		f := &facts{name: name}
		all[name] = f
		if f.unit, f.bad = canonical(name); f.bad == nil {
			files.look(f)
			if !isTemplate(f.unit) {
				listed = append(listed, f)
			}
		}
	}
	for some := range slices.Chunk(listed, most) {
		loaded, err := s.loaded(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			if u, ok := loaded[f.unit]; ok {
				u.into(f)
			} else if !f.known {
				asked = append(asked, f)
			}
		}
	}
	return all, s.ask(ctx, asked)
}

// A state is what systemd says of a unit.
type unitState struct{ load, active, sub string }

func (u unitState) into(f *facts) {
	f.known = f.known || u.load != "not-found"
	f.active = u.active == "active" || u.active == "reloading" || u.active == "refreshing"
	f.changing = u.active == "activating" && u.sub != "auto-restart" || u.active == "deactivating"
}

// loaded tells of the units that systemd has in memory: of all that run, and of some others.
func (s systemd) loaded(ctx context.Context, of []*facts) (map[string]unitState, error) {
	argv := []string{"systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", "--"}
	for _, f := range of {
		argv = append(argv, f.unit)
	}
	if len(of) == 0 {
		return nil, nil
	}
	out, err := s.h.Run(ctx, argv...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask systemd for its units: %w", err)
	}
	units := map[string]unitState{}
	for line := range strings.Lines(out) {
		if w := strings.Fields(line); len(w) >= 4 {
			units[w[0]] = unitState{w[1], w[2], w[3]}
		}
	}
	return units, nil
}

// ask tells of units that have no file and are not in memory: there are none such, or systemd makes them by itself,
// as it does mounts.
func (s systemd) ask(ctx context.Context, of []*facts) error {
	for some := range slices.Chunk(of, most) {
		blocks, err := s.show(ctx, []string{"LoadState", "ActiveState", "SubState"}, some...)
		if err != nil {
			return err
		}
		for i, b := range blocks {
			unitState{b["LoadState"], b["ActiveState"], b["SubState"]}.into(some[i])
		}
	}
	return nil
}

// show returns properties of units, in their order.
func (s systemd) show(ctx context.Context, properties []string, of ...*facts) ([]map[string]string, error) {
	argv := []string{"systemctl", "show", "--no-pager", "--property=" + strings.Join(properties, ","), "--"}
	for _, f := range of {
		argv = append(argv, f.unit)
	}
	out, err := s.h.Run(ctx, argv...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask systemd for units: %w", err)
	}
	blocks := showBlocks(out)
	if len(blocks) != len(of) {
		return nil, fmt.Errorf("cannot understand systemctl: it told of %d units, asked for %d", len(blocks), len(of))
	}
	return blocks, nil
}

// showBlocks reads what systemctl show writes: blocks of NAME=VALUE with an empty line between them.
func showBlocks(out string) (blocks []map[string]string) {
	for block := range strings.SplitSeq(out, "\n\n") {
		b := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			if name, value, ok := strings.Cut(line, "="); ok {
				b[name] = value
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// enabled finds by their links those that a target starts, and asks systemd for the others.
func (s systemd) enabled(ctx context.Context, services []*facts) error {
	links := wanted(s.h)
	var ask []*facts
	for _, f := range services {
		switch {
		case f.asked || !f.known:
		case links[f.unit] && !f.masked && !f.maskedRuntime:
			f.asked, f.enabled = true, true
		default:
			ask = append(ask, f)
		}
	}
	for some := range slices.Chunk(ask, most) {
		if err := s.askEnabled(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// askEnabled asks for all in one, and for each apart when the answer has not one word a unit: systemctl does not tell
// all of units that have an init script in their place.
func (s systemd) askEnabled(ctx context.Context, of []*facts) error {
	argv := []string{"systemctl", "is-enabled", "--"}
	for _, f := range of {
		argv = append(argv, f.unit)
	}
	out, err := s.h.Run(ctx, argv...)
	if exit := (*host.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("cannot ask systemd which units are enabled: %w", err)
	}
	words := strings.Fields(out)
	switch {
	case len(words) == len(of):
		for i, f := range of {
			f.takeState(words[i])
		}
		return nil
	case len(of) == 1:
		of[0].takeState("")
		of[0].enabled = err == nil // an init script's own answer
		return nil
	}
	for _, f := range of {
		if err := s.askEnabled(ctx, []*facts{f}); err != nil {
			return err
		}
	}
	return nil
}

// takeState notes what systemd calls the state of a unit file. What starts only until the next boot counts as disabled.
func (f *facts) takeState(state string) {
	f.asked = true
	switch state {
	case "enabled":
		f.enabled = true
	case "alias", "static", "indirect", "generated", "transient":
		f.enabled = state != "transient"
		f.fixed = state
	}
}

// act does something with a unit, once systemd has read what changed of its files.
func (s systemd) act(ctx context.Context, f *facts, verb string, o actOptions) error {
	if err := s.reread(ctx, f); err != nil {
		return err
	}
	argv := []string{"systemctl", "--no-ask-password", verb}
	if o.noBlock {
		argv = append(argv, "--no-block")
	}
	from := journalStart()
	err := limited(ctx, o.timeout, func(ctx context.Context) error {
		_, err := s.h.Run(ctx, append(argv, "--", f.unit)...)
		return err
	})
	switch {
	case err != nil:
		return s.explain(ctx, f, from, cause(err))
	case !o.check:
		return nil
	}
	return s.watch(ctx, f, from, o.noBlock)
}

// cause is what systemctl wrote, without the command that no one typed.
func cause(err error) error {
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) && exit.Stderr != "" {
		return errors.New(strings.TrimSpace(exit.Stderr))
	}
	return err
}

// reread makes systemd read unit files again when those of the unit changed.
func (s systemd) reread(ctx context.Context, f *facts) error {
	if files := (unitFiles{h: s.h}); !files.changed(f.unit) {
		if isTemplate(f.unit) {
			return nil
		}
		b, err := s.show(ctx, []string{"NeedDaemonReload"}, f)
		if err != nil || b[0]["NeedDaemonReload"] != "yes" {
			return err
		}
	}
	return s.reload(ctx)
}

func (s systemd) reload(ctx context.Context) error {
	if _, err := s.h.Run(ctx, "systemctl", "--no-ask-password", "daemon-reload"); err != nil {
		return fmt.Errorf("cannot make systemd read its unit files: %w", cause(err))
	}
	return nil
}

func (s systemd) enable(ctx context.Context, f *facts, on bool) error {
	verb := "disable"
	if on {
		verb = "enable"
	}
	if err := s.reread(ctx, f); err != nil {
		return err
	}
	_, err := s.h.Run(ctx, "systemctl", "--no-ask-password", verb, "--", f.unit)
	if err != nil {
		return cause(err)
	}
	return nil
}

// mask implements masker.
func (s systemd) mask(ctx context.Context, f *facts, on, runtime bool) error {
	argv := []string{"systemctl", "--no-ask-password", "unmask"}
	if on {
		argv[2] = "mask"
	}
	if runtime {
		argv = append(argv, "--runtime")
	}
	if _, err := s.h.Run(ctx, append(argv, "--", f.unit)...); err != nil {
		return cause(err)
	}
	var have facts
	have.unit = f.unit
	(unitFiles{h: s.h}).masks(&have)
	if runtime && have.maskedRuntime != on || !runtime && have.masked != on {
		return errors.New("systemctl said nothing, and it is as before")
	}
	return nil
}

// readlink is what a symbolic link says; "" when name is none.
func readlink(h *host.Host, name string) string {
	to, err := os.Readlink(h.Path(name))
	if err != nil {
		return ""
	}
	return to
}
