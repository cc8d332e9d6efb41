package orchestrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type waitArgs struct {
	Name    string `arg:"name,required" doc:"the tag of the events: a glob"`
	IDList  any    `arg:"id_list,required" doc:"whom an event has to come from: a list"`
	EventID string `arg:"event_id" default:"id" doc:"what of an event's data says whom it comes from"`
	Timeout int64  `arg:"timeout" default:"300" doc:"seconds after which the step fails"`
	Node    string `arg:"node" default:"master" doc:"taken for Salt's sake: there is one stream of events"`
}

// CheckArgs implements module.Checker.
func (a *waitArgs) CheckArgs() error {
	var errs []error
	if _, err := target.ParseGlob(a.Name); err != nil {
		errs = append(errs, fmt.Errorf("name: %w", err))
	}
	if len(texts(a.IDList)) == 0 {
		errs = append(errs, errors.New("id_list is empty: there is nobody to wait for"))
	}
	if a.Timeout <= 0 {
		errs = append(errs, errors.New("timeout: want more than 0 seconds"))
	}
	return errors.Join(errs...)
}

func planWait(_ context.Context, _ *host.Host, a waitArgs) (module.Plan, error) {
	return module.Plan{
		Would: fmt.Sprintf("Orchestration would wait for event '%s'", a.Name),
		Steps: []module.Step{{Changes: &value.Dict{}, Do: func(ctx context.Context) (module.Done, error) { return a.wait(ctx) }}},
	}, nil
}

var errSeen = errors.New("all seen")

// wait follows events from the beginning of the step on, wherever the step is gone on with.
func (a *waitArgs) wait(ctx context.Context) (module.Done, error) {
	s, err := stepOf(ctx)
	if err != nil {
		return module.Done{}, err
	}
	left := texts(a.IDList)
	seen := value.NewList()
	until := s.began.Add(time.Duration(a.Timeout) * time.Second)
	within, stop := context.WithDeadline(ctx, until)
	defer stop()
	var last int64
	err = s.o.Records.Watch(within, &proto.EventQuery{Tags: []string{a.Name}}, s.began.UnixMicro()-1, func(e *proto.Event) error {
		for _, id := range a.sources(e) {
			if i := slices.Index(left, id); i >= 0 && e.At >= s.began.UnixMicro() && e.At <= until.UnixMicro() {
				left = slices.Delete(left, i, i+1)
				seen.Items = append(seen.Items, id)
				last = e.At
			}
		}
		if len(left) == 0 {
			return errSeen
		}
		return nil
	})
	changes := &value.Dict{}
	if len(seen.Items) > 0 {
		changes.Put("minions_seen", seen)
	}
	switch {
	case errors.Is(err, errSeen):
		return done(changes, fmt.Sprintf("All events seen in %.3f seconds.", time.UnixMicro(last).Sub(s.began).Seconds()), false)
	case ctx.Err() != nil:
		return module.Done{}, context.Cause(ctx)
	case within.Err() != nil:
		return done(changes, fmt.Sprintf("Timeout value reached. No event came from %s.", strings.Join(left, ", ")), true)
	}
	return module.Done{}, err
}

// ofMasters are the tags that only masters use: what is in such events is true.
var ofMasters = []string{"salt/job/", "salt/key", "salt/auth", "salt/presence/", "salt/run/", "salt/wheel/", "salt/master/"}

// sources are whom an event comes from, as event_id says. Of what minions tell their id is proven, and not what they write.
func (a *waitArgs) sources(e *proto.Event) []string {
	told := strings.HasPrefix(e.Actor, "operator ") || slices.ContainsFunc(ofMasters, func(tag string) bool { return strings.HasPrefix(e.Tag, tag) })
	if a.EventID == "id" && !told {
		return []string{e.Origin}
	}
	var data map[string]any
	if json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	v, ok := data[a.EventID]
	if inner, isMap := data["data"].(map[string]any); !ok && isMap {
		v = inner[a.EventID]
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}
