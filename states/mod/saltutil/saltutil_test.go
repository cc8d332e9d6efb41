package saltutil_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/saltutil"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, saltutil.Module, moduletest.Options{}) }

// agent is a minion with one job that runs and one that waits.
type agent struct{ sent []string }

func (*agent) Running() []host.Job {
	return []host.Job{
		{
			JID: "20260131120000000001", Function: "test.sleep", Args: []any{int64(60)},
			Operator: "ann", Master: "m1", Started: time.Date(2026, 1, 31, 12, 0, 1, 0, time.UTC),
		},
		{JID: "20260131120000000002", Function: "state.apply", Operator: "ann", Master: "m1"},
	}
}

func (a *agent) Signal(jid string, sig syscall.Signal) error {
	if jid != "20260131120000000001" {
		return fmt.Errorf("cannot signal job %q: it does not run here", jid)
	}
	a.sent = append(a.sent, fmt.Sprintf("%s %v", jid, int(sig)))
	return nil
}

func (*agent) Apply(context.Context, host.StateRun) (any, int, error) { return nil, 0, nil }
func (*agent) Show(context.Context, host.View, host.StateRun) (any, int, error) {
	return nil, 0, nil
}

func call(t *testing.T, a host.Agent, line string) (string, error) {
	t.Helper()
	words := strings.Fields(line)
	f, err := module.NewIndex(saltutil.Module).Func("saltutil." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t).Host
	h.Agent = a
	r, err := f.Call(t.Context(), h, module.Words(words[1:]...))
	json, jsonErr := value.MarshalJSON(r.Value)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	return string(json), err
}

const (
	first = `{"jid":"20260131120000000001","fun":"test.sleep","arg":[60],"user":"ann","master":"m1",` +
		`"state":"running","started":"2026-01-31T12:00:01Z"}`
	second = `{"jid":"20260131120000000002","fun":"state.apply","arg":[],"user":"ann","master":"m1",` +
		`"state":"queued","started":null}`
)

func TestFunctions(t *testing.T) {
	for line, want := range map[string]string{
		"running":                              "[" + first + "," + second + "]",
		"is_running state.*":                   "[" + second + "]",
		"is_running pkg.*":                     "[]",
		"find_job 20260131120000000001":        first,
		"find_job 20260131120000000009":        "{}",
		"term_job 20260131120000000001":        `"Signal 15 sent to job 20260131120000000001"`,
		"kill_job 20260131120000000001":        `"Signal 9 sent to job 20260131120000000001"`,
		"signal_job 20260131120000000001 usr1": `"Signal 10 sent to job 20260131120000000001"`,
		"signal_job 20260131120000000001 1":    `"Signal 1 sent to job 20260131120000000001"`,
	} {
		if got, err := call(t, &agent{}, line); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
}

func (*agent) SoftStop(string, string) error { return nil }

func TestSignalReachesTheAgent(t *testing.T) {
	a := &agent{}
	for _, line := range []string{"term_job", "kill_job", "signal_job sig=SIGHUP"} {
		if _, err := call(t, a, line+" jid=20260131120000000001"); err != nil {
			t.Fatal(err)
		}
	}
	want := "20260131120000000001 15,20260131120000000001 9,20260131120000000001 1"
	if got := strings.Join(a.sent, ","); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"kill_job 20260131120000000009": `cannot signal job "20260131120000000009": it does not run here`,
		"is_running [":                  `cannot read the glob "[": syntax error in pattern`,
		"signal_job 1 FOO": `cannot call saltutil.signal_job: argument "sig": ` +
			`want a signal such as TERM or 15, got "FOO"`,
		"signal_job 1 99": `cannot call saltutil.signal_job: argument "sig": ` +
			`want a signal such as TERM or 15, got "99"`,
	} {
		if _, err := call(t, &agent{}, line); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	for _, line := range []string{"running", "is_running x", "find_job 1", "kill_job 1"} {
		if _, err := call(t, nil, line); err == nil || !strings.HasPrefix(err.Error(), "cannot look at jobs: no minion") {
			t.Errorf("%s without a minion: got %v", line, err)
		}
	}
}
