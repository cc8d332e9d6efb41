package sls

import (
	"maps"
	"slices"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// globals are the arguments that every state has beside its requisites; nil does nothing here.
var globals = map[string]func(*chunkBuilder, argument){
	"creates":        (*chunkBuilder).creates,
	"failhard":       (*chunkBuilder).failhard,
	"names":          nil, // expanded before
	"onlyif":         nil, // read when all arguments are known
	"order":          (*chunkBuilder).order,
	"reload_modules": nil, // modules of the minion are never stale
	"unless":         nil,
}

// later are the arguments of Salt that no state may have yet. None is ever ignored.
var later = map[string]bool{
	"aggregate": true, "check_cmd": true, "fire_event": true, "listen": true, "listen_in": true, "onfail_stop": true,
	"parallel": true, "prereq": true, "prereq_any": true, "prereq_in": true, "reload_grains": true,
	"reload_pillar": true, "retry": true, "use": true, "use_in": true,
}

// words returns all names of arguments that every state has.
func words() []string {
	all := slices.Collect(maps.Keys(globals))
	for _, kind := range plan.Kinds() {
		all = append(all, kind, kind+"_in")
	}
	slices.Sort(all)
	return all
}

func (b *chunkBuilder) failhard(a argument) {
	v, err := module.Node(a.value).Bool()
	if err != nil {
		b.fail(b.decl.place(a.line), "state %q: argument %q: %v", b.decl.id, a.name, err)
	}
	b.chunk.Failhard = v
}

func (b *chunkBuilder) creates(a argument) {
	items := []*yaml.Node{a.value}
	if a.value.Kind == yaml.SequenceNode {
		items = a.value.Items
	}
	for _, item := range items {
		path, ok := item.Str()
		if !ok {
			b.fail(b.decl.file.at(item), "state %q: argument %q: want a path, got %s", b.decl.id, a.name, item.TypeName())
			continue
		}
		b.chunk.Creates = append(b.chunk.Creates, path)
	}
}

// firstOrder is the order of the first state without one, as in Salt.
const firstOrder = 10000

// Orders that are known only when all are; see setOrders.
const (
	orderFirst = 0
	orderLast  = 1 << 40
)

func (b *chunkBuilder) order(a argument) {
	at := b.decl.place(a.line)
	switch v := a.value.Value.(type) {
	case int64:
		if v < -orderLast/2 || v > orderLast/2 {
			b.fail(at, "state %q: the order %d is out of range", b.decl.id, v)
			return
		}
		b.chunk.Order = int(v)
		return
	case string:
		switch v {
		case "first":
			b.chunk.Order = orderFirst
			return
		case "last":
			b.chunk.Order = orderLast
			return
		}
	}
	b.fail(at, "state %q: argument \"order\": want a number, first or last, got %s", b.decl.id, a.value.TypeName())
}

// setOrders puts last and negative orders behind all others: -1 is next to the last.
func setOrders(chunks []*plan.Chunk) {
	end := 1
	for _, c := range chunks {
		if c.Order >= end && c.Order != orderLast {
			end = c.Order + 100
		}
	}
	for _, c := range chunks {
		switch {
		case c.Order == orderLast:
			c.Order = end + 1_000_000
		case c.Order < 0:
			c.Order += end + 1_000_000
		}
	}
}
