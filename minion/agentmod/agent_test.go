package agentmod

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"brine/states/all"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/sls"
	"brine/states/value"
)

type jobs struct{ signalled string }

func (*jobs) Running() []host.Job {
	return []host.Job{{JID: "20260131120000000123", Function: "cmd.run"}}
}

func (j *jobs) Signal(jid string, sig syscall.Signal) error {
	j.signalled = jid + " " + sig.String()
	return nil
}

func (*jobs) SoftStop(jid, id string) error { return nil }

// newAgent gives a host an agent that sees these SLS files.
func newAgent(t *testing.T, files map[string]string) (*hosttest.Host, *Agent) {
	t.Helper()
	tree := fstest.MapFS{}
	for path, text := range files {
		tree[path] = &fstest.MapFile{Data: []byte(text)}
	}
	h := hosttest.New(t)
	index := all.Index()
	a := &Agent{Jobs: &jobs{}, Host: h.Host, Index: index, Source: sls.Dir(tree)}
	h.Host.Agent, h.Host.Modules = a, index
	return h, a
}

func call(t *testing.T, h *hosttest.Host, function string, words ...string) (module.Returned, error) {
	t.Helper()
	f, err := all.Index().Func(function)
	if err != nil {
		t.Fatal(err)
	}
	return f.Call(context.Background(), h.Host, module.Words(words...))
}

const web = `
greeting:
  file.managed:
    - name: /etc/greeting
    - contents: hello
    - makedirs: true
`

func TestApplyChangesThenFindsNothingToDo(t *testing.T) {
	h, _ := newAgent(t, map[string]string{"web.sls": web})
	path := h.Path("/etc/greeting")
	for i, step := range []struct {
		words   []string
		there   bool
		changes bool
	}{
		{[]string{"web", "test=True"}, false, true},
		{[]string{"web"}, true, true},
		{[]string{"web"}, true, false},
	} {
		r, err := call(t, h, "state.apply", step.words...)
		if err != nil || r.Retcode != 0 {
			t.Fatalf("%d: got %+v, %v", i, r, err)
		}
		if _, err := os.Stat(path); (err == nil) != step.there {
			t.Errorf("%d: file there: %v, want %v", i, err == nil, step.there)
		}
		results := r.Value.(*value.Dict)
		one, ok := results.Get("file_|-greeting_|-/etc/greeting_|-managed")
		if !ok {
			t.Fatalf("%d: results are %v", i, results.Keys())
		}
		changes, _ := one.(*value.Dict).Get("changes")
		if got := changes.(*value.Dict).Len() > 0; got != step.changes {
			t.Errorf("%d: changes %v, want %v", i, got, step.changes)
		}
	}
}

func TestMistakesAreAllReportedAndNothingIsTouched(t *testing.T) {
	h, _ := newAgent(t, map[string]string{
		"web.sls": web + "\nother:\n  file.manged:\n    - name: /x\n", "db.sls": "a:\n  file.managed:\n    - nam: /y\n",
	})
	r, err := call(t, h, "state.apply", "web,db,nope")
	if err != nil || r.Retcode != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	text := ""
	for _, item := range r.Value.(*value.List).Items {
		text += item.(string) + "\n"
	}
	for _, want := range []string{"web.sls:", "file.managed", "db.sls:", "nope"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if _, err := os.Stat(h.Path("/etc/greeting")); err == nil {
		t.Error("something was changed")
	}
}

func TestOtherEnvironmentIsRefused(t *testing.T) {
	h, _ := newAgent(t, map[string]string{"web.sls": web})
	if _, err := call(t, h, "state.apply", "web", "saltenv=dev"); err == nil || !strings.Contains(err.Error(), "--saltenv dev") {
		t.Errorf("got %v", err)
	}
}

func TestJobsAreThoseOfTheMinion(t *testing.T) {
	h, a := newAgent(t, nil)
	r, err := call(t, h, "saltutil.running")
	if err != nil || len(r.Value.(*value.List).Items) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := call(t, h, "saltutil.kill_job", "20260131120000000123"); err != nil {
		t.Error(err)
	}
	if got := a.Jobs.(*jobs).signalled; got != "20260131120000000123 killed" {
		t.Errorf("signalled %q", got)
	}
	if len(a.Running()) != 1 {
		t.Error("the job of another is not told")
	}
	a.JID = "20260131120000000123"
	if got, err := call(t, h, "saltutil.running"); err != nil || len(got.Value.(*value.List).Items) != 0 {
		t.Errorf("a job that looks sees itself: got %v, %v", got.Value, err)
	}
	a.Jobs = nil
	if _, err := call(t, h, "saltutil.kill_job", "20260131120000000123"); err == nil {
		t.Error("no minion, yet no error")
	}
	if len(a.Running()) != 0 {
		t.Error("jobs without a minion")
	}
}
