package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/states/value"
)

// Verify returns the files of an installed package that are not as it brought them, each with what differs. Files of the
// types that are ignored, such as config and doc, are left out. Options go to the program that looks.
func (s *System) Verify(ctx context.Context, name string, ignore, options []string) (*value.Dict, error) {
	var argv []string
	switch s.Name() {
	case "apt":
		argv = []string{"dpkg", "--verify"}
	case "dnf", "dnf5", "yum", "zypper":
		argv = []string{"rpm", "-V", "--nodeps"}
	default:
		return nil, fmt.Errorf("cannot verify packages: %s has no command for that", s.Name())
	}
	for _, o := range options {
		argv = append(argv, "--"+strings.TrimLeft(o, "-"))
	}
	argv = append(argv, name)
	out, code, complaint, err := s.ask(ctx, argv...)
	if err != nil {
		return nil, err
	}
	if code != 0 && strings.TrimSpace(out) == "" {
		return nil, &Failure{argv, code, tail(complaint)}
	}
	return altered(out, ignore), nil
}

// altered reads lines such as "S.5....T.  c /etc/nginx.conf", "missing /usr/sbin/nginx".
func altered(out string, ignore []string) *value.Dict {
	all := &value.Dict{}
	for line := range strings.Lines(out) {
		marks, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		kind := ""
		if len(rest) > 2 && rest[1] == ' ' {
			kind, rest = kindOf(rest[0]), strings.TrimSpace(rest[2:])
		}
		if !strings.HasPrefix(rest, "/") || kind != "" && slices.Contains(ignore, kind) {
			continue
		}
		what := &value.List{}
		for _, mark := range marks {
			if text := mismatch(mark); text != "" && marks != "missing" {
				what.Items = append(what.Items, text)
			}
		}
		if marks == "missing" {
			what.Items = append(what.Items, "missing")
		}
		if len(what.Items) > 0 {
			d := value.NewDict("mismatch", what)
			if kind != "" {
				d.Put("type", kind)
			}
			all.Put(rest, d)
		}
	}
	return all
}

func kindOf(c byte) string {
	switch c {
	case 'c':
		return "config"
	case 'd':
		return "doc"
	case 'g':
		return "ghost"
	case 'l':
		return "license"
	case 'r':
		return "readme"
	}
	return ""
}

func mismatch(c rune) string {
	switch c {
	case 'S':
		return "size"
	case 'M':
		return "mode"
	case '5':
		return "md5sum"
	case 'D':
		return "device major/minor number"
	case 'L':
		return "readlink path"
	case 'U':
		return "user"
	case 'G':
		return "group"
	case 'T':
		return "mtime"
	case 'P':
		return "capabilities"
	}
	return ""
}
