package file

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

var findFuncs = []module.Func{
	{Name: "find",
		Doc: `
			Return the paths below a path that match all options given, and the path itself when it matches. The path may be a glob.

			size is [+-]NUMBER[b|k|m|g|t]: at least with +, at most with -. mtime is [+-]1w2d3h4m5s: changed since then
			with -, not since then otherwise. type is letters of b, c, d, f, l, p and s.`,
		Example: `/var/log name='*.gz' mtime=+30d size=+10m print=path,size`, Do: module.Call(findFunc)},
}

type findArgs struct {
	Path     string     `arg:"path,required" doc:"where to look; may be a glob"`
	Actions  []string   `arg:"actions,rest" doc:"print, or delete for files"`
	Glob     patternArg `arg:"name" doc:"glob of the last part"`
	IGlob    patternArg `arg:"iname" doc:"the same in any case"`
	Regex    expression `arg:"regex" doc:"regular expression that fits the last part from its start"`
	IRegex   expression `arg:"iregex" doc:"the same in any case"`
	Type     fileTypes  `arg:"type" doc:"kinds, such as f or dl"`
	Owner    string     `arg:"owner,alias=user" doc:"owners by name or number, with commas between"`
	Group    string     `arg:"group" doc:"groups by name or number, with commas between"`
	Mode     findMode   `arg:"mode" doc:"permissions, such as 0644; all of these bits with - before, any with /"`
	Size     sizeRange  `arg:"size" doc:"size, such as +10m"`
	Mtime    age        `arg:"mtime" doc:"age of the last change, such as 7d or -1h"`
	Grep     expression `arg:"grep" doc:"regular expression that matches in the file"`
	MinDepth *int       `arg:"mindepth" doc:"how many levels below the path to begin"`
	MaxDepth *int       `arg:"maxdepth" doc:"how many levels below the path to end; 0 is the path alone"`
	Print    *string    `arg:"print" doc:"what to return: group, md5, mode, mtime, name, path, size, type, user, with commas between"`
	Delete   fileTypes  `arg:"delete" doc:"remove what matches and is of these kinds; a directory goes with all in it"`
	Exec     string     `arg:"exec" doc:"run this command for each, with the path in the place of {}; without a shell"`
}

// A finder looks through one path.
type finder struct {
	findArgs
	ctx    context.Context
	host   *host.Host
	tests  []func(*hit) (bool, error)
	act    []func(*hit) (any, error)
	goes   fileTypes
	result []any
}

// A hit is what may match.
type hit struct {
	*entry
	full string
	led  *info // what a link leads to, else the entry itself
}

func findFunc(ctx context.Context, h *host.Host, a findArgs) (*value.List, error) {
	f := &finder{findArgs: a, ctx: ctx, host: h}
	if err := errors.Join(f.setTests(), f.setActions()); err != nil {
		return nil, err
	}
	roots, err := glob(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		if err := f.through(root); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(f.result, func(a, b any) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return value.NewList(f.result...), nil
}

func sortKey(v any) string {
	if list, ok := v.(*value.List); ok && len(list.Items) > 0 {
		v = list.Items[0]
	}
	return fmt.Sprint(v)
}

// through visits a path and all below it.
func (f *finder) through(root string) error {
	s, i, err := there(f.ctx, f.host, root, false)
	if err != nil {
		return err
	}
	defer s.leave()
	if f.MinDepth == nil || *f.MinDepth < 1 {
		own := &entry{dir: s.fd, name: s.base, info: i}
		if err := f.visit(&hit{entry: own, full: root}); err != nil {
			return err
		}
	}
	if f.MaxDepth != nil && *f.MaxDepth < 1 {
		return nil
	}
	if i.isLink() {
		return f.throughLink(root)
	}
	return f.below(s, root, i)
}

// throughLink goes through the directory that a link at the start leads to.
func (f *finder) throughLink(root string) error {
	s, i, err := at(f.ctx, f.host, root, true)
	if isNothing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.leave()
	if i == nil {
		return nil
	}
	return f.below(s, root, i)
}

func (f *finder) below(s *spot, root string, i *info) error {
	if !i.isDir() {
		return nil
	}
	dir, err := s.openDir()
	if errors.Is(err, unix.ENOENT) {
		return nil // deleted
	}
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return walk(f.ctx, dir, root, func(e *entry) error {
		depth := e.depth()
		if f.MinDepth == nil || depth >= *f.MinDepth {
			if err := f.visit(&hit{entry: e, full: path.Join(root, e.rel)}); err != nil {
				return err
			}
		}
		if f.MaxDepth != nil && depth >= *f.MaxDepth {
			return errSkip
		}
		return nil
	})
}

func (f *finder) visit(e *hit) error {
	e.led = e.info
	if e.isLink() {
		if s, i, err := at(f.ctx, f.host, e.full, true); err == nil {
			s.leave()
			if i != nil {
				e.led = i
			}
		}
	}
	for _, test := range f.tests {
		if ok, err := test(e); !ok || err != nil {
			return err
		}
	}
	for _, act := range f.act {
		v, err := act(e)
		if err != nil {
			return err
		}
		if v != nil {
			f.result = append(f.result, v)
		}
	}
	return nil
}

// setActions finds out what is done with what matches.
func (f *finder) setActions() error {
	f.goes = f.Delete
	var errs []error
	for _, action := range f.Actions {
		switch action {
		case "delete":
			f.goes = fileTypes{unix.S_IFREG: true}
		case "print":
		default:
			errs = append(errs, fmt.Errorf("cannot find: unknown action %q: want print or delete", action))
		}
	}
	if len(f.goes) > 0 {
		f.act = append(f.act, f.remove)
	}
	if f.Exec != "" {
		f.act = append(f.act, f.run)
	}
	if f.Print != nil || len(f.act) == 0 {
		text := "path"
		if f.Print != nil && *f.Print != "" {
			text = *f.Print
		}
		names := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		for _, name := range names {
			if printers[name] == nil {
				errs = append(errs, fmt.Errorf("cannot print %q: want some of group, md5, mode, mtime, name, path, size, type, user", name))
			}
		}
		f.act = append([]func(*hit) (any, error){f.print(names)}, f.act...)
	}
	return errors.Join(errs...)
}

func (f *finder) remove(e *hit) (any, error) {
	if !f.goes[e.kindBits()] || e.full == "/" {
		return nil, nil
	}
	if err := removeAt(f.ctx, e.dir, e.name, e.full); err != nil {
		return nil, err
	}
	return e.full, f.host.Touched(e.dir, f.host.Path(path.Dir(e.full)))
}

func (f *finder) run(e *hit) (any, error) {
	if f.host.Exec == nil {
		return nil, errors.New("cannot run a command: this host runs no commands")
	}
	argv, err := words(f.Exec)
	if err != nil {
		return nil, err
	}
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "{}", f.host.Path(e.full))
	}
	out, err := f.host.Exec(f.ctx, host.Command{Argv: argv, Limit: 1 << 20})
	if err != nil {
		return nil, err
	}
	return fmt.Sprintf("%s:\n%s\n", strings.Join(argv, " "), strings.ToValidUTF8(string(out.Stdout), "\ufffd")), nil
}

// printers are what print knows.
var printers = map[string]func(*finder, *hit) (any, error){
	"path":  func(_ *finder, e *hit) (any, error) { return e.full, nil },
	"name":  func(_ *finder, e *hit) (any, error) { return path.Base(e.full), nil },
	"size":  func(_ *finder, e *hit) (any, error) { return e.led.Size, nil },
	"mode":  func(_ *finder, e *hit) (any, error) { return int64(e.led.Mode), nil },
	"mtime": func(_ *finder, e *hit) (any, error) { return e.led.Mtim.Sec, nil },
	"type":  func(_ *finder, e *hit) (any, error) { return letterOf(e.info), nil },
	"user": func(f *finder, e *hit) (any, error) {
		if name := userName(f.host, e.led.Uid); name != "" {
			return name, nil
		}
		return int64(e.led.Uid), nil
	},
	"group": func(f *finder, e *hit) (any, error) {
		if name := groupName(f.host, e.led.Gid); name != "" {
			return name, nil
		}
		return int64(e.led.Gid), nil
	},
	"md5": func(f *finder, e *hit) (any, error) {
		if !e.led.isFile() {
			return "", nil
		}
		return getHash(f.ctx, f.host, getHashArgs{onePath: onePath{e.full}, Form: "md5"})
	},
}

func (f *finder) print(names []string) func(*hit) (any, error) {
	return func(e *hit) (any, error) {
		var all []any
		for _, name := range names {
			v, err := printers[name](f, e)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		if len(all) == 1 {
			return all[0], nil
		}
		return value.NewList(all...), nil
	}
}

// words splits a command line; quotes of both kinds hold blanks together.
func words(line string) ([]string, error) {
	var all []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if open {
				all = append(all, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		all = append(all, word.String())
	}
	if quote != 0 || len(all) == 0 {
		return nil, fmt.Errorf("cannot read the command %q: a quote is not closed, or it is empty", line)
	}
	return all, nil
}
