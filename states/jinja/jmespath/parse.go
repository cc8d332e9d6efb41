package jmespath

import "brine/states/jinja/python"

// A node is an expression. Its kind says what the others mean.
type node struct {
	kind  string
	text  string
	value any
	kids  []*node
	names []string // of a multi-select hash
	slice [3]any
}

// power is how strongly an operator binds to what stands before it.
var power = map[string]int{
	"|": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5,
	"[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "{": 50, "[": 55, "(": 60,
}

// stop is the power below which a projection ends.
const stop = 10

type parser struct {
	source string
	tokens []token
	at     int
	depth  int
}

func parse(s string) (n *node, err error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			pe, ok := r.(*python.Error)
			if !ok {
				panic(r)
			}
			err = pe
		}
	}()
	p := &parser{source: s, tokens: tokens}
	n = p.expression(0)
	if p.peek() != "end" {
		p.unexpected()
	}
	return n, nil
}

func (p *parser) peek() string { return p.tokens[p.at].kind }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != "end" {
		p.at++
	}
	return t
}

func (p *parser) unexpected() {
	t := p.tokens[p.at]
	panic(fail("bad JMESPath %q: unexpected %s at %d", p.source, t.kind, t.at))
}

func (p *parser) expect(kind string) token {
	if p.peek() != kind {
		p.unexpected()
	}
	return p.next()
}

func (p *parser) expression(min int) *node {
	if p.depth++; p.depth > 200 {
		panic(fail("bad JMESPath: nested too deep"))
	}
	defer func() { p.depth-- }()
	left := p.first()
	for min < power[p.peek()] {
		left = p.then(left)
	}
	return left
}

// first reads what an expression begins with.
func (p *parser) first() *node {
	switch t := p.next(); t.kind {
	case "literal":
		return &node{kind: "literal", value: t.value}
	case "name":
		if t.value == nil && p.peek() == "(" {
			return p.call(t.text)
		}
		return &node{kind: "field", text: t.text}
	case "*":
		return p.project("values", &node{kind: "@"}, power["*"])
	case "@":
		return &node{kind: "@"}
	case "&":
		return &node{kind: "&", kids: []*node{p.expression(0)}}
	case "!":
		return &node{kind: "!", kids: []*node{p.expression(power["!"])}}
	case "(":
		n := p.expression(0)
		p.expect(")")
		return n
	case "{":
		return p.hash()
	case "[":
		if p.peek() == "number" || p.peek() == ":" {
			return p.index(&node{kind: "@"})
		}
		if p.peek() == "*" && p.tokens[p.at+1].kind == "]" {
			p.at += 2
			return p.project("items", &node{kind: "@"}, power["*"])
		}
		return p.list()
	case "[]":
		return p.project("items", &node{kind: "flatten", kids: []*node{{kind: "@"}}}, power["[]"])
	case "[?":
		return p.filter(&node{kind: "@"})
	}
	if p.at > 0 {
		p.at--
	}
	p.unexpected()
	return nil
}

// then reads an operator and what follows it.
func (p *parser) then(left *node) *node {
	switch t := p.next(); t.kind {
	case ".":
		if p.peek() == "*" {
			p.next()
			return p.project("values", left, power["*"])
		}
		return &node{kind: "|", kids: []*node{left, p.afterDot(power["."])}}
	case "|", "||", "&&":
		return &node{kind: t.kind, kids: []*node{left, p.expression(power[t.kind])}}
	case "==", "!=", "<", "<=", ">", ">=":
		return &node{kind: t.kind, kids: []*node{left, p.expression(power[t.kind])}}
	case "[]":
		return p.project("items", &node{kind: "flatten", kids: []*node{left}}, power["[]"])
	case "[?":
		return p.filter(left)
	case "[":
		if p.peek() == "*" {
			p.next()
			p.expect("]")
			return p.project("items", left, power["*"])
		}
		return p.index(left)
	}
	p.at--
	p.unexpected()
	return nil
}

func (p *parser) afterDot(min int) *node {
	switch p.peek() {
	case "name", "*":
		return p.expression(min)
	case "[":
		p.next()
		return p.list()
	case "{":
		p.next()
		return p.hash()
	}
	p.unexpected()
	return nil
}

// project reads what is applied to each item of a projection.
func (p *parser) project(kind string, of *node, min int) *node {
	each := &node{kind: "@"}
	switch k := p.peek(); {
	case power[k] < stop:
	case k == "[" || k == "[?":
		each = p.expression(min)
	case k == ".":
		p.next()
		if p.peek() == "*" {
			each = p.expression(min)
		} else {
			each = p.afterDot(min)
		}
	default:
		p.unexpected()
	}
	return &node{kind: kind, kids: []*node{of, each}}
}

func (p *parser) filter(of *node) *node {
	test := p.expression(0)
	p.expect("]")
	if p.peek() == "[]" {
		return &node{kind: "filter", kids: []*node{of, test, {kind: "@"}}}
	}
	n := p.project("filter", of, power["[?"])
	return &node{kind: "filter", kids: []*node{of, test, n.kids[1]}}
}

// index reads "[0]" or "[a:b:c]" after the bracket.
func (p *parser) index(of *node) *node {
	if p.peek() == "number" && p.tokens[p.at+1].kind == "]" {
		n := &node{kind: "index", value: p.next().value, kids: []*node{of}}
		p.next()
		return n
	}
	n := &node{kind: "slice", kids: []*node{of}}
	part := 0
	for p.peek() != "]" {
		switch t := p.next(); {
		case t.kind == ":" && part < 2:
			part++
		case t.kind == "number":
			n.slice[part] = t.value
		default:
			p.at--
			p.unexpected()
		}
	}
	p.next()
	return p.project("items", n, power["*"])
}

func (p *parser) list() *node {
	n := &node{kind: "list"}
	for {
		n.kids = append(n.kids, p.expression(0))
		if p.peek() != "," {
			break
		}
		p.next()
	}
	p.expect("]")
	return n
}

func (p *parser) hash() *node {
	n := &node{kind: "hash"}
	for {
		n.names = append(n.names, p.expect("name").text)
		p.expect(":")
		n.kids = append(n.kids, p.expression(0))
		if p.peek() != "," {
			break
		}
		p.next()
	}
	p.expect("}")
	return n
}

func (p *parser) call(name string) *node {
	n := &node{kind: "call", text: name}
	p.next()
	for p.peek() != ")" {
		n.kids = append(n.kids, p.expression(0))
		if p.peek() != "," {
			break
		}
		p.next()
	}
	p.expect(")")
	return n
}
