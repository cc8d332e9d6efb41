package mount

import (
	"errors"
	"slices"
	"strings"
)

// secret is what an option says that nobody else may read: the value of a password, or what stands behind the user's name.
func secret(opt string) string {
	key, val, _ := strings.Cut(opt, "=")
	switch key {
	case "password", "password2", "passwd", "pass", "secret":
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

// aside are options as a command line may have them, for every user reads it, and the environment that says the rest: mount.cifs takes the password from there.
// Other kinds of file systems know no such way.
func aside(fstype string, opts []string) (words, env []string) {
	if fstype != "cifs" && fstype != "smb3" {
		return opts, nil
	}
	for _, opt := range opts {
		s := secret(opt)
		key, _, _ := strings.Cut(opt, "=")
		switch {
		case s == "" || key == "password2" || key == "secret":
			words = append(words, opt)
			continue
		case strings.HasPrefix(key, "user"):
			words = append(words, strings.TrimSuffix(opt, "%"+s))
		}
		env = []string{"PASSWD=" + s} // the last one counts, as in a command line
	}
	return words, env
}
