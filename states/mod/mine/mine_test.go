package mine_test

import (
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/mine"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, mine.Module, moduletest.Options{}) }

// TestNoMine answers nothing, and says in the log why.
func TestNoMine(t *testing.T) {
	h := hosttest.New(t)
	var told string
	h.Log = func(level, message string) { told += level + ": " + message }
	f, err := module.NewIndex(mine.Module).Func("mine.get")
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words("*", "[network.ip_addrs, x]", "expr_form=grain"))
	if d, ok := r.Value.(*value.Dict); err != nil || !ok || d.Len() != 0 || told != "warn: mine.get has no answer: a site keeps no mine yet" {
		t.Errorf("got %v, %v, %q", r.Value, err, told)
	}
}
