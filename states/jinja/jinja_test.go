package jinja_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/states/jinja"
	"brine/states/value"
)

func Example() {
	engine := new(jinja.Engine) // one for all templates
	t, err := engine.Parse("nginx/init.sls", "{% for s in pillar.sites %}\n{{ s }}: {{ salt['test.echo'](loop.index) }}\n{%- endfor %}\n", jinja.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	env := jinja.Env{
		Call: func(_ context.Context, name string, args []any, _ *value.Dict) (any, error) { return args[0], nil },
	}
	text, err := t.Render(context.Background(), env, map[string]any{
		"pillar": value.NewDict("sites", value.NewList("www", "api")),
	})
	fmt.Print(text, err)
	// Output:
	// www: 1
	// api: 2
	// <nil>
}

func TestTemplatesRenderAtTheSameTime(t *testing.T) {
	engine := new(jinja.Engine)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			env, vars := formulaEnv()
			var first string
			for range 20 {
				tpl, err := engine.Parse("nginx/init.sls", formula["nginx/init.sls"], jinja.Settings{})
				if err != nil {
					t.Error(err)
					return
				}
				text, err := tpl.Render(context.Background(), env, vars)
				if err != nil || first != "" && text != first {
					t.Errorf("got %q, %v, want %q", text, err, first)
					return
				}
				first = text
			}
		})
	}
	wg.Wait()
}

func TestCancelledContextEndsTheTemplate(t *testing.T) {
	tpl, err := new(jinja.Engine).Parse("t", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", jinja.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = tpl.Render(ctx, jinja.Env{Limits: jinja.Limits{Steps: 1 << 40}}, nil)
	var e *jinja.Error
	if !errors.As(err, &e) || e.Kind != jinja.Limit || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestCauseOfAFailedFunctionIsKept(t *testing.T) {
	cause := errors.New("no such pillar")
	tpl, err := new(jinja.Engine).Parse("t", "{{ salt.pillar.get('x') }}", jinja.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.Env{Call: func(context.Context, string, []any, *value.Dict) (any, error) { return nil, cause }}
	_, err = tpl.Render(context.Background(), env, nil)
	if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "t:1:") {
		t.Errorf("got %v, want the cause with its place", err)
	}
}

func TestUnknownFunction(t *testing.T) {
	tpl, err := new(jinja.Engine).Parse("t", "{{ 'a.b' in salt }} {{ salt['a.b'] is defined }} {{ salt['a.b']() }}", jinja.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.Env{
		Call: func(context.Context, string, []any, *value.Dict) (any, error) { return nil, nil },
		Has:  func(string) bool { return false },
	}
	_, err = tpl.Render(context.Background(), env, nil)
	var e *jinja.Error
	if !errors.As(err, &e) || e.Kind != jinja.Undefined || !strings.Contains(e.Text, "a.b") {
		t.Errorf("got %v, want an undefined function", err)
	}
}

// A tag of many words is read in the time that it takes to go over it once.
func TestWordsOfALongTagKnowTheirColumn(t *testing.T) {
	text := "{{ [" + strings.Repeat("'é', ", 45_000) + "x y] }}"
	_, err := new(jinja.Engine).Parse("t", text, jinja.Settings{})
	var e *jinja.Error
	if !errors.As(err, &e) || e.Column != 5+5*45_000+2 {
		t.Errorf("got %.200v, want a mistake in column %d", err, 5+5*45_000+2)
	}
}
