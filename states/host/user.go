package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A User is an account of the host.
type User struct {
	Name     string
	UID, GID uint32
	Groups   []uint32 // all groups it is in
	Home     string
	Shell    string
}

// ErrNoAccount says that the host has no such user or group.
var ErrNoAccount = errors.New("no such account")

// User looks up a user by name or number: in the host's passwd and group files, then, on the real root,
// wherever the system's own name service looks. errors.Is(err, ErrNoAccount) when there is none.
func (h *Host) User(ctx context.Context, name string) (*User, error) {
	f, err := h.account(ctx, "passwd", name, 7)
	if err != nil {
		return nil, fmt.Errorf("cannot find user %q: %w", name, err)
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 32)
	gid, err2 := strconv.ParseUint(f[3], 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("cannot find user %q: its entry in passwd is broken: %v", name, err)
	}
	u := &User{Name: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}
	if u.Shell == "" {
		u.Shell = "/bin/sh"
	}
	u.Groups, err = h.groups(ctx, u)
	return u, err
}

// UserID looks up the number of a user by name or number, as User does.
func (h *Host) UserID(ctx context.Context, name string) (uint32, error) {
	return h.id(ctx, "user", "passwd", name)
}

// GroupID looks up the number of a group by name or number, as User does.
func (h *Host) GroupID(ctx context.Context, name string) (uint32, error) {
	return h.id(ctx, "group", "group", name)
}

func (h *Host) id(ctx context.Context, what, file, name string) (uint32, error) {
	f, err := h.account(ctx, file, name, 3)
	if err != nil {
		return 0, fmt.Errorf("cannot find %s %q: %w", what, name, err)
	}
	id, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("cannot find %s %q: its entry in %s is broken: %v", what, name, file, err)
	}
	return uint32(id), nil
}

// account returns the fields of a line of passwd or group, at least n.
func (h *Host) account(ctx context.Context, file, name string, n int) ([]string, error) {
	if name == "" || strings.ContainsAny(name, ":\n\x00") || name[0] == '-' {
		return nil, ErrNoAccount
	}
	var byName, byNumber []string
	err := h.eachAccount(file, func(f []string) {
		if len(f) < n {
			return
		}
		if byName == nil && f[0] == name {
			byName = f
		}
		if byNumber == nil && f[2] == name {
			byNumber = f
		}
	})
	switch {
	case err != nil:
		return nil, err
	case byName != nil:
		return byName, nil
	case byNumber != nil:
		return byNumber, nil
	case !h.Real() || h.Exec == nil:
		return nil, ErrNoAccount
	}
	return h.getent(ctx, file, name, n)
}

// Account returns the fields of the entry of a user or group, by its name, of the file "passwd" or "group"; it looks
// where User does. No one may change them. errors.Is(err, ErrNoAccount) when there is none.
func (h *Host) Account(ctx context.Context, file, name string) ([]string, error) {
	least := map[string]int{"passwd": 7, "group": 4}[file]
	f, err := h.account(ctx, file, name, least)
	if err == nil && f[0] != name { // another's number
		err = ErrNoAccount
	}
	return f, err
}

// Accounts returns the fields of each entry of the file "passwd" or "group", in their order; on the real root also those
// that the system's own name service lists. No one may change them.
func (h *Host) Accounts(ctx context.Context, file string) ([][]string, error) {
	var all [][]string
	err := h.eachAccount(file, func(f []string) { all = append(all, f) })
	if err != nil || !h.Real() || h.Exec == nil {
		return all, err
	}
	out, err := h.Run(ctx, "getent", file)
	if err != nil {
		return all, context.Cause(ctx) // where there is no name service the files are all
	}
	all = nil
	for line := range strings.Lines(out) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), ":"))
	}
	return all, nil
}

// getent asks the name service, where accounts of a directory such as LDAP are.
func (h *Host) getent(ctx context.Context, file, name string, n int) ([]string, error) {
	out, err := h.Run(ctx, "getent", file, name)
	var exit *ExitError
	switch {
	case errors.Is(err, os.ErrNotExist), errors.As(err, &exit) && exit.Code == 2:
		return nil, ErrNoAccount
	case err != nil:
		return nil, err
	}
	line, _, _ := strings.Cut(out, "\n")
	f := strings.Split(line, ":")
	if len(f) < n {
		return nil, ErrNoAccount
	}
	return f, nil
}

func (h *Host) groups(ctx context.Context, u *User) ([]uint32, error) {
	groups := []uint32{u.GID}
	add := func(digits string) {
		if gid, err := strconv.ParseUint(digits, 10, 32); err == nil && !slices.Contains(groups, uint32(gid)) {
			groups = append(groups, uint32(gid))
		}
	}
	err := h.eachAccount("group", func(f []string) {
		if len(f) >= 4 && slices.Contains(strings.Split(f[3], ","), u.Name) {
			add(f[2])
		}
	})
	if err != nil {
		return nil, err
	}
	local := false
	err = h.eachAccount("passwd", func(f []string) { local = local || f[0] == u.Name })
	if err != nil || local || !h.Real() || h.Exec == nil {
		return groups, err
	}
	out, err := h.Run(ctx, "id", "-G", u.Name)
	if err != nil {
		return nil, err
	}
	for _, digits := range strings.Fields(out) {
		add(digits)
	}
	return groups, nil
}

// eachAccount calls each with the fields of every line of a file of accounts; a file that isn't there has none.
func (h *Host) eachAccount(file string, each func(fields []string)) error {
	lines, err := accountFiles.read(h.Path("/etc/" + file))
	for _, fields := range lines {
		each(fields)
	}
	return err
}

// accounts keeps what was read of files such as passwd, each until it is another file.
type accounts struct {
	mu   sync.Mutex // guards the field below
	kept map[string]accountFile
}

// accountFiles serves all hosts of the process: a state run looks up the same few accounts thousands of times.
var accountFiles accounts

const accountFilesKept = 16

type accountFile struct {
	is    os.FileInfo
	ctime syscall.Timespec
	lines [][]string // fields; never changed
}

func (a *accounts) read(name string) ([][]string, error) {
	st, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := accountFile{is: st, ctime: st.Sys().(*syscall.Stat_t).Ctim}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, ok := a.kept[name]; ok && os.SameFile(old.is, st) && old.ctime == now.ctime && old.is.Size() == st.Size() {
		return old.lines, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		now.lines = append(now.lines, strings.Split(strings.TrimSuffix(line, "\n"), ":"))
	}
	if len(a.kept) >= accountFilesKept || a.kept == nil {
		a.kept = make(map[string]accountFile)
	}
	a.kept[name] = now
	return now.lines, nil
}

// AccountName returns the name of the first account with a number in a file of accounts, "passwd" or "group"; false
// when it has none.
func (h *Host) AccountName(file string, id uint32) (name string, ok bool) {
	digits := strconv.FormatUint(uint64(id), 10)
	err := h.eachAccount(file, func(f []string) {
		if !ok && len(f) >= 3 && f[2] == digits {
			name, ok = f[0], true
		}
	})
	return name, ok && err == nil
}
