package cp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	hostfile "brine/states/mod/file"
	"brine/states/value"
)

var errNoFiles = errors.New("cannot look for files: this host has no masters that serve any")

// ofEnv is a salt:// URL in an environment; "" is that of the job.
func ofEnv(at, saltenv string) string {
	if saltenv == "" || strings.Contains(at, "?saltenv=") {
		return at
	}
	return at + "?saltenv=" + url.QueryEscape(saltenv)
}

type envArgs struct {
	Saltenv string `arg:"saltenv" doc:"the environment of the files; the job's when absent"`
}

type listArgs struct {
	envArgs
	Prefix string `arg:"prefix" doc:"only what begins with this"`
}

// listed are the paths of all served files that begin with the prefix.
func (a listArgs) listed(ctx context.Context, h *host.Host) ([]string, error) {
	if h.Files == nil {
		return nil, errNoFiles
	}
	all, err := h.Files.List(ctx, ofEnv("salt://", a.Saltenv))
	paths := []string{}
	for _, p := range all {
		if strings.HasPrefix(p, a.Prefix) {
			paths = append(paths, p)
		}
	}
	return paths, err
}

func listMaster(ctx context.Context, h *host.Host, a listArgs) ([]string, error) {
	return a.listed(ctx, h)
}

func listDirs(ctx context.Context, h *host.Host, a listArgs) ([]string, error) {
	paths, err := listArgs{envArgs: a.envArgs}.listed(ctx, h)
	dirs := []string{}
	for _, p := range paths {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if strings.HasPrefix(dir, a.Prefix) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), err
}

func listStates(ctx context.Context, h *host.Host, a envArgs) ([]string, error) {
	paths, err := listArgs{envArgs: a}.listed(ctx, h)
	states := []string{}
	for _, p := range paths {
		if name, ok := strings.CutSuffix(p, ".sls"); ok {
			states = append(states, strings.ReplaceAll(strings.TrimSuffix(name, "/init"), "/", "."))
		}
	}
	slices.Sort(states)
	return slices.Compact(states), err
}

// A keeper knows which files are on this machine already.
type keeper interface {
	// Cached returns the path of a local copy of the file that a salt:// URL means; "" when there is none.
	Cached(ctx context.Context, url string) (string, error)
}

func listMinion(ctx context.Context, h *host.Host, a envArgs) ([]string, error) {
	paths, err := listArgs{envArgs: a}.listed(ctx, h)
	kept := []string{}
	for _, p := range paths {
		local, err := cached(ctx, h, ofEnv("salt://"+p, a.Saltenv))
		if err != nil {
			return nil, err
		}
		if local != "" {
			kept = append(kept, local)
		}
	}
	return kept, err
}

func cached(ctx context.Context, h *host.Host, at string) (string, error) {
	k, ok := h.Files.(keeper)
	if !ok {
		return "", nil
	}
	local, err := k.Cached(ctx, at)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return local, err
}

func envs(_ context.Context, h *host.Host, _ struct{}) ([]string, error) {
	if h.Files == nil {
		return nil, errNoFiles
	}
	if e, ok := h.Files.(interface{ Environments() []string }); ok {
		return e.Environments(), nil
	}
	return []string{"base"}, nil
}

type pathArgs struct {
	Path string `arg:"path,required" doc:"salt://PATH, or the absolute path of a file of this host"`
	envArgs
}

func isCached(ctx context.Context, h *host.Host, a pathArgs) (string, error) {
	if strings.HasPrefix(a.Path, "http://") || strings.HasPrefix(a.Path, "https://") {
		name, err := hostfile.WebCopy(a.Path, cmp.Or(a.Saltenv, "base"))
		if err != nil {
			return "", err
		}
		if st, err := os.Lstat(h.Path(name)); err != nil || !st.Mode().IsRegular() {
			return "", nil
		}
		return name, nil
	}
	if h.Files == nil || !strings.HasPrefix(a.Path, "salt://") {
		return "", nil
	}
	return cached(ctx, h, ofEnv(a.Path, a.Saltenv))
}

// served describes a served file; an fs.ErrNotExist when there is none.
func served(ctx context.Context, h *host.Host, at, saltenv string) (host.File, error) {
	if h.Files == nil {
		return host.File{}, errNoFiles
	}
	return h.Files.Stat(ctx, ofEnv(at, saltenv))
}

func hashFile(ctx context.Context, h *host.Host, a pathArgs) (*value.Dict, error) {
	sum := ""
	f, err := served(ctx, h, a.Path, a.Saltenv)
	sum = f.SHA256
	if !strings.HasPrefix(a.Path, "salt://") {
		sum, err = localSum(h, a.Path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &value.Dict{}, nil
	}
	if err != nil {
		return nil, err
	}
	return value.NewDict("hsum", sum, "hash_type", "sha256"), nil
}

func localSum(h *host.Host, name string) (string, error) {
	if !path.IsAbs(name) {
		return "", fmt.Errorf("cannot read %q: want salt://PATH or an absolute path", name)
	}
	f, err := os.Open(h.Path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

type statArgs struct {
	pathArgs
	Octal bool `arg:"octal" default:"true" doc:"return the mode as text such as 0644; false: as a number"`
}

func statFile(ctx context.Context, h *host.Host, a statArgs) (any, error) {
	var bits fs.FileMode
	if strings.HasPrefix(a.Path, "salt://") {
		f, err := served(ctx, h, a.Path, a.Saltenv)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return nil, err
		}
		bits = f.Mode
	} else if st, err := os.Stat(h.Path(a.Path)); err == nil {
		bits = st.Mode()
	} else {
		return "", nil
	}
	n := int64(bits.Perm())
	for flag, bit := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if bits&flag != 0 {
			n |= bit
		}
	}
	if a.Octal {
		return fmt.Sprintf("%04o", n), nil
	}
	return n | 0o100000, nil
}

// maxText is the longest file that is returned as text.
const maxText = 16 << 20

// fileText returns a file's content, and false when there is none, as Salt does.
func fileText(ctx context.Context, h *host.Host, a pathArgs) (any, error) {
	local, err := fetch(ctx, h, a.Path, a.Saltenv, "")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return nil, err
	}
	return readText(local, a.Path)
}

func readText(local, name string) (string, error) {
	f, err := os.Open(local)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(data) > maxText {
		err = fmt.Errorf("cannot return %s: it has more than %d bytes", withoutSecrets(name), maxText)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD"), err
}
