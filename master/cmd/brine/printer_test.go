package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/client"
	"brine/proto"
)

// shown prints a job as if its minions returned one after another.
func shown(t *testing.T, a *app, r *client.Result) (stdout, stderr string, p *printer) {
	t.Helper()
	var out, diag bytes.Buffer
	a.stdout, a.stderr = &out, &diag
	p, err := a.newPrinter(r.Job.Function)
	if err != nil {
		t.Fatal(err)
	}
	p.update(r, r.IDs())
	if err := p.finish(r); err != nil {
		t.Fatal(err)
	}
	return out.String(), diag.String(), p
}

func many(n int, status, value string) []*proto.MinionUpdate {
	var all []*proto.MinionUpdate
	for range n {
		all = append(all, &proto.MinionUpdate{Status: status, Value: []byte(value)})
	}
	return all
}

func TestFewMinionsAreShownEachAndManyOnce(t *testing.T) {
	for _, c := range []struct {
		minions, lines int
		all            bool
	}{{10, 20, false}, {11, 3, false}, {5000, 3, false}, {11, 22, true}} {
		out, diag, _ := shown(t, &app{out: "nested", all: c.all}, result("test.ping", many(c.minions, "ok", "true")...))
		if n := strings.Count(out, "\n"); n != c.lines {
			t.Errorf("%d minions: got %d lines, want %d:\n%.500s", c.minions, n, c.lines, out)
		}
		if strings.Count(diag, "\n") != 1 {
			t.Errorf("%d minions: got %q on stderr, want one line", c.minions, diag)
		}
	}
}

func TestWhatFailedIsShownLastWithItsReason(t *testing.T) {
	r := result("cmd.run", append(many(2, "ok", `"a\u001b[2J"`),
		&proto.MinionUpdate{Status: "failed", Retcode: 7, Value: []byte(`"no"`)},
		&proto.MinionUpdate{Status: "offline"}, &proto.MinionUpdate{Status: "refused", Reason: "clock\x1b[0m"})...)
	out, diag, _ := shown(t, &app{out: "nested"}, r)
	const want = "m0:\n    a?[2J\nm1:\n    a?[2J\nm3:\n    offline\nm2:\n    no\n    (retcode 7)\nm4:\n    refused: clock?[0m\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if !strings.Contains(diag, "2 ok  1 failed (m2)  1 refused (m4)  1 offline (m3)") {
		t.Errorf("got %q", diag)
	}
}

func TestWhatACancelledRunHasDoneIsShown(t *testing.T) {
	const part = `{"file_|-a_|-/a_|-managed":{"name":"/a","result":true,"changes":{"mode":"1"},"comment":"done","__id__":"a","__sls__":"x","__run_num__":0},` +
		`"cmd_|-b_|-b_|-run":{"name":"b","result":false,"changes":{},"comment":"cancelled by ann","__id__":"b","__sls__":"x","__run_num__":1,"__not_run__":["test_|-c_|-c_|-nop"]}}`
	out, _, _ := shown(t, &app{out: "nested"}, result("state.apply", &proto.MinionUpdate{Status: "cancelled", Reason: "cancelled by ann", Value: []byte(part)},
		&proto.MinionUpdate{Status: "cancelled", Reason: "cancelled by ann", Value: []byte(`"cancelled by ann"`)}))
	for _, want := range []string{"Comment: done", "Succeeded: 1 (changed=1)", "Not Run:   1", "(cancelled: cancelled by ann)\n", "m1:\n    cancelled: cancelled by ann\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant %q in it", out, want)
		}
	}
}

func TestDetailedExitCodeTellsOfPendingChanges(t *testing.T) {
	const would = `{"file_|-a_|-a_|-managed":{"result":null,"changes":{"mode":"1"},"comment":""}}`
	const clean = `{"file_|-a_|-a_|-managed":{"result":true,"changes":{},"comment":""}}`
	for _, out := range []string{"nested", "highstate", "json", "jsonl", "yaml", "txt", "table", "quiet"} {
		for value, want := range map[string]int{would: exitChanges, clean: exitOK} {
			a := &app{out: out, detailed: true, plan: true}
			r := result("state.apply", many(3, "ok", value)...)
			_, _, p := shown(t, a, r)
			if got := a.status(a.ended(p, r)); got != want {
				t.Errorf("%s: got %d, want %d", out, got, want)
			}
			r.Minions["m1"].Status = "offline"
			if got := a.status(a.ended(p, r)); got != exitUnanswered {
				t.Errorf("%s: got %d with one offline, want %d", out, got, exitUnanswered)
			}
		}
	}
}

func TestProgressLine(t *testing.T) {
	r := result("state.apply", append(many(1200, "ok", "true"), many(2, "failed", "1")...)...)
	for i, m := range []*proto.MinionUpdate{{Status: "running", Done: 3, Total: 9}, {Status: "sent"}, {Status: "queued"}, {Status: "running"}} {
		r.Minions[fmt.Sprintf("w%d", 4-i)] = &client.Minion{MinionUpdate: m}
	}
	const want = "1,202/1,206  changed 37  failed 2  waiting w1, w2, w3 ...  01:12"
	if got := progressLine(r, 37, 72*time.Second); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	delete(r.Minions, "w1")
	const few = "1,202/1,205  failed 2  waiting w2, w3, w4 3/9  00:00"
	if got := progressLine(r, 0, 0); got != few {
		t.Errorf("got  %s\nwant %s", got, few)
	}
	r.Minions["w2"].Reason = "waits for job 20260131120000000123"
	const why = "1,202/1,205  failed 2  waiting w2 (waits for job 20260131120000000123), w3, w4 3/9  00:00"
	if got := progressLine(r, 0, 0); got != why {
		t.Errorf("got  %s\nwant %s", got, why)
	}
	if got := clip("äbc", 2); got != "äb" {
		t.Errorf("got %q", got)
	}
}

func TestWrongLayoutsAreRefusedBeforeTheJob(t *testing.T) {
	for _, a := range []*app{{out: "yamll"}, {out: "nested", states: stateFlags{form: "ful", given: func(string) bool { return true }}}} {
		_, err := a.newPrinter("test.ping")
		a.stderr = &bytes.Buffer{}
		if a.status(err) != exitUsage {
			t.Errorf("got %v, want a usage error", err)
		}
	}
}

func BenchmarkPrintFleet(b *testing.B) {
	r := result("test.ping", many(5000, "ok", `{"a": "some value", "b": [1, 2, 3]}`)...)
	for b.Loop() {
		var out, diag bytes.Buffer
		a := &app{out: "nested", stdout: &out, stderr: &diag}
		p, err := a.newPrinter(r.Job.Function)
		if err != nil {
			b.Fatal(err)
		}
		p.update(r, r.IDs())
		if err := p.finish(r); err != nil {
			b.Fatal(err)
		}
		if out.Len() > 2000 {
			b.Fatalf("got %d bytes", out.Len())
		}
	}
}
