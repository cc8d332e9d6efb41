// Package custom runs the modules that a state tree brings along: executables in any language, which describe
// themselves in JSON and are called with JSON. What is run is never the tree's own file but a copy of it, named by its
// hash and verified each time, in a directory that nobody else may write to.
package custom

import (
	"bytes"
	"context"
	"fmt"
	neturl "net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"brine/states/host"
)

// A Kind is what an executable is for. Its files lie in the directory _KIND of a tree.
type Kind string

// The kinds of executables.
const (
	Modules Kind = "modules" // execution functions
	States  Kind = "states"
	Grains  Kind = "grains"
)

// Kinds are all kinds, in order of name.
func Kinds() []Kind { return []Kind{Grains, Modules, States} }

// Dir is the directory of a tree in which files of the kind lie.
func (k Kind) Dir() string { return "_" + string(k) }

// A File is one of a tree that has the place of an executable.
type File struct {
	Kind Kind
	Name string // what it is called by: the file's name without its extension
	Path string // in the tree
	Env  string // the tree's environment; "" is the job's

	err error // why it can't be one, whatever is in it
}

// URL is where masters serve it, for messages.
func (f File) URL() string { return "salt://" + f.Path }

// source is where masters serve it.
func (f File) source() string { return within(f.URL(), f.Env) }

// within is the URL of a file of an environment; "" is the job's.
func within(url, env string) string {
	if env == "" {
		return url
	}
	return url + "?saltenv=" + neturl.QueryEscape(env)
}

// base is the file's own name.
func (f File) base() string { return path.Base(f.Path) }

// plain are the extensions of files that lie beside executables and are none.
var plain = []string{".md", ".rst", ".txt", ".pyc", ".pyo", ".json", ".yaml", ".yml", ".toml"}

var moduleName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`) })

// Find returns the files of a kind among those of its directory, in their order. Hidden files, those that begin with _, and
// texts such as README.md are none.
func Find(kind Kind, below []string) []File {
	var files []File
	for _, p := range below {
		f, ok := fileOf(kind, p)
		if !ok {
			continue
		}
		i := slices.IndexFunc(files, func(o File) bool { return o.Name == f.Name })
		if i < 0 {
			files = append(files, f)
			continue
		}
		files[i].err = fmt.Errorf("cannot use %s: %s has the same name: rename one", files[i].URL(), f.URL())
	}
	return files
}

func fileOf(kind Kind, below string) (File, bool) {
	f := File{Kind: kind, Path: path.Join(kind.Dir(), below)}
	if dir, base := path.Split(below); dir != "" {
		f.Name = strings.TrimSuffix(dir, "/")
		f.err = saltPython(f)
		return f, base == "__init__.py" && moduleName().MatchString(f.Name)
	}
	if below == "" || strings.ContainsRune("._#", rune(below[0])) || strings.HasSuffix(below, "~") {
		return f, false
	}
	f.Name, _, _ = strings.Cut(below, ".")
	if slices.Contains(plain, path.Ext(below)) {
		return f, false
	}
	if !moduleName().MatchString(f.Name) {
		f.err = fmt.Errorf("cannot use %s: the name of a module has letters, digits and _ only: rename it", f.URL())
	}
	return f, true
}

// list finds the files of a kind in a tree.
func list(ctx context.Context, files host.Files, kind Kind, env string) ([]File, error) {
	below, err := files.List(ctx, within("salt://"+kind.Dir(), env))
	if err != nil {
		return nil, fmt.Errorf("cannot look for %s: %w", kind.Dir(), err)
	}
	found := Find(kind, below)
	for i := range found {
		found[i].Env = env
	}
	return found, nil
}

// Guide is where it stands how an executable is written.
const Guide = `"Write a module in any language" in states/README.md`

// saltPython is the error of a module that only Salt can run.
func saltPython(f File) error {
	how := `let it answer "describe" and "call"`
	switch f.Kind {
	case States:
		how = `let it answer "describe", "plan" and "apply"`
	case Grains:
		how = "let it print its grains as JSON"
	}
	return &saltOnly{fmt.Sprintf("cannot use %s: it is Python for Salt, which brine does not run: give it a line #!/usr/bin/env python3 and %s (%s)",
		f.URL(), how, Guide)}
}

type saltOnly struct{ text string }

func (e *saltOnly) Error() string { return e.text }

// check says why content can't be run, without running it.
func (f File) check(content []byte, executable bool) error {
	shebang := bytes.HasPrefix(content, []byte("#!"))
	python := path.Ext(f.Path) == ".py"
	first, _, _ := bytes.Cut(content, []byte("\n"))
	switch {
	case f.err != nil:
		return f.err
	case python && (!shebang || f.Kind != Grains && !bytes.Contains(content, []byte("describe"))):
		return saltPython(f)
	case shebang && bytes.HasSuffix(first, []byte("\r")):
		return fmt.Errorf("cannot run %s: its lines end with CR LF: save it with the line ends of Unix", f.URL())
	case len(content) == 0:
		return fmt.Errorf("cannot run %s: it is empty", f.URL())
	case !shebang && !executable:
		return fmt.Errorf(`cannot run %s: it is not executable: chmod +x, or let it begin with a line such as #!/bin/sh`, f.URL())
	case !shebang && !bytes.HasPrefix(content, []byte("\x7fELF")):
		return fmt.Errorf(`cannot run %s: it is no program of Linux: let it begin with a line such as #!/bin/sh`, f.URL())
	}
	return nil
}

// interpreter is the program of a shebang line; "" without one.
func interpreter(content []byte) string {
	first, _, _ := bytes.Cut(content, []byte("\n"))
	line, ok := bytes.CutPrefix(first, []byte("#!"))
	words := strings.Fields(string(line))
	if !ok || len(words) == 0 {
		return ""
	}
	return words[0]
}
