package service

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

type maskFuncArgs struct {
	Name    string `arg:"name,required" doc:"the service"`
	Runtime bool   `arg:"runtime" doc:"the mask that is gone with the next boot, instead of the one for good"`
}

// setMask makes the function that masks or unmasks.
func setMask(on bool) func(context.Context, *host.Host, maskFuncArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a maskFuncArgs) (bool, error) {
		s, err := lookAt(ctx, h, a.Name, false)
		if err != nil {
			return false, err
		}
		m, ok := s.manager.(masker)
		have := s.masked && !a.Runtime || s.maskedRuntime && a.Runtime
		switch {
		case !ok:
			return false, errNoMasks
		case have == on:
			return true, nil
		}
		if err := m.mask(ctx, s.facts, on, a.Runtime); err != nil {
			return false, fmt.Errorf("cannot change the mask of service %s: %w", s.name, err)
		}
		return true, nil
	}
}

func masked(ctx context.Context, h *host.Host, a maskFuncArgs) (bool, error) {
	s, err := lookAt(ctx, h, a.Name, false)
	return err == nil && (s.masked && !a.Runtime || s.maskedRuntime && a.Runtime), err
}

// theSystemd is the manager of functions that only systemd has.
func theSystemd(h *host.Host) (systemd, error) {
	m, err := managerOf(h)
	if err != nil {
		return systemd{}, err
	}
	s, ok := m.(systemd)
	if !ok {
		return systemd{}, errors.New("cannot ask systemd: this host runs another init system")
	}
	return s, nil
}

func reloadSystemd(ctx context.Context, h *host.Host, _ struct{}) (bool, error) {
	s, err := theSystemd(h)
	if err == nil {
		err = s.reload(ctx)
	}
	return err == nil, err
}

func show(ctx context.Context, h *host.Host, a nameArgs) (*value.Dict, error) {
	s, err := theSystemd(h)
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, h, a.Name, false)
	if err != nil {
		return nil, err
	}
	out, err := s.h.Run(ctx, "systemctl", "show", "--all", "--no-pager", "--", found.unit)
	if err != nil {
		return nil, fmt.Errorf("cannot show service %s: %w", a.Name, cause(err))
	}
	d := &value.Dict{}
	for line := range strings.Lines(out) {
		if name, val, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			d.Put(name, property(name, val))
		}
	}
	return d, nil
}

// property reads a property as Salt shows it: units as lists, what is in braces as a map.
func property(name, val string) any {
	switch {
	case name == "Before" || name == "After" || name == "Wants":
		list := &value.List{}
		for _, unit := range strings.Fields(val) {
			list.Items = append(list.Items, unit)
		}
		return list
	case strings.HasPrefix(val, "{"):
		return braces(val)
	}
	return val
}

func braces(val string) *value.Dict {
	d := &value.Dict{}
	for item := range strings.SplitSeq(strings.Trim(val, "{} ;"), " ; ") {
		key, text, _ := strings.Cut(item, "=")
		d.Put(strings.TrimSpace(key), strings.TrimSpace(text))
	}
	return d
}

// execs returns by service the program that it starts.
func execs(ctx context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	s, err := theSystemd(h)
	if err != nil {
		return nil, err
	}
	all, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	var of []*facts
	for _, l := range all {
		f := &facts{name: l.name}
		if f.unit, f.bad = canonical(l.name); f.bad == nil && path.Ext(f.unit) == ".service" && !isTemplate(f.unit) {
			of = append(of, f)
		}
	}
	d := &value.Dict{}
	if len(of) == 0 {
		return d, nil
	}
	blocks, err := s.show(ctx, []string{"Id", "ExecStart"}, of...)
	if err != nil {
		return nil, err
	}
	for i, b := range blocks {
		if program, _ := braces(b["ExecStart"]).Get("path"); program != nil {
			d.Put(of[i].name, program)
		}
	}
	return d, nil
}
