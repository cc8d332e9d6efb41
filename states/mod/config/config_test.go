package config_test

import (
	"testing"

	"brine/states/host"
	"brine/states/mod/config"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

func TestModule(t *testing.T) { moduletest.Run(t, config.Module, moduletest.Options{}) }

func dict(t *testing.T, text string) *value.Dict {
	t.Helper()
	n, err := yaml.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n.Data().(*value.Dict)
}

func TestFunctions(t *testing.T) {
	h := &host.Host{
		Config: dict(t, "{id: web1, all: config, sched: {a: 1}, l: [1], redis.port: 1}"),
		Grains: dict(t, "{os: Debian, all: grains, app: {user: grain, only: g}}"),
		Pillar: dict(t, "{all: pillar, os: x, app: {user: pillar, port: 80, l: [{n: a}, {n: b}]}, sched: {a: 2, b: 2}, l: [2], "+
			"redis.host: h, master: {all: master, timeout: 5, sched: {c: 3}, l: 4, hosts.file: /m}}"),
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"get", []string{"id"}, `"web1"`},
		{"get", []string{"all"}, `"config"`},
		{"get", []string{"all", "omit_opts=True"}, `"grains"`},
		{"get", []string{"all", "omit_opts=True", "omit_grains=True"}, `"pillar"`},
		{"get", []string{"all", "omit_opts=True", "omit_grains=True", "omit_pillar=True"}, `"master"`},
		{"get", []string{"app:user"}, `"grain"`},
		{"get", []string{"app:port"}, "80"},
		{"get", []string{"app|l|1|n", "delimiter=|"}, `"b"`},
		{"get", []string{"timeout"}, "5"},
		{"get", []string{"timeout", "omit_master=True"}, `""`},
		{"get", []string{"aliases.file"}, `"/etc/aliases"`},
		{"get", []string{"hosts.file"}, `"/m"`},
		{"get", []string{"nosuch", "default={a: 1}"}, `{"a":1}`},
		{"get", []string{"app", "merge=recurse"}, `{"user":"grain","port":80,"l":[{"n":"a"},{"n":"b"}],"only":"g"}`},
		{"get", []string{"app", "merge=overwrite"}, `{"user":"grain","only":"g"}`},
		{"get", []string{"sched", "merge=recurse"}, `{"c":3,"a":1,"b":2}`},
		{"get", []string{"app", "merge=True", "omit_grains=True"}, `{"user":"pillar","port":80,"l":[{"n":"a"},{"n":"b"}]}`},
		{"get", []string{"app", "merge=best"}, `cannot call config.get: argument "merge": want recurse or overwrite, got "best"`},
		{"option", []string{"all"}, `"config"`},
		{"option", []string{"app:user"}, `""`},
		{"option", []string{"nosuch", "default=x"}, `"x"`},
		{"option", []string{"all", "omit_all=True"}, `""`},
		{"option", []string{"redis.*", "wildcard=True"}, `{"redis.host":"h","redis.port":1}`},
		{"option", []string{"no.*", "wildcard=True"}, "{}"},
		{"option", []string{"[", "wildcard=True"}, `cannot look for "[": it is no pattern`},
		{"merge", []string{"all"}, `"config"`},
		{"merge", []string{"sched"}, `{"a":1,"b":2,"c":3}`},
		{"merge", []string{"l"}, "[1,2]"},
		{"merge", []string{"os"}, `"x"`},
		{"merge", []string{"nosuch"}, `""`},
		{"merge", []string{"ca.cert_base_path"}, `"/etc/pki"`},
		{"items", nil, `{"id":"web1","all":"config","sched":{"a":1},"l":[1],"redis.port":1}`},
	} {
		f, err := module.NewIndex(config.Module).Func("config." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, on := range []*host.Host{h, {}} { // the second time only that nothing breaks
			r, err := f.Call(t.Context(), on, module.Words(tt.args...))
			json, _ := value.MarshalJSON(r.Value)
			got := string(json)
			if err != nil {
				got = err.Error()
			}
			if on == h && got != tt.want {
				t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
			}
		}
	}
	if got, _ := value.MarshalJSON(h.Pillar); len(got) < 100 || h.Config.Len() != 5 {
		t.Errorf("the places were changed: %s", got)
	}
}
