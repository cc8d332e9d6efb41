package orchestrate_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brine/master/orchestrate"
	"brine/proto"
	"brine/proto/jid"
	"brine/states/value"
)

func TestSteps(t *testing.T) {
	for name, tt := range map[string]struct {
		sls  string
		want []string
		code int
	}{
		"a function on minions": {`
cmd.run: {salt.function: [{tgt: 'web1,web2'}, {arg: [uptime]}]}`,
			[]string{"m1_master cmd.run: true Function ran successfully. Function cmd.run ran on web1, web2."}, 0},
		"one that fails on a minion": {`
a: {salt.function: [{name: cmd.run}, {tgt: [web1, bad]}]}`,
			[]string{"m1_master a: false Running function cmd.run failed on minions: bad Function cmd.run ran on bad, web1."}, 1},
		"one that may fail there": {`
a: {salt.function: [{name: cmd.run}, {tgt: [web1, bad]}, {fail_minions: bad}]}`,
			[]string{"m1_master a: true Function ran successfully. Function cmd.run ran on bad, web1. Failed, as is allowed: bad."}, 0},
		"a minion that is not there": {`
a: {salt.function: [{name: cmd.run}, {tgt: [web1, away]}]}
b: {salt.function: [{name: cmd.run}, {tgt: [web1, away]}, {expect_minions: true}]}`,
			[]string{
				"m1_master a: true Function ran successfully. Function cmd.run ran on web1. Not there: away (offline).",
				"m1_master b: false Running function cmd.run failed on minions: away (offline) Function cmd.run ran on web1.",
			}, 1},
		"nobody": {`
a: {salt.function: [{name: cmd.run}, {tgt: nobody}]}
b: {salt.state: [{tgt: nobody}, {sls: web}]}`,
			[]string{"m1_master a: false No minions responded", "m1_master b: false No minions returned"}, 1},
		"states": {`
a: {salt.state: [{tgt: [same, web1]}, {sls: [web, db]}]}
b: {salt.state: [{tgt: [bad, web1]}, {highstate: true}, {allow_fail: 1}]}
c: {salt.state: [{tgt: [bad, away, web1]}, {highstate: true}, {allow_fail: 1}]}`,
			[]string{
				"m1_master a: true States ran successfully. Updating web1. No changes made to same.",
				"m1_master b: true States ran successfully. Updating bad, web1. Failed, as is allowed: bad.",
				"m1_master c: false Run failed on minions: away (offline), bad",
			}, 1},
		"what its operator may not do": {`
a: {salt.function: [{name: not.allowed}, {tgt: web1}]}`,
			[]string{`m1_master a: false operator "ann" may not use not.allowed`}, 1},
		"functions of masters": {`
a: {salt.runner: [{name: read.this}, {x: 1}]}
b: {salt.wheel: [{name: change.badly}]}
c: {salt.parallel_runners: [{runners: {one: [{name: read.this}], two: [{name: change.badly}]}}]}
d: {salt.parallel_runners: [{runners: read.this}]}`,
			[]string{
				"m1_master a: true Runner function 'read.this' executed.", "m1_master b: false Wheel function 'change.badly' failed.",
				"m1_master c: false Runner two failed.", "m1_master d: true All runner functions executed successfully.",
			}, 1},
		"what failed, and what mends it": {`
a: {salt.function: [{name: cmd.run}, {tgt: bad}]}
b: {salt.function: [{name: test.ping}, {tgt: web1}, {onfail: [{salt: a}]}]}
c: {salt.function: [{name: test.ping}, {tgt: web1}, {require: [{salt: a}]}]}`,
			[]string{
				"m1_master a: false Running function cmd.run failed on minions: bad Function cmd.run ran on bad.",
				"m1_master b: true Function ran successfully. Function test.ping ran on web1.", "m1_master c: false One or more requisite failed: deploy.a",
			}, 1},
		"templates": {`
{% set up = salt['saltutil.runner']('read.up') %}
'{{ up }} {{ pillar.from }} {{ opts.id }} {{ salt["test.echo"]("x") }}': {test.nop: []}`,
			[]string{"m1_master read.up m1_master m1_master x: true Success!"}, 0},
		"templates that would do something": {`
{{ salt['saltutil.runner']('change.this') }}`,
			[]string{"deploy.sls:2: cannot render: Jinja error: cannot call runner.change.this from a template: it is rendered again when another master takes over; make it a step, with salt.runner"}, 1},
		"templates that call what there is not": {`
{{ salt['saltutil.runner']('no.such') }}`,
			[]string{`deploy.sls:2: cannot render: Jinja error: cannot call runner.no.such: no runner is called "no.such"`}, 1},
		"templates that would look at a machine": {`
{{ salt['cmd.run']('id') }}`,
			[]string{"deploy.sls:2: cannot render: Jinja error: cannot call cmd.run: an orchestration runs on a master, and cmd.run would look at that machine; only functions of data can be called, the mine, and functions of masters by saltutil.runner"}, 1},
		"mistakes": {`
a: {salt.state: [{tgt: web1}]}
b: {file.managed: [{name: /a}]}
c: {salt.function: [{name: ping}, {tgt: web1}, {batch: 0}]}
d: {salt.wait_for_event: [{name: 'a['}, {id_list: []}]}
e: {salt.runner: [{name: no.such}]}
f: {salt.parallel_runners: [{runners: {x: [{name: no.one}], y: [{name: read.this}]}}]}`,
			[]string{
				`deploy.sls:2: state "a": salt.state: nothing is named: want sls, top or highstate: true`,
				`deploy.sls:3: state "b": file.managed would touch the machine of a master: have minions do it, by salt.state or salt.function`,
				`deploy.sls:4: state "c": salt.function: batch: want a number of minions or a share such as 25%, got "0"`,
				`deploy.sls:4: state "c": salt.function: name: want a function such as test.ping, got "ping"`,
				`deploy.sls:5: state "d": salt.wait_for_event: id_list is empty: there is nobody to wait for`,
				`deploy.sls:5: state "d": salt.wait_for_event: name: cannot read target "a[": this [ has no closing ]`,
				`deploy.sls:6: state "e": salt.runner: no runner is called "no.such"`,
				`deploy.sls:7: state "f": salt.parallel_runners: runners: x: no runner is called "no.one"`,
			}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]string{"deploy.sls": tt.sls})
			m := w.boot("m1")
			lines, code := m.wait(m.start(nil))
			for i, l := range lines {
				lines[i], _, _ = strings.Cut(l, "\n") // what stands below it is the place
			}
			if !slices.Equal(lines, tt.want) || code != tt.code {
				t.Errorf("got %d\n%s\nwant %d\n%s", code, strings.Join(lines, "\n"), tt.code, strings.Join(tt.want, "\n"))
			}
		})
	}
}

const two = `
first: {salt.function: [{name: one.done}, {tgt: web1}]}
second: {salt.function: [{name: two.held}, {tgt: web1}, {require: [{salt: first}]}]}
third: {salt.runner: [{name: change.this}, {require: [{salt: second}]}]}
`

// driver is the master that drives, and another one.
func (w *world) driver(a, b *master) (drives, other *master) {
	if strings.Contains(w.log(), `drive {"Master":"`+a.name) || strings.Contains(w.log(), `drive {"master":"`+a.name) {
		return a, b
	}
	return b, a
}

func TestAnotherMasterGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": two})
	m1, m2 := w.boot("m1"), w.boot("m2")
	hold := w.holds("two.held")
	id := m1.start(nil)
	w.begins("two.held")
	drives, other := w.driver(m1, m2)
	drives.kill()
	w.begins("two.held")
	close(hold)
	lines, code := other.wait(id)
	if code != 0 || len(lines) != 3 {
		t.Errorf("got %d %v", code, lines)
	}
	for _, j := range w.jobs {
		if want := map[string]int{"one.done": 1, "two.held": 2}[j.Function]; j.made != want {
			t.Errorf("%s was asked for %d times, want %d", j.Function, j.made, want)
		}
	}
	if len(w.jobs) != 2 || w.calls["change.this"] != 1 {
		t.Errorf("made %d jobs, want 2, and called %v", len(w.jobs), w.calls)
	}
}

// Whose minions are on their way back must not be told that nobody was there.
func TestAMasterThatWasJustStartedLeavesMinionsTimeToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"deploy.sls": two})
		hold := w.holds("two.held")
		m1 := w.boot("m1")
		id := m1.start(nil)
		w.begins("two.held")
		m1.kill()
		close(hold)
		time.Sleep(time.Second)
		w.settle = 5 * time.Second
		booted := time.Now()
		m1 = w.boot("m1")
		w.begins("two.held")
		if after := time.Since(booted); after < w.settle || after > w.settle+time.Second {
			t.Errorf("it went on after %v, want %v", after, w.settle)
		}
		if lines, code := m1.wait(id); code != 0 || len(lines) != 3 {
			t.Errorf("got %d %v", code, lines)
		}
		begun := time.Now()
		if _, code := m1.wait(m1.start(nil)); code != 0 || time.Since(begun) > time.Second {
			t.Errorf("one of now took %v, and ended with %d", time.Since(begun), code)
		}
	})
}

func TestWhatMayNotBeDoneTwiceIsInterrupted(t *testing.T) {
	for function, want := range map[string]string{
		"change.this": "m1_master a: false interrupted: the master that drove this step went away while it ran, and it is not known how far it came: it is not done twice",
		"read.this":   "m1_master a: true Runner function 'read.this' executed.",
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]string{"deploy.sls": "a: {salt.runner: [{name: " + function + "}]}"})
			m1, m2 := w.boot("m1"), w.boot("m2")
			hold := w.holds(function)
			id := m1.start(nil)
			w.begins(function)
			drives, other := w.driver(m1, m2)
			drives.kill()
			close(hold)
			lines, _ := other.wait(id)
			if len(lines) != 1 || lines[0] != want {
				t.Errorf("got %q, want %q", lines, want)
			}
		})
	}
}

func TestParallelRunnersGoOnWhereTheirMasterDies(t *testing.T) {
	for other, want := range map[string]string{
		"read.that":   "m1_master a: true All runner functions executed successfully.",
		"change.this": "m1_master a: true All runner functions executed successfully.",
		"change.held": "m1_master a: false Runner y (interrupted: it was cut short) failed.",
	} {
		t.Run(other, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]string{"deploy.sls": "a: {salt.parallel_runners: [{runners: {x: [{name: read.held}], y: [{name: " + other + "}]}}]}"})
			m1, m2 := w.boot("m1"), w.boot("m2")
			hold := w.holds("read.held")
			w.holds("change.held")
			id := m1.start(nil)
			w.beginBoth("read.held", other)
			if other == "change.this" {
				<-w.finished
			}
			drives, lives := w.driver(m1, m2)
			drives.kill()
			close(hold)
			if lines, _ := lives.wait(id); len(lines) != 1 || lines[0] != want {
				t.Errorf("got %q, want %q", lines, want)
			}
			if w.calls["change.this"] > 1 || w.calls["change.held"] > 1 {
				t.Errorf("what changes something was called twice: %v", w.calls)
			}
		})
	}
}

func TestNestedOrchestrationsGoOnWhereTheirMasterDies(t *testing.T) {
	for name, deploy := range map[string]string{
		"a runner":         "a: {salt.runner: [{name: state.orchestrate}, {mods: inner}]}",
		"parallel runners": "a: {salt.parallel_runners: [{runners: {x: [{name: state.orchestrate}, {kwarg: {mods: inner}}], y: [{name: read.this}]}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]string{"deploy.sls": deploy + "\nb: {salt.function: [{name: last.done}, {tgt: web1}, {require: [{salt: a}]}]}", "inner.sls": two})
			m1, m2 := w.boot("m1"), w.boot("m2")
			hold := w.holds("two.held")
			id := m1.start(nil)
			w.begins("two.held")
			drives, lives := w.driver(m1, m2)
			drives.kill()
			close(hold)
			if lines, code := lives.wait(id); code != 0 || len(lines) != 2 {
				t.Errorf("got %d %q", code, lines)
			}
			if n := len(regexp.MustCompile(`(?m)^salt/run/\d{20}/new `).FindAllString(w.log(), -1)); n != 2 || w.calls["change.this"] != 1 || len(w.jobs) != 3 {
				t.Errorf("%d orchestrations began, want 2, with %d jobs, want 3, and called %v", n, len(w.jobs), w.calls)
			}
		})
	}
}

func TestAMasterThatWakesGivesWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": two})
	m1, m2 := w.boot("m1"), w.boot("m2")
	hold := w.holds("two.held")
	id := m1.start(nil)
	w.begins("two.held")
	drives, other := w.driver(m1, m2)
	w.mu.Lock()
	drives.silent = 3 * 1e9 // it hangs, and drives on
	w.mu.Unlock()
	w.begins("two.held")
	close(hold)
	if lines, code := other.wait(id); code != 0 {
		t.Errorf("got %v", lines)
	}
	if n := strings.Count(w.log(), "/ret {\"jid\":\""+id); n != 1 || w.calls["change.this"] != 1 {
		t.Errorf("it ended %d times, and called %v", n, w.calls)
	}
}

func TestThePillarOfARequestIsOnNoDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": `
first: {salt.function: [{name: two.held}, {tgt: web1}, {arg: ['{{ pillar.token }}', plain]}, {kwarg: {open: yes, closed: 'x {{ pillar.token }}', own: decrypted}}]}
second: {salt.state: [{tgt: web1}, {sls: web}, {pillar: {version: {{ pillar.version }}}}]}
`})
	m1, m2 := w.boot("m1"), w.boot("m2")
	hold := w.holds("two.held")
	id := m1.start(func(r *orchestrate.Request) { r.Pillar = value.NewDict("token", "t0ken-of-ann", "version", "1.2") })
	w.begins("two.held")
	drives, other := w.driver(m1, m2)
	drives.kill()
	w.begins("two.held")
	close(hold)
	if lines, code := other.wait(id); code != 0 {
		t.Errorf("got %v", lines)
	}
	if log := w.log(); strings.Contains(log, "t0ken-of-ann") || strings.Contains(log, "decrypted") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
	for _, j := range w.jobs {
		names := func(args []*proto.Argument) (all []string) {
			for _, a := range args {
				all = append(all, a.Name+string(a.GetJson()))
			}
			return all
		}
		open, secret := names(j.Args), names(j.Secret)
		want, hidden := []string{`opentrue`}, []string{`"t0ken-of-ann"`, `"plain"`, `closed"x t0ken-of-ann"`, `own"decrypted"`}
		if j.Function == "state.sls" {
			want, hidden = []string{`"web"`}, []string{`pillar{"version":1.2}`}
		}
		if !slices.Equal(open, want) || !slices.Equal(secret, hidden) {
			t.Errorf("%s got %q and secretly %q, want %q and %q", j.Function, open, secret, want, hidden)
		}
	}
}

func TestWithoutThePillarOfARequestNobodyGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": two})
	m1 := w.boot("m1")
	w.holds("two.held")
	id := m1.start(func(r *orchestrate.Request) { r.Pillar = value.NewDict("a", "b") })
	w.begins("two.held")
	m1.kill()
	m2 := w.boot("m2")
	if lines, code := m2.wait(id); code != 1 || len(lines) != 1 || !strings.Contains(lines[0], "interrupted: the pillar that was given") {
		t.Errorf("got %d %v", code, lines)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": two})
	m := w.boot("m1")
	w.holds("two.held")
	id := m.start(nil)
	w.begins("two.held")
	if err := m.o.Cancel(t.Context(), id, "operator bob"); err != nil {
		t.Fatal(err)
	}
	lines, code := m.wait(id)
	if code != 1 || len(lines) != 2 || !strings.Contains(lines[1], "false the orchestration was cancelled") || w.calls["cancel operator ann"] != 1 {
		t.Errorf("got %d %v %v", code, lines, w.calls)
	}
	if err := m.o.Cancel(t.Context(), "20260101000000000000", "operator bob"); !errors.Is(err, orchestrate.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// running tells what an orchestration does, once it is what is wanted.
func (m *master) running(id, want string) {
	m.t.Helper()
	enough := errors.New("enough")
	err := m.o.Watch(m.t.Context(), id, false, func(f *proto.RunnerFrame, _ bool) error {
		if strings.Join(f.Running, " ") == want {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		m.t.Errorf("%s never runs: %v", want, err)
	}
}

func TestAPauseHoldsAtEachMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": `
first: {salt.function: [{name: two.held}, {tgt: web1}]}
second: {salt.function: [{name: cmd.run}, {tgt: web1}]}
third: {salt.function: [{name: cmd.run}, {tgt: web2}]}
`})
	m1, m2 := w.boot("m1"), w.boot("m2")
	hold := w.holds("two.held")
	id := m1.start(nil)
	w.begins("two.held")
	ctx := t.Context()
	for _, err := range []error{m2.o.Pause(ctx, id, "second", 0, "operator bob"), m1.o.Pause(ctx, id, "third", time.Millisecond, "operator bob")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	drives, other := w.driver(m1, m2)
	close(hold)
	drives.running(id, "second (paused) third (paused)")
	drives.kill()
	other.running(id, "second (paused) third (paused)")
	if n := len(w.jobs); n != 1 {
		t.Errorf("got %d jobs", n)
	}
	if err := other.o.Resume(ctx, id, "", "operator bob"); err != nil {
		t.Fatal(err)
	}
	if lines, code := other.wait(id); code != 0 || len(lines) != 3 || len(w.jobs) != 3 {
		t.Errorf("got %v", lines)
	}
	var refused *orchestrate.Refusal
	if err := other.o.Pause(ctx, id, "", 0, "operator bob"); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": `
salt/minion/*/start:
  salt.wait_for_event: [{id_list: [web1, web2]}]
site/done:
  salt.wait_for_event: [{id_list: [7, x]}, {event_id: number}, {timeout: 1}]
`})
	m := w.boot("m1")
	id := m.start(nil)
	for !strings.Contains(w.log(), "/step/") {
		<-m.next()
	}
	send := func(tag, origin, data string) {
		if _, err := m.Keep(t.Context(), &proto.Event{Tag: tag, Origin: origin, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	send("salt/minion/web1/start", "web1", `{"id": "web2"}`) // what it says of itself does not count
	send("salt/minion/web2/start", "web2", `{}`)
	for strings.Count(w.log(), "/step/") < 3 {
		<-m.next()
	}
	send("site/done", "web1", `{"number": 7}`)
	send("site/done", "web1", `{"data": {"number": [9, 8]}}`)
	lines, code := m.wait(id)
	if code != 1 || !strings.Contains(lines[0], "true All events seen in") || !strings.Contains(lines[1], "false Timeout value reached. No event came from x.") {
		t.Errorf("got %v", lines)
	}
}

func TestASecondRequestIsAboutTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"deploy.sls": "a: {salt.function: [{name: cmd.run}, {tgt: web1}]}"})
	m1, m2 := w.boot("m1"), w.boot("m2")
	id := m1.start(nil)
	m2.start(func(r *orchestrate.Request) { r.JID = id })
	if lines, _ := m2.wait(id); len(lines) != 1 || len(w.jobs) != 1 {
		t.Errorf("got %v, and %d jobs", lines, len(w.jobs))
	}
	err := m2.o.Start(t.Context(), orchestrate.Request{JID: id, RequestID: []byte("another"), Mods: []string{"deploy"}})
	if !errors.Is(err, orchestrate.ErrTaken) {
		t.Errorf("got %v", err)
	}
	var refused *orchestrate.Refusal
	for _, r := range []orchestrate.Request{
		{JID: "20200101000000000000", Mods: []string{"deploy"}}, {JID: jid.FromTime(time.Now().Add(time.Second)), Mods: []string{"deploy"}, By: orchestrate.Cause{Depth: 9}},
	} {
		if err := m1.o.Start(t.Context(), r); !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	}
}
