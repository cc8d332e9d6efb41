package cron

import (
	"strings"
)

const (
	marker     = "# Lines below here are managed by Salt, do not edit"
	identifier = "SALT_CRON_IDENTIFIER:"
	noID       = "NO ID SET" // what stands for the identifier of a job that has none
	disabled   = "#DISABLED#"
)

// A tab is a crontab. Only what is below the marker is managed; every line that is not changed stays as it is.
type tab struct {
	pre    []string
	marked bool
	lines  []*entry
}

// A kind tells what a line is.
type kind int

const (
	other kind = iota // a comment by itself, an empty line, what no one understands
	job
	special
	env
)

// fields are the five that say when a job runs.
type fields [5]string

func (f fields) String() string { return strings.Join(f[:], " ") }

// An entry is one line with the comment above it.
type entry struct {
	kind kind
	raw  []string // as it stands in the crontab; nil once it was changed

	when    fields // of a job
	spec    string // of a special, such as @daily
	cmd     string
	comment *string
	id      string
	off     bool // it is commented out

	name, value string // of a variable
}

// parse reads a crontab in Salt's format.
func parse(text string) *tab {
	t := &tab{}
	var above []string // comments that belong to the next job
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return t
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case !t.marked && line == marker:
			t.marked = true
		case !t.marked:
			t.pre = append(t.pre, line)
		case line == marker: // a second one is none of ours
			t.add(&entry{raw: []string{line}})
		case strings.HasPrefix(line, "#") && !strings.HasPrefix(line, disabled):
			above = append(above, line)
		default:
			e := parseLine(line)
			if e.kind != job && e.kind != special {
				for _, c := range above {
					t.add(&entry{raw: []string{c}})
				}
				above = nil
			}
			e.readComment(above)
			e.raw = append(above, line)
			above = nil
			t.add(e)
		}
	}
	for _, c := range above {
		t.add(&entry{raw: []string{c}})
	}
	return t
}

func (t *tab) add(e *entry) { t.lines = append(t.lines, e) }

func parseLine(line string) *entry {
	line, off := strings.CutPrefix(line, disabled)
	e := &entry{off: off}
	words := strings.Fields(line)
	eq, blank := strings.IndexByte(line, '='), strings.IndexAny(line, " \t")
	switch {
	case len(words) >= 2 && strings.HasPrefix(line, "@"):
		e.kind, e.spec, e.cmd = special, words[0], strings.TrimSpace(line[len(words[0]):])
	case eq > 0 && (blank < 0 || eq < blank) && !off:
		e.kind, e.name, e.value = env, line[:eq], line[eq+1:]
	case len(words) > 5:
		e.kind = job
		rest := line
		for i := range e.when {
			e.when[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " \t"), " ")
			if tabbed := strings.IndexByte(e.when[i], '\t'); tabbed >= 0 {
				e.when[i], rest = e.when[i][:tabbed], e.when[i][tabbed+1:]+" "+rest
			}
		}
		e.cmd = strings.TrimLeft(rest, " \t")
	}
	return e
}

// readComment finds what the lines above a job say, and the identifier among them.
func (e *entry) readComment(lines []string) {
	var all []string
	for _, line := range lines {
		text := strings.TrimLeft(line, "# ")
		if before, id, ok := strings.Cut(text, identifier); ok {
			text, e.id = strings.TrimRight(before, " "), id
			if text == "" {
				continue
			}
		}
		all = append(all, text)
	}
	if len(all) > 0 {
		text := strings.Join(all, "\n")
		e.comment = &text
	}
}

// text is the crontab as it is to be.
func (t *tab) text() string {
	lines := t.pre
	if t.marked || len(t.lines) > 0 {
		lines = append(lines[:len(lines):len(lines)], marker)
	}
	for _, e := range t.lines {
		lines = append(lines, e.written()...)
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func (e *entry) written() []string {
	if e.raw != nil {
		return e.raw
	}
	if e.kind == env {
		value := e.value
		if value == "" {
			value = `""`
		}
		return []string{e.name + "=" + value}
	}
	var lines []string
	note := ""
	if e.comment != nil && *e.comment != "" {
		note = " " + strings.ReplaceAll(*e.comment, "\n", "\n# ")
	}
	if e.id != "" {
		note += " " + identifier + e.id
	}
	if note != "" {
		lines = strings.Split("#"+note, "\n")
	}
	line := e.spec + " " + e.cmd
	if e.kind == job {
		line = e.when.String() + " " + e.cmd
	}
	if e.off {
		line = disabled + line
	}
	return append(lines, line)
}

// insert puts a new entry where Salt has it: variables before jobs, jobs before specials.
func (t *tab) insert(e *entry) {
	at := 0
	for i, old := range t.lines {
		if old.kind == other || rank(old.kind) <= rank(e.kind) {
			at = i + 1
		}
	}
	t.lines = append(t.lines[:at:at], append([]*entry{e}, t.lines[at:]...)...)
}

func rank(k kind) int { return map[kind]int{env: 0, job: 1, special: 2}[k] }

func (t *tab) remove(e *entry) {
	for i, old := range t.lines {
		if old == e {
			t.lines = append(t.lines[:i:i], t.lines[i+1:]...)
			return
		}
	}
}

// find returns the job of a kind that is meant by a command and an identifier, as Salt matches them: by the identifier; one
// without by its command.
func (t *tab) find(k kind, cmd, id string) *entry {
	for _, e := range t.lines {
		if e.kind == k && e.matches(cmd, id) {
			return e
		}
	}
	return nil
}

func (e *entry) matches(cmd, id string) bool {
	switch {
	case e.id != "":
		return e.id == id || id == "" && e.id == noID && e.cmd == cmd
	case id == "" || id == noID:
		return e.cmd == cmd
	}
	return e.cmd == cmd // a job of before it had an identifier
}

func (t *tab) variable(name string) *entry {
	for _, e := range t.lines {
		if e.kind == env && e.name == name {
			return e
		}
	}
	return nil
}
