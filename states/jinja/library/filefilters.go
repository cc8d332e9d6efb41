package library

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"brine/states/jinja/python"
	"brine/states/value"
)

// file is the name of a file for io/fs. It fails where templates may not look at files.
func file(h Host, v any) (fs.FS, string, error) {
	name, err := text(v)
	if err != nil {
		return nil, "", err
	}
	if h.Root() == nil {
		return nil, "", python.Errorf("RuntimeError", "cannot look at %s: templates may not read files here", name)
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		name = "."
	}
	return h.Root(), name, nil
}

func osError(err error, name string) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return python.Errorf("OSError", "cannot read /%s: %v", name, err)
}

func filterFileHash(h Host, c *python.Call) (any, error) {
	root, name, err := file(h, c.Args[0])
	if err != nil {
		return nil, err
	}
	form, err := text(c.Args[1])
	if err != nil {
		return nil, err
	}
	newHash := hashes[form]
	if newHash == nil {
		return nil, python.Errorf("ValueError", "Invalid hash type: %s", form)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, osError(err, name)
	}
	defer f.Close()
	sum := newHash()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, osError(err, name)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// head is the beginning of a file; not ok when it can't be read.
func head(h Host, c *python.Call) ([]byte, bool, error) {
	root, name, err := file(h, c.Args[0])
	if err != nil {
		return nil, false, err
	}
	size, err := intArg(c.Args[1])
	if err != nil {
		return nil, false, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, false, nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(min(max(size, 0), 1<<20))))
	return b, err == nil, nil
}

// binary reports whether bytes are more than text: a zero, or more than three in ten that no text has.
func binary(b []byte) bool {
	odd := 0
	for _, c := range b {
		if c == 0 {
			return true
		}
		if (c < 32 || c > 126) && strings.IndexByte("\n\r\t\b\f", c) < 0 {
			odd++
		}
	}
	return len(b) > 0 && float64(odd)/float64(len(b)) > 0.30
}

func filterIsTextFile(h Host, c *python.Call) (any, error) {
	b, ok, err := head(h, c)
	return ok && !binary(b), err
}

func filterIsBinary(h Host, c *python.Call) (any, error) {
	b, ok, err := head(h, c)
	return ok && binary(b), err
}

func filterIsEmpty(h Host, c *python.Call) (any, error) {
	root, name, err := file(h, c.Args[0])
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(root, name)
	return err == nil && info.Size() == 0, nil
}

func filterListFiles(h Host, c *python.Call) (any, error) {
	root, name, err := file(h, c.Args[0])
	if err != nil {
		return nil, err
	}
	given, _ := text(c.Args[0])
	out := value.NewList()
	err = fs.WalkDir(root, name, func(p string, _ fs.DirEntry, err error) error {
		if err := h.Context().Err(); err != nil {
			return err
		}
		if err == nil {
			out.Items = append(out.Items, path.Join(given, strings.TrimPrefix(strings.TrimPrefix(p, name), "/")))
		}
		return nil
	})
	return out, err
}

func filterPathJoin(_ Host, c *python.Call) (any, error) {
	parts := make([]string, 0, len(c.Rest)+1)
	for i, v := range append([]any{c.Args[0]}, c.Rest...) {
		s, err := text(v)
		if err != nil {
			return nil, err
		}
		s = path.Clean(s)
		if i > 0 {
			s = strings.TrimLeft(s, "/")
		}
		parts = append(parts, s)
	}
	return path.Join(parts...), nil
}

// commandDirs is where commands are looked for.
var commandDirs = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"}

func filterWhich(h Host, c *python.Call) (any, error) {
	root, name, err := file(h, c.Args[0])
	if err != nil {
		return nil, err
	}
	given, _ := text(c.Args[0])
	var candidates []string
	if strings.Contains(given, "/") {
		candidates = []string{name}
	} else {
		for _, dir := range commandDirs {
			candidates = append(candidates, path.Join(dir, name))
		}
	}
	for _, p := range candidates {
		if info, err := fs.Stat(root, p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return "/" + p, nil
		}
	}
	return nil, nil
}
