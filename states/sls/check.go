package sls

import (
	"cmp"
	"errors"
	"strings"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// shellFunc is the function that onlyif and unless run commands with.
const shellFunc = "cmd.retcode"

// commandArgs are the arguments of a state that count for the commands of its onlyif and unless
// too: what may only be run as another user is not asked for as root.
var commandArgs = []string{"cwd", "env", "runas", "shell", "timeout", "umask"}

func (b *chunkBuilder) checks(args []argument) {
	for _, a := range args {
		switch a.name {
		case "onlyif":
			b.chunk.OnlyIf = b.checkList(a, args)
		case "unless":
			b.chunk.Unless = b.checkList(a, args)
		case "check_cmd":
			if !b.own(a.name) {
				b.chunk.CheckCmd = b.checkList(a, args)
			}
		}
	}
}

func (b *chunkBuilder) checkList(a argument, args []argument) []plan.Check {
	items := []*yaml.Node{a.value}
	if a.value.Kind == yaml.SequenceNode {
		items = a.value.Items
	}
	var checks []plan.Check
	for _, item := range items {
		if c, ok := b.check(a, item, args); ok {
			checks = append(checks, c)
		}
	}
	return checks
}

// check reads one item: a command, true or false, or a function ("fun: file.file_exists").
func (b *chunkBuilder) check(a argument, item *yaml.Node, args []argument) (plan.Check, bool) {
	if v, ok := item.Value.(bool); ok {
		return plan.Check{Constant: v}, true
	}
	if item.Kind == yaml.MappingNode {
		return b.checkFunc(a, item)
	}
	command, ok := item.Str()
	if !ok {
		b.fail(a.file.at(item), "state %q: %s: want a command, got %s", b.decl.id, a.name, item.TypeName())
		return plan.Check{}, false
	}
	in := module.Input{Args: []module.Arg{{Value: module.Node(item)}, {Name: "python_shell", Value: module.Data(true)}}}
	for _, name := range commandArgs {
		for _, other := range args {
			if other.name == name || name == "runas" && other.name == "user" && b.decl.module == "cmd" {
				in.Args = append(in.Args, module.Arg{Name: name, Value: module.Node(other.value)})
			}
		}
	}
	f, ok := b.function(a, item, shellFunc, in)
	return plan.Check{Func: f, Input: in, Command: true, Text: command}, ok
}

func (b *chunkBuilder) checkFunc(a argument, item *yaml.Node) (plan.Check, bool) {
	at := a.file.at(item)
	fun := item.Get("fun")
	if fun == nil {
		b.noFunc(a, item)
		return plan.Check{}, false
	}
	check := plan.Check{Text: fun.Text}
	for _, p := range item.Pairs {
		switch key := p.Key.Text; key {
		case "fun":
		case "args":
			if p.Value.Kind != yaml.SequenceNode {
				b.fail(at, "state %q: %s: the args of %s need to be formed as a list", b.decl.id, a.name, fun.Text)
				return check, false
			}
			for _, arg := range p.Value.Items {
				check.Input.Args = append(check.Input.Args, module.Arg{Value: module.Node(arg)})
			}
		case "get_return":
			check.Get = p.Value.Text
		default:
			check.Input.Args = append(check.Input.Args, module.Arg{Name: key, Value: module.Node(p.Value)})
		}
	}
	f, ok := b.function(a, item, fun.Text, check.Input)
	check.Func = f
	return check, ok
}

// noFunc ignores an item without a function as Salt does, but tells so. One that means a function and does not say so
// right is refused: ignoring it would run what it guards.
func (b *chunkBuilder) noFunc(a argument, item *yaml.Node) {
	at := a.file.at(item)
	for _, p := range item.Pairs {
		near := spell.DidYouMean(p.Key.Text, []string{"fun"})
		if near == "" && (b.names(p.Key) || b.names(p.Value)) {
			near = ` (did you mean "fun"?)`
		}
		if near != "" && !b.opts.Lenient {
			b.fail(at, `state %q: %s: want a command, or a function ("fun: file.file_exists"), got %q%s`,
				b.decl.id, a.name, p.Key.Text, near)
			return
		}
	}
	b.chunk.Warnings = append(b.chunk.Warnings, a.name+": an item without fun is ignored, at "+at.String())
}

// names says whether a scalar is the name of a function.
func (b *chunkBuilder) names(n *yaml.Node) bool {
	text, ok := n.Str()
	if !ok || !strings.Contains(text, ".") {
		return false
	}
	_, err := b.index.Func(text)
	return err == nil
}

// function finds a function and checks what it would be called with.
func (b *chunkBuilder) function(a argument, item *yaml.Node, name string, in module.Input) (*module.Func, bool) {
	at := a.file.at(item)
	f, err := b.index.Func(name)
	if err != nil {
		b.unknown(at, "state %q: %s: %v", b.decl.id, a.name, err)
		return nil, false
	}
	err = f.Check(in)
	var mistakes module.ArgErrors
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			b.fail(plan.Place{File: at.File, Line: cmp.Or(m.Line, at.Line)}, "state %q: %s: %s: %s", b.decl.id, a.name, name, m.Text)
		}
	} else if err != nil {
		b.fail(at, "state %q: %s: %s: %v", b.decl.id, a.name, name, err)
	}
	return f, err == nil
}
