package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"brine/states/host"
	"brine/states/module"
)

type keyvalueArgs struct {
	Name       string    `arg:"name,required" doc:"the absolute path"`
	Key        *string   `arg:"key" doc:"the key, as it stands before separator"`
	Value      *oneLine  `arg:"value" doc:"the value that key is to have"`
	KeyValues  keyValues `arg:"key_values" doc:"several keys and their values, in place of key and value"`
	Separator  string    `arg:"separator" default:"=" doc:"what stands between key and value, with the blanks around it"`
	Append     bool      `arg:"append_if_not_found" doc:"add keys that are not found at the end"`
	Prepend    bool      `arg:"prepend_if_not_found" doc:"add them at the beginning; append_if_not_found has precedence"`
	Search     bool      `arg:"search_only" doc:"change nothing, and fail unless all is as wanted"`
	Show       *bool     `arg:"show_changes" doc:"as in file.managed"`
	Ignore     bool      `arg:"ignore_if_missing" doc:"it is no failure when the file is not there"`
	Count      int       `arg:"count" default:"1" doc:"how many lines of a key stay, and get the value; further ones are removed. 0 removes all; -1 changes all that are no comments"`
	Uncomment  *string   `arg:"uncomment" doc:"characters that are taken away at the start of lines to find keys; absent: blanks"`
	KeyCase    bool      `arg:"key_ignore_case" doc:"find keys in letters of any case; they are left as they are"`
	ValueCase  bool      `arg:"value_ignore_case" doc:"a value in letters of another case is as good"`
	CreateFile bool      `arg:"create_if_missing" doc:"make a file of the keys and values when there is none"`
}

func (a *keyvalueArgs) manages() []string { return []string{a.Name} }
func (a *keyvalueArgs) wholeTree() bool   { return false }

// oneLine is one value as it was written: yes stays yes. Nothing is an empty one.
type oneLine string

func (p *oneLine) ArgType() string { return "text" }

func (p *oneLine) ParseArg(v module.Value) error {
	if v.Data == nil {
		*p = ""
		return nil
	}
	text, err := v.Str()
	if err == nil && strings.ContainsAny(text, "\r\n") {
		return errors.New("want text of one line")
	}
	*p = oneLine(text)
	return err
}

// A keyValue is a key and the value that it is to have.
type keyValue struct {
	key, value string
	left       int // how many further lines may have it; negative: any number
}

type keyValues []keyValue

func (k *keyValues) ArgType() string { return "map" }

func (k *keyValues) ParseArg(v module.Value) error {
	pairs, isMap := v.Pairs()
	if !isMap {
		return v.Want("a map of keys and values")
	}
	if len(pairs) == 0 {
		return errors.New("want keys and values, got none")
	}
	var errs []error
	for _, p := range pairs {
		key, err := p[0].Str()
		var val oneLine
		if err == nil {
			if err = val.ParseArg(p[1]); err != nil {
				err = fmt.Errorf("key %q: %w", key, err)
			}
		}
		errs = append(errs, err)
		*k = append(*k, keyValue{key: key, value: string(val)})
	}
	return errors.Join(errs...)
}

// CheckArgs implements module.Checker.
func (a *keyvalueArgs) CheckArgs() error {
	var errs []error
	switch {
	case a.KeyValues != nil && (a.Key != nil || a.Value != nil):
		errs = append(errs, exclude("key_values", "key"))
	case a.KeyValues == nil && a.Key == nil:
		errs = append(errs, errors.New(`give the arguments "key" and "value", or "key_values"`))
	case a.KeyValues == nil && a.Value == nil:
		errs = append(errs, errors.New(`argument "key" needs argument "value"`))
	case a.KeyValues == nil:
		a.KeyValues = keyValues{{key: *a.Key, value: string(*a.Value)}}
	}
	for _, kv := range a.KeyValues {
		if kv.key == "" || strings.ContainsAny(kv.key, "\r\n") || a.Separator != "" && strings.Contains(kv.key, a.Separator) {
			errs = append(errs, fmt.Errorf("cannot use the key %q: want text of one line without separator", kv.key))
		} else if a.bare(kv.key) != kv.key {
			errs = append(errs, fmt.Errorf("cannot use the key %q: uncomment takes away what it begins with, so that it is never found", kv.key))
		}
	}
	if a.Separator == "" || strings.ContainsAny(a.Separator, "\r\n") {
		errs = append(errs, fmt.Errorf(`argument "separator": want text of one line, got %q`, a.Separator))
	}
	return errors.Join(errs...)
}

func planKeyvalue(_ context.Context, h *host.Host, a keyvalueArgs) (module.Plan, error) {
	const same = "No changes needed to be made"
	e, err := openEdit(h, a.Name)
	missing := errors.Is(err, errNotThere) || err == nil && e.old == nil
	switch {
	case missing && a.Ignore && !a.CreateFile:
		return module.Plan{Same: fmt.Sprintf("unable to open %s", a.Name)}, nil
	case errors.Is(err, errNotThere):
		return module.Plan{}, module.Unknown("%s: %w", a.Name, errNotThere)
	case err != nil:
		return module.Plan{}, err
	case missing && !a.CreateFile:
		return module.Plan{}, e.mustBe()
	}
	defer e.spot.leave()
	f := &keyFile{keyvalueArgs: &a, lines: splitLines(string(e.before)), add: a.Append || missing || a.Search}
	after := f.edit()
	if a.Search && len(f.changed) > 0 {
		return module.Plan{}, module.Unknown("cannot accept %s: it has other values of %s", a.Name, strings.Join(f.changed, ", "))
	}
	return e.plan(outcome{
		after: after, show: a.Show, rights: anyone, same: same,
		would: fmt.Sprintf("File %s is set to be changed (%d lines)", a.Name, len(f.changed)),
		did:   fmt.Sprintf("Changed %d lines", len(f.changed)),
	})
}

// A keyFile is a file while its keys get values.
type keyFile struct {
	*keyvalueArgs
	lines   []textLine
	end     string
	add     bool // keys that are not found
	pairs   []keyValue
	changed []string // the key of each line that changes
}

// edit makes the new text, by Salt's rules.
func (f *keyFile) edit() []byte {
	f.end = "\n"
	if len(f.lines) > 0 && f.lines[0].end != "" {
		f.end = f.lines[0].end
	}
	f.pairs = slices.Clone(f.KeyValues)
	for i := range f.pairs {
		f.pairs[i].left = f.Count
	}
	var out []textLine
	for _, l := range f.lines {
		out = append(out, f.line(l))
	}
	added := f.missing()
	if f.add {
		f.finish(out)
		out = append(out, added...)
	} else {
		slices.Reverse(added)
		out = append(added, out...)
	}
	var b []byte
	for _, l := range out {
		b = append(append(b, l.text...), l.end...)
	}
	return b
}

// finish gives the last line an end.
func (f *keyFile) finish(lines []textLine) {
	for i, l := range slices.Backward(lines) {
		if l.text != "" && l.end == "" {
			lines[i].end = f.end
		}
		if l != (textLine{}) {
			return
		}
	}
}

// missing are lines for the keys that were not found.
func (f *keyFile) missing() (added []textLine) {
	if !f.add && !f.Prepend {
		return nil
	}
	for _, p := range f.pairs {
		if p.left > 0 {
			added = append(added, textLine{p.key + f.Separator + p.value, f.end})
			f.changed = append(f.changed, p.key)
		}
	}
	return added
}

// bare is a line without what uncomment takes away.
func (a *keyvalueArgs) bare(line string) string {
	if a.Uncomment == nil {
		return strings.TrimLeftFunc(line, unicode.IsSpace)
	}
	return strings.TrimLeft(line, *a.Uncomment)
}

// line is what becomes of a line. Each key looks at what the ones before it left.
func (f *keyFile) line(l textLine) textLine {
	was := f.bare(l.string())
	commented := len(was) < len(l.string())
	for i := range f.pairs {
		if !f.begins(was, f.pairs[i].key) {
			continue
		}
		text := l.text
		if commented {
			text = f.bare(text)
		}
		key, old, found := strings.Cut(text, f.Separator)
		if !found || key != f.pairs[i].key && !(f.KeyCase && strings.EqualFold(key, f.pairs[i].key)) {
			continue
		}
		l = f.set(l, &f.pairs[i], key, old, commented)
	}
	return l
}

func (f *keyFile) begins(line, key string) bool {
	if f.KeyCase {
		line, key = strings.ToLower(line), strings.ToLower(key)
	}
	return strings.HasPrefix(line, key)
}

// set gives the key of a line its value, or takes away a line that is one too many. What is a comment stays one once the
// key was seen often enough.
func (f *keyFile) set(l textLine, p *keyValue, key, old string, commented bool) textLine {
	same := f.sameValue(old, p.value)
	change := !same
	switch {
	case commented && p.left > 0:
		change = true
	case commented:
		change = false
	case p.left == 0:
		change = true
	}
	if change {
		f.changed = append(f.changed, p.key)
		if l = (textLine{}); p.left != 0 {
			l = textLine{key + f.Separator + p.value, f.end}
		}
	}
	if p.left > 0 {
		p.left--
	}
	return l
}

func (f *keyFile) sameValue(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	return a == b || f.ValueCase && strings.EqualFold(a, b)
}
