package cmd

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"brine/states/module"
)

// A line is a command: text for a shell, or words.
type line struct {
	text  string
	words []string
}

func (l *line) ArgType() string { return "text or list of text" }

// ParseArg takes what was typed for text, even in brackets: they may be the shell's.
func (l *line) ParseArg(v module.Value) (err error) {
	if items, ok := v.Items(); ok && !v.HasText {
		l.words, err = list(items)
		return err
	}
	l.text, err = v.Str()
	return err
}

func list(items []module.Value) ([]string, error) {
	words := make([]string, len(items))
	for i, item := range items {
		var err error
		if words[i], err = item.Str(); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func (l *line) String() string {
	if l.words != nil {
		return strings.Join(l.words, " ")
	}
	return l.text
}

// words are arguments of a script: a list, or text that is split as a shell does, without expanding anything.
type words []string

func (w *words) ArgType() string { return "text or list of text" }

func (w *words) ParseArg(v module.Value) (err error) {
	if items, ok := v.Items(); ok {
		*w, err = list(items)
		return err
	}
	text, err := v.Str()
	if err == nil {
		*w, err = split(text)
	}
	return err
}

// argument is words, or text that is one of them.
type argument []string

func (a *argument) ArgType() string { return "text or list of text" }

func (a *argument) ParseArg(v module.Value) (err error) {
	items := v.Each()
	*a, err = list(items)
	return err
}

// absolute is the path of a directory.
type absolute string

func (a *absolute) ArgType() string { return "absolute path" }

func (a *absolute) ParseArg(v module.Value) error {
	s, err := v.Str()
	if err != nil || s != "" && !path.IsAbs(s) || strings.Contains(s, "\x00") {
		return v.Want("an absolute path")
	}
	*a = absolute(s)
	return nil
}

// A umask is octal digits.
type umask string

func (u *umask) ArgType() string { return "umask" }

func (u *umask) ParseArg(v module.Value) error {
	s, err := v.Str()
	s = strings.TrimPrefix(s, "0o")
	if err != nil || s == "" || len(s) > 4 || strings.Trim(s, "01234567") != "" {
		return v.Want("a umask such as 022")
	}
	*u = umask(s)
	return nil
}

// A loglevel is one of Salt's.
type loglevel string

var loglevels = []string{
	"all", "critical", "debug", "error", "garbage", "info", "profile", "quiet", "trace", "warning",
}

func (l *loglevel) ArgType() string { return "log level" }

func (l *loglevel) ParseArg(v module.Value) error {
	s, err := v.Str()
	if err != nil || !slices.Contains(loglevels, strings.ToLower(s)) {
		return v.Want("one of " + strings.Join(loglevels, ", "))
	}
	*l = loglevel(s)
	return nil
}

// codes are exit statuses: a list of them, or text with commas between.
type codes []int

func (c *codes) ArgType() string { return "list of integer" }

func (c *codes) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if text, isText := v.Data.(string); isText {
		for part := range strings.SplitSeq(text, ",") {
			items = append(items, module.Data(strings.TrimSpace(part)))
		}
	} else if !ok {
		items = []module.Value{v}
	}
	for _, item := range items {
		s, _ := item.Str()
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 255 {
			return item.Want("exit statuses from 0 to 255")
		}
		*c = append(*c, n)
	}
	return nil
}

// texts are texts of which none is empty: that would stand in any output.
type texts []string

func (t *texts) ArgType() string { return "list of text" }

func (t *texts) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		s, err := item.Str()
		if err != nil || s == "" {
			return item.Want("text to look for")
		}
		*t = append(*t, s)
	}
	return nil
}

// environment is variables as NAME=value.
type environment []string

func (e *environment) ArgType() string { return "map" }

// ParseArg takes a map, a list of maps, or a list of NAME=value.
func (e *environment) ParseArg(v module.Value) error {
	if pairs, ok := v.Pairs(); ok {
		for _, p := range pairs {
			if err := e.add(p[0], p[1]); err != nil {
				return err
			}
		}
		return nil
	}
	items, ok := v.Items()
	if !ok {
		return v.Want("a map of variables")
	}
	for _, item := range items {
		if s, ok := item.Data.(string); ok && strings.Contains(s, "=") {
			name, val, _ := strings.Cut(s, "=")
			if err := e.add(module.Data(name), module.Data(val)); err != nil {
				return err
			}
			continue
		}
		if _, nested := item.Items(); nested {
			return item.Want("a map of variables")
		}
		if err := e.ParseArg(item); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) add(key, val module.Value) error {
	name, err := key.Str()
	if err != nil || name == "" || strings.ContainsAny(name, "=\x00") {
		return key.Want("the name of a variable")
	}
	if val.Data == nil {
		*e = append(*e, name+"=")
		return nil
	}
	text, err := val.Str()
	if err != nil || strings.Contains(text, "\x00") {
		return fmt.Errorf("variable %q: %w", name, val.Want("text"))
	}
	*e = append(*e, name+"="+text)
	return nil
}
