package ini

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// where names the file.
type where struct {
	Name      string `arg:"name,required" doc:"the file"`
	Separator string `arg:"separator" default:"=" doc:"what stands between an option and its value"`
	Encoding  string `arg:"encoding" doc:"taken for Salt's sake: bytes that are not changed stay as they are"`
}

func (w *where) check() error {
	if !filepath.IsAbs(w.Name) {
		return fmt.Errorf("argument \"name\": want an absolute path, got %q", w.Name)
	}
	if strings.TrimSpace(w.Separator) == "" && w.Separator != " " || strings.ContainsAny(w.Separator, "\n") {
		return fmt.Errorf("argument \"separator\": %q separates nothing", w.Separator)
	}
	return nil
}

// A wanted option is one in its section; "" is before all sections.
type wanted struct{ section, key, val string }

// settings are the options of sections, with their source text: yes stays yes.
type settings struct {
	all      []wanted
	sections []string
}

func (*settings) ArgType() string { return "map of sections, each a map of options" }

// ParseArg implements module.ArgParser.
func (s *settings) ParseArg(v module.Value) error {
	pairs, ok := v.Pairs()
	if !ok {
		return v.Want("a map of sections")
	}
	var errs []error
	for _, p := range pairs {
		name, err := p[0].Str()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		inner, isMap := p[1].Pairs()
		if !isMap && p[1].Data != nil {
			errs = append(errs, s.add("", p[0], p[1])) // an option before all sections
			continue
		}
		s.sections = append(s.sections, name)
		for _, o := range inner {
			errs = append(errs, s.add(name, o[0], o[1]))
		}
	}
	return errors.Join(errs...)
}

func (s *settings) add(section string, key, val module.Value) error {
	k, err := key.Str()
	if err != nil {
		return err
	}
	if strings.ContainsAny(section+k, "\n") || k == "" {
		return fmt.Errorf("%q can't be the name of an option", k)
	}
	text, err := plain(val)
	s.all = append(s.all, wanted{section, k, text})
	return err
}

func plain(v module.Value) (string, error) {
	if v.Data == nil {
		return "", nil
	}
	return v.Str()
}

// names are sections with the options that are meant; none for the section itself.
type names struct {
	all      []wanted
	sections []string
}

func (*names) ArgType() string { return "map of sections, each a list of options, or list of sections" }

// ParseArg implements module.ArgParser.
func (n *names) ParseArg(v module.Value) error {
	var errs []error
	for _, item := range v.Each() {
		pairs, isMap := item.Pairs()
		if !isMap {
			name, err := item.Str()
			n.sections = append(n.sections, name)
			errs = append(errs, err)
			continue
		}
		for _, p := range pairs {
			name, err := p[0].Str()
			errs = append(errs, err)
			n.sections = append(n.sections, name)
			for _, o := range p[1].Each() {
				if o.Data == nil {
					continue
				}
				key, err := optionName(o)
				errs = append(errs, err)
				n.all = append(n.all, wanted{section: name, key: key})
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return v.Want("sections, with lists of their options")
	}
	return nil
}

// optionName reads an option of a list: its name, or a map of it and any value.
func optionName(v module.Value) (string, error) {
	if pairs, ok := v.Pairs(); ok && len(pairs) == 1 {
		return pairs[0][0].Str()
	}
	return v.Str()
}

// note puts a change under its section.
func note(d *value.Dict, section, key string, change any) {
	if section == "" {
		d.Put(key, change)
		return
	}
	of, _ := d.Get(section)
	inner, ok := of.(*value.Dict)
	if !ok {
		inner = &value.Dict{}
		d.Put(section, inner)
	}
	inner.Put(key, change)
}
