package sls

import (
	"strings"

	"brine/states/plan"
	"brine/states/value"
)

// low is a state as Salt's low data has it, without its order, which is not known yet.
func (b *chunkBuilder) low(args []argument) *value.Dict {
	d := value.NewDict("state", b.decl.module, "name", b.chunk.Name, "__sls__", b.decl.file.Name, "__env__", b.decl.file.Env)
	if through := b.decl.file.through; len(through) > 0 {
		list := value.NewList()
		for _, name := range through {
			list.Items = append(list.Items, name)
		}
		d.Put("__sls_included_from__", list)
	}
	d.Put("__id__", b.decl.id)
	for _, a := range args {
		if a.name != "name" && a.name != "names" && a.name != "order" {
			put(d, a.name, a.value.Data())
		}
	}
	for _, r := range b.decl.requisites {
		put(d, r.Kind.String(), value.NewList(value.NewDict(r.Module, r.Target)))
	}
	return d
}

// put sets an argument; the items of a list are added to one that is there.
func put(d *value.Dict, name string, v any) {
	old, _ := d.Get(name)
	a, isList := old.(*value.List)
	b, also := v.(*value.List)
	if isList && also {
		v = &value.List{Items: append(append([]any(nil), a.Items...), b.Items...)}
	}
	d.Put(name, v)
}

// high is what the files declare, as Salt's high data has it.
func (c *compiler) high() *value.Dict {
	high := &value.Dict{}
	for _, d := range c.decls {
		body, ok := high.Get(d.id)
		if !ok {
			body = value.NewDict("__sls__", d.file.Name, "__env__", d.file.Env)
			high.Put(d.id, body)
		}
		body.(*value.Dict).Put(d.module, highState(d))
	}
	return high
}

func highState(d *decl) *value.List {
	args := &value.Dict{}
	for _, a := range d.args {
		put(args, a.name, a.value.Data())
	}
	for _, r := range d.requisites {
		put(args, r.Kind.String(), value.NewList(value.NewDict(r.Module, r.Target)))
	}
	if _, ok := args.Get("order"); !ok {
		args.Put("order", int64(d.order))
	}
	list := value.NewList()
	for name, v := range args.All() {
		if in, _ := strings.CutSuffix(name.(string), "_in"); in != name {
			if _, ok := plan.ParseKind(in); ok {
				continue // it stands with the state it means
			}
		}
		list.Items = append(list.Items, value.NewDict(name, v))
	}
	list.Items = append(list.Items, d.fn)
	return list
}
