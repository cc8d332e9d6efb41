// Package event tells masters what happens here.
package event

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the event module.
var Module = module.Module{
	Name: "event",
	Doc: `
		Tell masters what happens here. An event is kept on the disk until a master has stored it; brine event watch shows it.
		As in Salt its data are an object with "id", "tag" and "data", of which the last is what was sent.`,
	Funcs: []module.Func{
		{
			Name: "fire_master", Doc: "Tell the masters that something happened.",
			Example: "'{version: 1.2}' site/deploy/done", Do: module.Call(fireMaster),
		},
		{
			Name: "send", Doc: "Tell the masters that something happened. Arguments that are not named here are data by their names.",
			Example: "site/deploy/done version=1.2", Do: module.Call(send),
		},
	},
	States: []module.State{
		{
			Name: "send",
			Doc: `
				Tell the masters that something happened, each time that the state runs: let it depend on the changes of
				another one (onchanges). Arguments that are not named here are data by their names.`,
			Example: `
				site/deploy/done:
				  event.send:
				    - data:
				        version: 1.2`,
			Plan: module.Look(planSend),
		},
		{
			Name: "wait", Doc: "Tell the masters that something happened, when a state that is watched has changed something.",
			Example: `
				site/deploy/done:
				  event.wait:
				    - data:
				        version: 1.2`,
			Plan: module.Look(planWait), Watch: module.React(reactWait),
		},
	},
}

// A content is what goes along with a tag.
type content struct {
	Data   any         `arg:"data" doc:"an object with more about it"`
	Env    any         `arg:"with_env" default:"false" doc:"variables of the minion's environment go along: true for all, or a list of names"`
	Grains any         `arg:"with_grains" default:"false" doc:"grains go along: true for all, or a list of names"`
	Pillar any         `arg:"with_pillar" default:"false" doc:"pillar goes along, and is stored with the event: true for all, or a list of names"`
	Named  *value.Dict `arg:"kwargs,named" doc:"data by their names"`
}

// data is what is sent.
func (a content) data(h *host.Host) (*value.Dict, error) {
	all := &value.Dict{}
	switch d := a.Data.(type) {
	case nil:
	case *value.Dict:
		for k, v := range d.All() {
			if err := all.Set(k, v); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("data: want an object, got %s", value.Kind(a.Data))
	}
	for _, w := range []struct {
		arg, key string
		want     any
		from     func() *value.Dict
	}{
		{"with_env", "environ", a.Env, environ},
		{"with_grains", "grains", a.Grains, func() *value.Dict { return h.Grains }},
		{"with_pillar", "pillar", a.Pillar, func() *value.Dict { return h.Pillar }},
	} {
		chosen, err := choose(w.want, w.from)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.arg, err)
		}
		if chosen != nil {
			all.Put(w.key, chosen)
		}
	}
	for k, v := range a.Named.All() {
		if err := all.Set(k, v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// choose takes all of something, or what a list names; nil when it is not wanted.
func choose(want any, from func() *value.Dict) (*value.Dict, error) {
	switch w := want.(type) {
	case nil:
		return nil, nil
	case bool:
		if !w {
			return nil, nil
		}
		return from(), nil
	case *value.List:
		all, chosen := from(), &value.Dict{}
		for _, name := range w.Items {
			if v, ok := all.Get(name); ok {
				if err := chosen.Set(name, v); err != nil {
					return nil, err
				}
			}
		}
		return chosen, nil
	}
	return nil, fmt.Errorf("want true, false or a list of names, got %s", value.Kind(want))
}

func environ() *value.Dict {
	all := &value.Dict{}
	for _, v := range os.Environ() {
		name, text, _ := strings.Cut(v, "=")
		all.Put(name, text)
	}
	return all
}

type args struct {
	Tag string `arg:"tag,required" doc:"what happened, such as site/deploy/done"`
	content
}

func send(ctx context.Context, h *host.Host, a args) (bool, error) {
	data, err := a.data(h)
	if err == nil {
		err = tell(ctx, h, a.Tag, data)
	}
	return err == nil, err
}

type fireArgs struct {
	Data *value.Dict `arg:"data,required" doc:"an object with more about it"`
	Tag  string      `arg:"tag,required" doc:"what happened, such as site/deploy/done"`
}

func fireMaster(ctx context.Context, h *host.Host, a fireArgs) (bool, error) {
	err := tell(ctx, h, a.Tag, a.Data)
	return err == nil, err
}

// tell sends an event as Salt does.
func tell(ctx context.Context, h *host.Host, tag string, data *value.Dict) error {
	if h.Event == nil {
		return errors.New("no master is there to tell: only a running minion sends events")
	}
	id, _ := h.Grains.Get("id")
	return h.Event(ctx, tag, value.NewDict("cmd", "_minion_event", "id", id, "tag", tag, "data", data))
}

type stateArgs struct {
	Name string `arg:"name,required" doc:"the tag: what happened, such as site/deploy/done"`
	content
	Show bool `arg:"show_changed" default:"true" doc:"show what was sent as changes"`
}

func planSend(_ context.Context, h *host.Host, a stateArgs) (module.Plan, error) {
	data, err := a.data(h)
	if err != nil {
		return module.Plan{}, err
	}
	changes := value.NewDict("tag", a.Name, "data", data)
	if !a.Show {
		changes = value.NewDict("tag", a.Name)
	}
	do := func(ctx context.Context) (module.Done, error) { return module.Done{}, tell(ctx, h, a.Name, data) }
	return module.Plan{Steps: []module.Step{{Changes: changes, Do: do}}, Would: "Event would have been fired", Did: "Event fired"}, nil
}

func planWait(context.Context, *host.Host, stateArgs) (module.Plan, error) {
	return module.Plan{Same: "nothing that it watches has changed"}, nil
}

func reactWait(ctx context.Context, h *host.Host, a stateArgs, _ []string) (module.Plan, error) {
	return planSend(ctx, h, a)
}
