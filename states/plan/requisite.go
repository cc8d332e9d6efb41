package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"brine/proto/spell"
)

// A Kind says what one state has to do with another.
type Kind uint8

// The kinds of requisites, in the order in which Salt looks at them.
const (
	Require Kind = iota
	RequireAny
	Watch
	WatchAny
	OnFail
	OnFailAny
	OnFailAll
	OnChanges
	OnChangesAny
	Prereq
	PrereqAny
	Listen

	// Prerequired is the other side of a prereq: the state named by it runs after the one that has it.
	Prerequired
	// Before is between a state with a prereq and what the state named by it needs.
	Before
)

var kindNames = [...]string{"require", "require_any", "watch", "watch_any", "onfail", "onfail_any", "onfail_all",
	"onchanges", "onchanges_any", "prereq", "prereq_any", "listen"}

// String returns the name used in SLS files.
func (k Kind) String() string {
	if k < Prerequired {
		return kindNames[k]
	}
	return [...]string{"after prereq", "before"}[k-Prerequired]
}

// Kinds returns the names of all kinds in order.
func Kinds() []string { return slices.Clone(kindNames[:]) }

// ParseKind returns the kind with a name.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i >= 0
}

// A Requisite is one item of a requisite list as it was written.
type Requisite struct {
	Kind   Kind
	Module string // "pkg"; "sls" for all states of an SLS; "" or "id" for a state of any module
	Target string // an ID, a name, or a glob of them; of "sls" the SLS
	Place  Place
}

// String returns the requisite as messages show it, such as "require: pkg: nginx".
func (r Requisite) String() string {
	if r.Module == "" {
		return fmt.Sprintf("%s: %s", r.Kind, r.Target)
	}
	return fmt.Sprintf("%s: %s: %s", r.Kind, r.Module, r.Target)
}

// sls is the SLS that the requisite names; "" when it names something else.
func (r Requisite) sls() string {
	if r.Module == slsModule {
		return r.Target
	}
	return ""
}

// An index finds the chunks that requisites mean without looking at each.
type index struct {
	nodes []*Node
	exact map[lookup][]*Node
	globs map[lookup][]*Node // answers for patterns, as one often stands in many states

	suggested int
}

// mostSuggestions bounds the searches for what was meant: one SLS that is missing can be missed by every state.
const mostSuggestions = 100

// A lookup is what a requisite asks for: in a module or, with "", in all.
type lookup struct{ module, target string }

const slsModule = "sls"

func newIndex(nodes []*Node) *index {
	x := &index{nodes: nodes, exact: map[lookup][]*Node{}, globs: map[lookup][]*Node{}}
	bySLS := slices.ContainsFunc(nodes, func(n *Node) bool {
		return slices.ContainsFunc(n.Requisites, func(r Requisite) bool { return r.Module == slsModule })
	})
	for _, n := range nodes {
		for _, mod := range []string{n.Module, ""} {
			x.add(lookup{mod, n.ID}, n)
			if n.Name != n.ID {
				x.add(lookup{mod, n.Name}, n)
			}
		}
		if !bySLS {
			continue
		}
		x.add(lookup{slsModule, n.SLS}, n)
		for _, sls := range n.Through {
			x.add(lookup{slsModule, sls}, n)
		}
	}
	return x
}

func (x *index) add(l lookup, n *Node) { x.exact[l] = append(x.exact[l], n) }

// find returns the nodes that a requisite means, in order. What is there by exactly this ID or name
// is meant; only then is the target a glob.
func (x *index) find(r Requisite) []*Node {
	mod := r.Module
	if mod == "id" {
		mod = ""
	}
	l := lookup{mod, r.Target}
	if nodes := x.exact[l]; nodes != nil {
		return nodes
	}
	if !strings.ContainsAny(r.Target, "*?[") {
		return nil
	}
	if nodes, ok := x.globs[l]; ok {
		return nodes
	}
	glob := Glob(r.Target)
	var nodes []*Node
	for _, n := range x.nodes {
		switch {
		case mod == slsModule:
			if glob(n.SLS) || slices.ContainsFunc(n.Through, glob) {
				nodes = append(nodes, n)
			}
		case (mod == "" || mod == n.Module) && (glob(n.ID) || glob(n.Name)):
			nodes = append(nodes, n)
		}
	}
	x.globs[l] = nodes
	return nodes
}

// matcher matches exactly the target or what it matches as a glob.
func matcher(target string) func(string) bool {
	if !strings.ContainsAny(target, "*?[") {
		return func(s string) bool { return s == target }
	}
	glob := Glob(target)
	return func(s string) bool { return s == target || glob(s) }
}

// suggest names the target that a requisite of a state without one most likely means, which is never the state itself.
func (x *index) suggest(n *Node, r Requisite) string {
	if x.suggested++; x.suggested > mostSuggestions {
		return ""
	}
	var here, elsewhere []string
	for l := range x.exact {
		switch {
		case l.target == n.ID || l.target == n.Name:
		case l.module == r.Module:
			here = append(here, l.target)
		case l.target == r.Target && l.module != "" && l.module != slsModule:
			elsewhere = append(elsewhere, l.module)
		}
	}
	if len(elsewhere) > 0 {
		slices.Sort(elsewhere)
		return fmt.Sprintf(" (did you mean \"%s: %s\"?)", elsewhere[0], r.Target)
	}
	slices.Sort(here)
	return spell.DidYouMean(r.Target, here)
}

// Glob returns a function that matches names as Salt does (Python's fnmatch): * and ? match any
// character, "/" too, [ab] one of a set and [!ab] one outside it.
func Glob(pattern string) func(string) bool {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); {
		switch pattern[i] {
		case '*':
			b.WriteString(".*")
			i++
		case '?':
			b.WriteString(".")
			i++
		case '[':
			set, size := globSet(pattern[i:])
			b.WriteString(set)
			i += size
		default:
			end := strings.IndexAny(pattern[i:], "*?[")
			if end < 0 {
				end = len(pattern) - i
			}
			b.WriteString(regexp.QuoteMeta(pattern[i : i+end]))
			i += end
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil { // a set such as [z-a], or bytes that are no text
		return func(s string) bool { return s == pattern }
	}
	return re.MatchString
}

// globSet translates the set that pattern begins with, and returns its length; a bracket
// that is never closed is a plain character.
func globSet(pattern string) (set string, size int) {
	begin := 1
	if strings.HasPrefix(pattern[begin:], "!") {
		begin++
	}
	end := strings.IndexByte(pattern[min(begin+1, len(pattern)):], ']')
	if end < 0 {
		return `\[`, 1
	}
	end += begin + 1
	body := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(pattern[begin:end])
	if begin == 2 {
		body = "^" + body
	}
	return "[" + body + "]", end + 1
}
