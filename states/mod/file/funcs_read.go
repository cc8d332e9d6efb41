package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
)

var readFuncs = []module.Func{
	{Name: "contains", Doc: "Tell whether a file holds a text.", Example: "/etc/passwd root", Do: module.Call(contains)},
	{Name: "contains_glob", Doc: "Tell whether the text of a file matches a glob, in which * also stands for newlines.",
		Example: "/etc/passwd '*root*'", Do: module.Call(containsGlob)},
	{Name: "contains_regex", Doc: "Tell whether a line of a file matches a regular expression.",
		Example: "/etc/passwd '^root:'", Do: module.Call(containsRegex)},
	{Name: "get_diff", Doc: "Return the difference of two files, each of this host or of the masters; empty when they are the same.",
		Example: "/etc/motd salt://motd", Do: module.Call(getDiff)},
	{Name: "grep", Doc: "Search a file with grep(1), and return how that ended.", Example: "/etc/passwd root -- -i", Do: module.Call(grep)},
	{Name: "read", Doc: "Return the content of a file.", Example: "/etc/motd", Do: module.Call(readFile)},
	{Name: "search", Doc: "Tell whether a regular expression matches in a file.", Example: "/etc/passwd '^root:'",
		Do: module.Call(search)},
	{Name: "seek_read", Doc: "Return a part of a file.", Example: "/etc/passwd 10 0", Do: module.Call(seekRead)},
}

// contentOf is the whole content of a file, of bounded size.
func contentOf(ctx context.Context, h *host.Host, name string) ([]byte, error) {
	s, i, err := there(ctx, h, name, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if i.isFile() && i.Size > editMax {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", name, editMax)
	}
	return s.read()
}

type readArgs struct {
	onePath
	Binary bool `arg:"binary" doc:"return bytes that are no text as they are"`
}

func readFile(ctx context.Context, h *host.Host, a readArgs) (any, error) {
	data, err := contentOf(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	if a.Binary {
		return data, nil
	}
	if !isText(data) && bytes.IndexByte(data, 0) < 0 {
		return nil, fmt.Errorf("cannot read %s: it is no text (binary=True returns its bytes)", a.Path)
	}
	return string(data), nil
}

type containsArgs struct {
	onePath
	Text string `arg:"text,required" doc:"the text"`
}

func contains(ctx context.Context, h *host.Host, a containsArgs) (bool, error) {
	s, i, err := at(ctx, h, a.Path, true)
	if isNothing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.leave()
	if i == nil {
		return false, nil
	}
	data, err := contentOf(ctx, h, a.Path)
	return bytes.Contains(data, []byte(strings.TrimSpace(a.Text))), err
}

type globArgs struct {
	onePath
	Glob string `arg:"glob_expr,required" doc:"the glob"`
}

func containsGlob(ctx context.Context, h *host.Host, a globArgs) (bool, error) {
	re, err := regex.Compile(globRegex(a.Glob), 0)
	if err != nil {
		return false, err
	}
	data, err := contentOf(ctx, h, a.Path)
	if err != nil {
		return false, err
	}
	return re.Match(data)
}

type containsRegexArgs struct {
	onePath
	Regex expression `arg:"regex,required" doc:"regular expression, for each line by itself"`
	Strip string     `arg:"lchar" doc:"characters that are taken off the start of lines first"`
}

func containsRegex(ctx context.Context, h *host.Host, a containsRegexArgs) (bool, error) {
	re, err := regex.Compile(string(a.Regex), 0)
	if err != nil {
		return false, err
	}
	data, err := contentOf(ctx, h, a.Path)
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(data) {
		if a.Strip != "" {
			line = bytes.TrimLeft(line, a.Strip)
		}
		if ok, err := re.Match(line); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type searchArgs struct {
	onePath
	Pattern   expression `arg:"pattern,required" doc:"regular expression as Python's, in the whole file at once"`
	Flags     regexFlags `arg:"flags" default:"8" doc:"a number or names: IGNORECASE, MULTILINE, DOTALL, VERBOSE"`
	Bufsize   string     `arg:"bufsize" default:"1" doc:"accepted for Salt: the file is always read whole"`
	Ignore    bool       `arg:"ignore_if_missing" doc:"false instead of an error when the file is not there"`
	Multiline bool       `arg:"multiline" doc:"accepted for Salt: the file is always searched whole"`
}

func search(ctx context.Context, h *host.Host, a searchArgs) (bool, error) {
	re, err := regex.Compile(string(a.Pattern), regex.Flags(a.Flags))
	if err != nil {
		return false, err
	}
	s, i, err := at(ctx, h, a.Path, true)
	if err == nil {
		s.leave()
	}
	if a.Ignore && (isNothing(err) || err == nil && i == nil) {
		return false, nil
	}
	data, err := contentOf(ctx, h, a.Path)
	if err != nil {
		return false, err
	}
	return re.Match(data)
}

type grepArgs struct {
	onePath
	Pattern string   `arg:"pattern,required" doc:"what to search, as grep reads it"`
	Options []string `arg:"opts,rest" doc:"options of grep after --, such as -i"`
}

// grep runs grep(1) without a shell.
func grep(ctx context.Context, h *host.Host, a grepArgs) (*value.Dict, error) {
	paths, err := glob(ctx, h, a.Path)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, notFound(a.Path)
	}
	argv := []string{"grep"}
	for _, option := range a.Options {
		for word := range strings.FieldsSeq(option) {
			if word != "--" {
				argv = append(argv, word)
			}
		}
	}
	argv = append(argv, "-e", a.Pattern, "--")
	for _, name := range paths {
		argv = append(argv, h.Path(name))
	}
	if h.Exec == nil {
		return nil, errors.New("cannot run grep: this host runs no commands")
	}
	out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C.UTF-8"}})
	if err != nil {
		return nil, err
	}
	text := func(b []byte) string { return strings.TrimRight(strings.ToValidUTF8(string(b), "\ufffd"), "\n") }
	return value.NewDict("pid", int64(out.PID), "retcode", int64(out.Code), "stdout", text(out.Stdout), "stderr", text(out.Stderr)), nil
}

type seekReadArgs struct {
	onePath
	Size   int64 `arg:"size,required" doc:"how many bytes at most"`
	Offset int64 `arg:"offset,required" doc:"where to begin"`
}

func seekRead(ctx context.Context, h *host.Host, a seekReadArgs) (any, error) {
	if a.Size < 0 || a.Size > editMax || a.Offset < 0 {
		return nil, fmt.Errorf("cannot read %d bytes at %d of %s: out of range", a.Size, a.Offset, a.Path)
	}
	s, _, err := there(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	f, err := s.openRead()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, a.Offset, a.Size))
	if err != nil || !isText(data) {
		return data, err
	}
	return string(data), nil
}

type diffArgs struct {
	File1   string `arg:"file1,required" doc:"a path of this host, salt://PATH, or https://HOST/PATH with a hash"`
	File2   string `arg:"file2,required" doc:"the same"`
	Saltenv string `arg:"saltenv" doc:"environment of salt:// paths; the job's when absent"`
	Names   bool   `arg:"show_filenames" default:"true" doc:"name the files in the difference"`
	Show    bool   `arg:"show_changes" default:"true" doc:"false: only tell whether they differ"`
	Engine  bool   `arg:"template" doc:"accepted for Salt: the files are compared as they are"`
	Hash1   string `arg:"source_hash_file1" doc:"hash of the first, needed when it comes by http(s)"`
	Hash2   string `arg:"source_hash_file2" doc:"the same of the second"`
}

func getDiff(ctx context.Context, h *host.Host, a diffArgs) (string, error) {
	var both [2][]byte
	hashes := []string{a.Hash1, a.Hash2}
	for i, name := range []string{a.File1, a.File2} {
		if !knownSource(name) {
			return "", fmt.Errorf("cannot compare %q: it is no absolute path and no salt://PATH", name)
		}
		sum, ok := parseSum(hashes[i])
		if hashes[i] != "" && !ok {
			return "", fmt.Errorf("cannot compare %s: want a hash such as sha256=DIGITS, got %q", name, hashes[i])
		}
		w, err := openSource(ctx, h, name, a.Saltenv, sum, false)
		if err == nil {
			err = w.expect(ctx, sum)
		}
		if err != nil {
			return "", err
		}
		data, whole, err := w.read(ctx, editMax)
		if err == nil && !whole {
			err = fmt.Errorf("cannot compare %s: it has more than %d bytes", name, editMax)
		}
		if err != nil {
			return "", err
		}
		both[i] = data
	}
	switch {
	case bytes.Equal(both[0], both[1]):
		return "", nil
	case !a.Show:
		return "<show_changes=False>", nil
	}
	text := diff(both[0], both[1])
	if a.Names {
		text = strings.Replace(text, "--- \n+++ \n", "--- "+a.File1+"\n+++ "+a.File2+"\n", 1)
	}
	return text, nil
}
