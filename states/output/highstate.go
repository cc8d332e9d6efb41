package output

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"brine/states/value"
)

// highstate shows the results of a state run state by state, with a summary. What is no
// such result is shown nested.
func highstate(w io.Writer, minion string, returned []byte, o Options) error {
	p := &printer{color: o.Color}
	switch v := read(returned).(type) {
	case *value.Dict:
		states, ok := stateResults(v)
		if !ok {
			return nested(w, minion, returned, o)
		}
		p.states(minion, states)
	case *value.List:
		errs, ok := compileErrors(v)
		if !ok {
			return nested(w, minion, returned, o)
		}
		p.errors(minion, errs)
	default:
		return nested(w, minion, returned, o)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// A stateResult is one entry of Salt's results.
type stateResult struct {
	module, id, name, function string

	result   any // true, false or nil
	changes  *value.Dict
	comment  string
	started  string
	duration float64
	warnings []string
	notRun   int
}

// stateResults reads results; false when v is something else.
func stateResults(d *value.Dict) ([]stateResult, bool) {
	var states []stateResult
	for k, v := range d.All() {
		tag, _ := k.(string)
		parts := strings.Split(tag, "_|-")
		fields, ok := v.(*value.Dict)
		if !ok || len(parts) != 4 {
			return nil, false
		}
		if _, ok := fields.Get("result"); !ok {
			return nil, false
		}
		s := stateResult{module: parts[0], id: parts[1], name: parts[2], function: parts[3]}
		s.read(fields)
		states = append(states, s)
	}
	return states, true
}

func (s *stateResult) read(fields *value.Dict) {
	s.result, _ = fields.Get("result")
	s.changes, _ = get[*value.Dict](fields, "changes")
	s.comment, _ = get[string](fields, "comment")
	s.started, _ = get[string](fields, "start_time")
	s.duration, _ = get[float64](fields, "duration")
	if list, ok := get[*value.List](fields, "warnings"); ok {
		for _, w := range list.Items {
			s.warnings = append(s.warnings, fmt.Sprint(w))
		}
	}
	if list, ok := get[*value.List](fields, "__not_run__"); ok {
		s.notRun = len(list.Items)
	}
}

func get[T any](d *value.Dict, key string) (T, bool) {
	v, _ := d.Get(key)
	t, ok := v.(T)
	return t, ok
}

func compileErrors(l *value.List) ([]string, bool) {
	var errs []string
	for _, item := range l.Items {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		errs = append(errs, text)
	}
	return errs, len(errs) > 0
}

func (p *printer) errors(minion string, errs []string) {
	p.line(0, lightRed, minion, ":")
	p.line(4, lightRed, "Data failed to compile:", "")
	for _, e := range errs {
		p.line(0, lightRed, "----------", "")
		p.line(4, lightRed, strings.ReplaceAll(e, "\n", "\n    "), "")
	}
}

func (p *printer) states(minion string, states []stateResult) {
	sum := count(states)
	color := green
	switch {
	case sum.failed > 0:
		color = red
	case sum.changed > 0:
		color = cyan
	}
	p.line(0, color, minion, ":")
	for i := range states {
		p.state(&states[i])
	}
	p.summary(minion, sum)
}

func (s *stateResult) color() string {
	switch {
	case s.result == false:
		return lightRed
	case s.result == nil:
		return lightYellow
	case s.changes.Len() > 0:
		return cyan
	}
	return green
}

func (p *printer) state(s *stateResult) {
	color := s.color()
	p.line(0, color, "----------", "")
	field := func(name, text string) {
		p.line(4, color, strings.TrimRight(fmt.Sprintf("%8s: %s", name, text), " "), "")
	}
	field("ID", s.id)
	field("Function", s.module+"."+s.function)
	if s.name != s.id {
		field("Name", s.name)
	}
	field("Result", map[any]string{true: "True", false: "False", nil: "None"}[s.result])
	field("Comment", strings.ReplaceAll(strings.TrimSpace(s.comment), "\n", "\n"+strings.Repeat(" ", 14)))
	if s.started != "" {
		field("Started", s.started)
		field("Duration", value.FloatText(s.duration)+" ms")
	}
	p.line(5, color, "Changes:   ", "")
	if s.changes.Len() > 0 {
		p.value(s.changes, 14, "")
	}
	if len(s.warnings) > 0 {
		p.line(4, lightRed, "Warnings: "+wrap(strings.Join(s.warnings, "\n"), 14, 80), "")
	}
}

// A summing is the counts below the states.
type summing struct {
	succeeded, pending, failed, changed, warnings, notRun int
	duration                                              float64
}

func count(states []stateResult) summing {
	var sum summing
	for i := range states {
		s := &states[i]
		switch s.result {
		case false:
			sum.failed++
		case nil:
			sum.pending++
			sum.succeeded++
		default:
			sum.succeeded++
		}
		if s.changes.Len() > 0 {
			sum.changed++
		}
		if len(s.warnings) > 0 {
			sum.warnings++
		}
		sum.notRun += s.notRun
		sum.duration += s.duration
	}
	return sum
}

func (p *printer) summary(minion string, sum summing) {
	most := max(sum.succeeded, sum.failed, sum.warnings, sum.notRun)
	width := len("Succeeded") + len(fmt.Sprint(most)) + 2
	line := strings.Repeat("-", width)
	counted := func(color, label string, n int, suffix string) {
		p.line(0, color, fmt.Sprintf("%s: %*d", label, width-len(label)-2, n), suffix)
	}
	p.line(0, cyan, "\nSummary for "+minion+"\n"+line, "")
	counted(green, "Succeeded", sum.succeeded, p.changed(sum))
	color := cyan
	if sum.failed > 0 {
		color = red
	}
	counted(color, "Failed", sum.failed, "")
	if sum.warnings > 0 {
		counted(lightRed, "Warnings", sum.warnings, "")
	}
	if sum.notRun > 0 {
		counted(lightYellow, "Not Run", sum.notRun, "")
	}
	p.line(0, cyan, fmt.Sprintf("%s\nTotal states run: %*d", line, width-7, sum.succeeded+sum.failed), "")
	unit := "ms"
	if sum.duration > 999 {
		sum.duration, unit = sum.duration/1000, "s"
	}
	p.line(0, cyan, fmt.Sprintf("Total run time: %*.3f %s", width-5, sum.duration, unit), "")
}

// changed is what stands behind the number of states that succeeded.
func (p *printer) changed(sum summing) string {
	in := &printer{color: p.color}
	if sum.pending > 0 {
		in.paint(lightYellow, fmt.Sprintf("unchanged=%d", sum.pending))
	}
	if sum.changed > 0 {
		if in.Len() > 0 {
			in.WriteString(", ")
		}
		in.paint(green, fmt.Sprintf("changed=%d", sum.changed))
	}
	if in.Len() == 0 {
		return ""
	}
	return " (" + in.String() + ")"
}

// wrap breaks text at blanks into lines of a width, indented but for the first.
func wrap(text string, indent, width int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+size > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += size
	}
	return b.String()
}
