package rule

import (
	"bytes"
	"encoding/json"
	"time"

	"brine/proto"
)

// An Event is one that rules are asked about, with what they may ask of its origin. It is for one goroutine.
type Event struct {
	ID string // of its record
	*proto.Event
	// Facts give the grains and the pillar of the origin; nil: it has none.
	Grains, Pillar func() (map[string]any, error)

	data    map[string]any
	decoded bool
	facts   [2]map[string]any
	asked   [2]bool
}

// Payload is the event's data.
func (e *Event) Payload() map[string]any {
	if !e.decoded {
		e.decoded = true
		d := json.NewDecoder(bytes.NewReader(e.Data))
		d.UseNumber()
		var data map[string]any
		if d.Decode(&data) == nil {
			e.data, _ = Plain(data).(map[string]any)
		}
		if e.data == nil {
			e.data = map[string]any{}
		}
	}
	return e.data
}

// Plain makes numbers of JSON ints where they are whole, and floats else.
func Plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, _ := v.Float64() // JSON's own syntax
		return f
	case map[string]any:
		for k, item := range v {
			v[k] = Plain(item)
		}
	case []any:
		for i, item := range v {
			v[i] = Plain(item)
		}
	}
	return v
}

// environment is what expressions see.
type environment struct {
	Event  about          `expr:"event"`
	Grains map[string]any `expr:"grains"`
	Pillar map[string]any `expr:"pillar"`
	Meter  *meter         `expr:" meter" json:"-"`
}

// returned is what the condition of verify sees.
type returned struct {
	environment
	Ret any `expr:"ret"`
}

// about is an event, as expressions see it.
type about struct {
	ID     string         `expr:"id"`
	Tag    string         `expr:"tag"`
	Origin string         `expr:"origin"`
	At     time.Time      `expr:"at"`
	Actor  string         `expr:"actor"`
	Cause  string         `expr:"cause"`
	Depth  int            `expr:"depth"`
	Data   map[string]any `expr:"data"`
}

func (e *Event) about() about {
	return about{ID: e.ID, Tag: e.Tag, Origin: e.Origin, At: time.UnixMicro(e.At).UTC(), Actor: e.Actor, Cause: e.Cause, Depth: int(e.Depth), Data: e.Payload()}
}

// fact asks once for the grains (0) or the pillar (1).
func (e *Event) fact(which int) (map[string]any, error) {
	ask := []func() (map[string]any, error){e.Grains, e.Pillar}[which]
	if !e.asked[which] && ask != nil {
		facts, err := ask()
		if err != nil {
			return nil, err
		}
		e.facts[which], e.asked[which] = facts, true
	}
	if e.facts[which] == nil {
		return map[string]any{}, nil
	}
	return e.facts[which], nil
}

// environment is what an expression that refers to some names sees.
func (e *Event) environment(x *Expr) (env environment, err error) {
	env.Event = e.about()
	if x.grains {
		if env.Grains, err = e.fact(0); err != nil {
			return env, err
		}
	}
	if x.pillar {
		env.Pillar, err = e.fact(1)
	}
	return env, err
}
