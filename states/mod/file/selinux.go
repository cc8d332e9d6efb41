package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// A selinux is what of a label a file is to have: user, role, type and range, "" for what is left alone.
type selinux struct{ parts [4]string }

var labelArgs = [4]string{"seuser", "serole", "setype", "serange"}

func (l *selinux) ArgType() string { return "map of seuser, serole, setype, serange" }

func (l *selinux) ParseArg(v module.Value) error {
	pairs, ok := v.Pairs()
	if !ok {
		return v.Want("a map of seuser, serole, setype, serange")
	}
	for _, p := range pairs {
		key, _ := p[0].Str()
		text, err := p[1].Str()
		known := false
		for i, name := range labelArgs {
			if name == key {
				l.parts[i], known = text, true
			}
		}
		if !known {
			return fmt.Errorf("unknown key %q%s", key, spell.DidYouMean(key, labelArgs[:]))
		}
		if err != nil || strings.ContainsAny(text, "\x00\n") {
			return fmt.Errorf("%s: want text, got %q", key, text)
		}
	}
	return nil
}

const labelName = "security.selinux"

// labelOf is the label of a file; false where there is no SELinux.
func labelOf(f *os.File) (string, bool) {
	var buf [4096]byte
	n, err := unix.Fgetxattr(int(f.Fd()), labelName, buf[:])
	return strings.TrimRight(string(buf[:max(n, 0)]), "\x00"), err == nil
}

// labelled says whether the directory that the spot is in has a label, as all have where there is SELinux.
func (s *spot) labelled() bool {
	var buf [4096]byte
	_, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", s.fd), labelName, buf[:])
	return err == nil
}

// over puts the wanted parts over a label.
func (l selinux) over(label string) string {
	parts := strings.SplitN(label, ":", 4)
	for len(parts) < 4 {
		parts = append(parts, "")
	}
	for i, want := range l.parts {
		if want != "" {
			parts[i] = want
		}
	}
	return strings.TrimSuffix(strings.Join(parts, ":"), ":")
}

// shown writes a label as Salt's results do.
func shown(label string) string {
	p := append(strings.SplitN(label, ":", 4), "", "", "", "")
	return fmt.Sprintf("User: %s Role: %s Type: %s Range: %s", p[0], p[1], p[2], p[3])
}

// plan adds what has to change, and returns what changes it. What label a new file gets by itself is only known when
// it is there.
func (l selinux) plan(s *spot, old *info, changes *value.Dict) (func() error, error) {
	if l == (selinux{}) {
		return func() error { return nil }, nil
	}
	if old != nil {
		f, err := s.openAny()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		now, ok := labelOf(f)
		if !ok {
			return nil, fmt.Errorf("cannot set the SELinux label of %s: it has none, SELinux is not in use here", s.given)
		}
		if l.over(now) == now {
			return func() error { return nil }, nil
		}
		changes.Put("selinux", value.NewDict("New", shown(l.over(now)), "Old", shown(now)))
	} else {
		if !s.labelled() {
			return nil, fmt.Errorf("cannot set the SELinux label of %s: SELinux is not in use here", s.given)
		}
		changes.Put("selinux", value.NewDict("New", shown(l.over("")), "Old", nil))
	}
	return func() error { return l.give(s) }, nil
}

func (l selinux) give(s *spot) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	f, err := s.openAny()
	if err != nil {
		return err
	}
	defer f.Close()
	now, ok := labelOf(f)
	if !ok {
		err = errors.New("it has none, SELinux is not in use here")
	} else {
		err = unix.Fsetxattr(int(f.Fd()), labelName, append([]byte(l.over(now)), 0), 0)
	}
	if err != nil {
		return &fs.PathError{Op: "cannot set the SELinux label of", Path: s.path(), Err: err}
	}
	return s.touched()
}
