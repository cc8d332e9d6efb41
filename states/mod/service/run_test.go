package service_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"brine/states/mod/service"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/run"
	"brine/states/sls"
)

func compile(t testing.TB, text string) *plan.Plan {
	t.Helper()
	p, errs := sls.Compile(t.Context(), sls.Dir(fstest.MapFS{"web.sls": {Data: []byte(text)}}), []string{"web"},
		sls.Options{Index: module.NewIndex(service.Module)})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return p
}

func TestServicesOfARunAreAskedForInOne(t *testing.T) {
	var units []string
	var b strings.Builder
	for i := range 200 {
		units = append(units, fmt.Sprintf("s%d.service+", i))
		fmt.Fprintf(&b, "s%d:\n  service.running:\n    - enable: True\n", i)
	}
	f := newFake(t, units...)
	for i := range 200 {
		f.enable(fmt.Sprintf("s%d.service", i), true)
	}
	p := compile(t, b.String())
	if _, code := run.Run(t.Context(), p, f.Host.Host, run.Options{}); code != 0 || len(f.ran) != 1 {
		t.Errorf("got code %d, %d commands, want 0 and one", code, len(f.ran))
	}
	f.ran = nil
	f.remove("/fake/active/s7.service")
	f.enable("s9.service", false)
	_, code := run.Run(t.Context(), p, f.Host.Host, run.Options{})
	asked := 0
	for _, line := range f.ran {
		if strings.HasPrefix(line, "systemctl list-units") {
			asked++
		}
	}
	// Once at first, and again after each of the two changes: for the change itself and for the states behind it.
	if code != 0 || asked > 6 {
		t.Errorf("got code %d, asked %d times", code, asked)
	}
}
