package output

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/value"
)

// StateOptions say which states are shown and how, as Salt's options of the same names do.
type StateOptions struct {
	// Output is the form (state_output): full (or ""), terse (a line each), mixed (a line each but for those
	// that failed), changes (but for those that failed or changed) or filter (by Exclude and Terse); with
	// _id behind it lines show the id of a state instead of its name.
	Output  string
	Exclude []string // of the form filter: results that are left out, True or None
	Terse   []string // of the form filter: results that get a line: True, False or None

	HideClean bool // leave out states that succeeded without a change (state_verbose = false)
	DiffOnly  bool // of changes show only the diff, where there is one (state_output_diff)
	NoProfile bool // leave out when states started and how long they took (state_output_profile = false)
}

var forms = []string{"changes", "filter", "full", "mixed", "terse"}

// Check returns every mistake in the options.
func (o StateOptions) Check() error {
	var errs []error
	if form := o.form(); !slices.Contains(forms, form) {
		errs = append(errs, fmt.Errorf("unknown state_output %q%s: there are %s, each also with _id",
			o.Output, spell.DidYouMean(form, forms), strings.Join(forms, ", ")))
	}
	for _, word := range o.Exclude {
		if word == "False" {
			errs = append(errs, errors.New("state_output_exclude: False cannot be left out: what failed is always shown"))
		} else if word != "True" && word != "None" {
			errs = append(errs, fmt.Errorf("state_output_exclude: %q is neither True nor None", word))
		}
	}
	for _, word := range o.Terse {
		if word != "True" && word != "False" && word != "None" {
			errs = append(errs, fmt.Errorf("state_output_terse: %q is neither True, False nor None", word))
		}
	}
	return errors.Join(errs...)
}

func (o StateOptions) form() string {
	if o.Output == "" {
		return "full"
	}
	return strings.TrimSuffix(strings.ToLower(o.Output), "_id")
}

// A style is how one state is shown.
type style int

const (
	whole style = iota
	oneLine
	hidden
)

func (o StateOptions) style(s *stateResult) style {
	if o.HideClean && s.clean() {
		return hidden
	}
	short := false
	switch result := scalar(s.result); o.form() {
	case "terse":
		short = true
	case "mixed":
		short = !s.failed()
	case "changes":
		short = !s.failed() && !s.pending() && !s.changed()
	case "filter":
		short = slices.Contains(o.Terse, result)
		if !short && slices.Contains(o.Exclude, result) {
			return hidden
		}
	}
	if short {
		return oneLine
	}
	return whole
}

// highstate shows the results of a state run state by state, with a summary. What is no
// such result is shown nested.
func highstate(w io.Writer, minion string, returned []byte, o Options) error {
	p := &printer{o: o}
	if !p.stateRun(minion, read(returned)) {
		return nested(w, minion, returned, o)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// stateRun shows v when it is what a state run returns.
func (p *printer) stateRun(minion string, v any) bool {
	switch v := v.(type) {
	case *value.Dict:
		states, ok := stateResults(v)
		if ok {
			p.states(minion, states)
		}
		return ok
	case *value.List:
		errs, ok := compileErrors(v)
		if ok {
			p.errors(minion, errs)
		}
		return ok
	}
	return false
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
		switch p.o.States.style(&states[i]) {
		case whole:
			p.state(&states[i])
		case oneLine:
			p.terse(&states[i])
		}
	}
	p.summary(minion, sum, "")
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
	if s.place != "" {
		field("Declared", s.place)
	}
	field("Result", scalar(s.result))
	field("Comment", strings.ReplaceAll(strings.TrimSpace(s.comment), "\n", "\n"+strings.Repeat(" ", 14)))
	if s.started != "" && !p.o.States.NoProfile {
		field("Started", s.started)
		field("Duration", value.FloatText(s.duration)+" ms")
	}
	p.line(5, color, "Changes:   ", "")
	if s.changed() && !p.minions(s) {
		p.value(s.shownChanges(p.o.States), 14, "")
	}
	if len(s.warnings) > 0 {
		p.line(4, lightRed, "Warnings: "+wrap(strings.Join(s.warnings, "\n"), 14, p.columns()), "")
	}
}

// minions shows the changes of a step of an orchestration that applied states: those of each minion as such, indented.
func (p *printer) minions(s *stateResult) bool {
	out, _ := s.changes.Get("out")
	ret, _ := s.changes.Get("ret")
	all, ok := ret.(*value.Dict)
	if out != "highstate" || !ok {
		return false
	}
	for id, v := range all.All() {
		inner := &printer{o: p.o}
		if !inner.stateRun(fmt.Sprint(id), v) {
			inner.value(value.NewDict(fmt.Sprint(id), v), 0, "")
		}
		for l := range strings.Lines(inner.String()) {
			p.WriteString(strings.Repeat(" ", 14) + l)
		}
	}
	return true
}

// columns is where texts of several words are broken.
func (p *printer) columns() int {
	if w := p.o.Width; w >= 40 && w < 80 {
		return w
	}
	return 80
}

func (s *stateResult) shownChanges(o StateOptions) *value.Dict {
	if diff, ok := s.changes.Get("diff"); ok && o.DiffOnly {
		return value.NewDict("diff", diff)
	}
	return s.changes
}

// terse shows a state in one line; of one that failed, why.
func (p *printer) terse(s *stateResult) {
	result := "Clean"
	switch {
	case s.failed():
		result = "Failed"
	case s.pending():
		result = "Differs"
	case s.changed():
		result = "Changed"
	}
	name := s.name
	if strings.HasSuffix(p.o.States.Output, "_id") {
		name = s.id
	}
	text := fmt.Sprintf("Name: %s - Function: %s.%s - Result: %s", name, s.module, s.function, result)
	if s.started != "" && !p.o.States.NoProfile {
		text += fmt.Sprintf(" - Started: %s - Duration: %s ms", s.started, value.FloatText(s.duration))
	}
	if len(s.warnings) > 0 {
		p.line(1, lightRed, " Warnings: "+wrap(strings.Join(s.warnings, "\n"), 12, p.columns()), "")
	}
	p.line(1, s.color(), " "+text, "")
	if s.failed() {
		p.line(4, s.color(), strings.ReplaceAll(s.why(), "\n", "\n    "), "")
	}
}

// why is what a state that failed says, with the place where it is declared.
func (s *stateResult) why() string {
	comment := strings.TrimSpace(s.comment)
	if s.place == "" {
		return comment
	}
	return s.place + ": " + comment
}

// summary shows the counts of one minion, or of several, with a word about the time.
func (p *printer) summary(of string, sum summing, about string) {
	most := max(sum.succeeded, sum.failed, sum.warnings, sum.notRun)
	width := len("Succeeded") + len(fmt.Sprint(most)) + 2
	line := strings.Repeat("-", width)
	counted := func(color, label string, n int, suffix string) {
		p.line(0, color, fmt.Sprintf("%s: %*d", label, width-len(label)-2, n), suffix)
	}
	p.line(0, cyan, "\nSummary for "+of+"\n"+line, "")
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
	p.line(0, cyan, fmt.Sprintf("Total run time: %*.3f %s", width-5, sum.duration, unit), about)
}

// changed is what stands behind the number of states that succeeded: how many of them changed something, and in test mode would or may, each in one
// of these numbers. (Salt counts those that would in two.)
func (p *printer) changed(sum summing) string {
	in := &printer{o: p.o}
	for _, part := range []struct {
		color, what string
		n           int
	}{
		{lightYellow, "would change", sum.would},
		{lightYellow, "may change", sum.pending - sum.would},
		{green, "changed", sum.changed - sum.would - sum.broken},
	} {
		if part.n == 0 {
			continue
		}
		if in.Len() > 0 {
			in.WriteString(", ")
		}
		in.paint(part.color, fmt.Sprintf("%s=%d", part.what, part.n))
	}
	if in.Len() == 0 {
		return ""
	}
	return " (" + in.String() + ")"
}
