package sdb_test

import (
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/sdb"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, sdb.Module, moduletest.Options{}) }

func TestGet(t *testing.T) {
	h := hosttest.New(t)
	h.Config = value.NewDict("env", value.NewDict("driver", "env"))
	h.Pillar = value.NewDict("vault", value.NewDict("driver", "vault"), "other", value.NewDict("a", 1))
	f, err := module.NewIndex(sdb.Module).Func("sdb.get")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		uri    string
		strict string
		want   string
	}{
		{"plain", "false", `"plain"`},
		{"plain", "true", `cannot look up a value: it is no URI that begins with sdb://`},
		{"5", "false", `5`},
		{"[a, 1]", "false", `["a",1]`},
		{"sdb://a", "false", `"sdb://a"`},
		{"sdb://a/", "true", `cannot look up a value: want sdb://PROFILE/KEY`},
		{"sdb://other/key", "false", `"sdb://other/key"`},
		{"sdb://nosuch/key", "true", `cannot look up a value: there is no profile "nosuch"`},
		{"sdb://env/key", "false", `cannot look up "sdb://env/key": the profile "env" wants the driver env, and there are none: give the value by pillar`},
		{"sdb://vault/a/b", "false", `cannot look up "sdb://vault/a/b": the profile "vault" wants the driver vault, and there are none: give the value by pillar`},
	} {
		r, err := f.Call(t.Context(), h.Host, module.Words(tt.uri, "strict="+tt.strict))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.uri, got, tt.want)
		}
	}
}
