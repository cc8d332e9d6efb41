// Package serial writes data as text and reads it: byte for byte what Salt's serializers write.
package serial

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/jinja/dump"
	"brine/states/module"
	"brine/states/value"
)

// A Format is a way to write data as text.
type Format struct {
	Name string

	write func(any, *value.Dict) (string, error)
	read  func(string, *value.Dict) (any, error) // nil: it is only written
}

// formats are all of them, in order of name.
func formats() []Format {
	return []Format{
		{"configparser", writeINI, readINI},
		{"json", writeJSON, readJSON},
		{"keyvalue", writePairs, readPairs},
		{"python", writePython, nil},
		{"toml", writeTOML, readTOML},
		{"yaml", writeYAML, readYAML},
	}
}

// Find returns the format with a name; ini is configparser. The error lists the names.
func Find(name string) (Format, error) {
	var names []string
	for _, f := range formats() {
		if f.Name == name || name == "ini" && f.Name == "configparser" {
			return f, nil
		}
		names = append(names, f.Name)
	}
	last := len(names) - 1
	return Format{}, fmt.Errorf("%q: known are %s and %s%s", name, strings.Join(names[:last], ", "), names[last],
		spell.DidYouMean(name, names))
}

// Write returns data as text. Options are those of Salt's serializer of that name.
func (f Format) Write(v any, options *value.Dict) (string, error) {
	text, err := f.write(v, options)
	if err != nil {
		return "", fmt.Errorf("cannot serialize to %s: %w", f.Name, err)
	}
	return text, nil
}

// Read returns the data that a text stands for. Options are those of Salt's deserializer.
func (f Format) Read(text string, options *value.Dict) (any, error) {
	v, err := f.readAs(text, options)
	if err != nil {
		return nil, err
	}
	return values(v), nil
}

func (f Format) readAs(text string, options *value.Dict) (any, error) {
	if f.read == nil {
		return nil, fmt.Errorf("cannot deserialize from %s: it is only written", f.Name)
	}
	v, err := f.read(text, options)
	if err != nil {
		return nil, fmt.Errorf("cannot deserialize from %s: %w", f.Name, err)
	}
	return v, nil
}

// Merge puts data into that of a text, dicts into dicts, and returns the text of all; same when nothing of the data of
// the text is other than before. A text without data is that of an empty file.
func (f Format) Merge(text string, v any, write, read *value.Dict) (merged string, same bool, err error) {
	old, err := f.readAs(text, read)
	if err != nil {
		return "", false, err
	}
	if old == nil {
		merged, err = f.Write(v, write)
		return merged, false, err
	}
	into, ok1 := old.(*value.Dict)
	from, ok2 := v.(*value.Dict)
	if !ok1 || !ok2 {
		return "", false, fmt.Errorf("cannot merge a %s into a %s: want maps", value.Kind(v), value.Kind(old))
	}
	before, err := f.Write(into, write)
	if err != nil {
		return "", false, err
	}
	if into, err = dictOf(value.Clone(into)); err != nil { // what an alias stands for changes in one place
		return "", false, err
	}
	merged, err = f.Write(value.Merge(into, from, false), write)
	return merged, merged == before, err
}

func dictOf(v any, err error) (*value.Dict, error) {
	d, _ := v.(*value.Dict)
	return d, err
}

// values takes plain scalars for text.
func values(v any) any {
	switch v := v.(type) {
	case dump.Plain:
		return string(v)
	case *value.List:
		for i := range v.Items {
			v.Items[i] = values(v.Items[i])
		}
	case *value.Dict:
		for k, item := range v.All() {
			_ = v.Set(k, values(item)) // it is a key already
		}
	}
	return v
}

// An option is read into what it sets.
type option struct {
	name string
	set  func(module.Value) error
}

// set reads options, and says every mistake.
func set(given *value.Dict, known ...option) error {
	var errs []error
	var names []string
	for _, o := range known {
		names = append(names, o.name)
	}
	for k, v := range given.All() {
		name := fmt.Sprint(k)
		i := slices.Index(names, name)
		if i < 0 {
			errs = append(errs, fmt.Errorf("option %q: unknown%s", name, spell.DidYouMean(name, names)))
			continue
		}
		if err := known[i].set(module.Data(v)); err != nil {
			errs = append(errs, fmt.Errorf("option %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func flag(name string, into *bool) option {
	return option{name, func(v module.Value) (err error) {
		*into, err = v.Bool()
		return err
	}}
}

func text(name string, into *string) option {
	return option{name, func(v module.Value) (err error) {
		*into, err = v.Str()
		return err
	}}
}

// number reads a whole number of a range; nothing is its lowest.
func number(name string, low, high int, into *int) option {
	return option{name, func(v module.Value) error {
		if v.Data == nil {
			return nil
		}
		f, err := v.Float()
		if err != nil || f != float64(int(f)) || int(f) < low || int(f) > high {
			return v.Want(fmt.Sprintf("a number from %d to %d", low, high))
		}
		*into = int(f)
		return nil
	}}
}

// ignored is an option that changes nothing here.
func ignored(name string) option { return option{name, func(module.Value) error { return nil }} }

func oneOf(name string, into *string, words ...string) option {
	return option{name, func(v module.Value) error {
		if v.Data == nil {
			return nil
		}
		s, err := v.Str()
		if err != nil || !slices.Contains(words, s) {
			return v.Want("one of " + strings.Join(words, " "))
		}
		*into = s
		return nil
	}}
}

func strings1(v module.Value) ([]string, error) {
	var all []string
	for _, item := range v.Each() {
		s, err := item.Str()
		if err != nil || s == "" {
			return nil, cmp.Or(err, v.Want("text, or a list of texts"))
		}
		all = append(all, s)
	}
	return all, nil
}
