package rule

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm/runtime"
)

// maxPattern bounds the steps of a regular expression: a short one that repeats can take hundreds of megabytes.
const maxPattern = 5_000

// A pattern is a regular expression, and about how many steps it has.
type pattern struct {
	*regexp.Regexp
	steps int
}

// compilePattern reads a regular expression that is small enough.
func compilePattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a regular expression has more than %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	steps := stepsOf(parsed)
	if steps > maxPattern {
		return nil, fmt.Errorf("a regular expression is too large: it has more than %d steps once what repeats is written out", maxPattern)
	}
	p, err := regexp.Compile(text)
	return &pattern{p, steps}, err
}

// stepsOf is about how many steps a regular expression has once what repeats is written out.
func stepsOf(r *syntax.Regexp) int {
	n := 1 + len(r.Rune)
	for _, sub := range r.Sub {
		n = min(n+stepsOf(sub), maxPattern+1)
	}
	if r.Op == syntax.OpRepeat {
		n = min(n*max(1, r.Min, r.Max), maxPattern+1)
	}
	return n
}

// patterns looks at the regular expressions that are written out: the library compiles them before it asks anybody.
type patterns struct{ err *file.Error }

// Visit looks at one node.
func (p *patterns) Visit(node *ast.Node) {
	v, ok := (*node).(*ast.BinaryNode)
	if !ok || v.Operator != "matches" || p.err != nil {
		return
	}
	if text, ok := v.Right.(*ast.StringNode); ok {
		if _, err := compilePattern(text.Value); err != nil {
			p.err = &file.Error{Location: text.Location(), Message: err.Error()}
		}
	}
}

// matches tells whether a text matches a regular expression.
func (m *meter) matches(v, by any) (any, error) {
	if runtime.IsNil(v) || runtime.IsNil(by) {
		return false, nil
	}
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return nil, fmt.Errorf("cannot match a %T", v)
	}
	p, ok := by.(*pattern)
	if !ok {
		s, isText := by.(string)
		if !isText {
			return nil, fmt.Errorf("a regular expression is a text, not a %T", by)
		}
		var err error
		if p, err = compilePattern(s); err == nil {
			err = m.take(100 + 10*p.steps)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := m.product(1+len(text)/16, 1+p.steps); err != nil {
		return nil, err
	}
	return p.MatchString(text), nil
}
