package syntax

import "brine/states/jinja/python"

// constants are the names that are literals.
var constants = map[string]any{"true": true, "false": false, "none": nil, "True": true, "False": false, "None": nil}

// expression reads an expression with conditions.
func (p *parser) expression() Expr {
	defer p.nested()()
	at := p.current().pos
	e := p.or()
	for p.skipIf("name:if") {
		c := &Cond{Pos: at, Then: e, Test: p.or()}
		if p.skipIf("name:else") {
			c.Else = p.expression()
		}
		e = c
		at = p.current().pos
	}
	return e
}

func (p *parser) or() Expr {
	e := p.and()
	for p.current().is("name:or") {
		at := p.next().pos
		e = &Or{at, e, p.and()}
	}
	return e
}

func (p *parser) and() Expr {
	e := p.not()
	for p.current().is("name:and") {
		at := p.next().pos
		e = &And{at, e, p.not()}
	}
	return e
}

func (p *parser) not() Expr {
	if p.current().is("name:not") {
		defer p.nested()()
		at := p.next().pos
		return &Not{at, p.not()}
	}
	return p.compare()
}

func (p *parser) compare() Expr {
	c := &Compare{Pos: p.current().pos, First: p.sum()}
	for {
		switch t := p.current(); {
		case t.is("==") || t.is("!=") || t.is("<") || t.is("<=") || t.is(">") || t.is(">="):
			c.Ops = append(c.Ops, string(t.kind))
		case t.is("name:in"):
			c.Ops = append(c.Ops, "in")
		case t.is("name:not") && p.look().is("name:in"):
			p.next()
			c.Ops = append(c.Ops, "not in")
		default:
			if len(c.Ops) == 0 {
				return c.First
			}
			return c
		}
		p.next()
		c.Rest = append(c.Rest, p.sum())
	}
}

func (p *parser) sum() Expr {
	e := p.concat()
	for p.current().is("+") || p.current().is("-") {
		t := p.next()
		e = &Binary{t.pos, string(t.kind), e, p.concat()}
	}
	return e
}

func (p *parser) concat() Expr {
	at := p.current().pos
	e := p.product()
	if !p.current().is("~") {
		return e
	}
	c := &Concat{Pos: at, Parts: []Expr{e}}
	for p.skipIf("~") {
		c.Parts = append(c.Parts, p.product())
	}
	return c
}

func (p *parser) product() Expr {
	e := p.power()
	for t := p.current(); t.is("*") || t.is("/") || t.is("//") || t.is("%"); t = p.current() {
		p.next()
		e = &Binary{t.pos, string(t.kind), e, p.power()}
	}
	return e
}

// power groups to the left, and a sign binds tighter: both are Jinja's, not Python's.
func (p *parser) power() Expr {
	e := p.unary(true)
	for p.current().is("**") {
		t := p.next()
		e = &Binary{t.pos, "**", e, p.unary(true)}
	}
	return e
}

func (p *parser) unary(filters bool) Expr {
	var e Expr
	if t := p.current(); t.is("-") || t.is("+") {
		defer p.nested()()
		p.next()
		e = &Unary{t.pos, string(t.kind), p.unary(false)}
	} else {
		e = p.primary(false)
	}
	e = p.postfix(e)
	if filters {
		e = p.filters(e)
	}
	return e
}

func (p *parser) primary(namespace bool) Expr {
	t := p.current()
	switch t.kind {
	case tokName:
		p.next()
		if v, ok := constants[t.text]; ok {
			return &Const{t.pos, v}
		}
		n := &Name{Pos: t.pos, Name: t.text}
		if namespace && p.skipIf(".") {
			return &NSRef{t.pos, n, p.expect("name").text}
		}
		return n
	case tokString:
		return p.text()
	case tokInteger, tokFloat:
		p.next()
		return &Const{t.pos, t.num}
	case "(":
		p.next()
		e := p.tuple(tupleRules{parens: true, cond: true})
		p.expect(")")
		return e
	case "[":
		return p.list()
	case "{":
		return p.dict()
	}
	p.fail(t.pos, "unexpected "+python.Quote(t.describe()))
	return nil
}

// text reads strings that stand side by side as one.
func (p *parser) text() Expr {
	at, s := p.current().pos, ""
	for p.current().kind == tokString {
		s += p.next().text
	}
	return &Const{at, s}
}

// tupleRules say how a tuple without brackets is read.
type tupleRules struct {
	simple    bool // of names and literals only
	cond      bool // items may be conditional
	namespace bool // items may be attributes
	parens    bool // it stands in brackets, so it may be empty
}

// tuple reads expressions with commas between them, or a single expression.
func (p *parser) tuple(r tupleRules) Expr {
	defer p.nested()()
	at := p.current().pos
	var items []Expr
	isTuple := false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		if t := p.current(); t.kind == tokVariableEnd || t.kind == tokBlockEnd || t.is(")") {
			break
		}
		items = append(items, p.tupleItem(r))
		if !p.current().is(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !r.parens {
			t := p.current()
			p.fail(t.pos, "Expected an expression, got "+python.Quote(t.describe()))
		}
	}
	return &Tuple{at, items}
}

func (p *parser) tupleItem(r tupleRules) Expr {
	switch {
	case r.simple:
		return p.primary(r.namespace)
	case r.cond:
		return p.expression()
	}
	return p.or()
}

func (p *parser) list() Expr {
	l := &List{Pos: p.expect("[").pos}
	for !p.current().is("]") {
		if len(l.Items) > 0 {
			p.expect(",")
		}
		if p.current().is("]") {
			break
		}
		l.Items = append(l.Items, p.expression())
	}
	p.expect("]")
	return l
}

func (p *parser) dict() Expr {
	d := &Dict{Pos: p.expect("{").pos}
	for !p.current().is("}") {
		if len(d.Keys) > 0 {
			p.expect(",")
		}
		if p.current().is("}") {
			break
		}
		d.Keys = append(d.Keys, p.expression())
		p.expect(":")
		d.Values = append(d.Values, p.expression())
	}
	p.expect("}")
	return d
}

func (p *parser) postfix(e Expr) Expr {
	for {
		switch t := p.current(); {
		case t.is("."):
			e = p.attr(e)
		case t.is("["):
			e = p.item(e)
		case t.is("("):
			e = &Call{t.pos, e, p.args()}
		default:
			return e
		}
	}
}

// filters reads the filters, tests and calls that follow an expression.
func (p *parser) filters(e Expr) Expr {
	for {
		switch t := p.current(); {
		case t.is("|"):
			p.next()
			e = p.filterName(e)
		case t.is("name:is"):
			e = p.test(e)
		case t.is("("):
			e = &Call{t.pos, e, p.args()}
		default:
			return e
		}
	}
}

func (p *parser) attr(e Expr) Expr {
	at := p.next().pos
	switch t := p.next(); t.kind {
	case tokName:
		return &Attr{at, e, t.text}
	case tokInteger:
		return &Item{at, e, &Const{t.pos, t.num}}
	default:
		p.fail(t.pos, "expected name or number")
		return nil
	}
}

func (p *parser) item(e Expr) Expr {
	at := p.next().pos
	var keys []Expr
	for !p.current().is("]") {
		if len(keys) > 0 {
			p.expect(",")
		}
		keys = append(keys, p.subscript())
	}
	p.expect("]")
	if len(keys) == 1 {
		return &Item{at, e, keys[0]}
	}
	return &Item{at, e, &Tuple{at, keys}}
}

// subscript reads what stands in square brackets: an expression or a slice.
func (p *parser) subscript() Expr {
	s := &Slice{Pos: p.current().pos}
	if !p.current().is(":") {
		e := p.expression()
		if !p.current().is(":") {
			return e
		}
		s.Start = e
	}
	p.next()
	ends := func() bool { return p.current().is(":") || p.current().is("]") || p.current().is(",") }
	if !ends() {
		s.Stop = p.expression()
	}
	if p.skipIf(":") && !ends() {
		s.Step = p.expression()
	}
	return s
}

func (p *parser) args() Args {
	at := p.expect("(").pos
	var a Args
	ensure := func(ok bool) {
		if !ok {
			p.fail(at, "invalid syntax for function call expression")
		}
	}
	for first := true; !p.current().is(")"); first = false {
		if !first {
			p.expect(",")
			if p.current().is(")") {
				break
			}
		}
		switch t := p.current(); {
		case t.is("*"):
			ensure(a.Star == nil && a.Double == nil)
			p.next()
			a.Star = p.expression()
		case t.is("**"):
			ensure(a.Double == nil)
			p.next()
			a.Double = p.expression()
		case t.kind == tokName && p.look().is("="):
			ensure(a.Double == nil)
			p.next()
			p.next()
			a.Named = append(a.Named, Named{t.text, p.expression()})
		default:
			ensure(a.Star == nil && a.Double == nil && len(a.Named) == 0)
			a.List = append(a.List, p.expression())
		}
	}
	p.expect(")")
	return a
}

// dotted reads a name that may have dots in it.
func (p *parser) dotted() (string, Pos) {
	t := p.expect("name")
	name := t.text
	for p.skipIf(".") {
		name += "." + p.expect("name").text
	}
	return name, t.pos
}

// filterName reads one filter from its name on.
func (p *parser) filterName(e Expr) *Filter {
	f := &Filter{Value: e}
	f.Name, f.Pos = p.dotted()
	if p.current().is("(") {
		f.Args = p.args()
	}
	return f
}

// filter reads the filters that follow a first one.
func (p *parser) filter(f *Filter) *Filter {
	for p.skipIf("|") {
		f = p.filterName(f)
	}
	return f
}

func (p *parser) test(e Expr) Expr {
	at := p.next().pos
	negated := p.skipIf("name:not")
	t := &Test{Value: e}
	t.Name, t.Pos = p.dotted()
	switch c := p.current(); {
	case c.is("("):
		t.Args = p.args()
	case c.is("name:else") || c.is("name:or") || c.is("name:and"):
	case c.is("name:is"):
		p.fail(c.pos, "You cannot chain multiple tests with is")
	case c.kind == tokName || c.kind == tokString || c.kind == tokInteger || c.kind == tokFloat || c.is("[") || c.is("{"):
		t.List = []Expr{p.postfix(p.primary(false))}
	}
	if negated {
		return &Not{at, t}
	}
	return t
}
