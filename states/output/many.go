package output

import (
	"cmp"
	"crypto/sha256"
	"io"
	"slices"
	"strings"

	"brine/states/value"
)

// A Result is what one minion returned, or why it returned nothing.
type Result struct {
	Minion string
	Value  []byte   // JSON; nothing when there is none
	Reason string   // that there is no value, such as "offline"
	Failed bool     // it is shown last, and never left out
	Notes  []string // shown below the value
}

// ManyOptions say how the results of many minions are shown.
type ManyOptions struct {
	All  bool // each by itself; of a plan, all names
	Plan bool // what a state run in test mode would change, equal ones once
}

// Many shows the results of many minions: each as it comes, but for those that equal one before, of
// states those without a change, and those that failed. Close tells of these. It is for one goroutine.
type Many struct {
	w    io.Writer
	show Outputter
	o    Options
	many ManyOptions

	states bool // results of states are read as such
	table  *table
	groups []*group
	byKey  map[[sha256.Size]byte]*group
	total  summing
	runs   int  // minions that returned results of states
	change int  // of these: with changes
	open   int  // with states whose result is None: they would change something
	hinted bool // how to see all has been told
}

// A group is the minions whose results are equal. The first is shown for all.
type group struct {
	first  Result
	names  []string
	states []stateResult // nil when it is no result of states
	sum    summing
	run    bool // the value is that of a state run
	quiet  bool // and nothing changed
}

// NewMany returns what shows results in the layout of a name: one of Names. The error says which there are.
func NewMany(w io.Writer, name string, o Options, many ManyOptions) (*Many, error) {
	show, err := For(name)
	if err != nil {
		return nil, err
	}
	m := &Many{w: w, show: show, o: o, many: many, states: name == "highstate" || many.Plan}
	switch name {
	case "nested", "highstate":
		m.byKey = map[[sha256.Size]byte]*group{}
	case "table":
		m.table = &table{}
	}
	return m, nil
}

// Add takes what one minion returned.
func (m *Many) Add(r Result) error {
	switch {
	case m.table != nil:
		m.table.add(r)
		return nil
	case m.byKey == nil:
		return m.alone(r)
	}
	g, took := m.group(r)
	g.names = append(g.names, r.Minion)
	if g.run {
		m.runs++
		m.total.add(g.sum, 1)
		m.total.duration += took
		m.change += min(g.sum.changed, 1)
		m.open += min(g.sum.pending, 1)
	}
	first := len(g.names) == 1
	if !first || m.many.Plan || r.Failed || g.absent() || g.quiet && !m.many.All {
		return nil
	}
	return m.one(g)
}

func (g *group) absent() bool { return len(g.first.Value) == 0 }

// alone shows a result in a layout that has a place for each.
func (m *Many) alone(r Result) error {
	if len(r.Value) > 0 {
		return m.show(m.w, r.Minion, r.Value, m.o)
	}
	text, err := value.MarshalJSON(r.Reason)
	if err != nil {
		return err
	}
	return m.show(m.w, r.Minion, text, m.o)
}

// group finds those whose results equal r, or makes a new one.
func (m *Many) group(r Result) (g *group, took float64) {
	h := sha256.New()
	var sum [sha256.Size]byte
	run := m.states && isStateRun(r.Value)
	if run {
		sum, took = fingerprint(r.Value)
	} else {
		sum = sha256.Sum256(r.Value)
	}
	_, _ = h.Write(sum[:])
	for _, text := range append([]string{r.Reason}, r.Notes...) {
		_, _ = io.WriteString(h, "\x00"+text)
	}
	if r.Failed {
		_, _ = io.WriteString(h, "\x01")
	}
	if m.many.All && !m.many.Plan && !m.mistakes(r) {
		_, _ = io.WriteString(h, "\x02"+r.Minion)
	}
	h.Sum(sum[:0])
	if g = m.byKey[sum]; g == nil {
		g = &group{first: r}
		g.read(m.states)
		m.byKey[sum] = g
		m.groups = append(m.groups, g)
	}
	return g, took
}

// mistakes tells of state files with mistakes: they are the same for all, and never shown for each.
func (m *Many) mistakes(r Result) bool {
	return m.states && r.Failed && len(r.Value) > 0 && r.Value[0] == '['
}

func (g *group) read(states bool) {
	if !states || g.absent() {
		return
	}
	if d, ok := read(g.first.Value).(*value.Dict); ok {
		if g.states, g.run = stateResults(d); g.run {
			g.sum = count(g.states)
			g.quiet = g.sum.quiet() && !g.first.Failed
		}
	}
}

// one shows the first result of a group.
func (m *Many) one(g *group) error {
	p := &printer{o: m.o}
	if g.run && m.states {
		p.states(g.first.Minion, g.states)
	} else if err := m.show(p, g.first.Minion, g.first.Value, m.o); err != nil {
		return err
	}
	p.notes(g.first.Notes)
	return m.write(p)
}

func (p *printer) notes(notes []string) {
	for _, n := range notes {
		p.line(4, "", "("+n+")", "")
	}
}

func (m *Many) write(p *printer) error {
	_, err := m.w.Write(p.Bytes())
	return err
}

// Close tells of what was left out, then of the minions that returned nothing, then of those that failed,
// and at last the counts of all states. The writer stays open.
func (m *Many) Close() error {
	if m.table != nil {
		return m.table.write(m.w, m.o)
	}
	for _, g := range m.groups {
		slices.Sort(g.names)
	}
	p := &printer{o: m.o}
	m.successes(p)
	for _, g := range m.groups {
		if g.absent() && !g.first.Failed {
			p.absent(g)
		}
	}
	if err := m.write(p); err != nil {
		return err
	}
	if err := m.failures(); err != nil {
		return err
	}
	p = &printer{o: m.o}
	if m.runs > 1 {
		p.summary(Plural(m.runs, "minion"), m.total, " (all minions together)")
	}
	return m.write(p)
}

// Changed counts the minions on which states changed something, or in test mode are known to.
func (m *Many) Changed() int { return m.change }

// Pending counts the minions on which states would change something: they ran in test mode.
func (m *Many) Pending() int { return m.open }

// successes tells of the groups that are counted: of a plan what would change, else who is the same as
// one that was shown, and who has no change.
func (m *Many) successes(p *printer) {
	var counted []*group
	for _, g := range m.groups {
		if !g.absent() && !g.first.Failed && (m.many.Plan || !m.many.All) {
			counted = append(counted, g)
		}
	}
	if m.many.Plan {
		slices.SortStableFunc(counted, func(a, b *group) int { return cmp.Compare(len(b.names), len(a.names)) })
	}
	for _, g := range counted {
		switch {
		case g.quiet:
		case m.many.Plan:
			m.planned(p, g)
		case len(g.names) > 1:
			names := without(g.names, g.first.Minion)
			m.counted(p, cyan, Plural(len(names), "more minion")+": same as "+g.first.Minion, names)
		}
	}
	for _, g := range counted {
		if g.quiet {
			m.counted(p, green, Plural(len(g.names), "minion")+": no change", g.names)
		}
	}
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// counted tells of minions in one line: some of their names, as many as fit, and how to see the others when
// that was not said yet.
func (m *Many) counted(p *printer, color, text string, names []string) {
	hint := ""
	if !m.hinted && !m.many.All && (!m.many.Plan || len(names) > someNames) {
		m.hinted = true
		hint = "; --all shows each"
	}
	most := someNames
	if m.many.All {
		most = len(names)
	}
	in := first(names, most)
	for most > 0 && m.o.Width > 0 && len(text)+len(in)+len(hint)+4 > m.o.Width {
		most--
		in = first(names, most)
	}
	if in = strings.TrimPrefix(in+hint, "; "); in != "" {
		in = "  (" + Harmless(in) + ")"
	}
	p.line(0, color, text, in)
}

// absent names all minions that gave no result for the same reason.
func (p *printer) absent(g *group) {
	color := lightYellow
	if g.first.Failed {
		color = lightRed
	}
	p.line(0, color, wrap(strings.Join(g.names, ", "), 0, p.columns()), ":")
	p.line(4, color, strings.ReplaceAll(g.first.Reason, "\n", "\n    "), "")
	p.notes(g.first.Notes)
}

// failures shows each group that failed, with all names.
func (m *Many) failures() error {
	for _, g := range m.groups {
		if !g.first.Failed {
			continue
		}
		p := &printer{o: m.o}
		switch {
		case g.absent():
			p.absent(g)
		case m.many.Plan:
			m.planned(p, g)
		default:
			if len(g.names) > 1 {
				text := Plural(len(g.names), "minion") + " failed alike: " + strings.Join(g.names, ", ")
				p.line(0, red, wrap(text, 0, p.columns()), "")
			}
			if err := m.write(p); err != nil {
				return err
			}
			p.Reset()
			if err := m.one(g); err != nil {
				return err
			}
		}
		if err := m.write(p); err != nil {
			return err
		}
	}
	return nil
}
