package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// An Expr is an expression over event, grains and pillar of the origin, whose types were checked.
type Expr struct {
	Text           string
	program        *vm.Program
	grains, pillar bool // it refers to them
	data           bool // it refers to the event's data
	ret            bool // it may refer to ret
}

// want is the type that an expression gives.
type want int

const (
	wantBool want = iota
	wantText
	wantAny
)

// compile reads an expression. withRet says that there is a return to speak of.
func compile(text string, w want, withRet bool) (*Expr, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("an expression has more than %d bytes", maxLength)
	}
	config := configured(w, withRet)
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, shortly(err)
	}
	x, p := &Expr{Text: text, ret: withRet}, &patterns{}
	ast.Walk(&tree.Node, names{x})
	if ast.Walk(&tree.Node, p); p.err != nil {
		return nil, shortly(p.err.Bind(tree.Source))
	}
	if _, err := checker.Check(tree, config); err != nil {
		return nil, shortly(err)
	}
	ast.Walk(&tree.Node, &bounder{config})
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, shortly(err)
	}
	if x.program, err = compiler.Compile(tree, config); err != nil {
		return nil, shortly(err)
	}
	return x, nil
}

// configured is what the library is to know.
func configured(w want, withRet bool) *conf.Config {
	c := conf.CreateNew()
	c.Functions = spending()
	var env any = environment{}
	if withRet {
		env = returned{}
	}
	// The clock is no part of an event: what an expression says must be the same tomorrow.
	options := []expr.Option{expr.Env(env), expr.DisableBuiltin("now")}
	switch w {
	case wantBool:
		options = append(options, expr.AsBool())
	case wantText:
		options = append(options, expr.AsKind(reflect.String))
	}
	for _, set := range options {
		set(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return c
}

// shortly is a mistake in an expression in one line.
func shortly(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return errors.New(first)
	}
	text := strings.ReplaceAll(at.Message, "type rule.about", "an event")
	if text == "memory budget exceeded" {
		text = errWork.Error()
	}
	if at.Line > 1 {
		return fmt.Errorf("%s (line %d, column %d)", text, at.Line, at.Column+1)
	}
	return fmt.Errorf("%s (column %d)", text, at.Column+1)
}

// names notes what an expression refers to.
type names struct{ x *Expr }

// Visit looks at one node.
func (n names) Visit(node *ast.Node) {
	switch v := (*node).(type) {
	case *ast.IdentifierNode:
		switch v.Value {
		case "grains":
			n.x.grains = true
		case "pillar":
			n.x.pillar = true
		case "$env":
			n.x.grains, n.x.pillar, n.x.data = true, true, true
		}
	case *ast.MemberNode:
		if name, ok := v.Property.(*ast.StringNode); ok && name.Value == "data" {
			n.x.data = true
		}
	}
}

// eval gives what an expression says of an event, and of a return. An error names the expression and the place in it.
func (x *Expr) eval(e *Event, ret any) (any, error) {
	env, err := e.environment(x)
	if err != nil {
		return nil, err
	}
	env.Meter = &meter{maxWork}
	var in any = env
	if x.ret {
		in = returned{env, ret}
	}
	machine := vm.VM{MemoryBudget: maxWork}
	out, err := machine.Run(x.program, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.short(), shortly(err))
	}
	return out, nil
}

// short is the expression, or how it begins.
func (x *Expr) short() string {
	const most = 100
	text := strings.Join(strings.Fields(x.Text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// Holds tells whether a condition holds.
func (x *Expr) Holds(e *Event, ret any) (bool, error) {
	out, err := x.eval(e, ret)
	ok, _ := out.(bool)
	return ok, err
}

// A Value is what stands in an argument: itself, or with ${...} in it, where an expression gives a part or all of it.
type Value struct {
	plain any     // lists and dicts hold Values
	parts []part  // of a text
	items []Value // of a list
	named []Named // of a dict
	kind  valueKind
}

type valueKind int

const (
	isPlain valueKind = iota
	isText
	isList
	isDict
)

// part is a piece of a text: an expression, or what stands there.
type part struct {
	text string
	x    *Expr
}

// value reads one of TOML.
func value(v any) (Value, error) {
	switch v := v.(type) {
	case string:
		parts, err := interpolated(v)
		if err != nil {
			return Value{}, err
		}
		if len(parts) == 1 && parts[0].x == nil {
			return Value{plain: parts[0].text}, nil
		}
		return Value{kind: isText, parts: parts}, nil
	case []any:
		out := Value{kind: isList}
		for _, item := range v {
			one, err := value(item)
			if err != nil {
				return out, err
			}
			out.items = append(out.items, one)
		}
		return out, nil
	case []map[string]any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = v[i]
		}
		return value(all)
	case map[string]any:
		named, err := namedValues(v)
		return Value{kind: isDict, named: named}, err
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Value{}, fmt.Errorf("%v is no number that can be sent", v)
		}
	}
	return Value{plain: v}, nil
}

// namedValues reads a table, in order of its keys.
func namedValues(m map[string]any) ([]Named, error) {
	var all []Named
	for _, k := range sortedKeys(m) {
		v, err := value(m[k])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		all = append(all, Named{k, v})
	}
	return all, nil
}

// interpolated splits a text at its ${...}; $${ stands for ${.
func interpolated(text string) ([]part, error) {
	var parts []part
	literal := ""
	for rest := text; ; {
		at := strings.Index(rest, "${")
		if at < 0 {
			literal += rest
			break
		}
		if at > 0 && rest[at-1] == '$' {
			literal += rest[:at-1] + "${"
			rest = rest[at+2:]
			continue
		}
		x, end, err := upToBrace(rest[at+2:])
		if err != nil {
			return nil, err
		}
		if literal += rest[:at]; literal != "" {
			parts = append(parts, part{text: literal})
		}
		parts, literal, rest = append(parts, part{x: x}), "", rest[at+2+end+1:]
	}
	if literal != "" || len(parts) == 0 {
		parts = append(parts, part{text: literal})
	}
	return parts, nil
}

// upToBrace reads an expression that a } ends. There may be others within: it ends with the first with which it is one.
func upToBrace(text string) (x *Expr, end int, err error) {
	first := errors.New("a ${ is not closed ($${ stands for one)")
	for tries, at := 0, 0; tries < maxBraces; tries++ {
		n := strings.IndexByte(text[at:], '}')
		if n < 0 {
			break
		}
		if x, err = compile(text[:at+n], wantAny, false); err == nil {
			return x, at + n, nil
		}
		if tries == 0 {
			first = err
		}
		at += n + 1
	}
	return nil, 0, first
}

// maxBraces bounds how many } an expression in a text may have.
const maxBraces = 20

// Of is the value for an event.
func (v Value) Of(e *Event) (any, error) { return v.within(e, &meter{maxResult}) }

// within is the value, as long as there is room for it.
func (v Value) within(e *Event, room *meter) (any, error) {
	switch v.kind {
	case isText:
		return textOf(v.parts, e, room)
	case isList:
		all := make([]any, len(v.items))
		for i, item := range v.items {
			var err error
			if all[i], err = item.within(e, room); err != nil {
				return nil, err
			}
		}
		return all, nil
	case isDict:
		all := map[string]any{}
		for _, n := range v.named {
			var err error
			if all[n.Name], err = n.Value.within(e, room); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	return v.plain, nil
}

// textOf puts the parts of a text together; one that is an expression alone keeps its type.
func textOf(parts []part, e *Event, room *meter) (any, error) {
	var b strings.Builder
	for _, p := range parts {
		if p.x == nil {
			b.WriteString(p.text)
			continue
		}
		out, err := p.x.eval(e, nil)
		if err != nil {
			return nil, err
		}
		if room.deep(out, 0) != nil {
			return nil, fmt.Errorf("%s: it makes the action's arguments larger than %d bytes", p.x.short(), 16*maxResult)
		}
		if len(parts) == 1 {
			return out, nil
		}
		text, err := inText(out)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.x.short(), err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// inText is a value in a text: texts as they are, all else as JSON.
func inText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// data tells whether a value takes something out of an event's data.
func (v Value) data() bool {
	for _, p := range v.parts {
		if p.x != nil && p.x.data {
			return true
		}
	}
	for _, item := range v.items {
		if item.data() {
			return true
		}
	}
	for _, n := range v.named {
		if n.Value.data() {
			return true
		}
	}
	return false
}
