package debconf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type selectionArgs struct {
	Empty   bool `arg:"fetchempty" default:"true" doc:"also questions whose value is empty"`
	Private bool `arg:"private" doc:"also passwords: they go to masters, which keep what jobs return"`
}

func getSelections(_ context.Context, h *host.Host, a selectionArgs) (*value.Dict, error) {
	all, err := questions(h)
	sort.SliceStable(all, func(i, k int) bool { return all[i].name < all[k].name })
	d := &value.Dict{}
	for _, q := range all {
		if q.kind == "" || q.kind == "text" || q.kind == "title" || q.value == "" && !a.Empty {
			continue
		}
		for _, owner := range q.owners {
			of, _ := d.Get(owner)
			l, ok := of.(*value.List)
			if !ok {
				l = &value.List{}
				d.Put(owner, l)
			}
			l.Items = append(l.Items, value.NewList(q.name, q.kind, q.told(a.Private)))
		}
	}
	return d, err
}

type showArgs struct {
	Name    string `arg:"name,required" doc:"the package"`
	Private bool   `arg:"private" doc:"also passwords: they go to masters, which keep what jobs return"`
}

func show(ctx context.Context, h *host.Host, a showArgs) (any, error) {
	all, err := getSelections(ctx, h, selectionArgs{Empty: true, Private: a.Private})
	of, _ := all.Get(a.Name)
	return of, err
}

type setArgs struct {
	Package  string   `arg:"package,required" doc:"the package"`
	Question string   `arg:"question,required" doc:"the question, such as tzdata/Areas"`
	Type     string   `arg:"type,required" doc:"its type, such as string, boolean, select or password"`
	Value    string   `arg:"value,required" doc:"the answer"`
	Extra    []string `arg:"extra,rest" doc:"further words of the answer"`
}

func (a *setArgs) answer() answer {
	return answer{a.Package, a.Question, a.Type, strings.Join(append([]string{a.Value}, a.Extra...), " ")}
}

// CheckArgs implements module.Checker.
func (a *setArgs) CheckArgs() error { return a.answer().check() }

func set(ctx context.Context, h *host.Host, a setArgs) (bool, error) {
	err := write(ctx, h, []answer{a.answer()})
	return err == nil, err
}

type fileArgs struct {
	Path    string `arg:"path,required" doc:"salt://PATH, https://HOST/PATH or the path of a file"`
	Saltenv string `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
}

func setFile(ctx context.Context, h *host.Host, a fileArgs) (bool, error) {
	return (&sourceArgs{Saltenv: a.Saltenv}).set(ctx, h, a.Path)
}

func (a *sourceArgs) set(ctx context.Context, h *host.Host, path string) (bool, error) {
	all, err := a.read(ctx, h, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = write(ctx, h, all)
	}
	return err == nil, err
}

type templateArgs struct {
	Path string `arg:"path,required" doc:"salt://PATH, https://HOST/PATH or the path of a file"`
	sourceArgs
}

func setTemplate(ctx context.Context, h *host.Host, a templateArgs) (bool, error) {
	return a.set(ctx, h, a.Path)
}

// answers are the argument data: questions, each with a type and a value.
type answers []answer

func (d *answers) ArgType() string { return "map of questions to type and value" }

func (d *answers) ParseArg(v module.Value) error {
	pairs, ok := v.Pairs()
	if !ok {
		return v.Want("questions, each with type and value")
	}
	var errs []error
	for _, p := range pairs {
		a := answer{}
		a.question, _ = p[0].Str()
		if err := a.parse(p[1]); err != nil {
			errs = append(errs, fmt.Errorf("question %s: %w", a.question, err))
		}
		*d = append(*d, a)
	}
	return errors.Join(errs...)
}

func (a *answer) parse(v module.Value) error {
	pairs, ok := v.Pairs()
	if !ok {
		return v.Want("type and value")
	}
	given := false
	for _, p := range pairs {
		switch key, _ := p[0].Str(); key {
		case "type":
			a.kind, _ = p[1].Str()
		case "value":
			given = true
			var words []string
			for _, item := range p[1].Each() {
				word, err := item.Str()
				switch data := item.Data.(type) {
				case nil:
					word, err = "", nil
				case bool:
					word, err = fmt.Sprint(data), nil
				}
				if err != nil {
					return p[1].Want("text, or a list of it")
				}
				words = append(words, word)
			}
			a.value = strings.Join(words, ", ")
		default:
			return fmt.Errorf("want type and value, got %q", key)
		}
	}
	if !given || a.kind == "" {
		return v.Want("type and value")
	}
	if a.kind == "boolean" {
		a.value = strings.ToLower(a.value)
		if a.value != "true" && a.value != "false" {
			return fmt.Errorf("want true or false, got %q", a.value)
		}
	}
	return nil
}

type stateArgs struct {
	Name string  `arg:"name,required" doc:"the package"`
	Data answers `arg:"data,required" doc:"its questions, each with type and value"`
}

// CheckArgs implements module.Checker.
func (a *stateArgs) CheckArgs() error {
	var errs []error
	for i := range a.Data {
		a.Data[i].owner = a.Name
		errs = append(errs, a.Data[i].check())
	}
	return errors.Join(errs...)
}

func planSet(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	for i := range a.Data {
		a.Data[i].owner = a.Name
	}
	return plan(h, a.Data)
}

type stateFileArgs struct {
	Name   string `arg:"name,required" doc:"a name for the answers"`
	Source string `arg:"source,required" doc:"salt://PATH, https://HOST/PATH or the path of a file, with lines PACKAGE QUESTION TYPE VALUE"`
	sourceArgs
}

func planSetFile(ctx context.Context, h *host.Host, a stateFileArgs) (module.Plan, error) {
	wanted, err := a.read(ctx, h, a.Source)
	if errors.Is(err, fs.ErrNotExist) {
		return module.Plan{}, module.Unknown("cannot set answers: %w", err)
	}
	if err != nil {
		return module.Plan{}, err
	}
	return plan(h, wanted)
}
