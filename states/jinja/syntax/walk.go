package syntax

// walk visits an expression and all inside it; soft is set below a condition.
func walk(e Expr, soft bool, visit func(Expr, bool)) {
	each := func(list ...Expr) {
		for _, item := range list {
			if item != nil {
				walk(item, soft, visit)
			}
		}
	}
	args := func(a *Args) { each(a.all()...) }
	if e == nil || e == (*Filter)(nil) {
		return
	}
	visit(e, soft)
	switch e := e.(type) {
	case *Tuple:
		each(e.Items...)
	case *List:
		each(e.Items...)
	case *Dict:
		each(e.Keys...)
		each(e.Values...)
	case *Cond:
		soft = true
		each(e.Test, e.Then, e.Else)
	case *And:
		each(e.Left, e.Right)
	case *Or:
		each(e.Left, e.Right)
	case *Not:
		each(e.Value)
	case *Compare:
		each(e.First)
		each(e.Rest...)
	case *Binary:
		each(e.Left, e.Right)
	case *Unary:
		each(e.Value)
	case *Concat:
		each(e.Parts...)
	case *Attr:
		each(e.Value)
	case *Item:
		each(e.Value, e.Key)
	case *Slice:
		each(e.Start, e.Stop, e.Step)
	case *Call:
		each(e.Func)
		args(&e.Args)
	case *Filter:
		each(e.Value)
		args(&e.Args)
	case *Test:
		each(e.Value)
		args(&e.Args)
	}
}

// all are the expressions of the arguments; some may be nil.
func (a *Args) all() []Expr {
	out := append([]Expr{}, a.List...)
	for _, n := range a.Named {
		out = append(out, n.Value)
	}
	return append(out, a.Star, a.Double)
}

// names calls load for every name that an expression reads, in order.
func names(e Expr, load func(*Name)) {
	walk(e, false, func(e Expr, _ bool) {
		switch e := e.(type) {
		case *Name:
			load(e)
		case *NSRef:
			load(e.Object)
		}
	})
}

// A search looks through statements, whatever their scope, for names that are read before they are set.
type search struct {
	wanted map[string]bool
	found  map[string]bool
}

// undeclared returns which of the names the statements read without setting them first. Blocks don't count.
func undeclared(body []Stmt, wanted ...string) map[string]bool {
	s := search{map[string]bool{}, map[string]bool{}}
	for _, w := range wanted {
		s.wanted[w] = true
	}
	s.body(body)
	return s.found
}

func (s *search) load(n *Name) {
	if s.wanted[n.Name] {
		s.found[n.Name] = true
	}
}

func (s *search) expr(list ...Expr) {
	for _, e := range list {
		names(e, s.load)
	}
}

func (s *search) store(list ...Expr) {
	for _, e := range list {
		if ref, ok := e.(*NSRef); ok {
			s.load(ref.Object)
			continue
		}
		names(e, func(n *Name) { delete(s.wanted, n.Name) })
	}
}

func (s *search) routine(r *Routine) {
	for _, a := range r.Args {
		s.store(a)
	}
	s.expr(r.Defaults...)
	s.body(r.Body)
}

func (s *search) body(body []Stmt) {
	for _, st := range body {
		s.stmt(st)
	}
}

func (s *search) stmt(st Stmt) {
	switch st := st.(type) {
	case *Output:
		for _, p := range st.Parts {
			s.expr(p.Expr)
		}
	case *If:
		s.expr(st.Test)
		s.body(st.Body)
		for _, e := range st.Elif {
			s.stmt(e)
		}
		s.body(st.Else)
	case *For:
		s.store(st.Target)
		s.expr(st.Iter)
		s.body(st.Body)
		s.body(st.Else)
		s.expr(st.Test)
	case *Macro:
		s.routine(&st.Routine)
	case *CallBlock:
		s.expr(st.Call)
		s.routine(&st.Routine)
	case *FilterBlock:
		s.body(st.Body)
		s.expr(st.Filter)
	case *With:
		s.store(st.Targets...)
		s.expr(st.Values...)
		s.body(st.Body)
	case *Autoescape:
		s.expr(st.Value)
		s.body(st.Body)
	case *Set:
		s.store(st.Target)
		s.expr(st.Value)
	case *SetBlock:
		s.store(st.Target)
		s.expr(st.Filter)
		s.body(st.Body)
	case *Do:
		s.expr(st.Value)
	case *Extends:
		s.expr(st.Template)
	case *Include:
		s.expr(st.Template)
	case *Import:
		s.expr(st.Template)
	case *FromImport:
		s.expr(st.Template)
	case *Profile:
		s.expr(st.Label)
		s.body(st.Body)
	}
}

// anyStmt reports whether test holds for a statement of the body or inside it.
func anyStmt(body []Stmt, test func(Stmt) bool) bool {
	for _, s := range body {
		if test(s) {
			return true
		}
		for _, inner := range bodies(s) {
			if anyStmt(inner, test) {
				return true
			}
		}
	}
	return false
}

// bodies are the statements inside a statement.
func bodies(s Stmt) [][]Stmt {
	switch s := s.(type) {
	case *If:
		list := [][]Stmt{s.Body, s.Else}
		for _, e := range s.Elif {
			list = append(list, e.Body)
		}
		return list
	case *For:
		return [][]Stmt{s.Body, s.Else}
	case *Macro:
		return [][]Stmt{s.Body}
	case *CallBlock:
		return [][]Stmt{s.Body}
	case *FilterBlock:
		return [][]Stmt{s.Body}
	case *With:
		return [][]Stmt{s.Body}
	case *Autoescape:
		return [][]Stmt{s.Body}
	case *SetBlock:
		return [][]Stmt{s.Body}
	case *Block:
		return [][]Stmt{s.Body}
	case *Profile:
		return [][]Stmt{s.Body}
	}
	return nil
}
