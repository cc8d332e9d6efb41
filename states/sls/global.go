package sls

import (
	"maps"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// globals are the arguments that every state has beside its requisites; nil does nothing here.
var globals = map[string]func(*chunkBuilder, argument){
	"__env__":        (*chunkBuilder).internal,
	"__id__":         (*chunkBuilder).internal,
	"__sls__":        (*chunkBuilder).internal,
	"aggregate":      (*chunkBuilder).aggregate,
	"check_cmd":      nil, // read when all arguments are known
	"creates":        (*chunkBuilder).creates,
	"failhard":       (*chunkBuilder).failhard,
	"fire_event":     (*chunkBuilder).fireEvent,
	"names":          nil, // expanded before
	"onfail_stop":    (*chunkBuilder).onfailStop,
	"onlyif":         nil,
	"order":          (*chunkBuilder).order,
	"parallel":       (*chunkBuilder).parallel,
	"provider":       (*chunkBuilder).provider,
	"reload_grains":  (*chunkBuilder).reload,
	"reload_modules": nil, // modules of the minion are never stale
	"reload_pillar":  (*chunkBuilder).reload,
	"retry":          (*chunkBuilder).retry,
	"unless":         nil,
	"use":            nil, // copied before
	"use_in":         nil,
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

// internal warns of a name of low data, which Salt lets an argument overwrite.
func (b *chunkBuilder) internal(a argument) {
	b.chunk.Warnings = append(b.chunk.Warnings, a.name+" is ignored: it is no argument, at "+b.decl.place(a).String())
}

// provider warns that what a host does a thing with is found and never chosen.
func (b *chunkBuilder) provider(a argument) {
	b.chunk.Warnings = append(b.chunk.Warnings, "provider is ignored: what this host has is found without it, at "+b.decl.place(a).String())
}

// bool reads an argument that is true or false.
func (b *chunkBuilder) bool(a argument) bool {
	v, err := module.Node(a.value).Bool()
	if err != nil {
		b.wrong(a, err)
	}
	return v
}

func (b *chunkBuilder) wrong(a argument, err error) {
	b.fail(b.decl.place(a), "state %q: argument %q: %v", b.decl.id, a.name, err)
}

func (b *chunkBuilder) failhard(a argument)   { b.chunk.Failhard = b.bool(a) }
func (b *chunkBuilder) parallel(a argument)   { b.chunk.Parallel = b.bool(a) }
func (b *chunkBuilder) onfailStop(a argument) { b.chunk.HandlesFailure = !b.bool(a) }

func (b *chunkBuilder) aggregate(a argument) {
	v := b.bool(a)
	b.chunk.Aggregate = &v
}

func (b *chunkBuilder) reload(a argument) {
	if b.bool(a) {
		b.chunk.Reload = append(b.chunk.Reload, strings.TrimPrefix(a.name, "reload_"))
	}
}

// fireEvent reads true, which names the event after the state, or the name itself.
func (b *chunkBuilder) fireEvent(a argument) {
	name, isText := a.value.Str()
	switch on, isBool := a.value.Value.(bool); {
	case isText && name != "":
		b.chunk.FireEvent = name
	case isBool && on:
		b.chunk.FireEvent = eventOfName
	case isBool, a.value.IsNull():
	default:
		b.wrong(a, module.Node(a.value).Want("true or the end of a tag"))
	}
}

// eventOfName stands for the name of the state until all its arguments are read.
const eventOfName = "\x00"

func (b *chunkBuilder) creates(a argument) {
	items := []*yaml.Node{a.value}
	if a.value.Kind == yaml.SequenceNode {
		items = a.value.Items
	}
	for _, item := range items {
		path, ok := item.Str()
		if !ok {
			b.fail(a.file.at(item), "state %q: argument %q: want a path, got %s", b.decl.id, a.name, item.TypeName())
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
	at := b.decl.place(a)
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
