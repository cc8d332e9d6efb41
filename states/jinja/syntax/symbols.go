package syntax

import (
	"maps"
	"slices"
	"sort"
)

// A function is a Func while it is resolved.
type function struct {
	*Func
	depth int
}

// A variable belongs to one scope of one function.
type variable struct {
	fn    *function
	index int
}

// symbols are the names of one scope. What a name means is settled for a whole scope at once: a name
// that a loop's body sets is a variable of the body from its first line on.
type symbols struct {
	parent *symbols
	fn     *function
	own    map[string]*variable // every variable of the scope; shared by its branches
	refs   map[string]*variable // what names mean here
	loads  map[*variable]Load
	stores map[string]bool
}

func newSymbols(parent *symbols, fn *function) *symbols {
	return &symbols{parent, fn, map[string]*variable{}, map[string]*variable{}, map[*variable]Load{}, map[string]bool{}}
}

// branch is a copy for one branch of an if, which has no scope of its own.
func (s *symbols) branch() *symbols {
	return &symbols{s.parent, s.fn, s.own, maps.Clone(s.refs), maps.Clone(s.loads), maps.Clone(s.stores)}
}

func (s *symbols) find(name string) *variable {
	for ; s != nil; s = s.parent {
		if v := s.refs[name]; v != nil {
			return v
		}
	}
	return nil
}

// define makes name a variable of the scope. A nil load is for parameters.
func (s *symbols) define(name string, load *Load) *variable {
	v := s.own[name]
	if v == nil {
		v = &variable{s.fn, s.fn.Slots}
		s.fn.Slots++
		s.own[name] = v
	}
	s.refs[name] = v
	delete(s.loads, v)
	if load != nil {
		load.Index = v.index
		s.loads[v] = *load
	}
	return v
}

func (s *symbols) parameter(name string) *variable {
	s.stores[name] = true
	return s.define(name, nil)
}

func (s *symbols) load(name string) {
	if s.find(name) == nil {
		s.define(name, &Load{Kind: Resolve, Name: name})
	}
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if s.refs[name] != nil {
		return
	}
	if outer := s.parent.find(name); outer != nil {
		s.define(name, &Load{Kind: Alias, From: s.slot(outer)})
		return
	}
	s.define(name, &Load{Kind: Missing})
}

// join takes in the branches of an if: what only some of them set has, where it was not set, the value
// that it has outside.
func (s *symbols) join(branches []*symbols) {
	stored := map[string]bool{}
	for _, b := range branches {
		for name := range b.stores {
			if !s.stores[name] {
				stored[name] = true
			}
		}
	}
	for _, b := range branches {
		maps.Copy(s.refs, b.refs)
		maps.Copy(s.loads, b.loads)
		maps.Copy(s.stores, b.stores)
	}
	for name := range stored {
		v := s.find(name)
		if outer := s.parent.find(name); outer != nil {
			s.loads[v] = Load{Index: v.index, Kind: Alias, From: s.slot(outer)}
			continue
		}
		s.loads[v] = Load{Index: v.index, Kind: Resolve, Name: name}
	}
}

// slot is how a variable is reached from the scope's function.
func (s *symbols) slot(v *variable) Slot { return Slot{s.fn.depth - v.fn.depth, v.index} }

// scope is the finished list of loads.
func (s *symbols) scope() *Scope {
	loads := slices.Collect(maps.Values(s.loads))
	sort.Slice(loads, func(i, k int) bool { return loads[i].Index < loads[k].Index })
	return &Scope{loads}
}

// locals are the names set in this scope and those around it.
func (s *symbols) locals() []Local {
	seen := map[string]bool{}
	var out []Local
	for at := s; at != nil; at = at.parent {
		for name := range at.stores {
			if !seen[name] {
				seen[name] = true
				out = append(out, Local{name, s.slot(s.find(name))})
			}
		}
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Name < out[k].Name })
	return out
}

// collect puts the names of statements into the scope, not those of inner scopes.
func (s *symbols) collect(body []Stmt) {
	for _, st := range body {
		s.statement(st)
	}
}

func (s *symbols) read(list ...Expr) {
	for _, e := range list {
		names(e, func(n *Name) { s.load(n.Name) })
	}
}

func (s *symbols) write(e Expr) {
	if ref, ok := e.(*NSRef); ok {
		s.load(ref.Object.Name)
		return
	}
	if t, ok := e.(*Tuple); ok {
		for _, item := range t.Items {
			s.write(item)
		}
		return
	}
	names(e, func(n *Name) { s.store(n.Name) })
}

func (s *symbols) statement(st Stmt) {
	switch st := st.(type) {
	case *Output:
		for _, p := range st.Parts {
			s.read(p.Expr)
		}
	case *If:
		s.read(st.Test)
		s.branches(st)
	case *For:
		s.read(st.Iter)
	case *Macro:
		s.store(st.Name.Name)
	case *CallBlock:
		s.read(st.Call)
	case *FilterBlock:
		s.read(st.Filter)
	case *With:
		s.read(st.Values...)
	case *Set:
		s.read(st.Value)
		s.write(st.Target)
	case *SetBlock:
		s.write(st.Target)
	case *Do:
		s.read(st.Value)
	case *Extends:
		s.read(st.Template)
	case *Include:
		s.read(st.Template)
	case *Import:
		s.read(st.Template)
		s.store(st.Target.Name)
	case *FromImport:
		s.read(st.Template)
		for _, n := range st.Names {
			s.store(n.Target.Name)
		}
	case *Profile:
		s.read(st.Label)
	}
}

func (s *symbols) branches(st *If) {
	body, elif, other := s.branch(), s.branch(), s.branch()
	body.collect(st.Body)
	for _, e := range st.Elif {
		elif.statement(e)
	}
	other.collect(st.Else)
	s.join([]*symbols{body, elif, other})
}
