package serial

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/value"
)

// ini are the options of Python's ConfigParser.
type ini struct {
	delimiters, comments, inline []string
	defaults                     string // the section with that name comes first, and need not be added
	noValue, strict              bool
	literal                      bool // % has no meaning
}

func iniOptions(options *value.Dict) (*ini, error) {
	o := &ini{delimiters: []string{"=", ":"}, comments: []string{"#", ";"}, defaults: "DEFAULT", strict: true}
	texts := func(name string, into *[]string) option {
		return option{name, func(v module.Value) (err error) {
			if *into, err = strings1(v); err == nil && len(*into) == 0 {
				err = v.Want("text, or a list of texts")
			}
			return err
		}}
	}
	err := set(options,
		texts("delimiters", &o.delimiters), texts("comment_prefixes", &o.comments), texts("inline_comment_prefixes", &o.inline),
		text("default_section", &o.defaults), flag("allow_no_value", &o.noValue), flag("strict", &o.strict),
		option{"interpolation", func(v module.Value) error {
			if o.literal = v.Data == nil; !o.literal {
				return v.Want("nothing, which gives % no meaning")
			}
			return nil
		}},
	)
	return o, err
}

// writeINI writes sections of keys and values as Python's ConfigParser does. Keys are in small letters.
func writeINI(v any, options *value.Dict) (string, error) {
	o, err := iniOptions(options)
	if err != nil {
		return "", err
	}
	all, ok := v.(*value.Dict)
	if !ok {
		return "", module.Data(v).Want("a map of sections")
	}
	var first, rest strings.Builder
	var errs []error
	seen := map[string]bool{}
	for k, section := range all.All() {
		name, err := python.Str(k)
		if err == nil && seen[name] {
			err = fmt.Errorf("section %q is there twice", name)
		}
		seen[name] = true
		text, bad := o.section(name, section)
		errs = append(errs, err, bad)
		if name == o.defaults {
			first.WriteString(text)
		} else {
			rest.WriteString(text)
		}
	}
	return first.String() + rest.String(), errors.Join(errs...)
}

func (o *ini) section(name string, v any) (string, error) {
	d, ok := v.(*value.Dict)
	if !ok {
		return "", fmt.Errorf("section %q: %w", name, module.Data(v).Want("a map of keys and values"))
	}
	if name == o.defaults && d.Len() == 0 {
		return "", nil
	}
	lines := &value.Dict{} // a key that comes again in other letters takes the place of the first
	var errs []error
	for k, val := range d.All() {
		key, err := python.Str(k)
		key = python.Lower(key)
		line := key
		if err == nil && (val != nil || !o.noValue) {
			var text string
			if text, err = o.value(val); err == nil {
				line = key + " " + o.delimiters[0] + " " + text
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("section %q: key %q: %w", name, key, err))
		}
		lines.Put(key, line)
	}
	var b strings.Builder
	b.WriteString("[" + name + "]\n")
	for _, line := range lines.All() {
		b.WriteString(line.(string) + "\n")
	}
	b.WriteByte('\n')
	return b.String(), errors.Join(errs...)
}

var interpolated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%%|%\([^)]+\)s`) })

func (o *ini) value(v any) (string, error) {
	if v == nil {
		return "", errors.New("it has no value (the option allow_no_value lets keys stand alone)")
	}
	text, err := python.Str(v)
	if err != nil {
		return "", err
	}
	if !o.literal && strings.Contains(interpolated().ReplaceAllString(text, ""), "%") {
		return "", fmt.Errorf("invalid interpolation syntax in %q: write %%%% for %%, or give the option interpolation nothing", text)
	}
	return strings.ReplaceAll(text, "\n", "\n\t"), nil
}

// readINI reads sections as they stand: what a value says with % stays, and defaults are a section of their own.
func readINI(text string, options *value.Dict) (any, error) {
	o, err := iniOptions(options)
	if err != nil {
		return nil, err
	}
	r := &iniReader{ini: o, all: &value.Dict{}}
	for i, line := range python.SplitLines(text, false) {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	r.finish()
	return r.all, nil
}

type iniReader struct {
	*ini
	all     *value.Dict
	section *value.Dict
	name    string
	key     string // whose value may go on
	value   []string
	none    bool // the key stands alone
	indent  int  // of its line
}

// finish ends the value of a key. Empty lines at its end are none of it.
func (r *iniReader) finish() {
	if r.key == "" {
		return
	}
	var v any = strings.TrimRight(strings.Join(r.value, "\n"), "\n")
	if r.none {
		v = nil
	}
	r.section.Put(r.key, v)
	r.key, r.value, r.none = "", nil, false
}

func (r *iniReader) line(line string) error {
	text := strings.TrimSpace(r.uncommented(line))
	indent := len(line) - len(strings.TrimLeftFunc(line, python.IsSpace))
	switch {
	case text == "":
		if r.key != "" && strings.TrimSpace(line) == "" {
			r.value = append(r.value, "")
		}
		return nil
	case r.key != "" && indent > r.indent && !r.none:
		r.value = append(r.value, text)
		return nil
	}
	r.finish()
	r.indent = indent
	if strings.HasPrefix(text, "[") && strings.LastIndexByte(text, ']') > 1 {
		return r.header(text[1:strings.LastIndexByte(text, ']')])
	}
	if r.section == nil {
		return fmt.Errorf("%q stands before all sections", text)
	}
	return r.option(text)
}

func (r *iniReader) uncommented(line string) string {
	for _, prefix := range r.comments {
		if strings.HasPrefix(strings.TrimSpace(line), prefix) {
			return ""
		}
	}
	for _, prefix := range r.inline {
		for from := 0; ; {
			i := strings.Index(line[from:], prefix)
			if i < 0 {
				break
			}
			if at := from + i; at == 0 || python.IsSpace(rune(line[at-1])) {
				line = line[:at]
				break
			}
			from += i + 1
		}
	}
	return line
}

func (r *iniReader) header(name string) error {
	old, again := r.all.Get(name)
	if again && r.strict && name != r.defaults {
		return fmt.Errorf("section %q is there twice", name)
	}
	if r.name = name; again {
		r.section = old.(*value.Dict)
		return nil
	}
	r.section = &value.Dict{}
	r.all.Put(name, r.section)
	return nil
}

func (r *iniReader) option(text string) error {
	at, delimiter := -1, ""
	for _, d := range r.delimiters {
		if i := strings.Index(text, d); i >= 0 && (at < 0 || i < at) {
			at, delimiter = i, d
		}
	}
	if at < 0 && !r.noValue || at == 0 {
		return fmt.Errorf("%q is no key with a value", text)
	}
	key, first := text, ""
	if r.none = at < 0; !r.none {
		key, first = text[:at], strings.TrimSpace(text[at+len(delimiter):])
	}
	r.key = python.Lower(strings.TrimRightFunc(key, python.IsSpace))
	if _, again := r.section.Get(r.key); again && r.strict {
		return fmt.Errorf("key %q of section %q is there twice", r.key, r.name)
	}
	r.value = []string{first}
	return nil
}
