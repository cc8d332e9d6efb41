package schedule_test

import (
	"errors"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/schedule"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// minion is one whose schedule is only noted.
type minion struct {
	pillar, own *value.Dict
	brief       map[string]bool
}

func (m *minion) List(pillar, own bool) *value.Dict {
	all := &value.Dict{}
	if pillar {
		value.Merge(all, m.pillar, false)
	}
	if own {
		value.Merge(all, m.own, false)
	}
	c, _ := value.Clone(all)
	return c.(*value.Dict)
}

func (m *minion) Saved(name string) bool {
	_, own := m.own.Get(name)
	return own && !m.brief[name]
}

func (m *minion) Check(_ string, config *value.Dict) error {
	if _, ok := config.Get("function"); !ok {
		return errors.New("function is missing")
	}
	return nil
}

func (m *minion) Edit(name string, config any, keep bool) error {
	if m.brief[name] = !keep; config == nil {
		m.own.Delete(name)
		m.pillar.Delete(name)
		return nil
	}
	m.own.Put(name, config)
	return nil
}

func (m *minion) Save() (string, error) { m.brief = map[string]bool{}; return "/kept", nil }

func (m *minion) Reload() (string, error) { return "/kept", nil }

func (m *minion) RunJob(name string) error {
	if name == "broken" {
		return errors.New("it is wrong")
	}
	return nil
}

func (m *minion) Status(string) host.ScheduleStatus {
	return host.ScheduleStatus{Next: time.Date(2026, 12, 24, 10, 0, 0, 0, time.Local), Why: "disabled", Skipped: time.Date(2026, 12, 23, 10, 0, 0, 0, time.Local)}
}

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Schedule = &minion{
		pillar: value.NewDict("state", value.NewDict("function", "state.apply", "hours", int64(1))), own: &value.Dict{}, brief: map[string]bool{},
	}
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, schedule.Module, moduletest.Options{Host: newHost, Bare: newHost})
}

func TestFunctionsAnswerAsSalt(t *testing.T) {
	h := newHost(t)
	x := module.NewIndex(schedule.Module)
	for _, c := range []struct {
		function string
		words    []string
		want     string
	}{
		{"list", nil, `"schedule:\n  state:\n    function: state.apply\n    hours: 1\n    enabled: true\n    saved: false\n"`},
		{"add", []string{"ping", "function=test.ping", "seconds=10", "test=True"}, `{"comment":"Job: ping would be added to schedule.","result":true}`},
		{"add", []string{"ping", "seconds=10"}, `{"comment":"function is missing","result":false}`},
		{"add", []string{"ping", "function=test.ping", "job_args=x"}, `{"comment":"job_args is not a list, please correct and try again","result":false}`},
		{"add", []string{"ping", "function=test.ping", "seconds=10"}, `{"comment":"Added job: ping to schedule.","result":true,"changes":{"ping":"added"}}`},
		{"add", []string{"ping", "function=test.ping", "seconds=10"}, `{"comment":"Job ping already exists in schedule.","result":false}`},
		{"list", []string{"return_yaml=False", "where=opts"},
			`{"ping":{"function":"test.ping","seconds":10,"maxrunning":1,"name":"ping","enabled":true,"jid_include":true}}`},
		{"build_schedule_item", []string{"x", "function=cmd.run", "job_args=[date]", "splay={start: 1, end: 2}"},
			`{"function":"cmd.run","args":["date"],"maxrunning":1,"name":"x","enabled":true,"jid_include":true,"splay":{"start":1,"end":2}}`},
		{"modify", []string{"ping", "seconds=10"}, `{"comment":"Job ping in correct state","result":true}`},
		{"modify", []string{"none", "seconds=10"}, `{"comment":"Job none does not exist in schedule.","result":false}`},
		{"modify", []string{"state", "hours=2", "persist=False"}, `{"comment":"Modified job: state in schedule.","result":true,"changes":{"state":` +
			`{"old":{"function":"state.apply","hours":1,"enabled":true},` +
			`"new":{"function":"state.apply","hours":2,"maxrunning":1,"name":"state","enabled":true,"jid_include":true}}}}`},
		{"disable_job", []string{"ping"}, `{"comment":"Disabled Job ping in schedule.","result":true,"changes":{"ping":"disabled"}}`},
		{"run_job", []string{"ping"}, `{"comment":"Job ping is disabled.","result":true}`},
		{"run_job", []string{"ping", "force=True"}, `{"comment":"Scheduling Job ping on minion.","result":true}`},
		{"run_job", []string{"none"}, `{"comment":"Job none does not exist.","result":false}`},
		{"enable_job", []string{"ping"}, `{"comment":"Enabled Job ping in schedule.","result":true,"changes":{"ping":"enabled"}}`},
		{"enable_job", []string{"none"}, `{"comment":"Job none does not exist.","result":false}`},
		{"show_next_fire_time", []string{"ping"}, `{"result":true,"next_fire_time":"2026-12-24T10:00:00"}`},
		{"skip_job", []string{"ping", "soon"}, `{"comment":"Date string could not be parsed.","result":false}`},
		{"skip_job", []string{"ping", "2036-12-24T10:00:00"}, `{"comment":"Added Skip Job ping in schedule.","result":true}`},
		{"postpone_job", []string{"ping", "2036-12-25T10:00:00", "2036-12-25T11:00:00"}, `{"comment":"Postponed Job ping in schedule.","result":true}`},
		{"is_enabled", []string{"ping"}, `{"function":"test.ping","seconds":10,"maxrunning":1,"name":"ping","enabled":true,"jid_include":true,` +
			`"skip_explicit":[{"time":"2036-12-24T10:00:00","time_fmt":"%Y-%m-%dT%H:%M:%S"},{"time":"2036-12-25T10:00:00","time_fmt":"%Y-%m-%dT%H:%M:%S"}],` +
			`"run_explicit":[{"time":"2036-12-25T11:00:00","time_fmt":"%Y-%m-%dT%H:%M:%S"}]}`},
		{"is_enabled", []string{"none"}, `{}`},
		{"disable", nil, `{"comment":"Disabled schedule on minion.","result":true,"changes":{"schedule":"disabled"}}`},
		{"is_enabled", nil, `false`},
		{"enable", nil, `{"comment":"Enabled schedule on minion.","result":true,"changes":{"schedule":"enabled"}}`},
		{"save", nil, `{"comment":"Schedule (non-pillar items) saved.","result":true}`},
		{"reload", nil, `{"comment":["Reloaded schedule on minion from /kept."],"result":true}`},
		{"delete", []string{"none"}, `{"comment":"Job none does not exist.","result":false}`},
		{"delete", []string{"ping"}, `{"comment":"Deleted Job ping from schedule.","result":true,"changes":{"ping":"removed"}}`},
		{"job_status", []string{"state", "time_fmt=%H:%M"}, `{"function":"state.apply","hours":2,"maxrunning":1,"name":"state","enabled":true,` +
			`"jid_include":true,"_next_fire_time":"10:00","_skipped_time":"10:00","_skip_reason":"disabled","_skipped":true}`},
		{"purge", nil, `{"comment":["Deleted job: state from schedule."],"changes":{"state":"removed"},"result":true}`},
		{"move", []string{"ping", "web*"}, `{"comment":"Job ping stays where it is: a minion gives no orders to others. ` +
			`Use brine run 'web*' schedule.add ping ..., or give the job to them by pillar.","result":false}`},
	} {
		f, err := x.Func("schedule." + c.function)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(c.words...))
		got, _ := value.MarshalJSON(r.Value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s %v: got %s, %v, want %s", c.function, c.words, got, err, c.want)
		}
	}
}
