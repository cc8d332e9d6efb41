package mount

import (
	"slices"
	"strings"

	"brine/states/module"
)

// A list is options or the like: a list, or text with commas between.
type list []string

func (*list) ArgType() string { return "list or text with commas" }

// ParseArg implements module.ArgParser.
func (l *list) ParseArg(v module.Value) error {
	all, err := v.Split("a list, or text with commas")
	*l = all
	return err
}

// text is the options as fstab has them, where something has to stand.
func (l list) text() string {
	if len(l) == 0 {
		return "defaults"
	}
	return strings.Join(l, ",")
}

func (*match) ArgType() string { return "list or text" }

// ParseArg implements module.ArgParser.
func (m *match) ParseArg(v module.Value) error {
	const want = "auto, or some of device, name, fstype, opts, dump and pass_num"
	all, err := v.Split(want)
	for _, field := range all {
		if !slices.Contains(fields(), field) && (field != "auto" || len(all) > 1) {
			return v.Want(want)
		}
	}
	if len(all) == 0 {
		return v.Want(want)
	}
	*m = all
	return err
}

// lists is a map of texts to lists.
type lists map[string][]string

func (*lists) ArgType() string { return "map of lists" }

// ParseArg implements module.ArgParser.
func (l *lists) ParseArg(v module.Value) error {
	const want = "a map of kinds of file systems to lists of options"
	all, ok := v.Pairs()
	if !ok {
		return v.Want(want)
	}
	*l = lists{}
	for _, p := range all {
		key, err1 := p[0].Str()
		opts, err2 := p[1].Split(want)
		if err1 != nil || err2 != nil {
			return v.Want(want)
		}
		(*l)[key] = opts
	}
	return nil
}

// pairs is a map of texts to texts.
type pairs map[string]string

func (*pairs) ArgType() string { return "map of texts" }

// ParseArg implements module.ArgParser.
func (m *pairs) ParseArg(v module.Value) error {
	const want = "a map of options to what the kernel shows for them"
	all, ok := v.Pairs()
	if !ok {
		return v.Want(want)
	}
	*m = pairs{}
	for _, p := range all {
		key, err1 := p[0].Str()
		val, err2 := p[1].Str()
		if err1 != nil || err2 != nil || strings.Contains(key, ",") {
			return v.Want(want)
		}
		(*m)[key] = val
	}
	return nil
}
