package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

const tree = "/proc/sys"

// procFile is where the kernel has a parameter.
func procFile(name string) (string, error) {
	path := strings.NewReplacer(".", "/", "/", ".").Replace(spelled(name))
	if name == "" || strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") || strings.ContainsAny(name, " \t\n=") {
		return "", fmt.Errorf("%q can't be the name of a parameter", name)
	}
	return tree + "/" + path, nil
}

// read returns a parameter's value as the kernel has it.
func read(h *host.Host, name string) (string, error) {
	path, err := procFile(name)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read %s: the kernel has no such parameter", name)
	}
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", name, unwrapped(err))
	}
	return strings.TrimRight(string(data), "\n"), nil
}

// unwrapped is an error without the path that no one wrote.
func unwrapped(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// write sets a parameter, and makes sure that the kernel took it.
func write(h *host.Host, name, val string) error {
	path, err := procFile(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(h.Path(path), os.O_WRONLY|os.O_TRUNC, 0)
	if err == nil {
		_, err = f.WriteString(val + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot set %s to %q: %w", name, val, unwrapped(err))
	}
	have, err := read(h, name)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it can only be written
	}
	if err == nil && !same(have, val) {
		err = fmt.Errorf("cannot set %s to %q: the kernel made %q of it", name, val, have)
	}
	return err
}

// same compares values by their words: the kernel puts tabs between them.
func same(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// all returns every parameter that can be read.
func all(h *host.Host) (*value.Dict, error) {
	d := &value.Dict{}
	root := h.Path(tree)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if path == root {
				return err
			}
			return nil // gone, or closed to us
		}
		if st, err := e.Info(); err != nil || st.Mode()&0o444 == 0 {
			return nil
		}
		name := strings.NewReplacer("/", ".", ".", "/").Replace(strings.TrimPrefix(path, root+"/"))
		if text, err := read(h, name); err == nil {
			d.Put(name, text)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list parameters: %w", err)
	}
	return d, nil
}
