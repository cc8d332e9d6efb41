package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type patchArgs struct {
	Name string `arg:"name,required" doc:"the absolute path of the file, or of the directory whose files the patch changes"`
	sourceArgs
	templateArgs
	Options shellWords `arg:"options" doc:"further options of patch(1) about what fits, such as -l; none that says what it reads and writes"`
	Strip   *int       `arg:"strip" doc:"how many directories are taken off the names in the patch, when a directory is patched"`
	Reject  string     `arg:"reject_file" doc:"where what does not fit is written; the directory has to be there"`
	Hash    string     `arg:"hash" doc:"accepted for Salt: what is patched already is found out without it"`
	DryRun  *bool      `arg:"dry_run_first" doc:"accepted for Salt: a copy is always patched first"`
}

func (a *patchArgs) manages() []string { return []string{a.Name} }
func (a *patchArgs) wholeTree() bool   { return false }

// shellWords are words as a shell splits them.
type shellWords []string

func (w *shellWords) ArgType() string { return "text" }

func (w *shellWords) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("options as on a command line")
		}
		words, err := splitWords(text)
		if err != nil {
			return err
		}
		*w = append(*w, words...)
	}
	return nil
}

// splitWords splits at blanks that are not quoted.
func splitWords(s string) (words []string, err error) {
	var word strings.Builder
	quote, open := rune(0), false
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, open = true, true
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && strings.ContainsRune(" \t\n", r):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("cannot split %q into words: a quote is not closed", s)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}

// patchOptions takes the level out of the options of patch, and says whether it is to be taken back. What may say where
// patch reads and writes is refused.
func patchOptions(given []string, strip *int) (options []string, level int, reverse bool, err error) {
	var refused []string
	if strip != nil {
		level = *strip
	}
	for i := 0; i < len(given); i++ {
		option := given[i]
		name, val, hasValue := strings.Cut(option, "=")
		switch {
		case name == "--strip" && !hasValue && i+1 < len(given):
			i++
			level, err = strconv.Atoi(given[i])
		case name == "--strip":
			level, err = strconv.Atoi(val)
		case strings.HasPrefix(option, "-p"):
			level, err = strconv.Atoi(option[2:])
		case option == "-R" || option == "--reverse":
			reverse = true
		case !harmless(option):
			refused = append(refused, option)
		default:
			options = append(options, option)
			if takesValue(option) && i+1 < len(given) {
				i++
				if !harmless("-F" + given[i]) {
					refused = append(refused, given[i])
				}
				options = append(options, given[i])
			}
		}
		if err != nil || level < 0 {
			return nil, 0, false, fmt.Errorf(`argument "options": want a number of directories, got %q (or give it as strip)`, option)
		}
	}
	if len(refused) > 0 {
		return nil, 0, false, fmt.Errorf(`argument "options": not allowed: %s`, strings.Join(refused, ", "))
	}
	return options, level, reverse, nil
}

// takesValue says whether the word after an option belongs to it.
func takesValue(option string) bool {
	switch option {
	case "-F", "-D", "--fuzz", "--ifdef":
		return true
	}
	return false
}

// harmless says whether an option is known to be none that says where patch reads or writes, or what it does at all. The
// others have many names: patch takes the beginning of a long one for it, and several short ones in one word.
func harmless(option string) bool {
	name, value, hasValue := strings.Cut(option, "=")
	switch name {
	case "--fuzz", "--ifdef":
		return !strings.Contains(value, "/")
	case "--ignore-whitespace", "--context", "--normal", "--unified", "--quiet", "--silent", "--verbose", "--force", "--batch",
		"--remove-empty-files", "--set-time", "--set-utc", "--binary", "--posix", "--merge", "--no-backup-if-mismatch":
		return !hasValue
	}
	if strings.HasPrefix(option, "-F") || strings.HasPrefix(option, "-D") {
		return !strings.Contains(option, "/")
	}
	return len(option) > 1 && option[0] == '-' && strings.Trim(option[1:], "lcnusftETZ") == ""
}

// CheckArgs implements module.Checker.
func (a *patchArgs) CheckArgs() error {
	m := managedArgs{Name: a.Name}
	errs := []error{m.placed(), a.understood()}
	if len(a.Source.urls) == 0 {
		errs = append(errs, errors.New(`argument "source" is missing`))
	}
	if a.Strip != nil && *a.Strip < 0 {
		errs = append(errs, fmt.Errorf(`argument "strip": want a number of directories, got %d`, *a.Strip))
	}
	if a.Reject != "" && !path.IsAbs(a.Reject) {
		errs = append(errs, fmt.Errorf(`argument "reject_file": %q is not an absolute path`, a.Reject))
	}
	_, _, _, err := patchOptions(a.Options, a.Strip)
	return errors.Join(append(errs, err)...)
}

func planPatch(ctx context.Context, h *host.Host, a patchArgs) (module.Plan, error) {
	plan := module.Plan{Same: "Patch was already applied", Would: "The patch would be applied", Did: "Patch successfully applied"}
	if a.Hash != "" || a.DryRun != nil {
		plan.Warnings = append(plan.Warnings, "the arguments hash and dry_run_first are not used any more")
	}
	if err := a.rejectable(h); err != nil {
		return plan, err
	}
	text, err := a.text(ctx, h)
	if err != nil {
		return plan, err
	}
	options, level, reverse, err := patchOptions(a.Options, a.Strip)
	if err != nil {
		return plan, err
	}
	p := &patching{host: h, name: a.Name, text: text, options: options, level: level, reverse: reverse}
	defer p.end()
	if err := p.begin(); err != nil {
		return plan, err
	}
	done, misfit, err := p.apply(ctx)
	switch {
	case err != nil:
		return plan, err
	case misfit != "" && a.Reject == "":
		return plan, a.misfits(misfit + "\n(reject_file keeps what does not fit)")
	case misfit != "":
		return a.rejecting(h, plan, p.rejects, a.misfits(misfit)), nil
	}
	if p.fuzzy && len(done) > 0 {
		plan.Warnings = append(plan.Warnings,
			"the patch fits only where lines around it are other than it says: look whether it is at its place (options: -F0 refuses that)")
	}
	plan.Steps = p.steps(done)
	return plan, nil
}

func (a *patchArgs) misfits(text string) error {
	return fmt.Errorf("cannot patch %s: the patch would not apply cleanly, no changes made:\n%s", a.Name, text)
}

// rejecting writes what does not fit, and fails.
func (a *patchArgs) rejecting(h *host.Host, plan module.Plan, rejects []byte, failed error) module.Plan {
	plan.Foretell = func(context.Context) (module.Done, error) { return module.Done{}, failed }
	plan.Steps = []module.Step{{Do: func(ctx context.Context) (module.Done, error) {
		if err := Put(ctx, h, a.Reject, rejects, newMode); err != nil {
			return module.Done{}, errors.Join(failed, err)
		}
		return module.Done{Changes: value.NewDict("rejects", a.Reject)}, failed
	}}}
	return plan
}

// rejectable refuses a reject_file that could not be written.
func (a *patchArgs) rejectable(h *host.Host) error {
	if a.Reject == "" {
		return nil
	}
	s, err := find(h, a.Reject, true)
	if err != nil {
		return unsure("cannot write", a.Reject, err)
	}
	defer s.leave()
	if len(s.missing) > 0 {
		return module.Unknown("cannot write %s: its directory is not there", a.Reject)
	}
	i, err := s.look()
	if err == nil && i != nil && !i.isFile() {
		err = fmt.Errorf("cannot write %s: it is a %s", a.Reject, i.kind())
	}
	return err
}

// text is the patch.
func (a *patchArgs) text(ctx context.Context, h *host.Host) ([]byte, error) {
	w, err := a.fetched(ctx, h, a.Name)
	if err != nil {
		return nil, err
	}
	if w, err = a.render(ctx, h, w, a.Saltenv, textVariables(a.Source.urls[0])); err != nil {
		return nil, err
	}
	data, whole, err := w.read(ctx, templateMax)
	if err == nil && !whole {
		err = fmt.Errorf("cannot use the patch %s: it has more than %d bytes", w.from, templateMax)
	}
	return data, err
}

var patchFuncs = []module.Func{{
	Name: "patch",
	Doc: `
		Patch a file, or the files of a directory, and return how patch(1) ended. A patch that does not fit as a whole changes
		nothing.`,
	Example: "/opt/app/app.conf /tmp/app.patch", Do: module.Call(patchFunc),
}}

type patchFuncArgs struct {
	Original string     `arg:"originalfile,required" doc:"the absolute path of the file or directory"`
	Patch    string     `arg:"patchfile,required" doc:"the patch: a path of this host, or another source as in file.managed"`
	Options  shellWords `arg:"options" doc:"options of patch(1), such as -p1"`
	DryRun   bool       `arg:"dry_run" doc:"change nothing"`
}

func patchFunc(ctx context.Context, h *host.Host, a patchFuncArgs) (*value.Dict, error) {
	name, err := absPath(ctx, h, a.Original)
	if err != nil {
		return nil, err
	}
	if !knownSource(a.Patch) {
		return nil, fmt.Errorf("cannot use the patch %q: it is no absolute path and no salt://PATH", a.Patch)
	}
	from := patchArgs{Name: name, sourceArgs: sourceArgs{Source: sources{urls: []string{a.Patch}}}}
	text, err := from.text(ctx, h)
	if err != nil {
		return nil, err
	}
	options, level, reverse, err := patchOptions(a.Options, nil)
	if err != nil {
		return nil, err
	}
	p := &patching{host: h, name: name, text: text, options: options, level: level, reverse: reverse}
	defer p.end()
	if err := p.begin(); err != nil {
		return nil, err
	}
	out, err := p.run(ctx, p.forward()...)
	if err != nil {
		return nil, err
	}
	if out.Code == 0 && !a.DryRun {
		done, err := p.changes()
		if err != nil {
			return nil, err
		}
		for _, step := range p.steps(done) {
			if _, err := step.Do(ctx); err != nil {
				return nil, err
			}
		}
	}
	return value.NewDict("pid", int64(out.PID), "retcode", int64(out.Code), "stdout", p.shown(out.Stdout), "stderr", ""), nil
}
