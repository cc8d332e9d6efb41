package rule

import (
	"errors"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/vm/runtime"
)

// The library bounds the items of ranges and lists, but neither steps nor texts. So what may take long or make something large is
// put behind functions that spend from the meter of the evaluation first. Their names can't be written in an expression.
const (
	meterName = " meter"
	onlyText  = " text"
	whole     = " whole"
	step      = " step"
	isIn      = " in"
	matching  = " matches"
)

// bounder puts what costs behind the meter, in a tree whose types are known.
type bounder struct{ config *conf.Config }

// Visit puts one node behind the meter; those within are already.
func (b *bounder) Visit(node *ast.Node) {
	switch v := (*node).(type) {
	case *ast.BinaryNode:
		b.binary(node, v)
	case *ast.BuiltinNode:
		b.builtin(node, v)
	case *ast.CallNode: // a method of a time
		for i := range v.Arguments {
			b.behind(&v.Arguments[i], onlyText)
		}
		b.behind(node, onlyText)
	}
}

func (b *bounder) binary(node *ast.Node, v *ast.BinaryNode) {
	switch v.Operator {
	case "+", "<", ">", "<=", ">=", "contains", "startsWith", "endsWith":
		b.behind(&v.Left, onlyText)
		b.behind(&v.Right, onlyText)
	case "==", "!=":
		if !scalar(v.Left) && !scalar(v.Right) {
			b.behind(&v.Left, whole)
			b.behind(&v.Right, whole)
		}
	case "in":
		if !written(v.Right) {
			b.call(node, isIn, v.Left, v.Right)
		}
	case "matches":
		pattern := v.Right
		if text, ok := pattern.(*ast.StringNode); ok {
			p, err := compilePattern(text.Value)
			if err != nil {
				return // patterns has told it
			}
			pattern = &ast.ConstantNode{Value: p}
			pattern.SetType(reflect.TypeOf(p))
		}
		b.call(node, matching, v.Left, pattern)
	}
}

func (b *bounder) builtin(node *ast.Node, v *ast.BuiltinNode) {
	f := builtin.Builtins[builtin.Index[v.Name]]
	if !f.Predicate {
		b.config.Functions[" "+v.Name] = &builtin.Function{Name: " " + v.Name, Func: metered(f)}
		b.call(node, " "+v.Name, v.Arguments...)
		return
	}
	loops := false
	for _, arg := range v.Arguments {
		if p, ok := arg.(*ast.PredicateNode); ok {
			loops = true
			cost, times := &counter{}, 1
			ast.Walk(&p.Node, cost)
			if v.Name == "sortBy" {
				times = sorting
			}
			b.call(&p.Node, step, p.Node, number(cost.nodes), number(times))
		}
	}
	if !loops && len(v.Arguments) > 0 {
		b.behind(&v.Arguments[0], whole)
	}
}

func number(n int) ast.Node {
	node := &ast.IntegerNode{Value: n}
	node.SetType(reflect.TypeOf(n))
	return node
}

// behind has a value pass through a function that spends what it costs.
func (b *bounder) behind(node *ast.Node, name string) {
	if !scalar(*node) {
		b.call(node, name, *node)
	}
}

// call puts the call of a function in the place of a node, whose type stays.
func (b *bounder) call(node *ast.Node, name string, args ...ast.Node) {
	c := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: append([]ast.Node{&ast.IdentifierNode{Value: meterName}}, args...)}
	c.SetNature(*(*node).Nature())
	ast.Patch(node, c)
	c.Callee.SetLocation(c.Location())
	c.Arguments[0].SetLocation(c.Location())
}

// scalar tells whether a node is a number, a bool, nothing, or a text that is written out.
func scalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
		return true
	}
	switch n.Type().Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

// written tells whether a list is written out, or to look into it costs nothing.
func written(n ast.Node) bool {
	switch v := n.(type) {
	case *ast.ArrayNode:
		for _, item := range v.Nodes {
			if !scalar(item) {
				return false
			}
		}
		return true
	case *ast.BinaryNode:
		return v.Operator == ".." && scalar(v.Left) && scalar(v.Right)
	}
	return n.Type().Kind() == reflect.Map
}

// counter counts nodes by what they cost.
type counter struct{ nodes int }

// Visit counts one.
func (c *counter) Visit(node *ast.Node) {
	c.nodes++
	if _, ok := (*node).(*ast.MapNode); ok {
		c.nodes += 20
	}
}

// sorting is how often about a value is compared when a list is sorted.
const sorting = 20

// spending are the functions that stand for no function of the language.
func spending() map[string]*builtin.Function {
	all := map[string]*builtin.Function{}
	for name, f := range map[string]func(m *meter, args []any) (any, error){
		onlyText: func(m *meter, args []any) (any, error) {
			if s, ok := args[0].(string); ok {
				return s, m.text(len(s))
			}
			return args[0], nil
		},
		whole: func(m *meter, args []any) (any, error) { return args[0], m.deep(args[0], 0) },
		step: func(m *meter, args []any) (any, error) {
			s, _ := args[0].(string)
			return args[0], m.product(args[1].(int)+len(s)/16, args[2].(int))
		},
		isIn: func(m *meter, args []any) (any, error) {
			if err := m.times(args[0], items(args[1])); err != nil {
				return nil, err
			}
			return runtime.In(args[0], args[1]), nil
		},
		matching: func(m *meter, args []any) (any, error) { return m.matches(args[0], args[1]) },
	} {
		all[name] = &builtin.Function{Name: name, Func: func(args ...any) (any, error) { return f(args[0].(*meter), args[1:]) }}
	}
	return all
}

// metered is a function of the library that spends what it costs.
func metered(f *builtin.Function) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		m := args[0].(*meter)
		args = args[1:]
		if err := m.costs(f.Name, args); err != nil {
			return nil, err
		}
		out, err := applied(f, args)
		if err != nil {
			return nil, err
		}
		return out, m.shallow(out)
	}
}

func applied(f *builtin.Function, args []any) (out any, err error) {
	switch {
	case f.Fast != nil && len(args) == 1:
		return f.Fast(args[0]), nil
	case f.Safe != nil:
		out, _, err = f.Safe(args...)
		return out, err
	case f.Func != nil:
		return f.Func(args...)
	}
	return nil, errors.New("wrong number of arguments for " + f.Name)
}

// costs spends what a function takes before it gives its result.
func (m *meter) costs(name string, args []any) error {
	for _, arg := range args {
		if err := m.argument(name, arg); err != nil {
			return err
		}
	}
	text := func(i int) string {
		if i < len(args) {
			s, _ := args[i].(string)
			return s
		}
		return ""
	}
	switch name {
	case "repeat":
		return m.repeated(len(text(0)), runtime.ToInt(args[1]))
	case "replace":
		return m.repeated(len(text(2)), strings.Count(text(0), text(1)))
	case "join":
		return m.repeated(len(text(1)), items(args[0]))
	case "trim":
		return m.product(1+len(text(0))/16, len(text(1)))
	case "fromJSON":
		return m.take(2 * len(text(0)))
	case "date", "timezone": // may read a file
		return m.take(500)
	}
	return nil
}

// argument spends what a function takes for an argument alone.
func (m *meter) argument(name string, arg any) error {
	switch name {
	case "len", "get", "type", "first", "last", "abs", "ceil", "floor", "round":
		s, _ := arg.(string)
		return m.text(len(s))
	case "take", "keys", "values", "toPairs", "reverse", "concat":
		return m.shallow(arg)
	case "sort":
		return m.times(arg, sorting)
	case "uniq":
		return m.times(arg, items(arg))
	}
	return m.deep(arg, 0)
}

// repeated spends what a text costs that is made n times.
func (m *meter) repeated(length, n int) error {
	if length > 0 && n > maxValue/length {
		return errLong
	}
	return m.text(length * max(n, 0))
}
