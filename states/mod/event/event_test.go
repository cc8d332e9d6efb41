package event_test

import (
	"context"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/event"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// newHost is a host whose events are kept in sent.
func newHost(t testing.TB, sent *[]string) *hosttest.Host {
	h := hosttest.New(t)
	h.Grains = value.NewDict("id", "web1", "os", "Debian", "role", "db")
	h.Event = func(_ context.Context, tag string, data *value.Dict) error {
		text, err := value.MarshalJSON(data)
		if sent != nil {
			*sent = append(*sent, tag+" "+string(text))
		}
		return err
	}
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, event.Module, moduletest.Options{
		Host: func(t testing.TB) *hosttest.Host { return newHost(t, nil) }, Bare: func(t testing.TB) *hosttest.Host { return newHost(t, nil) },
		Repeats: []string{"send"},
	})
}

func TestEventsHaveSaltsShape(t *testing.T) {
	x := module.NewIndex(event.Module)
	for _, c := range []struct {
		function string
		args     []any
		named    *value.Dict
		want     string
	}{
		{"event.send", []any{"a/b"}, nil, `{}`},
		{"event.send", []any{"a/b", value.NewDict("n", int64(1))}, value.NewDict("more", "x"), `{"n":1,"more":"x"}`},
		{"event.send", []any{"a/b"}, value.NewDict("with_grains", value.NewList("os", "nosuch")), `{"grains":{"os":"Debian"}}`},
		{"event.send", []any{"a/b"}, value.NewDict("with_grains", true), `{"grains":{"id":"web1","os":"Debian","role":"db"}}`},
		{"event.fire_master", []any{value.NewDict("n", int64(1)), "a/b"}, nil, `{"n":1}`},
	} {
		var sent []string
		h := newHost(t, &sent)
		_, _, err := x.Call(t.Context(), h.Host, c.function, c.args, c.named)
		want := `a/b {"cmd":"_minion_event","id":"web1","tag":"a/b","data":` + c.want + `}`
		if err != nil || len(sent) != 1 || sent[0] != want {
			t.Errorf("%s %v: got %q, %v, want %q", c.function, c.args, sent, err, want)
		}
	}
}

func TestWithoutAMasterNothingIsSent(t *testing.T) {
	h := newHost(t, nil)
	h.Event = nil
	_, _, err := module.NewIndex(event.Module).Call(t.Context(), (*host.Host)(h.Host), "event.send", []any{"a"}, nil)
	if err == nil {
		t.Error("it was sent")
	}
}
