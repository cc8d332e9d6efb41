package repo

import (
	"slices"
	"strings"
)

// An INI is a file of sections, such as those of yum, zypper and pacman.
type INI struct{ lines []string }

// ParseINI reads a file.
func ParseINI(data string) *INI {
	f := &INI{}
	for line := range strings.Lines(data) {
		f.lines = append(f.lines, strings.TrimRight(line, "\r\n"))
	}
	return f
}

// String is the whole file.
func (f *INI) String() string {
	if len(f.lines) == 0 {
		return ""
	}
	return strings.Join(f.lines, "\n") + "\n"
}

func heading(line string) (string, bool) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
		return line[1 : len(line)-1], true
	}
	return "", false
}

// Sections are the names of all sections.
func (f *INI) Sections() (names []string) {
	for _, line := range f.lines {
		if name, ok := heading(line); ok {
			names = append(names, name)
		}
	}
	return names
}

// span is where the lines of a section are, its heading among them; false when there is none.
func (f *INI) span(section string) (from, to int, ok bool) {
	for i, line := range f.lines {
		name, is := heading(line)
		switch {
		case is && ok:
			return from, i, true
		case is && name == section:
			from, ok = i, true
		}
	}
	return from, len(f.lines), ok
}

// option reads a line "name = value".
func option(line string) (name, val string, ok bool) {
	if line == "" || strings.ContainsAny(line[:1], "#; \t[") {
		return "", "", false
	}
	name, val, ok = strings.Cut(line, "=")
	return strings.TrimSpace(name), strings.TrimSpace(val), ok
}

// Options are those of a section in their order. A value of several lines has newlines.
func (f *INI) Options(section string) (all []Option) {
	from, to, ok := f.span(section)
	if !ok {
		return nil
	}
	for _, line := range f.lines[from+1 : to] {
		if name, val, ok := option(line); ok {
			all = append(all, Option{name, val})
		} else if n := len(all); n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) && strings.TrimSpace(line) != "" {
			all[n-1].Value += "\n" + strings.TrimSpace(line)
		}
	}
	return all
}

// Set sets an option of a section, which is made when there is none. Other lines stay as they are.
func (f *INI) Set(section, name, val string) {
	text := strings.Split(name+"="+strings.ReplaceAll(val, "\n", "\n    "), "\n")
	from, to, ok := f.span(section)
	if !ok {
		if n := len(f.lines); n > 0 && f.lines[n-1] != "" {
			f.lines = append(f.lines, "")
		}
		f.lines = append(append(f.lines, "["+section+"]"), text...)
		return
	}
	for i := from + 1; i < to; i++ {
		if have, _, ok := option(f.lines[i]); ok && have == name {
			f.lines = slices.Replace(f.lines, i, f.valueEnd(i, to), text...)
			return
		}
	}
	for to > from+1 && strings.TrimSpace(f.lines[to-1]) == "" {
		to--
	}
	f.lines = slices.Insert(f.lines, to, text...)
}

// valueEnd is the line behind a value that begins at i.
func (f *INI) valueEnd(i, to int) int {
	end := i + 1
	for end < to && f.lines[end] != "" && (f.lines[end][0] == ' ' || f.lines[end][0] == '\t') {
		end++
	}
	return end
}

// Unset takes an option away.
func (f *INI) Unset(section, name string) {
	from, to, _ := f.span(section)
	for i := from; i < to; i++ {
		if have, _, ok := option(f.lines[i]); ok && have == name {
			f.lines = slices.Delete(f.lines, i, f.valueEnd(i, to))
			return
		}
	}
}

// Remove takes a section away.
func (f *INI) Remove(section string) {
	if from, to, ok := f.span(section); ok {
		f.lines = slices.Delete(f.lines, from, to)
	}
}
