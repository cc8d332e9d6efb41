package ini

import (
	"context"

	"brine/states/host"
	"brine/states/value"
)

type fileArgs struct {
	Name      string `arg:"file_name,required" doc:"the file"`
	Separator string `arg:"separator" default:"=" doc:"what stands between an option and its value"`
	Encoding  string `arg:"encoding" doc:"taken for Salt's sake: bytes that are not changed stay as they are"`
}

type sectionArgs struct {
	Name      string `arg:"file_name,required" doc:"the file"`
	Section   string `arg:"section,required" doc:"the section"`
	Separator string `arg:"separator" default:"=" doc:"what stands between an option and its value"`
	Encoding  string `arg:"encoding" doc:"taken for Salt's sake: bytes that are not changed stay as they are"`
}

type optionArgs struct {
	Name      string `arg:"file_name,required" doc:"the file"`
	Section   string `arg:"section,required" doc:"the section"`
	Option    string `arg:"option,required" doc:"the option"`
	Separator string `arg:"separator" default:"=" doc:"what stands between an option and its value"`
	Encoding  string `arg:"encoding" doc:"taken for Salt's sake: bytes that are not changed stay as they are"`
}

func getIni(_ context.Context, h *host.Host, a fileArgs) (*value.Dict, error) {
	t, err := load(h, a.Name, a.Separator)
	if err != nil {
		return nil, err
	}
	d := t.dict("")
	for _, name := range t.sections() {
		d.Put(name, t.dict(name))
	}
	return d, nil
}

func getSection(_ context.Context, h *host.Host, a sectionArgs) (*value.Dict, error) {
	t, err := load(h, a.Name, a.Separator)
	if err != nil {
		return nil, err
	}
	return t.dict(a.Section), nil
}

// getOption returns the value of an option, or nothing.
func getOption(_ context.Context, h *host.Host, a optionArgs) (any, error) {
	t, err := load(h, a.Name, a.Separator)
	if err != nil {
		return nil, err
	}
	if val, ok := t.get(a.Section, a.Option); ok {
		return val, nil
	}
	return nil, nil
}

type setArgs struct {
	Name      string   `arg:"file_name,required" doc:"the file"`
	Sections  settings `arg:"sections,required" doc:"options by section"`
	Separator string   `arg:"separator" default:"=" doc:"what stands between an option and its value"`
	Encoding  string   `arg:"encoding" doc:"taken for Salt's sake: bytes that are not changed stay as they are"`
}

// setOption returns what it changed.
func setOption(ctx context.Context, h *host.Host, a setArgs) (*value.Dict, error) {
	p, err := planOptionsPresent(ctx, h, optionsArgs{where: where{Name: a.Name, Separator: a.Separator}, Sections: a.Sections})
	if err != nil || len(p.Steps) == 0 {
		return &value.Dict{}, err
	}
	_, err = p.Steps[0].Do(ctx)
	return p.Steps[0].Changes, err
}

// removeOption returns the value that the option had, or nothing.
func removeOption(ctx context.Context, h *host.Host, a optionArgs) (any, error) {
	t, err := load(h, a.Name, a.Separator)
	if err != nil {
		return nil, err
	}
	val, ok := t.get(a.Section, a.Option)
	if !ok {
		return nil, nil
	}
	t.remove(a.Section, a.Option)
	return val, t.save(ctx, h, a.Name)
}

// removeSection returns what was in the section.
func removeSection(ctx context.Context, h *host.Host, a sectionArgs) (*value.Dict, error) {
	t, err := load(h, a.Name, a.Separator)
	if err != nil {
		return nil, err
	}
	old := t.dict(a.Section)
	if _, _, ok := t.span(a.Section); !ok {
		return old, nil
	}
	t.removeSection(a.Section)
	return old, t.save(ctx, h, a.Name)
}
