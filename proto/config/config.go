// Package config reads the configuration files of masters and minions: TOML,
// a directory of further files, and overrides from the environment. Both ends
// read their files by the same rules and report mistakes the same way.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"brine/proto/spell"
)

// Load reads path and then the .toml files of the directory dropins, in order
// of name, and then the variables of environ (as os.Environ gives them) whose
// names are BRINE_SECTION_KEY, into the struct that into points to. What
// comes later wins. A file or directory that does not exist counts as empty;
// one that cannot be read is a mistake. Every mistake is reported at once,
// with file, line and the nearest known key.
func Load(into any, path, dropins string, environ []string) error {
	var errs []error
	more, err := added(dropins)
	if err != nil {
		errs = append(errs, fmt.Errorf("cannot read configuration: %w", err))
	}
	for _, f := range append([]string{path}, more...) {
		errs = append(errs, loadFile(into, f))
	}
	return errors.Join(append(errs, loadEnv(into, environ))...)
}

// added are the files of a directory that count, in order of name.
func added(dropins string) (files []string, err error) {
	if dropins == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dropins)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".toml") {
			files = append(files, filepath.Join(dropins, e.Name()))
		}
	}
	return files, err
}

func loadFile(into any, path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read configuration: %w", err)
	}
	meta, err := toml.Decode(string(data), into)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s:%d: cannot read: %s", path, parse.Position.Line, parse.Message)
	}
	if err != nil {
		return fmt.Errorf("%s: cannot read: %w", path, err)
	}
	t := reflect.TypeOf(into).Elem()
	var errs []error
	for _, key := range meta.Undecoded() {
		if !free(t, key) {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, line(string(data), key), unknown(t, key)))
		}
	}
	return errors.Join(errs...)
}

func unknown(t reflect.Type, key toml.Key) error {
	return fmt.Errorf("unknown key %q%s", key.String(), spell.DidYouMean(key.String(), append(keys(t, ""), tables(t)...)))
}

// Table reads a table, of those that Load put into a map of any values, into the struct that into points to. It gives every
// key that the struct does not have, and what is wrong with a value.
func Table(table map[string]any, into any) []error {
	data, err := toml.Marshal(table)
	if err != nil {
		return []error{fmt.Errorf("cannot read: %w", err)}
	}
	meta, err := toml.Decode(string(data), into)
	if err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			err = errors.New(parse.Message) // its line is none of the file's
		}
		return []error{err}
	}
	t := reflect.TypeOf(into).Elem()
	var errs []error
	for _, key := range meta.Undecoded() {
		if !free(t, key) {
			errs = append(errs, unknown(t, key))
		}
	}
	return errs
}

// loadEnv hands each variable to the decoder as a line of TOML, so that the
// rules for values are the same everywhere.
func loadEnv(into any, environ []string) error {
	var errs []error
	for _, key := range keys(reflect.TypeOf(into).Elem(), "") {
		name := "BRINE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		for _, v := range environ {
			value, ok := strings.CutPrefix(v, name+"=")
			if !ok {
				continue
			}
			if _, err := toml.Decode(key+" = "+literal(into, key, value), into); err != nil {
				errs = append(errs, fmt.Errorf("cannot use environment variable %s=%q: want %s",
					name, value, field(reflect.TypeOf(into).Elem(), key)))
			}
		}
	}
	return errors.Join(errs...)
}

// literal writes a variable's text as the TOML of its field: a list is
// separated by commas.
func literal(into any, key, value string) string {
	t := field(reflect.TypeOf(into).Elem(), key)
	switch t.Kind() {
	case reflect.String:
		return strconv.Quote(value)
	case reflect.Slice:
		var items []string
		for item := range strings.SplitSeq(value, ",") {
			items = append(items, strconv.Quote(strings.TrimSpace(item)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return value
}

// free tells whether a key stands in a table that takes any.
func free(t reflect.Type, key toml.Key) bool {
	for _, name := range key {
		if t.Kind() != reflect.Struct {
			break
		}
		next := reflect.Type(nil)
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("toml") == name {
				next = f.Type
			}
		}
		if next == nil {
			return false
		}
		t = next
	}
	return t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface
}

// keys lists the dotted names of a struct's fields; a map field stands for
// itself, since its keys are free.
func keys(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if name == "" || name == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keys(f.Type, prefix+name+".")...)
			continue
		}
		out = append(out, prefix+name)
	}
	return out
}

// tables lists the names of a struct's tables.
func tables(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Struct {
			out = append(out, f.Tag.Get("toml"))
		}
	}
	return out
}

func field(t reflect.Type, key string) reflect.Type {
	head, rest, more := strings.Cut(key, ".")
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("toml") == head {
			if more {
				return field(f.Type, rest)
			}
			return f.Type
		}
	}
	panic("no field for key " + key) // keys() and field() walk the same tags
}
