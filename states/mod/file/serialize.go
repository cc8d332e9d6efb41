package file

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/serial"
	"brine/states/value"
)

type serializeArgs struct {
	Name     string       `arg:"name,required" doc:"the absolute path"`
	Dataset  any          `arg:"dataset" doc:"the data"`
	Pillar   string       `arg:"dataset_pillar" doc:"take the data from this key of pillar, as in app:settings"`
	Format   serializer   `arg:"serializer,alias=formatter" default:"yaml" doc:"configparser (or ini), json, keyvalue, python, toml or yaml"`
	Options  writeOptions `arg:"serializer_opts" doc:"options of the serializer: of json indent, sort_keys, separators, ensure_ascii; of yaml default_flow_style, indent, width, allow_unicode, explicit_start, sort_keys and others of PyYAML's"`
	Read     writeOptions `arg:"deserializer_opts" doc:"options of reading the file with merge_if_exists"`
	Merge    bool         `arg:"merge_if_exists" doc:"keep what a file that is there has besides; maps in both are merged in turn"`
	Create   bool         `arg:"create" default:"true" doc:"false: do nothing when the file is not there"`
	Makedirs bool         `arg:"makedirs" doc:"make the directories above it that are missing"`
	DirMode  mode         `arg:"dir_mode" doc:"permissions of those directories; mode with x beside each r when absent"`
	ownerArgs
	Mode     mode      `arg:"mode" doc:"permissions, such as 0644; a new file has 0644"`
	Attrs    attrs     `arg:"attrs" doc:"as in file.managed"`
	Backup   backup    `arg:"backup" doc:"keep the old file in /var/cache/brine/minion/file_backup"`
	Encoding *encoding `arg:"encoding" doc:"how text becomes bytes, as in file.managed; where it is given characters are not written as escapes"`
	Errors   string    `arg:"encoding_errors" default:"strict" doc:"what is done with characters that encoding has not: strict, ignore, replace"`
	Show     *bool     `arg:"show_changes,alias=show_diff" doc:"as in file.managed"`
	checkArgs
}

func (a *serializeArgs) manages() []string { return []string{a.Name} }
func (a *serializeArgs) wholeTree() bool   { return false }

// A serializer is a format by its name.
type serializer struct{ serial.Format }

func (s *serializer) ArgType() string { return "name of a format" }

func (s *serializer) ParseArg(v module.Value) error {
	name, err := v.Str()
	if err != nil {
		return v.Want("the name of a format such as json")
	}
	if s.Format, err = serial.Find(name); err != nil {
		return fmt.Errorf("want the name of a format, got %w", err)
	}
	return nil
}

// writeOptions are options as one map, or as a list of maps.
type writeOptions struct{ all *value.Dict }

func (o *writeOptions) ArgType() string { return "map or list of maps" }

func (o *writeOptions) ParseArg(v module.Value) error {
	o.all = &value.Dict{}
	for _, item := range v.Each() {
		d, isMap := item.Data.(*value.Dict)
		if !isMap {
			return v.Want("a map of options")
		}
		merge(o.all, d)
	}
	return nil
}

// CheckArgs implements module.Checker.
func (a *serializeArgs) CheckArgs() error {
	m := managedArgs{Name: a.Name}
	errs := []error{m.placed()}
	switch {
	case a.Dataset != nil && a.Pillar != "":
		errs = append(errs, exclude("dataset", "dataset_pillar"))
	case a.Dataset == nil && a.Pillar == "":
		errs = append(errs, errors.New(`neither argument "dataset" nor "dataset_pillar" is given`))
	}
	if a.Mode.keep {
		errs = append(errs, errors.New(`argument "mode": keep needs a source`))
	}
	return errors.Join(errs...)
}

func planSerialize(ctx context.Context, h *host.Host, a serializeArgs) (module.Plan, error) {
	m := &managed{managedArgs: managedArgs{
		Name: a.Name, ownerArgs: a.ownerArgs, Mode: a.Mode, Attrs: a.Attrs, Makedirs: a.Makedirs, DirMode: a.DirMode,
		Replace: true, Create: a.Create, Follow: true, Backup: a.Backup, Show: a.Show, checkArgs: a.checkArgs,
	}}
	if a.Pillar != "" {
		m.Pillar = []string{a.Pillar} // what comes from there is not shown
	}
	m.made = func(_ context.Context, h *host.Host) (*wanted, error) { return a.content(h, m) }
	plan, err := m.plan(ctx, h)
	plan.Would = fmt.Sprintf("Dataset will be serialized and stored into %s", a.Name)
	if a.Read.all.Len() > 0 && !a.Merge {
		plan.Warnings = append(plan.Warnings, "deserializer_opts counts only with merge_if_exists")
	}
	return plan, err
}

// content is what the file is to hold; nil when it holds all of the data already.
func (a *serializeArgs) content(h *host.Host, m *managed) (*wanted, error) {
	data, err := a.data(h)
	if err != nil {
		return nil, err
	}
	var text string
	if a.Merge && m.old != nil {
		var same bool
		if text, same, err = a.merged(m, data); same {
			return nil, err
		}
	} else {
		text, err = a.Format.Write(data, a.options())
	}
	if err != nil {
		return nil, err
	}
	e := encoding{}
	if a.Encoding != nil {
		e = *a.Encoding
	}
	out, err := e.encode(text+"\n", a.Errors)
	if err != nil {
		return nil, fmt.Errorf("cannot serialize to %s: %w", a.Format.Name, err)
	}
	return inMemory("dataset", out), nil
}

func (a *serializeArgs) data(h *host.Host) (any, error) {
	if a.Pillar == "" {
		return a.Dataset, nil
	}
	if h.Pillar == nil {
		return nil, errors.New("cannot read dataset_pillar: this minion has no pillar")
	}
	data, ok := value.Lookup(h.Pillar, a.Pillar, ":")
	if !ok {
		return nil, fmt.Errorf("cannot take the data of the pillar %q: there is none", a.Pillar)
	}
	return data, nil
}

// merged puts the data into that of the file.
func (a *serializeArgs) merged(m *managed, data any) (text string, same bool, err error) {
	if m.old.Size > editMax {
		return "", false, fmt.Errorf("cannot merge with %s: it has more than %d bytes", a.Name, editMax)
	}
	old, err := m.spot.read()
	if err != nil {
		return "", false, err
	}
	if !isText(old) {
		return "", false, fmt.Errorf("cannot merge with %s: it is no text", a.Name)
	}
	text, same, err = a.Format.Merge(string(old), data, a.options(), a.Read.all)
	if err != nil {
		return "", false, fmt.Errorf("cannot merge with %s: %w", a.Name, err)
	}
	return text, same, nil
}

// options are those given, over those that Salt's state has.
func (a *serializeArgs) options() *value.Dict {
	o := &value.Dict{}
	switch a.Format.Name {
	case "json":
		o = value.NewDict("indent", int64(2), "separators", value.NewList(",", ": "), "sort_keys", true)
	case "yaml":
		o = value.NewDict("default_flow_style", false)
		if a.Encoding != nil {
			o.Put("allow_unicode", true)
		}
	}
	merge(o, a.Options.all)
	return o
}
