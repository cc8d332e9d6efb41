package beacons_test

import (
	"errors"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/beacons"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// minion is one whose beacons are only noted.
type minion struct {
	pillar, own *value.Dict
	saved       string
}

func (m *minion) List(pillar, own bool) *value.Dict {
	all := &value.Dict{}
	if pillar {
		value.Merge(all, m.pillar, false)
	}
	if own {
		value.Merge(all, m.own, false)
	}
	return all
}

func (m *minion) Available() []string { return []string{"load", "ps"} }

func (m *minion) Check(_ string, config any) error {
	if value.Equal(config, value.NewList(value.NewDict("wrong", true))) {
		return errors.New("wrong: there is no such key")
	}
	return nil
}

func (m *minion) Edit(change func(*value.Dict)) { change(m.own) }

func (m *minion) Save() (string, error) {
	text, err := value.MarshalJSON(m.own)
	m.saved = string(text)
	return "/var/lib/brine/minion/beacons", err
}

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Beacons = &minion{pillar: value.NewDict("load", value.NewList()), own: &value.Dict{}}
	return h
}

func TestModule(t *testing.T) {
	moduletest.Run(t, beacons.Module, moduletest.Options{Host: newHost})
}

func TestStateModule(t *testing.T) {
	moduletest.Run(t, beacons.StateModule, moduletest.Options{Host: newHost, Bare: newHost})
}

func TestFunctionsAnswerAsSalt(t *testing.T) {
	h := newHost(t)
	x := module.NewIndex(beacons.Module)
	for _, c := range []struct {
		function string
		words    []string
		want     string
	}{
		{"list", nil, `"beacons:\n  load: []\n"`},
		{"list_available", []string{"return_yaml=False"}, `["load","ps"]`},
		{"add", []string{"ps", "[{processes: {nginx: stopped}}]", "test=True"}, `{"result":true,"comment":"Beacon: ps would be added."}`},
		{"add", []string{"ps", "[{wrong: true}]"}, `{"result":false,"comment":"Beacon ps configuration invalid, not adding.\nwrong: there is no such key"}`},
		{"add", []string{"ps", "[{processes: {nginx: stopped}}]"}, `{"result":true,"comment":"Added beacon: ps."}`},
		{"add", []string{"ps", "[]"}, `{"result":true,"comment":"Beacon ps is already configured."}`},
		{"add", []string{"pps", "[]"}, `{"result":false,"comment":"Beacon \"pps\" is not available. (did you mean \"ps\"?)"}`},
		{"add", []string{"other", "[{beacon_module: ps}]"}, `{"result":true,"comment":"Added beacon: other."}`},
		{"delete", []string{"other"}, `{"result":true,"comment":"Deleted beacon: other."}`},
		{"delete", []string{"load"}, `{"result":false,"comment":"Cannot delete beacon item load, it is configured in pillar."}`},
		{"modify", []string{"ps", "[{processes: {nginx: running}}, {interval: 5}]"},
			`{"result":true,"comment":"Modified beacon: ps.","changes":{"diff":"--- \n+++ \n-processes:{\"nginx\":\"stopped\"}\n+processes:{\"nginx\":\"running\"}\n+interval:5\n"}}`},
		{"modify", []string{"ps", "[{processes: {nginx: running}}, {interval: 5}]"}, `{"result":true,"comment":"Job ps in correct state"}`},
		{"modify", []string{"nosuch", "[]"}, `{"result":true,"comment":"Beacon nosuch is not configured."}`},
		{"disable_beacon", []string{"ps"}, `{"result":true,"comment":"Disabled beacon ps on minion."}`},
		{"list", []string{"return_yaml=False", "include_pillar=False"},
			`{"ps":[{"processes":{"nginx":"running"}},{"interval":5},{"enabled":false}]}`},
		{"enable_beacon", []string{"ps"}, `{"result":true,"comment":"Enabled beacon ps on minion."}`},
		{"enable_beacon", []string{"load"}, `{"result":false,"comment":"Cannot enable beacon item load, it is configured in pillar."}`},
		{"enable_beacon", []string{"nosuch"}, `{"result":false,"comment":"Beacon nosuch is not currently configured."}`},
		{"disable", nil, `{"result":true,"comment":"Disabled beacons on minion."}`},
		{"enable", nil, `{"result":true,"comment":"Enabled beacons on minion."}`},
		{"save", nil, `{"result":true,"comment":"Beacons saved to /var/lib/brine/minion/beacons."}`},
		{"reset", nil, `{"result":true,"comment":"Beacon configuration reset."}`},
		{"list", []string{"return_yaml=False"}, `{"load":[]}`},
	} {
		f, err := x.Func("beacons." + c.function)
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
