package job_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
	"brine/proto/jid"
)

func TestFewAreAskedByIDAndManyByBroadcast(t *testing.T) {
	for _, c := range []struct {
		fleet int
		expr  string
		want  []string
	}{
		{2, "*", []string{"job.id.web1", "job.id.web2"}},
		{3, "web1,web3", []string{"job.id.web1", "job.id.web3"}},
		{4, "*", []string{"job.all"}},
		{40, "web1?", []string{"job.all"}},
		{101, "web1?", []string{"job.id.web10", "job.id.web11", "job.id.web12", "job.id.web13", "job.id.web14",
			"job.id.web15", "job.id.web16", "job.id.web17", "job.id.web18", "job.id.web19"}},
	} {
		run(t, names(c.fleet), func(t *testing.T, w *world) {
			w.submit(w.request(c.expr))
			if got := w.subjects("job."); !slices.Equal(got, c.want) {
				t.Errorf("%q of %d minions: got %v, want %v", c.expr, c.fleet, got, c.want)
			}
		})
	}
}

func TestThePublishedJobIsSignedAndStored(t *testing.T) {
	run(t, names(3), func(t *testing.T, w *world) {
		w.setOnline("web2", false)
		w.unconfirmed = []string{"m2"}
		q := w.request("web1,web2")
		q.Function, q.Environment, q.Window = "state.apply", "prod", (5 * time.Minute).Microseconds()
		info := w.submit(q)
		if info.Targeted != 2 || info.Summary["offline"] != 1 || info.Summary["sent"] != 1 ||
			!slices.Equal(info.UnreachedMasters, []string{"m2"}) || info.Master != "m1" {
			t.Errorf("got info %v", info)
		}
		env := &proto.Envelope{}
		if err := pb.Unmarshal(w.first().data, env); err != nil {
			t.Fatal(err)
		}
		body, err := pki.Verify(env, site, proto.Kind_KIND_JOB, nil)
		if err != nil {
			t.Fatal(err)
		}
		j := &proto.Job{}
		if err := pb.Unmarshal(body, j); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixMicro()
		if j.Master != "m1" || len(j.Tree) != 64 || j.IssuedAt != now || j.NotAfter != now+q.Window {
			t.Errorf("got job %v", j)
		}
		if rec := w.store.all()[0]; !slices.Equal(rec.Expected, []string{"web1", "web2"}) ||
			!slices.Equal(rec.Offline, []string{"web2"}) || !pb.Equal(rec.Job, env) {
			t.Errorf("got record %v", rec)
		}
		if len(w.committed) != 1 || !slices.Equal(w.trees, []string{"prod"}) {
			t.Errorf("got %d records at the peers, trees of %v", len(w.committed), w.trees)
		}
	})
}

func TestOnlyFunctionsThatMayNeedFilesNameATree(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		text := func(s string) []*proto.Argument {
			return []*proto.Argument{{Value: &proto.Argument_Text{Text: s}}}
		}
		for _, c := range []struct {
			function string
			args     []*proto.Argument
			want     bool
		}{
			{"test.ping", nil, false},
			{"state.apply", nil, true},
			{"cp.get_file", nil, true},
			{"cmd.script", nil, true},
			{"cmd.run", text("ls"), false},
			{"test.echo", text("salt://a"), true},
			{"test.echo", []*proto.Argument{{Value: &proto.Argument_Json{Json: []byte(`["salt://a"]`)}}}, true},
		} {
			w.trees = nil
			q := w.request("web1")
			q.Function, q.Args = c.function, c.args
			w.submit(q)
			if got := len(w.trees) > 0; got != c.want {
				t.Errorf("%s %v: got tree %v, want %v", c.function, c.args, got, c.want)
			}
		}
	})
}

func TestSameRequestIsTheSameJob(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("web1")
		first := w.submit(q)
		again := w.submit(q)
		if first.Jid != again.Jid || len(w.store.all()) != 1 || len(w.subjects("job.")) != 1 {
			t.Errorf("got %d records, published %v", len(w.store.all()), w.subjects("job."))
		}
		w.boot("m1") // a new process has it from the store
		w.submit(q)
		if len(w.store.all()) != 1 {
			t.Errorf("after a restart: got %d records, want 1", len(w.store.all()))
		}
		other := pb.CloneOf(q)
		other.RequestId = []byte("request-id-00002")
		_, err := w.m.Submit(t.Context(), w.op, w.sign(other))
		wantCode(t, "another request", err, proto.ApiError_JID_TAKEN)
		// Long after, the same request is still the same job, not too old.
		w.pass(time.Hour)
		w.submit(q)
		if len(w.store.all()) != 1 {
			t.Errorf("an hour later: got %d records, want 1", len(w.store.all()))
		}
	})
}

func TestConcurrentRequestsMakeOneJob(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("web1")
		other := pb.CloneOf(q)
		other.RequestId = []byte("request-id-00002")
		results := make(chan error)
		for _, env := range []*proto.Envelope{w.sign(q), w.sign(q), w.sign(other), w.sign(other)} {
			go func() {
				_, err := w.m.Submit(t.Context(), w.op, env)
				results <- err
			}()
		}
		refused := 0
		for range 4 {
			if err := <-results; err != nil {
				wantCode(t, "the other request", err, proto.ApiError_JID_TAKEN)
				refused++
			}
		}
		if refused != 2 || len(w.store.all()) != 1 {
			t.Errorf("got %d refused, %d records, want 2 and 1", refused, len(w.store.all()))
		}
	})
}

func TestRetryAtAnotherMasterSendsTheJob(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		q := w.request("web1")
		w.submit(q)
		w.clear()
		w.boot("m2") // has the record, has never published it, and m1 seems alive
		w.pass(time.Second)
		if got := w.subjects("job."); got != nil {
			t.Errorf("got %v while the issuer lives, want nothing", got)
		}
		w.submit(q)
		w.pass(0)
		if got := w.subjects("job."); !slices.Equal(got, []string{"job.id.web1"}) {
			t.Errorf("got %v after the retry, want job.id.web1", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	run(t, []string{"web1", "web2", "db1"}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name   string
			change func(q *proto.JobRequest)
			code   proto.ApiError_Code
			text   string
		}{
			{"no match", func(q *proto.JobRequest) { q.Target.Expression = "nosuch*" }, proto.ApiError_NO_MATCH,
				`no minion matches "nosuch*": 3 are accepted`},
			{"misspelt", func(q *proto.JobRequest) { q.Target.Expression = "wbe*" }, proto.ApiError_NO_MATCH,
				`no minion matches "wbe*" (did you mean "web*"?): 3 are accepted`},
			{"unknown id", func(q *proto.JobRequest) {
				q.Target = &proto.Target{Syntax: proto.Target_LIST, Expression: "web1,wbe2,zz"}
			}, proto.ApiError_NO_MATCH,
				"no accepted minion is called \"wbe2\" (did you mean \"web2\"?)\nno accepted minion is called \"zz\""},
			{"revoked", func(q *proto.JobRequest) { q.Target.Expression = "old1" }, proto.ApiError_NO_MATCH,
				`no minion matches "old1" (its key is revoked): 3 are accepted`},
			{"revoked in a list", func(q *proto.JobRequest) {
				q.Target = &proto.Target{Syntax: proto.Target_LIST, Expression: "web1,old1"}
			}, proto.ApiError_NO_MATCH, `no accepted minion is called "old1" (its key is revoked)`},
			{"target", func(q *proto.JobRequest) { q.Target.Expression = "web[" }, proto.ApiError_INVALID, "^"},
			{"no target", func(q *proto.JobRequest) { q.Target = nil }, proto.ApiError_INVALID, "target"},
			{"jid", func(q *proto.JobRequest) { q.Jid = "../../etc/passwd" }, proto.ApiError_INVALID, "job id"},
			{"date", func(q *proto.JobRequest) { q.Jid = "20269901000000000000" }, proto.ApiError_INVALID, "no such date"},
			{"request id", func(q *proto.JobRequest) { q.RequestId = nil }, proto.ApiError_INVALID, "0 bytes"},
			{"function", func(q *proto.JobRequest) { q.Function = "test" }, proto.ApiError_INVALID, "MODULE.FUNCTION"},
			{"odd function", func(q *proto.JobRequest) { q.Function = "test.p ing" }, proto.ApiError_INVALID, "MODULE"},
			{"environment", func(q *proto.JobRequest) { q.Environment = "../x" }, proto.ApiError_INVALID, "environment"},
			{"no such environment", func(q *proto.JobRequest) { q.Function, q.Environment = "state.apply", "none" },
				proto.ApiError_BAD_DATA, "none"},
			{"window", func(q *proto.JobRequest) { q.Window = 1 }, proto.ApiError_INVALID, "window"},
			{"long window", func(q *proto.JobRequest) { q.Window = 1 << 62 }, proto.ApiError_INVALID, "window"},
			{"negative window", func(q *proto.JobRequest) { q.Window = -1 << 62 }, proto.ApiError_INVALID, "window"},
			{"argument", func(q *proto.JobRequest) {
				q.Args = []*proto.Argument{{Value: &proto.Argument_Json{Json: []byte("{")}}}
			}, proto.ApiError_INVALID, "argument 1 of test.ping: its value is not JSON"},
			{"empty argument", func(q *proto.JobRequest) { q.Args = []*proto.Argument{{Name: "a"}} },
				proto.ApiError_INVALID, "no value"},
			{"too large", func(q *proto.JobRequest) {
				q.Args = []*proto.Argument{{Value: &proto.Argument_Text{Text: strings.Repeat("x", 600<<10)}}}
			}, proto.ApiError_INVALID, "at most 524288"},
			{"clock behind", func(q *proto.JobRequest) { q.IssuedAt -= (612 * time.Second).Microseconds() },
				proto.ApiError_INVALID, "clock differs by 612 s from m1: check NTP"},
			{"clock ahead", func(q *proto.JobRequest) { q.IssuedAt += (2 * time.Minute).Microseconds() },
				proto.ApiError_INVALID, "clock differs by 120 s"},
			{"old jid", func(q *proto.JobRequest) { q.Jid = jid.FromTime(time.Now().Add(-time.Hour)) },
				proto.ApiError_INVALID, "clock differs by 3600 s"},
			{"another operator's", func(q *proto.JobRequest) { q.Operator = "bob" }, proto.ApiError_NOT_PERMITTED, "bob"},
		} {
			q := w.request("*")
			c.change(q)
			_, err := w.m.Submit(t.Context(), w.op, w.sign(q))
			wantCode(t, c.name, err, c.code)
			if err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: got %q, want %q in it", c.name, err, c.text)
			}
		}
		w.denied = errors.New("ann may not run test.ping on db1")
		_, err := w.m.Submit(t.Context(), w.op, w.sign(w.request("*")))
		wantCode(t, "no right", err, proto.ApiError_NOT_PERMITTED)
		w.denied = nil
		w.store.fail(errors.New("no space left on device"))
		_, err = w.m.Submit(t.Context(), w.op, w.sign(w.request("*")))
		wantCode(t, "full disk", err, proto.ApiError_UNAVAILABLE)
		w.store.fail(nil)
		if len(w.store.order) > 0 || len(w.sent) > 0 {
			t.Errorf("got %d records, %d messages, want none", len(w.store.order), len(w.sent))
		}
	})
}

func TestForgedRequests(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		good := w.sign(w.request("*"))
		changed := pb.CloneOf(good)
		changed.Body = append(changed.Body, 0x50, 0x01)
		kind := pki.Sign(w.key, site, proto.Kind_KIND_API_REQUEST, good.Body)
		elsewhere := pki.Sign(w.key, pki.Fingerprint{2}, proto.Kind_KIND_JOB_REQUEST, good.Body)
		stranger := pki.Sign(key(9), site, proto.Kind_KIND_JOB_REQUEST, good.Body)
		for name, env := range map[string]*proto.Envelope{
			"none": nil, "empty": {}, "changed": changed, "kind": kind, "site": elsewhere, "stranger": stranger,
		} {
			_, err := w.m.Submit(t.Context(), w.op, env)
			wantCode(t, name, err, proto.ApiError_NOT_PERMITTED)
		}
		rubbish := pki.Sign(w.key, site, proto.Kind_KIND_JOB_REQUEST, []byte("\xff\xff"))
		_, err := w.m.Submit(t.Context(), w.op, rubbish)
		wantCode(t, "rubbish", err, proto.ApiError_INVALID)
	})
}

func TestResolveMakesNoJob(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		w.setOnline("web2", false)
		v := &watching{minions: map[string]*proto.MinionUpdate{}, over: true}
		err := w.m.Request(t.Context(), w.op, &proto.RunRequest{Request: w.sign(w.request("*")), Test: true}, v.take)
		if err != nil {
			t.Fatal(err)
		}
		v.want(t, "resolved", "web1 queued, web2 offline; done")
		if len(w.store.order) > 0 || len(w.sent) > 0 {
			t.Errorf("got %d records, %d messages, want none", len(w.store.order), len(w.sent))
		}
	})
}

// TestWhoMayNotMeanAllSpeaksToNobodyElse: a minion whose grain masters know late takes a job that it hears for its own.
func TestWhoMayNotMeanAllSpeaksToNobodyElse(t *testing.T) {
	for may, want := range map[string]string{"": "job.all", "web": "job.id.web1 job.id.web2 job.id.web3 job.id.web4"} {
		run(t, []string{"db1", "web1", "web2", "web3", "web4"}, func(t *testing.T, w *world) {
			w.may, w.roles = may, map[string]string{"web1": "x", "web2": "x", "web3": "x", "web4": "x"}
			q := w.request("role:x")
			q.Target.Syntax = proto.Target_GRAIN
			w.submit(q)
			if got := strings.Join(w.subjects("job."), " "); got != want {
				t.Errorf("who may mean %q*: published %s, want %s", may, got, want)
			}
		})
	}
}

func TestEachOfSeveralFunctionsIsChecked(t *testing.T) {
	run(t, names(2), func(t *testing.T, w *world) {
		of := func(names ...string) *proto.JobRequest {
			q := w.request("*")
			for _, name := range names {
				q.Calls = append(q.Calls, &proto.Call{Function: name})
			}
			q.Function = proto.CallNames(q.Calls)
			return q
		}
		for name, c := range map[string]struct {
			q    *proto.JobRequest
			code proto.ApiError_Code
			text string
		}{
			"one not allowed": {of("test.ping", "no.way"), proto.ApiError_NOT_PERMITTED, "may not use no.way"},
			"one bad name":    {of("test.ping", "ping"), proto.ApiError_INVALID, "MODULE.FUNCTION"},
			"one alone":       {of("test.ping"), proto.ApiError_INVALID, "cannot use 1 functions"},
			"another name": {func() *proto.JobRequest { q := of("test.ping", "test.echo"); q.Function = "test.ping"; return q }(),
				proto.ApiError_INVALID, "does not agree"},
			"sealed": {func() *proto.JobRequest { q := of("test.ping", "test.echo"); q.Sealed = []byte("x"); return q }(),
				proto.ApiError_INVALID, "cannot use sealed arguments with several functions"},
		} {
			_, err := w.m.Submit(t.Context(), w.op, w.sign(c.q))
			wantCode(t, name, err, c.code)
			if err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: got %v, want %s", name, err, c.text)
			}
		}
		info, err := w.m.Submit(t.Context(), w.op, w.sign(of("test.ping", "state.apply")))
		if err != nil || len(info.Calls) != 2 || info.Tree == "" {
			t.Errorf("got %v, %v, want two calls and a tree", info, err)
		}
	})
}

// TestDelicateArgumentsHaveNames: by position nobody would find an environment, or pillar that has to be sealed.
func TestDelicateArgumentsHaveNames(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		words := func(words ...string) (args []*proto.Argument) {
			for _, word := range words {
				name, value, ok := strings.Cut(word, "=")
				if !ok {
					name, value = "", word
				}
				args = append(args, &proto.Argument{Name: name, Value: &proto.Argument_Text{Text: value}})
			}
			return args
		}
		for _, c := range []struct {
			args []*proto.Argument
			want string
		}{
			{words("web", "true"), ""},
			{words("queue=true", "web", "test=true", "true"), ""},
			{words("web", "true", "saltenv=dev"), ""},
			{words("web", "true", "dev"), "cannot use argument 3 of state.apply, which is saltenv, without its name"},
			{words("web", "queue=true", "true", "saltenv=x", "dev"), "which is saltenv"},
		} {
			q := w.request("web1")
			q.Function, q.Args = "state.apply", c.args
			_, err := w.m.Submit(t.Context(), w.op, w.sign(q))
			if c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%v: got %v, want %q", c.args, err, c.want)
			}
			q = w.request("web1")
			q.Function, q.Calls = "test.ping,state.apply", []*proto.Call{{Function: "test.ping"}, {Function: "state.apply", Args: c.args}}
			if _, err := w.m.Submit(t.Context(), w.op, w.sign(q)); (err == nil) != (c.want == "") {
				t.Errorf("%v, one of two: got %v, want %q", c.args, err, c.want)
			}
		}
	})
}
