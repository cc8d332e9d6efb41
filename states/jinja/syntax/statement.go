package syntax

import (
	"slices"
	"strings"
	"sync"

	"brine/states/jinja/python"
)

// statements are the tags and what reads them, in order of name. Each reads from after
// its name up to the end of its last tag.
var statements struct {
	sync.Once // of makeStatements: it can't be made where it is declared, as the readers reach it again
	byName    map[string]func(*parser, Pos) Stmt
}

func makeStatements() {
	statements.byName = map[string]func(*parser, Pos) Stmt{
		"autoescape":  (*parser).autoescape,
		"block":       (*parser).blockTag,
		"break":       func(_ *parser, at Pos) Stmt { return &Break{at} },
		"call":        (*parser).callBlock,
		"continue":    func(_ *parser, at Pos) Stmt { return &Continue{at} },
		"do":          func(p *parser, at Pos) Stmt { return &Do{at, p.tuple(tupleRules{cond: true})} },
		"extends":     func(p *parser, at Pos) Stmt { return &Extends{at, p.expression()} },
		"filter":      (*parser).filterBlock,
		"for":         (*parser).forLoop,
		"from":        (*parser).fromImport,
		"if":          (*parser).ifElse,
		"import":      func(p *parser, at Pos) Stmt { return p.importAs(at, "") },
		"import_json": func(p *parser, at Pos) Stmt { return p.importAs(at, "load_json") },
		"import_text": func(p *parser, at Pos) Stmt { return p.importAs(at, "load_text") },
		"import_yaml": func(p *parser, at Pos) Stmt { return p.importAs(at, "load_yaml") },
		"include":     (*parser).include,
		"load_json":   func(p *parser, at Pos) Stmt { return p.load(at, "load_json") },
		"load_text":   func(p *parser, at Pos) Stmt { return p.load(at, "load_text") },
		"load_yaml":   func(p *parser, at Pos) Stmt { return p.load(at, "load_yaml") },
		"macro":       (*parser).macro,
		"print":       (*parser).print,
		"profile":     (*parser).profile,
		"set":         (*parser).set,
		"with":        (*parser).with,
	}
}

func (p *parser) autoescape(at Pos) Stmt {
	s := &Autoescape{Pos: at, Value: p.expression()}
	s.Body = p.closed("name:endautoescape")
	return s
}

func (p *parser) blockTag(at Pos) Stmt {
	b := &Block{Pos: at, Name: p.expect("name").text}
	b.Scoped = p.skipIf("name:scoped")
	b.Required = p.skipIf("name:required")
	if p.current().is("-") {
		p.fail(p.current().pos, "Block names in Jinja have to be valid Python identifiers and may not "+
			"contain hyphens, use an underscore instead.")
	}
	b.Body = p.closed("name:endblock")
	if b.Required && !blank(b.Body) {
		p.fail(p.current().pos, "Required blocks can only contain comments or whitespace")
	}
	p.skipIf("name:" + b.Name)
	if p.blocks[b.Name] != nil {
		p.fail(at, "block "+python.Quote(b.Name)+" defined twice")
	}
	p.blocks[b.Name] = b
	return b
}

// blank reports whether statements write only white space.
func blank(body []Stmt) bool {
	for _, s := range body {
		out, ok := s.(*Output)
		if !ok {
			return false
		}
		for _, part := range out.Parts {
			if part.Expr != nil || strings.TrimFunc(part.Text, python.IsSpace) != "" {
				return false
			}
		}
	}
	return true
}

func (p *parser) signature(r *Routine) {
	p.expect("(")
	for !p.current().is(")") {
		if len(r.Args) > 0 {
			p.expect(",")
		}
		arg := p.nameTarget()
		if slices.ContainsFunc(r.Args, func(other *Name) bool { return other.Name == arg.Name }) {
			panic(&Error{Pos: arg.Pos, Text: "duplicate argument '" + arg.Name + "' in function definition", Compile: true})
		}
		r.Args = append(r.Args, arg)
		switch {
		case p.skipIf("="):
			r.Defaults = append(r.Defaults, p.expression())
		case len(r.Defaults) > 0:
			p.fail(p.current().pos, "non-default argument follows default argument")
		}
	}
	p.expect(")")
}

func (p *parser) callBlock(at Pos) Stmt {
	s := &CallBlock{Pos: at}
	if p.current().is("(") {
		p.signature(&s.Routine)
	}
	call, ok := p.expression().(*Call)
	if !ok {
		p.fail(at, "expected call")
	}
	s.Call = call
	s.Body = p.closed("name:endcall")
	return s
}

func (p *parser) filterBlock(at Pos) Stmt {
	s := &FilterBlock{Pos: at, Filter: p.filter(p.filterName(nil))}
	s.Body = p.closed("name:endfilter")
	return s
}

func (p *parser) forLoop(at Pos) Stmt {
	s := &For{Pos: at, Target: p.target(tupleRules{})}
	p.expect("name:in")
	s.Iter = p.tuple(tupleRules{})
	if p.skipIf("name:if") {
		s.Test = p.expression()
		s.TestTarget = copyTarget(s.Target)
	}
	s.Recursive = p.skipIf("name:recursive")
	s.Body = p.block("name:endfor", "name:else")
	if p.next().text == "else" {
		s.Else = p.closed("name:endfor")
	}
	return s
}

// copyTarget copies an assignment target: in another scope its names are kept elsewhere.
func copyTarget(e Expr) Expr {
	switch e := e.(type) {
	case *Name:
		c := *e
		return &c
	case *Tuple:
		c := &Tuple{Pos: e.Pos}
		for _, item := range e.Items {
			c.Items = append(c.Items, copyTarget(item))
		}
		return c
	}
	return e
}

func (p *parser) importAs(at Pos, load string) Stmt {
	s := &Import{Pos: at, Load: load, Template: p.expression()}
	p.expect("name:as")
	s.Target = p.nameTarget()
	s.WithContext, _ = p.context(false)
	return s
}

// context reads "with context" or "without context".
func (p *parser) context(with bool) (value, given bool) {
	if t := p.current(); (t.is("name:with") || t.is("name:without")) && p.look().is("name:context") {
		with = t.text == "with"
		p.next()
		p.next()
		return with, true
	}
	return with, false
}

func (p *parser) fromImport(at Pos) Stmt {
	s := &FromImport{Pos: at, Template: p.expression()}
	p.expect("name:import")
	for {
		if len(s.Names) > 0 {
			p.expect(",")
		}
		if p.current().kind != tokName {
			p.expect("name")
		}
		var given bool
		if s.WithContext, given = p.context(false); given {
			break
		}
		s.Names = append(s.Names, p.imported())
		if s.WithContext, given = p.context(false); given || !p.current().is(",") {
			break
		}
	}
	return s
}

func (p *parser) imported() Imported {
	target := p.nameTarget()
	if strings.HasPrefix(target.Name, "_") {
		p.fail(target.Pos, "names starting with an underline can not be imported")
	}
	n := Imported{target.Name, target}
	if p.skipIf("name:as") {
		n.Target = p.nameTarget()
	}
	return n
}

func (p *parser) ifElse(at Pos) Stmt {
	first := &If{Pos: at}
	branch := first
	for {
		branch.Test = p.tuple(tupleRules{})
		branch.Body = p.block("name:elif", "name:else", "name:endif")
		switch p.next().text {
		case "elif":
			branch = &If{Pos: p.current().pos}
			first.Elif = append(first.Elif, branch)
			continue
		case "else":
			first.Else = p.closed("name:endif")
		}
		return first
	}
}

func (p *parser) include(at Pos) Stmt {
	s := &Include{Pos: at, Template: p.expression()}
	if p.current().is("name:ignore") && p.look().is("name:missing") {
		p.next()
		p.next()
		s.IgnoreMissing = true
	}
	s.WithContext, _ = p.context(true)
	return s
}

// load reads "load_yaml as x": a set block whose text the filter of that name makes data of.
func (p *parser) load(at Pos, filter string) Stmt {
	p.expect("name:as")
	s := &SetBlock{Pos: at, Target: p.target(tupleRules{}), Filter: &Filter{Pos: at, Name: filter}}
	s.Body = p.closed("name:endload")
	return s
}

func (p *parser) macro(at Pos) Stmt {
	s := &Macro{Pos: at, Name: p.nameTarget()}
	p.signature(&s.Routine)
	s.Body = p.closed("name:endmacro")
	return s
}

func (p *parser) print(Pos) Stmt {
	s := &Output{}
	for p.current().kind != tokBlockEnd {
		if len(s.Parts) > 0 {
			p.expect(",")
		}
		s.Parts = append(s.Parts, Part{Expr: p.expression()})
	}
	return s
}

func (p *parser) profile(at Pos) Stmt {
	s := &Profile{Pos: at}
	if p.skipIf("name:as") {
		s.Label = p.expression()
	}
	s.Body = p.closed("name:endprofile")
	return s
}

func (p *parser) set(at Pos) Stmt {
	target := p.target(tupleRules{namespace: true})
	if p.skipIf("=") {
		return &Set{Pos: at, Target: target, Value: p.tuple(tupleRules{cond: true})}
	}
	s := &SetBlock{Pos: at, Target: target}
	if p.current().is("|") {
		p.next()
		s.Filter = p.filter(p.filterName(nil))
	}
	s.Body = p.closed("name:endset")
	return s
}

func (p *parser) with(at Pos) Stmt {
	s := &With{Pos: at}
	for p.current().kind != tokBlockEnd {
		if len(s.Targets) > 0 {
			p.expect(",")
		}
		s.Targets = append(s.Targets, p.target(tupleRules{}))
		p.expect("=")
		s.Values = append(s.Values, p.expression())
	}
	s.Body = p.closed("name:endwith")
	return s
}

// nameTarget reads a single name that is assigned.
func (p *parser) nameTarget() *Name {
	t := p.expect("name")
	if _, constant := constants[t.text]; constant {
		p.fail(t.pos, "can't assign to 'name'")
	}
	return &Name{Pos: t.pos, Name: t.text}
}

// target reads what is assigned: a name, names in a tuple, or an attribute of a namespace.
func (p *parser) target(rules tupleRules) Expr {
	rules.simple = true
	e := p.tuple(rules)
	if kind := unassignable(e); kind != "" {
		p.fail(e.At(), "can't assign to "+python.Quote(kind))
	}
	return e
}

// unassignable names the kind of an expression that can't be assigned to.
func unassignable(e Expr) string {
	switch e := e.(type) {
	case *Name, *NSRef:
		return ""
	case *Tuple:
		for _, item := range e.Items {
			if unassignable(item) != "" {
				return "tuple"
			}
		}
		return ""
	case *Const:
		return "const"
	case *List:
		return "list"
	case *Dict:
		return "dict"
	}
	return "expression"
}
