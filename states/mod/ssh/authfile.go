package ssh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// A place is a file of keys of a user.
type place struct {
	name  string
	owner file.Owner
	mode  uint32
}

// authorized finds the file of a user's keys. An account that is not there is a module.Unknown.
func authorized(ctx context.Context, h *host.Host, user, config string) (place, error) {
	u, err := h.User(ctx, user)
	if err != nil {
		return place{}, module.Unmade(err)
	}
	name, err := expand(config, u)
	if err != nil {
		return place{}, err
	}
	return place{name, file.Owner{UID: u.UID, GID: u.GID, Home: u.Home}, 0o600}, nil
}

// expand replaces %u, %h and %% as sshd does; what is relative then lies in the home directory.
func expand(config string, u *host.User) (string, error) {
	var b strings.Builder
	for i := 0; i < len(config); i++ {
		if config[i] != '%' {
			b.WriteByte(config[i])
			continue
		}
		i++
		switch next := (config + "\x00")[i]; next {
		case '%':
			b.WriteByte('%')
		case 'u':
			b.WriteString(u.Name)
		case 'h':
			b.WriteString(u.Home)
		case 0:
			return "", fmt.Errorf("cannot use the file of keys %q: it ends in %%", config)
		default:
			return "", fmt.Errorf("cannot use the file of keys %q: %%%c stands for nothing (%%h is the home directory, %%u the user)", config, next)
		}
	}
	name := b.String()
	if !path.IsAbs(name) {
		name = path.Join(u.Home, name)
	}
	if !path.IsAbs(name) {
		return "", fmt.Errorf("cannot find the file of keys %q: the user %s has no home directory", config, u.Name)
	}
	return path.Clean(name), nil
}

// ready makes sure that there is a home directory where the file is to lie in it.
func (p place) ready(h *host.Host) error {
	home := path.Clean(p.owner.Home)
	if !strings.HasPrefix(p.name, home+"/") {
		return nil
	}
	if st, err := os.Stat(h.Path(home)); err != nil || !st.IsDir() {
		return module.Unknown("cannot write %s: there is no home directory %s", p.name, home)
	}
	return nil
}

// edit changes the lines of the file.
func (p place) edit(ctx context.Context, h *host.Host, change func(*lines)) error {
	isNew := false
	err := file.Edit(ctx, h, p.name, p.owner, p.mode, func(old []byte) ([]byte, error) {
		isNew = old == nil
		l := split(old)
		change(&l)
		return l.join(old), nil
	})
	if err != nil || !isNew {
		return err
	}
	return label(ctx, h, p.name)
}

// label gives new files the SELinux label that sshd wants to see.
func label(ctx context.Context, h *host.Host, name string) error {
	if _, err := os.Stat(h.Path("/sys/fs/selinux/enforce")); err != nil {
		return nil
	}
	_, err := h.Run(ctx, "restorecon", path.Dir(name), name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot set the SELinux label of %s: %w", name, err)
	}
	return nil
}

func (p place) read(h *host.Host) (lines, error) {
	data, err := file.GetFor(h, p.name)
	return split(data), err
}

// lines are those of a file of keys, without their ends.
type lines []string

func split(data []byte) lines {
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// join is the text of a file; what nobody changed stays as it is, whatever its end.
func (l lines) join(old []byte) []byte {
	if old != nil && slices.Equal(l, split(old)) {
		return old
	}
	return []byte(strings.Join(append(slices.Clone(l), ""), "\n"))
}

// A status is what there is to do about a key, in the words of check_key.
type status string

const (
	exists status = "exists"
	update status = "update"
	add    status = "add"
)

// put has a key in the file, in one line.
func (l *lines) put(want key) status {
	s, first := add, -1
	var now lines
	for _, line := range *l {
		k, ok := parse(line)
		switch {
		case !ok || k.blob != want.blob:
			now = append(now, line)
		case first < 0:
			first, s = len(now), exists
			now = append(now, line)
			if k != want {
				s, now[first] = update, want.line()
			}
		case k != want:
			s = update
		}
	}
	if first < 0 {
		now = append(now, want.line())
	}
	if s != exists {
		*l = now
	}
	return s
}

// drop takes keys out of the file, and says which.
func (l *lines) drop(meant func(key) bool) (gone []string) {
	var now lines
	for _, line := range *l {
		if k, ok := parse(line); ok && meant(k) {
			if !slices.Contains(gone, k.blob) {
				gone = append(gone, k.blob)
			}
			continue
		}
		now = append(now, line)
	}
	*l = now
	return gone
}
