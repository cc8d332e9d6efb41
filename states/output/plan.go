package output

import (
	"fmt"
	"strings"

	"brine/states/value"
)

// planned shows what a state run would change on the minions of a group: first what would change, then
// what failed. What would not change is counted.
func (m *Many) planned(p *printer, g *group) {
	names := Some(g.names)
	if m.many.All || g.first.Failed {
		names = strings.Join(g.names, ", ")
	} else if len(g.names) > someNames && !m.hinted {
		m.hinted = true
		names += " (--all names each)"
	}
	heading := wrap(names, 0, p.columns())
	if !g.run {
		m.unplanned(p, g, heading)
		return
	}
	color := cyan
	if g.sum.failed > 0 {
		color = lightRed
	}
	p.line(0, color, heading, ": "+tally(g.states))
	for i := range g.states {
		if s := &g.states[i]; !s.failed() && !s.clean() {
			p.change(s)
		}
	}
	for i := range g.states {
		if s := &g.states[i]; s.failed() {
			p.change(s)
		}
	}
	p.notes(g.first.Notes)
}

// unplanned shows what is no result of states: mistakes in the state files, or an error.
func (m *Many) unplanned(p *printer, g *group, heading string) {
	v := read(g.first.Value)
	if list, ok := v.(*value.List); ok {
		if errs, ok := compileErrors(list); ok {
			p.errors(heading, errs)
			return
		}
	}
	p.line(0, lightRed, heading, ":")
	p.value(v, 4, "")
	p.notes(g.first.Notes)
}

// tally counts a plan: "2 of 5 states would change, 1 would fail".
func tally(states []stateResult) string {
	changes, failures := 0, 0
	for i := range states {
		switch s := &states[i]; {
		case s.failed():
			failures++
		case s.pending() || s.changed():
			changes++
		}
	}
	text := fmt.Sprintf("%s of %s would change", Number(changes), Plural(len(states), "state"))
	if failures > 0 {
		text += fmt.Sprintf(", %s failed", Number(failures))
	}
	return text
}

// change shows one state of a plan.
func (p *printer) change(s *stateResult) {
	where := s.sls
	if s.place != "" {
		where = s.place
	}
	p.line(2, s.color(), s.module+"."+s.function+" "+s.name, "  ("+Harmless(where)+")")
	if s.changed() {
		for k, v := range s.shownChanges(p.o.States).All() {
			p.changeOf(fmt.Sprint(k), v)
		}
	}
	if comment := strings.TrimSpace(s.comment); comment != "" && (!s.changed() || s.failed()) {
		p.line(6, s.color(), strings.ReplaceAll(comment, "\n", "\n      "), "")
	}
	for _, w := range s.warnings {
		p.line(6, lightYellow, "warning: "+wrap(w, 6, p.columns()), "")
	}
}

// changeOf shows one change: old and new side by side, a diff line by line, other values nested.
func (p *printer) changeOf(key string, v any) {
	if d, ok := v.(*value.Dict); ok && d.Len() == 2 {
		before, okOld := d.Get("old")
		after, okNew := d.Get("new")
		if okOld && okNew && isShort(before) && isShort(after) {
			p.line(6, cyan, key, ": "+Harmless(plainText(before)+" -> "+plainText(after)))
			return
		}
	}
	if isShort(v) {
		p.line(6, cyan, key, ": "+Harmless(plainText(v)))
		return
	}
	p.line(6, cyan, key, ":")
	text, ok := v.(string)
	if !ok {
		p.value(v, 10, "")
		return
	}
	for l := range strings.SplitSeq(ended(text), "\n") {
		p.line(10, diffColor(l), l, "")
	}
}

// isShort tells of a value that fits behind its key.
func isShort(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.Contains(ended(v), "\n")
	case *value.Dict:
		return v.Len() == 0
	case *value.List:
		return len(v.Items) == 0
	}
	return true
}

func diffColor(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return green
	case strings.HasPrefix(line, "-"):
		return red
	case strings.HasPrefix(line, "@@"):
		return cyan
	}
	return ""
}
