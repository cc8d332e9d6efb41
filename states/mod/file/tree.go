package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type recurseArgs struct {
	Name   string      `arg:"name,required" doc:"the absolute path of the directory"`
	Source treeSources `arg:"source,required" doc:"salt://DIRECTORY; of a list the first that is there"`
	ownerArgs
	DirMode  mode `arg:"dir_mode" doc:"permissions of the directories; new ones have 0755 when absent"`
	FileMode mode `arg:"file_mode" doc:"permissions of the files; keep: those of the source; new ones have 0644 when absent"`
	SymMode  mode `arg:"sym_mode" doc:"accepted for Salt: Linux has no permissions of links"`
	templateArgs
	Replace   bool     `arg:"replace" default:"true" doc:"false: leave the content of files that are there"`
	Clean     bool     `arg:"clean" doc:"remove what the source has not and no other state of the run manages"`
	Include   patterns `arg:"include_pat" doc:"take only these files: globs of paths below the source, or E@REGEX"`
	Exclude   patterns `arg:"exclude_pat" doc:"leave out these files, and let clean leave them alone"`
	MaxDepth  *int     `arg:"maxdepth,alias=max_depth" doc:"how many levels deep files are taken; 0 is the directory alone"`
	Empty     bool     `arg:"include_empty" doc:"also directories without files; of a tree in git there are none"`
	KeepLinks bool     `arg:"keep_symlinks" doc:"make the links of the source, not files and directories of what they lead to; of a tree in git there are none"`
	Force     bool     `arg:"force_symlinks" doc:"with keep_symlinks: remove what stands in the place of a link"`
	Backup    backup   `arg:"backup" doc:"keep old files in /var/cache/brine/minion/file_backup"`
	Show      *bool    `arg:"show_changes,alias=show_diff" doc:"as in file.managed"`
	Follow    bool     `arg:"follow_symlinks" default:"true" doc:"as in file.managed"`
	Saltenv   string   `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
	Keep      bool     `arg:"keep_source" default:"true" doc:"accepted for Salt: nothing of a source is kept but what is cached by its hash"`
}

// treeSources are directories that masters serve.
type treeSources []string

func (s *treeSources) ArgType() string { return "text or list of text" }

func (s *treeSources) ParseArg(v module.Value) error {
	var errs []error
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil || !strings.HasPrefix(text, "salt://") {
			errs = append(errs, item.Want("salt://DIRECTORY"))
		}
		*s = append(*s, text)
	}
	return errors.Join(errs...)
}

func (a *recurseArgs) manages() []string { return []string{a.Name} }
func (a *recurseArgs) wholeTree() bool   { return true }

// A tree is a file.recurse that plans.
type tree struct {
	recurseArgs
	host   *host.Host
	source string   // the directory, without the environment
	files  []string // below it
	empty  []string // directories that are wanted though no file is in them
	links  []string // below it
	leads  map[string]string
	steps  []module.Step
}

func planRecurse(ctx context.Context, h *host.Host, a recurseArgs) (module.Plan, error) {
	t := &tree{recurseArgs: a, host: h}
	plan := module.Plan{
		Same:  fmt.Sprintf("The directory %s is in the correct state", a.Name),
		Would: fmt.Sprintf("The directory %s is set to be changed", a.Name),
		Did:   fmt.Sprintf("Recursively updated %s", a.Name),
	}
	if err := absolute("manage the directory", a.Name); err != nil {
		return plan, err
	}
	if a.DirMode.keep {
		return plan, errors.New(`argument "dir_mode": keep is for files: masters do not tell the modes of directories`)
	}
	if err := t.list(ctx); err != nil {
		return plan, err
	}
	for _, do := range []func(context.Context) error{t.planDirs, t.planFiles, t.planClean, t.planLinks} {
		if err := do(ctx); err != nil {
			return plan, err
		}
	}
	plan.Steps = t.steps
	return plan, nil
}

// list finds the source and the files that are wanted of it.
func (t *tree) list(ctx context.Context) error {
	if t.host.Files == nil {
		return fmt.Errorf("cannot fetch %q: this host has no masters to fetch from", t.Source[0])
	}
	for _, source := range t.Source {
		dir, query, _ := strings.Cut(source, "?")
		dir = strings.TrimRight(strings.TrimPrefix(dir, "salt://"), "/")
		if env, ok := strings.CutPrefix(query, "saltenv="); ok {
			t.Saltenv = env
		}
		all, err := t.host.Files.List(ctx, t.url(dir))
		if err != nil {
			return fmt.Errorf("cannot list the source %s: %w", source, err)
		}
		if err := t.shape(ctx, t.url(dir)); err != nil {
			return fmt.Errorf("cannot list the source %s: %w", source, err)
		}
		if len(all)+len(t.empty)+len(t.links) == 0 {
			continue
		}
		t.source = dir
		t.choose(all)
		return nil
	}
	return module.Certain("cannot find a directory with files at %s", strings.Join(t.Source, ", "))
}

// url is what masters serve a path as.
func (t *tree) url(rel string) string {
	if t.Saltenv != "" {
		return "salt://" + rel + "?saltenv=" + t.Saltenv
	}
	return "salt://" + rel
}

func (t *tree) wantsFile(rel string) bool {
	if t.MaxDepth != nil && strings.Count(rel, "/") > *t.MaxDepth {
		return false
	}
	return (len(t.Include.all) == 0 || t.Include.match(rel)) && !t.Exclude.match(rel)
}

// planDirs makes the directory and those below it that something lies in, or that are wanted without anything.
func (t *tree) planDirs(ctx context.Context) error {
	seen := map[string]bool{}
	for _, rel := range t.empty {
		seen[rel] = true
	}
	for _, rel := range slices.Concat(t.files, t.links, t.empty) {
		for dir := path.Dir(rel); !seen[dir] && dir != "."; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	seen["."] = true
	var dirs []string
	for dir := range seen {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		name := path.Join(t.Name, dir)
		plan, err := planDirectory(ctx, t.host, directoryArgs{
			Name: name, ownerArgs: t.ownerArgs, Mode: t.DirMode, Makedirs: true, Links: true,
		})
		if err != nil {
			return err
		}
		t.add(name, plan.Steps)
	}
	return nil
}

// mostAtOnce bounds the files that are looked at, or fetched, beside one another.
const mostAtOnce = 4

// planFiles plans the files, several at a time. Templates are evaluated one after the other, as what they call may
// depend on the order.
func (t *tree) planFiles(ctx context.Context) error {
	workers := min(mostAtOnce, runtime.GOMAXPROCS(0))
	if t.Template != "" {
		workers = 1
	}
	plans := make([]module.Plan, len(t.files))
	err := atOnce(workers, len(t.files), func(i int) (err error) {
		plans[i], err = t.planFile(ctx, t.files[i])
		return err
	})
	if err != nil {
		return err
	}
	var fetch []string
	for i, rel := range t.files {
		if slices.ContainsFunc(plans[i].Steps, writesContent) {
			fetch = append(fetch, t.url(path.Join(t.source, rel)))
		}
	}
	t.fetch(fetch)
	for i, rel := range t.files {
		t.add(path.Join(t.Name, rel), plans[i].Steps)
	}
	return nil
}

func writesContent(s module.Step) bool { _, ok := s.Changes.Get("diff"); return ok }

// fetch adds the step that fetches contents, several at a time, before the first of them is written.
func (t *tree) fetch(urls []string) {
	if len(urls) < 2 {
		return
	}
	t.steps = append(t.steps, module.Step{Do: func(ctx context.Context) (module.Done, error) {
		left := urls
		if g, ok := t.host.Files.(gatherer); ok {
			left = g.Gather(ctx, urls)
		}
		return module.Done{}, atOnce(mostAtOnce, len(left), func(i int) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			_, err := t.host.Files.Fetch(ctx, left[i])
			return err
		})
	}})
}

// A gatherer can bring many files of the masters to this machine at once. It returns those that are left to be fetched.
type gatherer interface {
	Gather(ctx context.Context, urls []string) (left []string)
}

// atOnce calls do for each of n numbers, in their order and several at a time. After an error no more are begun; of
// several errors it returns the one of the first number.
func atOnce(workers, n int, do func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := int(next.Add(1) - 1); i < n && !failed.Load(); i = int(next.Add(1) - 1) {
				if errs[i] = caught(func() error { return do(i) }); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) planFile(ctx context.Context, rel string) (module.Plan, error) {
	return planManaged(ctx, t.host, managedArgs{
		Name: path.Join(t.Name, rel), sourceArgs: sourceArgs{Source: sources{urls: []string{t.url(path.Join(t.source, rel))}}},
		templateArgs: t.templateArgs, ownerArgs: t.ownerArgs, Mode: t.FileMode, Makedirs: true, DirMode: t.DirMode,
		Replace: t.Replace, Create: true, Follow: t.Follow, Backup: t.Backup, Show: t.Show,
	})
}

// caught makes an error of a panic, which would end the minion in a goroutine of its own.
func caught(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v, at %.2000s (please report this)", p, debug.Stack())
		}
	}()
	return do()
}

// add takes the steps of one file or directory, shown under its name.
func (t *tree) add(name string, steps []module.Step) {
	for _, step := range steps {
		t.steps = append(t.steps, module.Step{Changes: value.NewDict(name, step.Changes), Do: step.Do})
	}
}

func (t *tree) planClean(ctx context.Context) error {
	if !t.Clean {
		return nil
	}
	s, old, err := findDir(t.host, t.Name, true)
	if err != nil {
		return err
	}
	defer s.leave()
	if old == nil || !old.isDir() {
		return nil
	}
	steps, err := cleaning(ctx, s, old, t.Name, t.Exclude, slices.Concat(t.files, t.links, t.empty))
	t.steps = append(t.steps, steps...)
	return err
}
