package service_test

import (
	"strings"
	"testing"

	"brine/states/mod/service"
	"brine/states/module"
	"brine/states/value"
)

// called calls a function as an operator does.
func called(t *testing.T, f *fake, line string) string {
	t.Helper()
	words := strings.Fields(line)
	fn, err := module.NewIndex(service.Module).Func("service." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	return answer(fn.Call(t.Context(), f.Host.Host, module.Words(words[1:]...)))
}

func answer(r module.Returned, err error) string {
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		return err.Error()
	}
	return string(json)
}

func TestFunctions(t *testing.T) {
	f := newFake(t, "up.service+", "down.service", "on.service", "a.timer+", "tmpl@.service")
	f.enable("on.service", true)
	f.unit("static.service", "[Service]\n")
	f.unit("bad.service", "dies [Install]")
	for _, c := range [][2]string{
		{"status up", "true"}, {"status down", "false"}, {"status a.timer", "true"}, {"status up.service", "true"},
		{"status gone", `this host has no service "gone"`},
		{"status *n", `{"down":false,"on":false}`},
		{"enabled on", "true"}, {"enabled up", "false"}, {"enabled static", "true"}, {"disabled up", "true"}, {"disabled static", "false"},
		{"enabled nosuch", `this host has no service "nosuch"`},
		{"available up", "true"}, {"available gone", "false"}, {"missing gone", "true"}, {"missing tmpl@x", "false"},
		{"get_all", `["a.timer","bad","down","on","static","tmpl@","up"]`}, {"get_enabled", `["on"]`},
		{"get_disabled", `["a.timer","bad","down","tmpl@","up"]`}, {"get_static", `["static"]`}, {"get_running", `["up"]`},
		{"start down", "true"}, {"status down", "true"}, {"stop down", "true"}, {"status down", "false"},
		{"restart up", "true"}, {"reload up", "true"}, {"force_reload up", "true"}, {"full_restart up", "true"},
		{"start gone", `cannot start: this host has no service "gone"`},
		{"stop nosuch", `cannot stop: this host has no service "nosuch"`},
		{"start bad", "cannot start service bad: it is failed (exit status 3)"},
		{"enable down", "true"}, {"enabled down", "true"}, {"disable down", "true"}, {"enabled down", "false"},
		{"mask down", "cannot change the mask of service down: Failed to mask unit: File /etc/systemd/system/down.service already exists."},
		{"mask down runtime=True", "true"}, {"masked down", "false"}, {"masked down runtime=True", "true"},
		{"start down unmask_runtime=True", "true"}, {"masked down runtime=True", "false"},
		{"mask new", "true"}, {"masked new", "true"}, {"unmask new", "true"}, {"unmask new", "true"}, {"masked new", "false"},
		{"systemctl_reload", "true"}, {"execs", `{"bad":"/bin/true","down":"/bin/true","on":"/bin/true","static":"/bin/true","up":"/bin/true"}`},
		{"show nosuch", `this host has no service "nosuch"`},
	} {
		if got := called(t, f, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	for _, want := range []string{`"After":["a.target","b.target"]`, `"ExecStart":{"path":"/bin/true","argv[]":"/bin/true a=b"}`} {
		if got := called(t, f, "show up"); !strings.Contains(got, want) {
			t.Errorf("show: got %s, want %s in it", got, want)
		}
	}
}

func TestTemplatesGetAPlainNoForWhatIsNotThere(t *testing.T) {
	f := newFake(t)
	x := module.NewIndex(service.Module)
	for fn, want := range map[string]bool{"status": false, "enabled": false, "disabled": true, "available": false, "missing": true} {
		got, _, err := x.Call(t.Context(), f.Host.Host, "service."+fn, []any{"gone"}, nil)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", fn, got, err, want)
		}
	}
}
