package saltutil_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/saltutil"
	"brine/states/module"
	"brine/states/value"
)

// kept is what a tree has: names by kind; those that begin with ! can't be used.
type kept struct {
	names map[string]string
	env   string
}

func (k *kept) Sync(_ context.Context, kind, env string, want func(string) bool) (changed []string, errs []error) {
	k.env = env
	for _, name := range strings.Fields(k.names[kind]) {
		if bad, ok := strings.CutPrefix(name, "!"); ok {
			errs = append(errs, errors.New("cannot use "+bad))
		} else if want(name) {
			changed = append(changed, name)
		}
	}
	return changed, errs
}

func TestSync(t *testing.T) {
	for line, want := range map[string]string{
		"sync_modules":                       `["modules.a","modules.b"]`,
		"sync_modules extmod_whitelist=a,c":  `["modules.a"]`,
		"sync_modules extmod_blacklist=[a]":  `["modules.b"]`,
		"sync_states saltenv=dev":            `["states.s"]`,
		"sync_all":                           `{"grains":[],"modules":["modules.a","modules.b"],"states":["states.s"]}`,
		"sync_all extmod_whitelist={moduls}": `error: cannot call saltutil.sync_all: argument "extmod_whitelist": unknown kind "moduls" (did you mean "modules"?): brine has grains, modules and states`,
		"refresh_modules":                    `true`,
	} {
		k := &kept{names: map[string]string{"modules": "a b", "states": "s"}}
		got := sync(t, k, line)
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
		if strings.Contains(line, "dev") && k.env != "dev" {
			t.Errorf("%s: the environment is %q", line, k.env)
		}
	}
}

func TestSyncTellsWhatCannotBeUsed(t *testing.T) {
	k := &kept{names: map[string]string{"modules": "a !b", "states": "!c"}}
	for line, want := range map[string]string{
		"sync_modules": "error: cannot use b\nsynced all the same: modules.a",
		"sync_states":  "error: cannot use c",
		"sync_all":     "error: cannot use b\ncannot use c\nsynced all the same: modules.a",
	} {
		if got := sync(t, k, line); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	if got := sync(t, nil, "sync_all"); got != "error: cannot sync: this minion keeps no modules of state trees" {
		t.Errorf("got %s", got)
	}
}

func sync(t *testing.T, k *kept, line string) string {
	t.Helper()
	words := strings.Fields(line)
	f, err := module.NewIndex(saltutil.Module).Func("saltutil." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	if k != nil {
		h.Custom = k
	}
	r, err := f.Call(t.Context(), h, module.Words(words[1:]...))
	if err != nil {
		return "error: " + err.Error()
	}
	data, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
