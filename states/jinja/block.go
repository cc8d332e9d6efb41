package jinja

import (
	"strings"

	"brine/states/jinja/python"
	"brine/states/jinja/syntax"
)

// blockHere runs a block where it stands, unless a parent template does.
func (f *frame) blockHere(s *syntax.Block) error {
	if f.extends && s.Top {
		return nil
	}
	if s.Required && len(f.scope.blocks[s.Name]) <= 1 {
		return python.Errorf("TemplateRuntimeError", "Required block %s not found", python.Quote(s.Name))
	}
	c := f.scope
	if s.Scoped {
		c = &scope{vars: map[string]any{}, base: f.scope.seen(f.locals(s.Locals)), blocks: f.scope.blocks}
	}
	return f.runBlock(s.Name, 0, c, f.out)
}

// runBlock runs the block of that name, the nth towards the last parent.
func (f *frame) runBlock(name string, n int, c *scope, out *strings.Builder) error {
	if err := f.deeper(); err != nil {
		return err
	}
	defer f.leave()
	b := c.blocks[name][n]
	in := &frame{run: f.run, tpl: b.tpl, vars: make([]any, b.node.Func.Slots), scope: c, out: out}
	in.enter(b.node.Scope)
	if b.node.Self != nil {
		in.setSlot(*b.node.Self, &self{in})
	}
	if b.node.Super != nil {
		in.setSlot(*b.node.Super, in.parentBlock(name, n+1, "super"))
	}
	_, err := in.body(b.node.Body)
	return err
}

// parentBlock is what super gives.
func (f *frame) parentBlock(name string, n int, asked string) any {
	if n >= len(f.scope.blocks[name]) {
		return f.undefinedBecause("there is no parent block called "+python.Quote(name)+".", asked)
	}
	return &blockRef{f, name, n}
}

// A blockRef is super, or self.name: called, it returns what the block writes.
type blockRef struct {
	*frame
	name string
	n    int
}

func (b *blockRef) TypeName() string { return "jinja2.runtime.BlockReference" }

func (b *blockRef) Attr(name string) (any, bool) {
	if name == "super" {
		return b.parentBlock(b.name, b.n+1, "super"), true
	}
	return nil, false
}

func (b *blockRef) Call(python.Args) (any, error) {
	var out strings.Builder
	if err := b.runBlock(b.name, b.n, b.scope, &out); err != nil {
		return nil, err
	}
	if b.escape {
		return python.Markup(out.String()), nil
	}
	return out.String(), nil
}

// self gives the blocks of the template.
type self struct{ *frame }

func (s *self) TypeName() string             { return "jinja2.runtime.TemplateReference" }
func (s *self) Attr(name string) (any, bool) { return nil, false }

// Index returns the block of that name.
func (s *self) Index(key any) (any, bool, error) {
	name, ok := python.Text(key)
	if !ok || len(s.scope.blocks[name]) == 0 {
		return nil, false, nil
	}
	return &blockRef{s.frame, name, 0}, true, nil
}
