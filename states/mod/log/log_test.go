package log_test

import (
	"slices"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/log"
	"brine/states/module"
	"brine/states/module/moduletest"
)

func TestModule(t *testing.T) { moduletest.Run(t, log.Module, moduletest.Options{}) }

func TestLevels(t *testing.T) {
	h := hosttest.New(t).Host
	var got []string
	x := module.NewIndex(log.Module)
	for _, name := range x.Functions() {
		if v, _, err := x.Call(t.Context(), h, name, []any{"hi"}, nil); v != true || err != nil {
			t.Errorf("%s without a log: got %v, %v, want true", name, v, err)
		}
		h.Log = func(level, message string) { got = append(got, level+" "+message) }
		if _, _, err := x.Call(t.Context(), h, name, []any{name}, nil); err != nil {
			t.Error(err)
		}
		h.Log = nil
	}
	want := []string{"error log.critical", "debug log.debug", "error log.error", "info log.info", "warn log.warning"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
