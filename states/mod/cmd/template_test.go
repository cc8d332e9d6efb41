package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/value"
)

// engine is one that puts variables in place of their names.
type engine struct{}

func (engine) Render(_ context.Context, t host.Template) ([]byte, error) {
	if t.Engine != "plain" {
		return nil, errors.New("cannot render with " + t.Engine)
	}
	text := strings.ReplaceAll(string(t.Text), "NAME", t.Name)
	for k, v := range t.Context.All() {
		text = strings.ReplaceAll(text, fmt.Sprint(k), fmt.Sprint(v))
	}
	return []byte(text), nil
}

func TestTemplates(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"run", []string{"echo NAME; pwd", "cwd=/NAME", "template=plain"}, "cmd\nROOT/cwd"},
		{"exec_code", []string{"sh", "echo NAME", "template=plain"}, "code"},
		{"run", []string{"echo NAME", "template=jinja"}, "cannot render with jinja"},
		{"run", []string{"echo", "cwd=/x", "template=plain"}, `cannot run in "/x": no such directory`},
	} {
		h := scratchHost(t)
		h.Write("/cwd/x", "")
		h.Render = engine{}
		r, err := call(t.Context(), t, h.Host, tt.name, typed(tt.args...)...)
		got := fmt.Sprint(r.Value)
		if err != nil {
			got = err.Error()
		}
		if want := strings.ReplaceAll(tt.want, "ROOT", h.Root); got != want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, want)
		}
	}
}

func TestScriptIsRendered(t *testing.T) {
	h := scratchHost(t)
	h.Render = engine{}
	h.Files.Serve("salt://s.sh", "echo NAME A B\n", 0o644)
	b := bind(t, "script", "name=salt://s.sh", "template=plain", "context={A: one}", "defaults={A: 2, B: two}")
	if r := b.Run(t.Context(), h.Host, true); r.Result != nil {
		t.Errorf("test mode: %s", r.Comment)
	}
	r := b.Run(t.Context(), h.Host, false)
	if out, _ := r.Changes.Get("stdout"); out != "salt://s.sh one two" {
		t.Errorf("got %v, %s", out, r.Comment)
	}
	got, err := call(t.Context(), t, h.Host, "script", typed("salt://s.sh", "template=plain")...)
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := got.Value.(*value.Dict).Get("stdout"); out != "salt://s.sh A B" {
		t.Errorf("got %v", out)
	}
}
