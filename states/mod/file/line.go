package file

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
)

// lineArgs say what line of a file is edited how.
type lineArgs struct {
	Content  *string    `arg:"content" doc:"the line; needed unless mode is delete"`
	Match    expression `arg:"match" doc:"the line that mode replace and delete mean: a regular expression, or a part of the line; content when absent"`
	Mode     lineMode   `arg:"mode,required" doc:"ensure: put the line between after and before, where it alone may stand; insert: put it there, or at location; replace: the first line that matches; delete: the first line that matches, and those that equal it"`
	Location location   `arg:"location" doc:"start or end of the file, for mode insert; after and before do not count then"`
	Before   expression `arg:"before" doc:"the one line before which it belongs: a regular expression, or a part of the line"`
	After    expression `arg:"after" doc:"the one line after which it belongs"`
	Show     *bool      `arg:"show_changes" doc:"as in file.managed"`
	Backup   bool       `arg:"backup" doc:"keep a copy of the old file beside it, with the time at the end of its name"`
	Quiet    bool       `arg:"quiet" doc:"it is no failure when the file is not there"`
	Indent   bool       `arg:"indent" default:"true" doc:"indent the line as its neighbour"`
}

type lineState struct {
	Name string `arg:"name,required" doc:"the absolute path"`
	lineArgs
	Create bool `arg:"create" doc:"make the file when it is not there"`
	ownerArgs
	FileMode mode `arg:"file_mode" doc:"permissions, such as 0644; left alone when absent"`
}

func (a *lineState) manages() []string { return []string{a.Name} }
func (a *lineState) wholeTree() bool   { return false }

// A lineMode is one of four ways to edit a line.
type lineMode string

const (
	lineEnsure  lineMode = "ensure"
	lineReplace lineMode = "replace"
	lineDelete  lineMode = "delete"
	lineInsert  lineMode = "insert"
)

func (m *lineMode) ArgType() string { return "ensure, replace, delete or insert" }

func (m *lineMode) ParseArg(v module.Value) (err error) {
	text, err := oneOf(v, string(lineEnsure), string(lineReplace), string(lineDelete), string(lineInsert))
	*m = lineMode(text)
	return err
}

// A location is where mode insert puts a line.
type location string

func (l *location) ArgType() string { return "start or end" }

func (l *location) ParseArg(v module.Value) error {
	if v.Data == "" {
		return nil
	}
	text, err := oneOf(v, "start", "end")
	*l = location(text)
	return err
}

// oneOf reads one of a few words, in letters of any case.
func oneOf(v module.Value, words ...string) (string, error) {
	text, err := v.Str()
	for _, word := range words {
		if err == nil && strings.EqualFold(text, word) {
			return word, nil
		}
	}
	last := len(words) - 1
	return "", fmt.Errorf("%w%s", v.Want(strings.Join(words[:last], ", ")+" or "+words[last]), spell.DidYouMean(text, words))
}

// CheckArgs implements module.Checker.
func (a *lineArgs) CheckArgs() error {
	switch {
	case a.Mode != lineDelete && a.Content == nil:
		return errors.New(`argument "content" is missing: only mode delete needs none`)
	case a.Mode == lineInsert && a.Location == "" && a.Before == "" && a.After == "":
		return errors.New(`mode insert needs the argument "location", "before" or "after"`)
	case a.Mode == lineEnsure && a.Before == "" && a.After == "":
		return errors.New(`mode ensure needs the argument "before" or "after", to know where to put the line`)
	case (a.Mode == lineDelete || a.Mode == lineReplace) && a.Match == "" && (a.Before != "" || a.After != ""):
		return fmt.Errorf(`mode %s needs the argument "match": "before" and "after" do not count there`, a.Mode)
	case a.Mode == lineDelete && a.Match == "" && (a.Content == nil || *a.Content == ""):
		return errors.New(`mode delete needs the argument "match" or "content"`)
	}
	return nil
}

func planLine(ctx context.Context, h *host.Host, a lineState) (module.Plan, error) {
	const same = "No changes needed to be made"
	if a.FileMode.keep {
		return module.Plan{}, errors.New(`argument "file_mode": keep needs a source`)
	}
	r, err := a.rights(ctx, h, a.FileMode)
	if err != nil {
		return module.Plan{}, err
	}
	e, err := openEdit(h, a.Name)
	missing := errors.Is(err, errNotThere) || err == nil && e.old == nil
	switch {
	case missing && a.Quiet && !a.Create:
		return module.Plan{Same: same}, nil
	case errors.Is(err, errNotThere):
		return module.Plan{}, module.Unknown("%s: %w", a.Name, errNotThere)
	case err != nil:
		return module.Plan{}, err
	case missing && !a.Create:
		return module.Plan{}, e.mustBe()
	}
	defer e.spot.leave()
	after, err := a.edit(e.before)
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot edit %s: %w", a.Name, err)
	}
	return e.plan(outcome{
		after: after, show: a.Show, bak: a.copyName(), rights: r, same: same,
		would: "Changes would be made", did: "Changes were made",
	})
}

// copyName ends the name of the copy that backup keeps.
func (a *lineArgs) copyName() bakName {
	if !a.Backup {
		return ""
	}
	return bakName(time.Now().Format(".2006-01-02-15-04-05"))
}

var lineFuncs = []module.Func{{
	Name: "line",
	Doc: `
		Edit one line of a file, and return the difference; false when nothing had to change, and with
		show_changes=False whether something was.`,
	Example: "/etc/nsswitch.conf 'networks: files dns' mode=ensure after='hosts:.*'", Do: module.Call(lineFunc),
}}

type lineFuncArgs struct {
	onePath
	lineArgs
}

func lineFunc(ctx context.Context, h *host.Host, a lineFuncArgs) (any, error) {
	name, err := absPath(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	e, err := openEdit(h, name)
	if err == nil && e.old == nil {
		e.spot.leave()
		err = errNotThere
	}
	switch {
	case errors.Is(err, errNotThere) && a.Quiet:
		return false, nil
	case errors.Is(err, errNotThere):
		return nil, notFound(a.Path)
	case err != nil:
		return nil, err
	}
	defer e.spot.leave()
	after, err := a.edit(e.before)
	if err != nil {
		return nil, fmt.Errorf("cannot edit %s: %w", a.Path, err)
	}
	if string(after) == string(e.before) {
		return false, nil
	}
	if err := e.write(ctx, outcome{after: after, rights: anyone, bak: a.copyName()}); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", a.Path, err)
	}
	if a.Show != nil && !*a.Show {
		return true, nil
	}
	return e.difference(outcome{after: after, show: a.Show}), nil
}
