package rule

import (
	"encoding/json"
	"fmt"
	"strings"

	"brine/proto"
)

// Arguments are those of the action's function for an event.
func (a *Action) Arguments(e *Event) ([]*proto.Argument, error) {
	var args []any
	if a.Kind == Apply && len(a.SLS) > 0 {
		args = append(args, strings.Join(a.SLS, ","))
	}
	room := &meter{maxResult}
	for _, v := range a.Args {
		out, err := v.within(e, room)
		if err != nil {
			return nil, err
		}
		args = append(args, out)
	}
	named, err := a.named(e, room)
	if err != nil {
		return nil, err
	}
	return Arguments(args, named)
}

// Named are the action's named arguments for an event.
func (a *Action) Named(e *Event) (map[string]any, error) { return a.named(e, &meter{maxResult}) }

func (a *Action) named(e *Event, room *meter) (map[string]any, error) {
	named := map[string]any{}
	for _, n := range a.Kwargs {
		out, err := n.Value.within(e, room)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		named[n.Name] = out
	}
	return named, nil
}

// Arguments makes arguments of a job.
func Arguments(args []any, named map[string]any) ([]*proto.Argument, error) {
	var all []*proto.Argument
	add := func(name string, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("cannot make an argument of %v: %w", v, err)
		}
		all = append(all, &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: data}})
		return nil
	}
	for _, v := range args {
		if err := add("", v); err != nil {
			return nil, err
		}
	}
	for _, k := range sortedKeys(named) {
		if err := add(k, named[k]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Whom tells whom an action is for: minions by their ids, or a compound target.
func (a *Action) Whom(e *Event) (ids []string, expression string, err error) {
	switch {
	case a.Target == "":
		return []string{e.Origin}, "", nil
	case !a.Data:
		return nil, a.Target, nil
	}
	var v any = e.Payload()
	for key := range strings.SplitSeq(a.Target, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	switch v := v.(type) {
	case string:
		ids = []string{v}
	case []any:
		for _, item := range v {
			id, ok := item.(string)
			if !ok {
				return nil, "", fmt.Errorf("data.%s has something that is no minion's id: %v", a.Target, item)
			}
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if id == "" || strings.ContainsAny(id, ", ") {
			return nil, "", fmt.Errorf("data.%s has something that is no minion's id: %q", a.Target, id)
		}
	}
	if len(ids) == 0 {
		return nil, "", fmt.Errorf("data.%s names no minion", a.Target)
	}
	return ids, "", nil
}
