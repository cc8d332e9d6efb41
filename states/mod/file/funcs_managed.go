package file

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var managedFuncs = []module.Func{
	{Name: "check_managed", Doc: "Tell whether a file is as wanted: true or nothing, and what would change.",
		Example: "/etc/motd salt://motd '' '' root root 0644", Do: module.Call(checkManaged)},
	{Name: "check_managed_changes", Doc: "Return what file.managed would change of a file.",
		Example: "/etc/motd salt://motd '' '' root root 0644", Do: module.Call(checkManagedChanges)},
	{Name: "manage_file", Doc: "Make a file as wanted, as file.managed does, and return how that ended.",
		Example: "/etc/motd '' '{}' salt://motd '' root root 0644", Do: module.Call(manageFile)},
}

// ofManaged are arguments of file.managed in the order in which Salt's functions have them.
type ofManaged struct {
	Name     string    `arg:"name,required" doc:"the absolute path of the file"`
	Source   sources   `arg:"source" doc:"as in file.managed"`
	Hash     sourceSum `arg:"source_hash" doc:"as in file.managed, or a map with hsum"`
	HashName string    `arg:"source_hash_name" doc:"as in file.managed"`
	ownerArgs
	Mode     mode   `arg:"mode" doc:"permissions, such as 0644"`
	Attrs    attrs  `arg:"attrs" doc:"as in file.managed"`
	Template string `arg:"template" doc:"what renders it: jinja"`
	variableArgs
	Saltenv    string   `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
	Contents   contents `arg:"contents" doc:"the content, in place of source"`
	SkipVerify bool     `arg:"skip_verify" doc:"take what comes by http(s) without source_hash"`
	Keep       bool     `arg:"keep_mode" doc:"the permissions are those of source"`
	Follow     bool     `arg:"follow_symlinks" default:"true" doc:"look at what a link leads to"`
	Show       *bool    `arg:"show_changes" doc:"as in file.managed"`
}

// sourceSum is a hash as text, or as Salt's functions hand it about.
type sourceSum string

func (s *sourceSum) ArgType() string { return "text or map" }

func (s *sourceSum) ParseArg(v module.Value) error {
	pairs, isMap := v.Pairs()
	if isMap {
		v = module.Data("")
	}
	for _, p := range pairs {
		if p[0].Data == "hsum" {
			v = p[1]
		}
	}
	text, err := v.Str()
	*s = sourceSum(text)
	return err
}

// managed are the same for the state.
func (a *ofManaged) managed() managedArgs {
	return managedArgs{
		Name: a.Name, ownerArgs: a.ownerArgs, Mode: a.Mode, Attrs: a.Attrs, Replace: true, Create: true, Follow: a.Follow, Show: a.Show,
		sourceArgs: sourceArgs{Source: a.Source, SourceHash: string(a.Hash), HashName: a.HashName, SkipVerify: a.SkipVerify,
			Saltenv: a.Saltenv},
		contentsArgs: contentsArgs{Contents: a.Contents, Errors: "strict"},
		templateArgs: templateArgs{Template: a.Template, variableArgs: a.variableArgs},
	}
}

// look plans what the arguments say.
func (a *ofManaged) look(ctx context.Context, h *host.Host, m managedArgs) (module.Plan, error) {
	var err error
	if m.Name, err = absPath(ctx, h, a.Name); err != nil {
		return module.Plan{}, err
	}
	if a.Keep {
		m.Mode = mode{set: true, keep: true}
	}
	if err := m.CheckArgs(); err != nil {
		return module.Plan{}, err
	}
	of := &managed{managedArgs: m}
	of.made = of.content
	if a.Contents.parts != nil {
		of.made = func(context.Context, *host.Host) (*wanted, error) { return m.plainContents() }
	}
	return of.plan(ctx, h)
}

// plainContents are contents as they are, with no newline more or less.
func (a *managedArgs) plainContents() (*wanted, error) {
	data, err := a.Encoding.encode(strings.Join(a.Contents.parts, "\n"), a.Errors)
	if err != nil {
		return nil, fmt.Errorf("cannot take contents: %w", err)
	}
	return inMemory("contents", data), nil
}

func checkManagedChanges(ctx context.Context, h *host.Host, a ofManaged) (*value.Dict, error) {
	m := a.managed()
	m.Makedirs = true // whether its directory is there is another question
	plan, err := a.look(ctx, h, m)
	changes := &value.Dict{}
	for _, step := range plan.Steps {
		merge(changes, step.Changes)
	}
	return changes, err
}

func checkManaged(ctx context.Context, h *host.Host, a ofManaged) (*value.List, error) {
	changes, err := checkManagedChanges(ctx, h, a)
	switch {
	case err != nil:
		return value.NewList(false, err.Error()), nil
	case changes.Len() == 0:
		return value.NewList(true, fmt.Sprintf("The file %s is in the correct state", a.Name)), nil
	}
	var b strings.Builder
	b.WriteString("The following values are set to be changed:\n")
	for k, v := range changes.All() {
		fmt.Fprintf(&b, "%v: %v\n", k, v)
	}
	return value.NewList(nil, b.String()), nil
}

// manageFileArgs are in the order of Salt's manage_file.
type manageFileArgs struct {
	Name   string      `arg:"name,required" doc:"the absolute path of the file"`
	Cached string      `arg:"sfn" doc:"a file of this host that has the content, in place of source"`
	Ret    *value.Dict `arg:"ret" doc:"accepted for Salt: what is returned does not depend on it"`
	Source sources     `arg:"source" doc:"as in file.managed"`
	Hash   sourceSum   `arg:"source_sum" doc:"hash of the source: text, or a map with hsum"`
	ownerArgs
	Mode       mode     `arg:"mode" doc:"permissions, such as 0644"`
	Attrs      attrs    `arg:"attrs" doc:"as in file.managed"`
	Saltenv    string   `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
	Backup     backup   `arg:"backup" doc:"keep the old file in /var/cache/brine/minion/file_backup"`
	Makedirs   bool     `arg:"makedirs" doc:"make the directories above it that are missing"`
	Template   string   `arg:"template" doc:"what renders it: jinja"`
	Show       *bool    `arg:"show_changes" doc:"as in file.managed"`
	Contents   contents `arg:"contents" doc:"the content, in place of source"`
	DirMode    mode     `arg:"dir_mode" doc:"permissions of directories that are made"`
	Follow     bool     `arg:"follow_symlinks" default:"true" doc:"manage what a link leads to"`
	SkipVerify bool     `arg:"skip_verify" doc:"take what comes by http(s) without source_sum"`
	Keep       bool     `arg:"keep_mode" doc:"the permissions are those of source"`
	Encoding   encoding `arg:"encoding" default:"utf-8" doc:"how text becomes bytes, as in file.managed"`
	Errors     string   `arg:"encoding_errors" default:"strict" doc:"what is done with characters that encoding has not"`
}

func manageFile(ctx context.Context, h *host.Host, a manageFileArgs) (*value.Dict, error) {
	of := ofManaged{
		Name: a.Name, Source: a.Source, Hash: a.Hash, ownerArgs: a.ownerArgs, Mode: a.Mode, Attrs: a.Attrs, Template: a.Template,
		Saltenv: a.Saltenv, Contents: a.Contents, SkipVerify: a.SkipVerify, Keep: a.Keep, Follow: a.Follow, Show: a.Show,
	}
	if a.Cached != "" && a.Contents.parts == nil {
		of.Source = sources{urls: []string{a.Cached}}
	}
	m := of.managed()
	m.Backup, m.Makedirs, m.DirMode, m.Encoding, m.Errors = a.Backup, a.Makedirs, a.DirMode, a.Encoding, a.Errors
	plan, err := of.look(ctx, h, m)
	changes, comment := &value.Dict{}, plan.Same
	for _, step := range plan.Steps {
		if err == nil {
			_, err = step.Do(ctx)
		}
		if err == nil {
			merge(changes, step.Changes)
			comment = plan.Did
		}
	}
	if err != nil {
		comment = err.Error()
	}
	return value.NewDict("name", a.Name, "changes", changes, "result", err == nil, "comment", comment), nil
}
