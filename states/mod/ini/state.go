package ini

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type optionsArgs struct {
	where
	Sections settings `arg:"sections,required" doc:"options by section; one that stands beside the sections comes before all of them"`
	Strict   bool     `arg:"strict" doc:"remove all other options of these sections"`
}

// CheckArgs implements module.Checker.
func (a *optionsArgs) CheckArgs() error { return a.check() }

type namesArgs struct {
	where
	Sections names `arg:"sections,required" doc:"what is to be absent"`
}

// CheckArgs implements module.Checker.
func (a *namesArgs) CheckArgs() error { return a.check() }

// edited plans that a file is as edit makes it, which says what it changes.
func edited(h *host.Host, w where, edit func(*text, *value.Dict) []string) (module.Plan, error) {
	t, err := load(h, w.Name, w.Separator)
	if err != nil {
		return module.Plan{}, err
	}
	changes := &value.Dict{}
	said := edit(t, changes)
	p := module.Plan{Same: "No changes detected.", Would: strings.Join(said, "\n"), Did: "Changes take effect"}
	if changes.Len() > 0 {
		p.Writes = []string{w.Name}
		p.Steps = []module.Step{{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
			t, err := load(h, w.Name, w.Separator)
			if err != nil {
				return module.Done{}, err
			}
			edit(t, &value.Dict{})
			return module.Done{}, t.save(ctx, h, w.Name)
		}}}
	}
	return p, nil
}

func planOptionsPresent(_ context.Context, h *host.Host, a optionsArgs) (module.Plan, error) {
	return edited(h, a.where, func(t *text, changes *value.Dict) (said []string) {
		for _, w := range a.Sections.all {
			old, have := t.get(w.section, w.key)
			if have && old == w.val {
				continue
			}
			var before any
			if have {
				before = old
			}
			note(changes, w.section, w.key, value.NewDict("before", before, "after", w.val))
			said = append(said, fmt.Sprintf("Changed key %s in section %s.", w.key, w.section))
			t.set(w.section, w.key, w.val)
		}
		if a.Strict {
			said = append(said, a.removeOthers(t, changes)...)
		}
		return said
	})
}

func (a *optionsArgs) removeOthers(t *text, changes *value.Dict) (said []string) {
	for _, section := range a.Sections.sections {
		for _, p := range t.options(section) {
			if slices.ContainsFunc(a.Sections.all, func(w wanted) bool { return w.section == section && w.key == p.key }) {
				continue
			}
			note(changes, section, p.key, value.NewDict("before", p.val, "after", nil))
			said = append(said, fmt.Sprintf("Deleted key %s in section %s.", p.key, section))
			t.remove(section, p.key)
		}
	}
	return said
}

func planOptionsAbsent(_ context.Context, h *host.Host, a namesArgs) (module.Plan, error) {
	return edited(h, a.where, func(t *text, changes *value.Dict) (said []string) {
		for _, w := range a.all() {
			old, have := t.get(w.section, w.key)
			if !have {
				continue
			}
			note(changes, w.section, w.key, old)
			said = append(said, fmt.Sprintf("Deleted key %s in section %s.", w.key, w.section))
			t.remove(w.section, w.key)
		}
		return said
	})
}

// all are the options that are meant: a name by itself is one before all sections.
func (a *namesArgs) all() []wanted {
	all := slices.Clone(a.Sections.all)
	for _, name := range a.Sections.sections {
		if !slices.ContainsFunc(all, func(w wanted) bool { return w.section == name }) {
			all = append(all, wanted{key: name})
		}
	}
	return all
}

func planSectionsPresent(_ context.Context, h *host.Host, a namesArgs) (module.Plan, error) {
	return edited(h, a.where, func(t *text, changes *value.Dict) (said []string) {
		for _, name := range a.Sections.sections {
			if slices.Contains(t.sections(), name) {
				continue
			}
			changes.Put(name, value.NewDict("before", nil, "after", &value.Dict{}))
			said = append(said, fmt.Sprintf("Created new section %s", name))
			t.add(name)
		}
		return said
	})
}

func planSectionsAbsent(_ context.Context, h *host.Host, a namesArgs) (module.Plan, error) {
	return edited(h, a.where, func(t *text, changes *value.Dict) (said []string) {
		for _, name := range a.Sections.sections {
			if !slices.Contains(t.sections(), name) {
				continue
			}
			changes.Put(name, t.dict(name))
			said = append(said, fmt.Sprintf("Deleted section %s.", name))
			t.removeSection(name)
		}
		return said
	})
}

func (t *text) dict(section string) *value.Dict {
	d := &value.Dict{}
	for _, p := range t.options(section) {
		d.Put(p.key, p.val)
	}
	return d
}
