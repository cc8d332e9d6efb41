package cmd_test

import (
	"fmt"
	"os"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/cmd"
	"brine/states/module"
	"brine/states/value"
)

func bind(t *testing.T, name string, words ...string) *module.Bound {
	t.Helper()
	s, err := module.NewIndex(cmd.Module).State("cmd." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRunState(t *testing.T) {
	for _, tt := range []struct {
		name             string
		args             []string
		ok               bool
		changes, comment string
	}{
		{"run", []string{"name=echo A"}, true,
			`{"retcode":0,"stdout":"A","stderr":""}`, `Command "echo A" run`},
		{"run", []string{"name=false"}, false,
			`{"retcode":1,"stdout":"","stderr":""}`, `Command "false" run`},
		{"run", []string{"name=echo changed=no comment=same", "stateful=True"}, true, "{}", "same"},
		{"run", []string{"name=true", "stateful=True"}, true, "{}", "already in the wanted state"},
		{"run", []string{"name=echo working; echo changed=yes comment=\\'it did\\' n=1", "stateful=True"}, true,
			`{"changed":"yes","n":"1","retcode":0,"stdout":"working","stderr":""}`, "it did"},
		{"run", []string{`name=echo '{"changed": true, "comment": "c", "n": [1]}'`, "stateful=True"}, true,
			`{"changed":true,"n":[1],"retcode":0,"stdout":"","stderr":""}`, "c"},
		{"run", []string{"name=echo nonsense", "stateful=[{test_name: x}]"}, false,
			`{"retcode":0,"stdout":"nonsense","stderr":""}`, "cannot read the report of the command: " +
				"its output must be JSON or end with a line of name=value pairs"},
		{"run", []string{"name=sleep 60", "timeout=0.1", "ignore_timeout=True", "hide_output=True"}, true,
			`{"retcode":0,"stdout":"","stderr":""}`, `Command "sleep 60" run`},
		{"run", []string{"name=echo \"a\"\necho b"}, true,
			`{"retcode":0,"stdout":"a\nb","stderr":""}`, "Command \"echo \"a\"\necho b\" run"},
		{"run", []string{"name=echo out; exit 4", "success_stdout=u"}, true,
			`{"retcode":0,"stdout":"out","stderr":""}`, "Command \"echo out; exit 4\" run"},
		{"run", []string{"name=exit 4", "ignore_retcode=True"}, false,
			`{"retcode":4,"stdout":"","stderr":""}`, `Command "exit 4" run`},
		{"run", []string{"name=sleep 60", "timeout=0.1"}, false,
			`{"retcode":1,"stdout":"'sleep 60' : Timed out after 0.1 seconds","stderr":""}`, `Command "sleep 60" run`},
		{"run", []string{"name=echo $A | cat", "env=[{A: yes}]"}, true,
			`{"retcode":0,"stdout":"yes","stderr":""}`, `Command "echo $A | cat" run`},
		{"script", []string{"name=salt://s.sh one two"}, true,
			`{"retcode":0,"stdout":"one two","stderr":""}`, "Command 'salt://s.sh one two' run"},
		{"script", []string{"name=x", "source=salt://s.sh", "args=one"}, true,
			`{"retcode":0,"stdout":"one","stderr":""}`, "Command 'x' run"},
		{"script", []string{"name=x y", "source=salt://s.sh"}, true,
			`{"retcode":0,"stdout":"y","stderr":""}`, "Command 'x y' run"},
		{"wait_script", []string{"name=salt://s.sh"}, true, "{}", "nothing that it watches has changed"},
		{"watch", []string{"name=echo A"}, true, "{}", "nothing that it watches has changed"},
		{"wait", []string{"name=echo A"}, true, "{}", "nothing that it watches has changed"},
	} {
		h := hosttest.New(t).Real()
		h.Files.Serve("salt://s.sh", "echo $@\n", 0o644)
		r := bind(t, tt.name, tt.args...).Run(t.Context(), h.Host, false)
		r.Changes.Delete("pid")
		json, err := value.MarshalJSON(r.Changes)
		if err != nil || r.Result == nil || *r.Result != tt.ok || string(json) != tt.changes || r.Comment != tt.comment {
			t.Errorf("%s %q: got %v, %s, %q, want %v, %s, %q",
				tt.name, tt.args, *r.Result, json, r.Comment, tt.ok, tt.changes, tt.comment)
		}
	}
}

func TestWaitRunsWhenWatchedStatesChange(t *testing.T) {
	h := hosttest.New(t).Real()
	r := bind(t, "wait", "name=echo A").RunWatch(t.Context(), h.Host, []string{"file: x"}, false)
	if out, _ := r.Changes.Get("stdout"); out != "A" {
		t.Errorf("got %v, %s", out, r.Comment)
	}
	r = bind(t, "wait", "name=touch made").RunWatch(t.Context(), h.Host, []string{"file: x"}, true)
	if r.Result != nil || h.Read("/made") != "" {
		t.Errorf("test mode: got %v", r.Result)
	}
}

func TestTestModeFindsWhatTheRunWouldMiss(t *testing.T) {
	for _, name := range []string{"run", "script"} {
		for arg, want := range map[string]string{
			"runas=nosuchuser":  `cannot find user "nosuchuser": no such account`,
			"group=nosuchgroup": `cannot find group "nosuchgroup": no such account`,
			"cwd=/nowhere":      `cannot run in "/nowhere": no such directory`,
		} {
			h := hosttest.New(t).Real()
			h.Write("/s.sh", "")
			b := bind(t, name, "name=/s.sh", arg)
			for _, test := range []bool{true, false} {
				r := b.Run(t.Context(), h.Host, test)
				if r.Result == nil || *r.Result || r.Comment != want || !r.Unknown {
					t.Errorf("%s %s, test %v: got %+v, want %s", name, arg, test, r, want)
				}
			}
		}
	}
}

// What only the command itself can tell of test mode is asked of the command named for that, and of no other.
func TestStatefulTellsInTestMode(t *testing.T) {
	for _, tt := range []struct{ name, script, test, want string }{
		{"run", "touch made", "echo changed=yes comment=new n=1", `none {"changed":"yes","n":"1","retcode":0,"stdout":"","stderr":""} new`},
		{"run", "touch made", "echo changed=no comment=same", "true {} same"},
		{"run", "touch made", "exit 3", `false {} Command "exit 3" run`},
		{"run", "touch made", "echo nonsense", "false {} cannot read the report of the command: " +
			"its output must be JSON or end with a line of name=value pairs"},
		{"script", "/s.sh run", "/s.sh test", `none {"changed":"yes","retcode":0,"stdout":"","stderr":""} test`},
	} {
		h := hosttest.New(t).Real()
		h.Write("/s.sh", "[ \"$1\" = test ] || touch made\necho changed=yes comment=$1\n")
		b := bind(t, tt.name, "name="+tt.script, "cwd=/", "stateful=[{test_name: '"+tt.test+"'}]")
		r := b.Run(t.Context(), h.Host, true)
		result := "none"
		if r.Result != nil {
			result = fmt.Sprint(*r.Result)
		}
		r.Changes.Delete("pid")
		json, _ := value.MarshalJSON(r.Changes)
		if r.Result != nil && !*r.Result {
			json = []byte("{}") // what a failed command wrote is no change foretold
		}
		if got := result + " " + string(json) + " " + r.Comment; got != tt.want {
			t.Errorf("%s, %s: got %s, want %s", tt.name, tt.test, got, tt.want)
		}
		if _, err := os.Stat(h.Path("/made")); err == nil {
			t.Errorf("%s: test mode ran the command itself", tt.name)
		}
	}
}
