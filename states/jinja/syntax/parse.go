package syntax

import (
	"slices"
	"strings"

	"brine/states/jinja/python"
)

// Names tells which filters and tests there are.
type Names interface {
	HasFilter(name string) bool
	HasTest(name string) bool
}

// Parse reads a template. The error is always an *Error.
func Parse(source string, o Options, names Names) (*Template, error) {
	t := &Template{Source: normalize(source), Blocks: map[string]*Block{}}
	t.EndsLine = strings.HasSuffix(source, "\n")
	p := &parser{tokens: lex(source, o), blocks: t.Blocks}
	var err error
	if t.Body, err = p.template(); err != nil {
		return nil, err
	}
	if err := resolve(t, names); err != nil {
		return nil, err
	}
	return t, nil
}

// maxNesting bounds how deep statements and expressions may be nested.
const maxNesting = 200

// A parser leaves by panicking with an *Error, which template recovers.
type parser struct {
	tokens []token
	at     int
	depth  int
	tags   []string   // the statements being read
	ends   [][]string // the tags that would end them
	blocks map[string]*Block
}

func (p *parser) template() (body []Stmt, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	return p.body(nil), nil
}

func (p *parser) fail(pos Pos, text string) {
	panic(&Error{Pos: pos, Text: text})
}

// nested counts a level of nesting until the function it returns is called.
func (p *parser) nested() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.current().pos, "nested too deep")
	}
	return func() { p.depth-- }
}

func (p *parser) current() *token { return p.token(p.at) }

func (p *parser) look() *token { return p.token(min(p.at+1, len(p.tokens)-1)) }

func (p *parser) token(i int) *token {
	t := &p.tokens[i]
	if t.kind == tokError {
		panic(t.err)
	}
	return t
}

// next returns the current token and goes on. The last token, EOF, stays.
func (p *parser) next() *token {
	t := p.current()
	if t.kind != tokEOF {
		p.at++
	}
	if p.current().kind == tokEOF {
		p.tokens[p.at].pos = t.pos // the text ends in what was read last
	}
	return t
}

func (p *parser) skipIf(expr string) bool {
	if p.current().is(expr) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(expr string) *token {
	t := p.current()
	if t.is(expr) {
		return p.next()
	}
	want := python.Quote(describeExpr(expr))
	if t.kind == tokEOF {
		p.fail(t.pos, "unexpected end of template, expected "+want+".")
	}
	p.fail(t.pos, "expected token "+want+", got "+python.Quote(t.describe()))
	return nil
}

// body reads statements until one of the end tags, which becomes the current token;
// without end tags, until the end of the template.
func (p *parser) body(ends []string) []Stmt {
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []Stmt
	var out *Output
	add := func(part Part) {
		if out == nil {
			out = &Output{}
			body = append(body, out)
		}
		out.Parts = append(out.Parts, part)
	}
	for {
		switch t := p.current(); t.kind {
		case tokEOF:
			return body
		case tokData:
			p.next()
			add(Part{Text: t.text, Pos: t.pos})
		case tokVariableBegin:
			p.next()
			add(Part{Expr: p.tuple(tupleRules{cond: true})})
			p.expect("variable_end")
		default:
			out = nil
			p.expect("block_begin")
			if slices.ContainsFunc(ends, p.current().is) {
				return body
			}
			body = append(body, p.statement())
			p.expect("block_end")
		}
	}
}

// block reads the rest of a tag and statements up to one of the end tags, the current token then.
func (p *parser) block(ends ...string) []Stmt {
	p.skipIf(":")
	p.expect("block_end")
	body := p.body(ends)
	if p.current().kind == tokEOF {
		p.unknownTag("", append(slices.Clone(p.ends), ends), p.current().pos)
	}
	return body
}

// closed is block with one end tag, which is read too.
func (p *parser) closed(end string) []Stmt {
	body := p.block(end)
	p.next()
	return body
}

// unknownTag explains a tag that is none, or the end of the template when name is empty.
func (p *parser) unknownTag(name string, ends [][]string, pos Pos) {
	looking := ""
	expected := map[string]bool{}
	for i, group := range ends {
		var quoted []string
		for _, e := range group {
			d := describeExpr(e)
			expected[d] = true
			quoted = append(quoted, python.Quote(d))
		}
		if i == len(ends)-1 {
			looking = strings.Join(quoted, " or ")
		}
	}
	text := "Unexpected end of template."
	if name != "" {
		text = "Encountered unknown tag " + python.Quote(name) + "."
	}
	switch {
	case looking != "" && name != "" && expected[name]:
		text += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
	case looking != "":
		text += " Jinja was looking for the following tags: " + looking + "."
	}
	if len(p.tags) > 0 {
		text += " The innermost block that needs to be closed is " + python.Quote(p.tags[len(p.tags)-1]) + "."
	}
	p.fail(pos, text)
}

func (p *parser) statement() Stmt {
	t := p.current()
	if t.kind != tokName {
		p.fail(t.pos, "tag name expected")
	}
	statements.Do(makeStatements)
	read, ok := statements.byName[t.text]
	if !ok {
		p.unknownTag(t.text, p.ends, t.pos)
	}
	defer p.nested()()
	p.tags = append(p.tags, t.text)
	p.next()
	s := read(p, t.pos)
	p.tags = p.tags[:len(p.tags)-1]
	return s
}
