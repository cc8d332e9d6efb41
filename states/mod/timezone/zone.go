package timezone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

const (
	localtime = "/etc/localtime"
	zones     = "/usr/share/zoneinfo/"
)

// load returns what is in the file of a zone.
func load(h *host.Host, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	data, err := file.Get(h, zones+name)
	switch {
	case err != nil:
		return nil, err
	case data == nil:
		return nil, fmt.Errorf("cannot find the time zone %q: there is no %s%s", name, zones, name)
	case !bytes.HasPrefix(data, []byte("TZif")):
		return nil, fmt.Errorf("%s%s is not the file of a time zone", zones, name)
	}
	return data, nil
}

// checkName refuses what no zone is called, and what would be an option or another path.
func checkName(name string) error {
	strange := func(r rune) bool {
		return !strings.ContainsRune("/_+-", r) && (r < '0' || r > '9') && (r|' ' < 'a' || r|' ' > 'z')
	}
	if name == "" || strings.ContainsRune("/_+-", rune(name[0])) || path.Clean(name) != name || strings.ContainsFunc(name, strange) {
		return fmt.Errorf("%q can't be the name of a time zone", name)
	}
	return nil
}

// zone returns the name of the host's zone. Without one it is UTC, as it is for whoever asks for the time.
func zone(h *host.Host) (string, error) {
	to, err := os.Readlink(h.Path(localtime))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "UTC", nil
	case err != nil: // no link
		return search(h)
	}
	if !path.IsAbs(to) {
		to = path.Join(path.Dir(localtime), to)
	}
	_, name, ok := strings.Cut(path.Clean(to), "/zoneinfo/")
	if !ok {
		return search(h)
	}
	return name, nil
}

var errFound = errors.New("found")

// search finds the zone whose file is the same as /etc/localtime: the one that /etc/timezone names, or any.
func search(h *host.Host) (string, error) {
	have, err := file.Get(h, localtime)
	if err != nil {
		return "", err
	}
	kept, _ := file.Get(h, "/etc/timezone") // without it all others are looked at
	if name := strings.TrimSpace(string(kept)); checkName(name) == nil {
		if data, err := load(h, name); err == nil && bytes.Equal(data, have) {
			return name, nil
		}
	}
	var name string
	root := h.Path(zones)
	err = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		if c := rel[0]; c >= 'a' && c <= 'z' { // posix/, right/ and files that are no zones
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() || checkName(rel) != nil {
			return nil
		}
		if data, err := load(h, rel); err == nil && bytes.Equal(data, have) {
			name = rel
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return name, nil
	}
	return "", fmt.Errorf("cannot tell the time zone: %s is the same as no file below %s", localtime, zones)
}

// has says whether the host has a zone, by what it says of time: some zones have several names.
func has(h *host.Host, name string) (bool, error) {
	want, err := load(h, name)
	if err != nil {
		return false, err
	}
	have, err := file.Get(h, localtime)
	return err == nil && bytes.Equal(have, want), err
}

// set has the host in a zone. What timedatectl cannot do is done by hand: it needs the message bus.
func set(ctx context.Context, h *host.Host, name string) error {
	if _, err := load(h, name); err != nil {
		return err
	}
	if booted(h) {
		if _, err := h.Run(ctx, "timedatectl", "set-timezone", name); err != nil && h.Log != nil {
			h.Log("warn", fmt.Sprintf("time zone is set by hand: %v", err))
		}
	}
	if have, err := zone(h); err != nil || have != name {
		if err := file.PutLink(ctx, h, localtime, zones+name); err != nil {
			return err
		}
	}
	return note(ctx, h, name)
}

// note writes the zone's name where some systems have it, too.
func note(ctx context.Context, h *host.Host, name string) error {
	const debian, redhat = "/etc/timezone", "/etc/sysconfig/clock"
	have, err := file.Get(h, debian)
	family, _ := h.Grains.Get("os_family")
	if err == nil && (have != nil || family == "Debian" || family == "Gentoo") && strings.TrimSpace(string(have)) != name {
		err = file.Put(ctx, h, debian, []byte(name+"\n"), 0o644)
	}
	return errors.Join(err, assign(ctx, h, redhat, "ZONE", name), assign(ctx, h, redhat, "TIMEZONE", name))
}

// assign gives a variable that a file sets another value.
func assign(ctx context.Context, h *host.Host, name, variable, val string) error {
	data, err := file.Get(h, name)
	if err != nil || data == nil {
		return err
	}
	lines := strings.SplitAfter(string(data), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, variable+"=") {
			lines[i] = fmt.Sprintf("%s=%q\n", variable, val)
		}
	}
	if text := strings.Join(lines, ""); text != string(data) {
		return file.Put(ctx, h, name, []byte(text), 0o644)
	}
	return nil
}

// booted says whether systemd runs the host.
func booted(h *host.Host) bool { return exists(h, "/run/systemd/system") }

func exists(h *host.Host, name string) bool {
	_, err := os.Stat(h.Path(name))
	return err == nil
}
