package mount

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
)

// secret is what an option says that nobody else may read: the value of a password, or what stands behind the user's name.
func secret(opt string) string {
	key, val, _ := strings.Cut(opt, "=")
	switch key {
	case "password", "password2", "passwd", "pass", "pass2", "secret":
		return val
	case "user", "username":
		_, val, _ = strings.Cut(val, "%")
		return val
	}
	return ""
}

const hiddenSecret = "(hidden)"

// shown are options as results tell them.
func shown(opts []string) []string {
	all := slices.Clone(opts)
	for i, opt := range all {
		if s := secret(opt); s != "" {
			all[i] = strings.TrimSuffix(opt, s) + hiddenSecret
		}
	}
	return all
}

// unsaid takes secrets out of what mount said.
func unsaid(err error, opts []string) error {
	text := err.Error()
	for _, opt := range opts {
		if s := secret(opt); s != "" {
			text = strings.ReplaceAll(text, s, hiddenSecret)
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// setsAside says whether aside keeps some of the options off the command line.
func setsAside(h *host.Host, fstype string, opts []string) bool {
	able := fstype == "cifs" || fstype == "smb3" || fstype == "ceph" && hasHelper(h, fstype)
	return able && slices.ContainsFunc(opts, func(opt string) bool { return secret(opt) != "" })
}

// aside are options as a command line may have them, for every user reads it, and the environment that says the rest:
// mount.cifs takes passwords from there (password2 since 7.1; what is older has no such option), and mount.ceph reads the
// secret from a file, which forget removes. Other kinds of file systems know no such way.
func aside(h *host.Host, fstype string, opts []string) (words, env []string, forget func(), err error) {
	forget = func() {}
	switch {
	case !setsAside(h, fstype, opts):
		words = opts
	case fstype == "ceph":
		words, forget, err = asideCeph(h, opts)
	default:
		words, env = asideCIFS(opts)
	}
	return words, env, forget, err
}

func asideCIFS(opts []string) (words, env []string) {
	said := map[string]string{}
	for _, opt := range opts {
		s := secret(opt)
		key, _, _ := strings.Cut(opt, "=")
		switch {
		case s == "" || key == "secret":
			words = append(words, opt)
			continue
		case strings.HasPrefix(key, "user"):
			words = append(words, strings.TrimSuffix(opt, "%"+s))
		}
		name := "PASSWD"
		if strings.HasSuffix(key, "2") {
			name = "PASSWD2"
		}
		said[name] = s // the last one counts, as in a command line
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		env = append(env, name+"="+said[name])
	}
	return words, env
}

func asideCeph(h *host.Host, opts []string) (words []string, forget func(), err error) {
	name := ""
	forget = func() {
		if name != "" {
			_ = os.Remove(h.Path(name))
		}
	}
	for _, opt := range opts {
		if s := secret(opt); s != "" && strings.HasPrefix(opt, "secret=") {
			forget() // the last one counts
			if name, err = keep(h, s); err != nil {
				return nil, forget, err
			}
			opt = "secretfile=" + name
		}
		words = append(words, opt)
	}
	return words, forget, nil
}

// keep writes a secret to a file that only the minion's user can read, and returns where that is on the host.
func keep(h *host.Host, secret string) (string, error) {
	f, err := os.CreateTemp(h.Path("/run"), ".mount-*")
	if err == nil {
		_, err = f.WriteString(secret)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", fmt.Errorf("cannot keep the secret of a mount off the command line: %w", err)
	}
	return path.Join("/run", filepath.Base(f.Name())), nil
}

// hasHelper says whether mount leaves this kind of file system to a program of its own.
func hasHelper(h *host.Host, fstype string) bool {
	for _, dir := range []string{"/sbin", "/usr/sbin"} {
		if _, err := os.Stat(h.Path(dir + "/mount." + fstype)); err == nil {
			return true
		}
	}
	return false
}
