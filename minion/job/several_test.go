package job

import (
	"testing"

	pb "brine/proto"
)

// draftOf makes a job of several functions.
func (s *site) draftOf(functions ...string) draft {
	d := s.draft("")
	for _, f := range functions {
		d.Calls = append(d.Calls, &pb.Call{Function: f})
	}
	d.Function = pb.CallNames(d.Calls)
	return d
}

func TestSeveralFunctionsReturnEachItsOwn(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("cmd.run")
		d := m.draftOf("test.panic", "test.ping", "cmd.run", "test.ping")
		m.Handle("job.all", m.sign(d))
		gate <- Result{Value: []byte(`"no"`), Retcode: 4}
		ret := final(t, d, m.take())
		want := `{"test.panic":"test.panic panicked: ouch: this is a bug in brine","test.ping":true,"cmd.run":"no","test.ping (2)":true}`
		if ret.Outcome != pb.Outcome_FAILED || ret.Retcode != 4 || string(ret.Value) != want || ret.Function != d.Function {
			t.Errorf("got %v", ret)
		}
	})
}

func TestOfSeveralFunctionsNoneBeginsAfterTheEnd(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("cmd.run")
		d := m.draftOf("cmd.run", "test.ping")
		m.Handle("job.all", m.sign(d))
		m.take() // it runs
		m.Handle("job.all", m.cancel(d))
		ret := final(t, d, m.take())
		if want := `{"cmd.run":"cut","test.ping":"not called: the job was ended before it"}`; ret.Outcome != pb.Outcome_CANCELLED || string(ret.Value) != want {
			t.Errorf("got %v", ret)
		}
	})
}

// A state run among several waits for others like any, and none is more urgent than the rest.
func TestSeveralFunctionsAreAsBoundAsEach(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		m.hold("state.apply")
		first := m.draft("state.apply")
		m.Handle("job.all", m.sign(first))
		second := m.draftOf("saltutil.kill_job", "state.apply")
		m.Handle("job.all", m.sign(second))
		if ret := final(t, second, m.take()); ret.Outcome != pb.Outcome_REFUSED {
			t.Errorf("got %v, want it refused while a state run is under way", ret)
		}
		m.Handle("job.all", m.cancel(first))
	})
}
