package syntax

import (
	"strings"

	"brine/states/jinja/python"
)

// A resolver goes through a template after its symbols are known. It puts to every name where it is kept,
// and finds the mistakes that only show then.
type resolver struct {
	names Names
	*symbols
	top  bool // at the top level of a template: assignments go to its context
	soft bool // below an if: an unknown filter is no mistake until it is used
	loop bool // inside a loop
}

func resolve(t *Template, n Names) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	t.Func = &Func{}
	r := &resolver{names: n, top: true, symbols: newSymbols(nil, &function{t.Func, 0})}
	r.collect(t.Body)
	if undeclared(t.Body, "self")["self"] {
		t.Self = r.special("self")
	}
	t.Scope = r.scope()
	r.body(t.Body)
	for _, b := range t.Blocks {
		r.block(b)
	}
	return nil
}

func fail(pos Pos, text string) { panic(&Error{Pos: pos, Text: text}) }

// special makes a variable that is set when its function begins.
func (r *resolver) special(name string) *Slot {
	s := r.slot(r.parameter(name))
	return &s
}

// block resolves a block, which is a function that sees nothing of the template but its context.
func (r *resolver) block(b *Block) {
	b.Func = &Func{}
	in := &resolver{names: r.names, symbols: newSymbols(nil, &function{b.Func, 0})}
	in.collect(b.Body)
	used := undeclared(b.Body, "self", "super")
	if used["self"] {
		b.Self = in.special("self")
	}
	if used["super"] {
		b.Super = in.special("super")
	}
	b.Scope = in.scope()
	in.body(b.Body)
}

// inner is a resolver for a scope inside this one, of the same function or of a new one.
func (r *resolver) inner(f *Func) *resolver {
	fn := r.fn
	if f != nil {
		fn = &function{f, r.fn.depth + 1}
	}
	return &resolver{names: r.names, symbols: newSymbols(r.symbols, fn), loop: r.loop && f == nil}
}

// scoped resolves a body with a scope of its own.
func (r *resolver) scoped(body []Stmt, first ...Expr) *Scope {
	in := r.inner(nil)
	in.read(first...)
	in.collect(body)
	in.expr(first...)
	in.body(body)
	return in.scope()
}

func (r *resolver) body(body []Stmt) {
	for _, s := range body {
		r.stmt(s)
	}
}

func (r *resolver) store(e Expr) Store {
	r.target(e)
	name, ok := e.(*Name)
	return Store{Context: r.top, Export: r.top && (!ok || !strings.HasPrefix(name.Name, "_"))}
}

func (r *resolver) target(e Expr) {
	switch e := e.(type) {
	case *Name:
		e.Slot = r.slot(r.find(e.Name))
	case *NSRef:
		r.target(e.Object)
	case *Tuple:
		for _, item := range e.Items {
			r.target(item)
		}
	}
}

func (r *resolver) stmt(s Stmt) {
	switch s := s.(type) {
	case *Output:
		for _, p := range s.Parts {
			r.expr(p.Expr)
		}
	case *If:
		r.ifElse(s)
	case *For:
		r.forLoop(s)
	case *Macro:
		r.target(s.Name)
		s.Export = r.top
		r.routine(&s.Routine, s.Pos)
	case *CallBlock:
		r.expr(s.Call)
		r.routine(&s.Routine, s.Pos)
	case *FilterBlock:
		r.expr(s.Filter)
		s.Scope = r.scoped(s.Body)
	case *With:
		r.with(s)
	case *Autoescape:
		s.Scope = r.scoped(s.Body, s.Value)
	case *Set:
		r.expr(s.Value)
		s.Store = r.store(s.Target)
	case *SetBlock:
		s.Store = r.store(s.Target)
		if s.Filter != nil {
			s.Scope = r.scoped(s.Body, s.Filter)
		} else {
			s.Scope = r.scoped(s.Body)
		}
	case *Do:
		r.expr(s.Value)
	case *Break:
		r.inLoop(s.Pos, "break")
	case *Continue:
		r.inLoop(s.Pos, "continue")
	case *Profile:
		r.expr(s.Label)
		s.Scope = r.scoped(s.Body)
	default:
		r.templates(s)
	}
}

// templates resolves the statements that use other templates.
func (r *resolver) templates(s Stmt) {
	switch s := s.(type) {
	case *Block:
		s.Top = r.top
		if s.Scoped {
			s.Locals = r.locals()
		}
	case *Extends:
		r.expr(s.Template)
	case *Include:
		r.expr(s.Template)
		s.Locals = r.locals()
	case *Import:
		r.expr(s.Template)
		s.Locals = r.locals()
		s.Store = r.store(s.Target)
		if s.Load != "" && !r.soft {
			r.known("filter", s.Load, s.Pos, r.names.HasFilter)
		}
	case *FromImport:
		r.expr(s.Template)
		s.Locals = r.locals()
		s.Store.Context = r.top
		for _, n := range s.Names {
			r.target(n.Target)
		}
	}
}

func (r *resolver) inLoop(pos Pos, what string) {
	if !r.loop {
		panic(&Error{Pos: pos, Text: "'" + what + "' outside loop", Compile: true})
	}
}

// ifElse resolves branches: they have no scope of their own.
func (r *resolver) ifElse(s *If) {
	soft := r.soft
	r.soft = true
	r.expr(s.Test)
	r.body(s.Body)
	for _, e := range s.Elif {
		r.ifElse(e)
	}
	r.body(s.Else)
	r.soft = soft
}

func (r *resolver) with(s *With) {
	r.expr(s.Values...)
	in := r.inner(nil)
	for _, t := range s.Targets {
		names(t, func(n *Name) { in.parameter(n.Name) })
	}
	in.collect(s.Body)
	for _, t := range s.Targets {
		in.target(t)
	}
	in.body(s.Body)
	s.Scope = in.scope()
}

func (r *resolver) forLoop(s *For) {
	r.expr(s.Iter)
	s.Extended = s.Recursive || undeclared(s.Body, "loop")["loop"] || anyStmt(append(s.Body, s.Else...), func(s Stmt) bool {
		b, ok := s.(*Block)
		return ok && b.Scoped
	})
	noLoopTarget(s)
	var f *Func
	if s.Recursive {
		s.Func = &Func{}
		f = s.Func
	}
	in := r.inner(f)
	in.loop = true
	if s.Extended {
		s.Loop = *in.special("loop")
	}
	parameters(in, s.Target)
	in.collect(s.Body)
	in.target(s.Target)
	in.body(s.Body)
	s.Scope = in.scope()

	// Scopes of the same function as the body: they run inside it.
	side := *r
	if f != nil {
		side = resolver{names: r.names, symbols: newSymbols(r.symbols, in.fn)}
	}
	if s.Test != nil {
		s.TestScope = side.testScope(s)
	}
	if s.Else != nil {
		s.ElseScope = side.scoped(s.Else)
	}
}

func parameters(r *resolver, target Expr) {
	names(target, func(n *Name) { r.parameter(n.Name) })
}

func (r *resolver) testScope(s *For) *Scope {
	in := r.inner(nil)
	parameters(in, s.TestTarget)
	in.read(s.Test)
	in.target(s.TestTarget)
	in.expr(s.Test)
	return in.scope()
}

// noLoopTarget refuses assignments to the variable loop inside a loop.
func noLoopTarget(s *For) {
	check := func(e Expr) {
		if _, ok := e.(*NSRef); ok {
			return
		}
		names(e, func(n *Name) {
			if n.Name == "loop" {
				fail(n.Pos, "Can't assign to special loop variable in for-loop target")
			}
		})
	}
	check(s.Target)
	anyStmt([]Stmt{s}, func(st Stmt) bool {
		switch st := st.(type) {
		case *Set:
			check(st.Target)
		case *SetBlock:
			check(st.Target)
		case *For:
			check(st.Target)
		}
		return false
	})
}

// routine resolves a macro or the body of a call block.
func (r *resolver) routine(s *Routine, at Pos) {
	s.Func = &Func{}
	in := r.inner(s.Func)
	given := map[string]int{}
	for i, a := range s.Args {
		in.parameter(a.Name)
		given[a.Name] = i + 1
	}
	in.read(s.Defaults...)
	in.collect(s.Body)
	used := undeclared(s.Body, "caller", "kwargs", "varargs")
	if i := given["caller"]; i > 0 && used["caller"] {
		if i <= len(s.Args)-len(s.Defaults) {
			fail(at, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
		s.ExplicitCaller = true
	} else if used["caller"] {
		s.Caller = in.special("caller")
	}
	if used["kwargs"] && given["kwargs"] == 0 {
		s.Kwargs = in.special("kwargs")
	}
	if used["varargs"] && given["varargs"] == 0 {
		s.Vararg = in.special("varargs")
	}
	for _, a := range s.Args {
		in.target(a)
	}
	in.expr(s.Defaults...)
	in.body(s.Body)
	s.Scope = in.scope()
}

// expr resolves the names of expressions and checks their filters and tests.
func (r *resolver) expr(list ...Expr) {
	for _, e := range list {
		names(e, func(n *Name) { n.Slot = r.slot(r.find(n.Name)) })
		r.check(e, r.soft)
	}
}

func (r *resolver) known(kind, name string, pos Pos, has func(string) bool) {
	if !has(name) {
		fail(pos, "No "+kind+" named "+python.Quote(name)+".")
	}
}

// check finds unknown filters and tests where they would be used for certain.
func (r *resolver) check(e Expr, soft bool) {
	walk(e, soft, func(e Expr, soft bool) {
		switch e := e.(type) {
		case *Filter:
			if !soft {
				r.known("filter", e.Name, e.Pos, r.names.HasFilter)
			}
		case *Test:
			if !soft {
				r.known("test", e.Name, e.Pos, r.names.HasTest)
			}
		}
	})
}
