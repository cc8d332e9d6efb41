package main

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"brine/master/client"
	"brine/proto"
)

// result makes a job's result with a minion of each status.
func result(function string, minions ...*proto.MinionUpdate) *client.Result {
	r := &client.Result{Job: &proto.JobInfo{Function: function}, Minions: map[string]*client.Minion{}, Done: true}
	for i, m := range minions {
		m.Minion = fmt.Sprintf("m%d", i)
		r.Minions[m.Minion] = &client.Minion{MinionUpdate: m}
	}
	return r
}

func TestWorstOfAJobIsItsExitCode(t *testing.T) {
	is := func(status string) *proto.MinionUpdate { return &proto.MinionUpdate{Status: status} }
	broken := func() *proto.MinionUpdate { // states that did not compile
		return &proto.MinionUpdate{Status: "failed", Retcode: 1, Value: []byte(`["no.sls:1: wrong"]`)}
	}
	for name, c := range map[string]struct {
		result *client.Result
		want   int
	}{
		"all ok":                    {result("test.ping", is("ok"), is("ok")), 0},
		"failed":                    {result("test.ping", is("ok"), is("failed")), 1},
		"interrupted":               {result("test.ping", is("ok"), is("interrupted")), 1},
		"cancelled":                 {result("test.ping", is("cancelled")), 1},
		"refused":                   {result("test.ping", is("refused")), 1},
		"offline":                   {result("test.ping", is("ok"), is("offline")), 3},
		"no answer":                 {result("test.ping", is("ok"), is("no-answer")), 3},
		"expired":                   {result("test.ping", is("expired")), 3},
		"running":                   {result("test.ping", is("running")), 3},
		"queued":                    {result("test.ping", is("queued")), 3},
		"sent":                      {result("test.ping", is("sent")), 3},
		"failed before offline":     {result("test.ping", is("offline"), is("failed")), 1},
		"refused before expired":    {result("test.ping", is("expired"), is("refused")), 1},
		"states broken":             {result("state.apply", broken()), 65},
		"broken before offline":     {result("state.apply", broken(), is("offline")), 65},
		"broken before interrupted": {result("state.apply", broken(), is("interrupted")), 65},
		"broken here, failed there": {result("state.apply", broken(), is("failed")), 1},
		"a list is no broken state": {result("cmd.run", broken()), 1},
		"states failed":             {result("state.apply", &proto.MinionUpdate{Status: "failed", Retcode: 2, Value: []byte("{}")}), 1},
		"no minion":                 {result("test.ping"), 3},
	} {
		if got := worst(c.result); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestEachErrorHasItsExitCode(t *testing.T) {
	refused := func(code proto.ApiError_Code) error {
		return fmt.Errorf("asked: %w", &client.Error{Code: code, Message: "no"})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{usage("no such flag"), 64},
		{&exit{exitData, errors.New("bad configuration")}, 65},
		{&exit{exitInterrupted, nil}, 130},
		{fmt.Errorf("nobody: %w", client.ErrNoMaster), 69},
		{refused(proto.ApiError_NOT_PERMITTED), 77},
		{refused(proto.ApiError_POLICY), 4},
		{refused(proto.ApiError_NO_MATCH), 64},
		{refused(proto.ApiError_INVALID), 64},
		{refused(proto.ApiError_NOT_FOUND), 64},
		{refused(proto.ApiError_CONFLICT), 64},
		{refused(proto.ApiError_BAD_DATA), 65},
		{refused(proto.ApiError_UNAVAILABLE), 75},
		{refused(proto.ApiError_JID_TAKEN), 75},
		{refused(proto.ApiError_INTERNAL), 1},
		{errors.New("disk full"), 1},
	} {
		a := &app{stderr: io.Discard}
		if got := a.status(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
	for code := range proto.ApiError_Code_name {
		if _, ok := refusalStatus[proto.ApiError_Code(code)]; !ok {
			t.Errorf("refusal %v has no exit code", proto.ApiError_Code(code))
		}
	}
}

func TestAJobWithoutItsRecordIsNotDone(t *testing.T) {
	r := result("test.ping", &proto.MinionUpdate{Status: "ok"})
	r.Job.Incomplete = true
	if got := worst(r); got != exitUnanswered {
		t.Errorf("got exit code %d, want %d", got, exitUnanswered)
	}
	if rep := newReport(r); rep.State != "running" {
		t.Errorf("got state %s, want running", rep.State)
	}
}

func TestReportCountsEveryStatus(t *testing.T) {
	var minions []*proto.MinionUpdate
	for _, s := range statuses {
		minions = append(minions, &proto.MinionUpdate{Status: s})
	}
	r := newReport(result("test.ping", minions...))
	sum := 0
	for key, n := range r.Summary {
		if n != 1 {
			t.Errorf("%s: got %d, want 1", key, n)
		}
		sum += n
	}
	if sum != len(statuses) || r.Targeted != sum {
		t.Errorf("got %d targeted and %d counted, want %d", r.Targeted, sum, len(statuses))
	}
}
