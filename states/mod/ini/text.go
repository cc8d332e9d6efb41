package ini

import (
	"context"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// A text is an ini file, line by line. Lines that are not changed stay as they are: comments, blanks, spacing.
type text struct {
	separator string
	lines     []string
}

func load(h *host.Host, name, separator string) (*text, error) {
	t := &text{separator: separator}
	data, err := file.Get(h, name)
	if err != nil {
		return nil, err
	}
	if s := strings.TrimSuffix(string(data), "\n"); s != "" {
		t.lines = strings.Split(s, "\n")
	}
	return t, nil
}

func (t *text) save(ctx context.Context, h *host.Host, name string) error {
	return file.Put(ctx, h, name, []byte(strings.Join(t.lines, "\n")+"\n"), 0o644)
}

// header reads a line such as [section].
func header(line string) (string, bool) {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	return strings.TrimSpace(line[1 : len(line)-1]), true
}

// option reads a line such as key = value.
func (t *text) option(line string) (key, val string, ok bool) {
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || strings.ContainsRune("#;[", rune(trimmed[0])) || line[0] == ' ' || line[0] == '\t' {
		return "", "", false
	}
	key, val, ok = strings.Cut(trimmed, t.separator)
	return strings.TrimSpace(key), strings.TrimSpace(val), ok
}

// span is where the lines of a section are: behind its header, to the next one. The section "" is before all headers.
func (t *text) span(section string) (from, to int, ok bool) {
	from, ok = 0, section == ""
	for i, line := range t.lines {
		name, is := header(line)
		switch {
		case !is:
		case ok:
			return from, i, true
		case name == section:
			from, ok = i+1, true
		}
	}
	return from, len(t.lines), ok
}

func (t *text) sections() (names []string) {
	for _, line := range t.lines {
		if name, ok := header(line); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// A pair is one option.
type pair struct{ key, val string }

func (t *text) options(section string) (all []pair) {
	from, to, ok := t.span(section)
	for i := from; ok && i < to; i++ {
		if k, v, is := t.option(t.lines[i]); is {
			all = append(all, pair{k, t.continued(v, i, to)})
		}
	}
	return all
}

// continued adds the lines of a value that goes on: those that are indented.
func (t *text) continued(val string, i, to int) string {
	for i++; i < to && continues(t.lines[i]); i++ {
		val += "\n" + strings.TrimSpace(t.lines[i])
	}
	return val
}

func continues(line string) bool {
	return line != "" && (line[0] == ' ' || line[0] == '\t') && strings.TrimSpace(line) != ""
}

func (t *text) get(section, key string) (string, bool) {
	for _, p := range t.options(section) {
		if p.key == key {
			return p.val, true
		}
	}
	return "", false
}

// at is the line of an option, and the one behind it with all that goes on.
func (t *text) at(section, key string) (from, to int, ok bool) {
	begin, end, ok := t.span(section)
	for i := begin; ok && i < end; i++ {
		if k, _, is := t.option(t.lines[i]); is && k == key {
			to := i + 1
			for to < end && continues(t.lines[to]) {
				to++
			}
			return i, to, true
		}
	}
	return 0, 0, false
}

// set gives an option a value: in its place, or behind the last one of the section, which is made when it is not there.
func (t *text) set(section, key, val string) {
	sep := t.separator
	if sep == "=" || sep == ":" {
		sep = " " + sep + " "
	}
	lines := strings.Split(key+sep+strings.ReplaceAll(val, "\n", "\n\t"), "\n")
	if from, to, ok := t.at(section, key); ok {
		t.lines = slices.Replace(t.lines, from, to, lines...)
		return
	}
	t.add(section)
	from, to, _ := t.span(section)
	for to > from && strings.TrimSpace(t.lines[to-1]) == "" {
		to--
	}
	t.lines = slices.Insert(t.lines, to, lines...)
}

// add makes a section that is not there.
func (t *text) add(section string) {
	if _, _, ok := t.span(section); ok {
		return
	}
	if len(t.lines) > 0 && strings.TrimSpace(t.lines[len(t.lines)-1]) != "" {
		t.lines = append(t.lines, "")
	}
	t.lines = append(t.lines, "["+section+"]")
}

func (t *text) remove(section, key string) {
	if from, to, ok := t.at(section, key); ok {
		t.lines = slices.Delete(t.lines, from, to)
	}
}

func (t *text) removeSection(section string) {
	if from, to, ok := t.span(section); ok && section != "" {
		t.lines = slices.Delete(t.lines, from-1, to)
	}
}
