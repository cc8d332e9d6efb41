package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/master/runner"
	"brine/proto"
	"brine/states/module"
	"brine/states/value"
)

// site is a site of three minions, of which the last is away, and two jobs.
type site struct {
	decided []string
	sent    []string
}

func (s *site) Jobs(_ context.Context, q *proto.JobListRequest) (*proto.JobListReply, error) {
	reply := &proto.JobListReply{}
	for _, j := range []*proto.JobInfo{
		{Jid: "20260131120000000002", Function: "test.sleep", Target: glob("*"), Operator: "ann",
			Args: []*proto.Argument{{Value: &proto.Argument_Text{Text: "9"}}, {Name: "x", Value: &proto.Argument_Json{Json: []byte(`[1]`)}}}},
		{Jid: "20260131120000000001", Function: "state.apply", Target: glob("web1"), Operator: "bob", Done: true},
	} {
		if q.Function == "" || q.Function == j.Function {
			reply.Jobs = append(reply.Jobs, j)
		}
	}
	reply.Jobs = reply.Jobs[:min(len(reply.Jobs), int(q.Limit))]
	return reply, nil
}

func glob(text string) *proto.Target {
	return &proto.Target{Syntax: proto.Target_GLOB, Expression: text}
}

func (s *site) Job(ctx context.Context, jid string) (*proto.JobInfo, []runner.Result, error) {
	all, _ := s.Jobs(ctx, &proto.JobListRequest{Limit: 9})
	switch jid {
	case "20260131120000000001":
		return all.Jobs[1], []runner.Result{{Minion: "web1", Status: "ok", Value: value.NewDict("a", "b")}}, nil
	case "20260131120000000002":
		return all.Jobs[0], []runner.Result{{Minion: "web1", Status: "ok", Value: true}, {Minion: "web2", Status: "running"}, {Minion: "db1", Status: "offline"}}, nil
	}
	return nil, nil, errors.New("no such job")
}

func (s *site) Run(_ context.Context, c runner.Caller, j runner.Job) (string, []runner.Result, error) {
	return "20260131120000000003", []runner.Result{
		{Minion: "web1", Status: "ok", Value: j.Function + " of " + c.Actor}, {Minion: "web2", Status: "no-answer"}}, nil
}

func (s *site) Pause(_ context.Context, _ runner.Caller, jid, state string, limit time.Duration) error {
	s.sent = append(s.sent, fmt.Sprintf("pause %s %q %v", jid, state, limit))
	return nil
}

func (s *site) Resume(_ context.Context, _ runner.Caller, jid, state string) error {
	s.sent = append(s.sent, fmt.Sprintf("resume %s %q", jid, state))
	return nil
}

func (s *site) PillarTop(_ context.Context, _ runner.Caller, minion, env string) (*value.Dict, error) {
	return value.NewDict("base", value.NewList("of "+minion+env)), nil
}

func (s *site) Minions(context.Context) []runner.Minion {
	return []runner.Minion{{ID: "db1"}, {ID: "web1", Online: true, Address: "10.0.0.1:9"}, {ID: "web2", Online: true, Address: "10.1.0.2:9"}}
}

func (s *site) Meant(_ context.Context, _ runner.Caller, expression, kind string) (ids []string, err error) {
	for _, id := range []string{"db1", "web1", "web2"} {
		if kind == "list" && strings.Contains(expression, id) || expression == "*" || strings.HasPrefix(id, strings.TrimSuffix(expression, "*")) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *site) Grains(_ context.Context, minion string) (*value.Dict, error) {
	if minion == "db1" {
		return nil, nil
	}
	return value.NewDict("id", minion, "saltversion", map[string]string{"web1": proto.Version, "web2": "0.1"}[minion]), nil
}

func (s *site) Pillar(_ context.Context, _ runner.Caller, minion, env string) (*value.Dict, error) {
	return value.NewDict("of", minion, "env", env), nil
}

func (s *site) Mine(_ context.Context, _ runner.Caller, expression, _ string, names []string) (map[string]*value.Dict, error) {
	return map[string]*value.Dict{"ip": value.NewDict("web1", "10.0.0.1"), "up": value.NewDict("web1", true)}, nil
}

func (s *site) Environments() []string { return []string{"base", "dev"} }

func (s *site) Files(context.Context, string) (*proto.Manifest, error) {
	return &proto.Manifest{Files: []*proto.File{{Path: "a/b/c.sls"}, {Path: "top.sls"}}, Empty: []string{"e"}, Links: []*proto.Link{{Path: "l", Target: "top.sls"}}}, nil
}

func (s *site) Content(_ context.Context, env, path string) ([]byte, error) {
	return []byte(env + " " + path), nil
}

func (s *site) Refresh(context.Context) []string { return []string{"master m1: git: no way"} }

func (s *site) Keys(patterns []string) (all []*proto.KeyInfo, err error) {
	for id, state := range map[string]proto.KeyState{"web1": proto.KeyState_KEY_ACCEPTED, "web2": proto.KeyState_KEY_PENDING, "db1": proto.KeyState_KEY_REJECTED, "old": proto.KeyState_KEY_REVOKED} {
		if len(patterns) == 0 || patterns[0] == "*" || patterns[0] == id {
			all = append(all, &proto.KeyInfo{Id: id, State: state, Fingerprint: "of " + id})
		}
	}
	return all, nil
}

func (s *site) Decide(_ context.Context, _ runner.Caller, r *proto.KeyDecideRequest) (*proto.KeyDecideReply, error) {
	s.decided = append(s.decided, r.State.String()+" "+strings.Join(r.Patterns, ","))
	return &proto.KeyDecideReply{}, nil
}

func (s *site) SiteFingerprint() string { return "aa:bb" }

func (s *site) Send(_ context.Context, _ runner.Caller, tag string, data *value.Dict) error {
	body, err := value.MarshalJSON(data)
	s.sent = append(s.sent, tag+" "+string(body))
	return err
}

func (s *site) Await(_ context.Context, tag string, count int) ([]*proto.Event, error) {
	return []*proto.Event{{Tag: "salt/minion/web1/start", Data: []byte(`{"id":"web1"}`)}}, nil
}

func (s *site) Orchestrate(_ context.Context, c runner.Call, o runner.Orchestration) (any, int, error) {
	return value.NewDict("by", c.Function, "mods", strings.Join(o.Mods, " "), "state", o.State, "exclude", strings.Join(o.Exclude, ","), "test", o.Test), 1, nil
}

func (s *site) ShowOrchestration(ctx context.Context, c runner.Call, o runner.Orchestration) (any, int, error) {
	return s.Orchestrate(ctx, c, o)
}

func (s *site) Cancel(_ context.Context, c runner.Caller, jid string) error {
	s.decided = append(s.decided, "cancel "+jid)
	return nil
}

func (s *site) Name() string               { return "m1" }
func (s *site) Masters() map[string]string { return nil }

func TestReturns(t *testing.T) {
	const sleeping = `{"Function":"test.sleep","Arguments":[9,{"x":[1],"__kwarg__":true}],"Target":"*","Target-type":"glob","User":"ann","StartTime":"2026, Jan 31 12:00:00.000002"`
	const applied = `{"Function":"state.apply","Arguments":[],"Target":"web1","Target-type":"glob","User":"bob","StartTime":"2026, Jan 31 12:00:00.000001"`
	for line, want := range map[string]string{
		"jobs.list_jobs": `{"20260131120000000001":` + applied + `},"20260131120000000002":` + sleeping + `}}`,
		"jobs.list_jobs search_function=test.sleep,state.apply": `{"20260131120000000001":` + applied + `},"20260131120000000002":` + sleeping + `}}`,
		"jobs.list_jobs_filter 1":                               `{"20260131120000000002":` + sleeping + `}}`,
		"jobs.active":                                           `{"20260131120000000002":` + sleeping + `,"Running":[{"web2":null}],"Returned":["web1"]}}`,
		"jobs.lookup_jid 20260131120000000002 missing=True":     `{"web1":true,"web2":"Minion did not return","db1":"Minion did not return"}`,
		"jobs.lookup_jid 20260131120000000001":                  `{"outputter":"highstate","data":{"web1":{"a":"b"}}}`,
		"jobs.list_job 20260131120000000001":                    applied + `,"Minions":["web1"],"Result":{"web1":{"return":{"a":"b"},"retcode":0,"success":true,"out":"highstate"}},"jid":"20260131120000000001"}`,
		"jobs.print_job 20260131120000000001":                   `{"20260131120000000001":` + applied + `,"Minions":["web1"],"Result":{"web1":{"return":{"a":"b"},"retcode":0,"success":true,"out":"highstate"}}}}`,
		"jobs.exit_success 20260131120000000002":                `{"web1":true,"web2":false,"db1":false}`,
		"jobs.last_run function=none":                           `false`,
		"jobs.last_run function=state.apply":                    `{"20260131120000000001":` + applied + `,"Minions":["web1"],"Result":{"web1":{"return":{"a":"b"},"retcode":0,"success":true,"out":"highstate"}}}}`,

		"manage.status":                                     `{"up":["web1","web2"],"down":["db1"]}`,
		"manage.up tgt='web1'":                              `["web1"]`,
		"manage.down removekeys=True":                       `["db1"]`,
		"manage.present":                                    `["web1","web2"]`,
		"manage.alived subset=10.1.0.0/16":                  `["web2"]`,
		"manage.joined show_ip=True":                        `{"web1":"10.0.0.1","web2":"10.1.0.2"}`,
		"manage.not_present":                                `["db1"]`,
		"manage.versions":                                   `{"Master":"` + proto.Version + `","Minion requires update":{"web2":"0.1"},"Up to date":{"web1":"` + proto.Version + `"}}`,
		"cache.grains web1":                                 `{"web1":{"id":"web1","saltversion":"` + proto.Version + `"}}`,
		"cache.grains db1":                                  `{}`,
		"cache.pillar web1":                                 `{"web1":{"of":"web1","env":""}}`,
		"cache.mine":                                        `{"web1":{"ip":"10.0.0.1","up":true}}`,
		"mine.get '*' ip":                                   `{"web1":"10.0.0.1"}`,
		"mine.get '*' ip,up":                                `{"ip":{"web1":"10.0.0.1"},"up":{"web1":true}}`,
		"mine.get '*' other":                                `{}`,
		"mine.update '*'":                                   `{"web1":"mine.update of operator ann"}`,
		"fileserver.envs":                                   `["base","dev"]`,
		"fileserver.file_list":                              `["a/b/c.sls","top.sls"]`,
		"fileserver.dir_list saltenv=dev":                   `[".","a","a/b","e"]`,
		"fileserver.empty_dir_list":                         `["e"]`,
		"fileserver.symlink_list":                           `{"l":"top.sls"}`,
		"fileserver.update":                                 `["master m1: git: no way"]`,
		"pillar.show_pillar":                                `{"of":"","env":""}`,
		"pillar.show_pillar web1 pillarenv=dev":             `{"of":"web1","env":"dev"}`,
		"pillar.show_top":                                   `{"base":["of "]}`,
		"pillar.show_top web1":                              `{"base":["of web1"]}`,
		"cache.clear_mine '*'":                              `{"web1":"mine.flush of operator ann","db1":"not there: what it tells stays in the mine"}`,
		"cache.clear_mine_func '*' clear_mine_func_flag=ip": `{"web1":"mine.delete of operator ann","db1":"not there: what it tells stays in the mine"}`,
		"cache.clear_pillar '*'":                            `true`,
		"jobs.master":                                       `[]`,
		"state.pause 1 deploy duration=60":                  `true`,
		"state.resume 1":                                    `true`,
		"event.send a/b '{x: 1}'":                           `true`,
		"salt.execute '*' test.ping":                        `{"web1":"test.ping of operator ann"}`,
		"salt.cmd test.arg 1 a=2":                           `{"args":[1],"kwargs":{"a":2}}`,
		"test.arg 1 two three=3":                            `{"args":[1,"two"],"kwargs":{"three":3}}`,
		"test.sleep 0":                                      `true`,
		"state.event 'salt/*' count=1":                      `{"salt/minion/web1/start":{"id":"web1"}}`,
		"state.orchestrate a,b exclude=c":                   `{"by":"state.orchestrate","mods":"a b","state":"","exclude":"c","test":false}`,
		"state.orch a test=True":                            `{"by":"state.orch","mods":"a","state":"","exclude":"","test":true}`,
		"state.orchestrate_show_sls a":                      `{"by":"state.orchestrate_show_sls","mods":"a","state":"","exclude":"","test":false}`,
		"state.orchestrate_single fun=salt.function name=x tgt='*'": `{"by":"state.orchestrate_single","mods":"","state":"salt.function","exclude":"","test":false}`,
		"state.soft_kill 20260131120000000001":                      `true`,

		"wheel key.list_all":                                  `{"local":["master.pem","master.pub"],"minions_rejected":["db1"],"minions_denied":["old"],"minions_pre":["web2"],"minions":["web1"]}`,
		"wheel key.list pre":                                  `{"minions_pre":["web2"]}`,
		"wheel key.name_match web1":                           `{"minions":["web1"]}`,
		"wheel key.finger '*'":                                `{"minions":{"web1":"of web1"},"minions_denied":{"old":"of old"},"minions_pre":{"web2":"of web2"},"minions_rejected":{"db1":"of db1"}}`,
		"wheel key.finger_master":                             `{"local":{"master.pub":"aa:bb"}}`,
		"wheel key.accept '*'":                                `{"minions":["web2"]}`,
		"wheel key.accept '*' include_rejected=True":          `{"minions":["db1","web2"]}`,
		"wheel key.accept web1":                               `{}`,
		"wheel key.reject '*' include_accepted=True":          `{"minions_rejected":["web1","web2"]}`,
		"wheel key.delete '*'":                                `{}`,
		"wheel key.accept_dict '{minions_pre: [web2, web1]}'": `{"minions":["web2"]}`,
		"wheel minions.connected":                             `["web1","web2"]`,
		"wheel file_roots.read top.sls":                       `[{"top.sls":"base top.sls"}]`,
		"wheel file_roots.list_roots":                         `{"base":["a/b/c.sls","top.sls"],"dev":["a/b/c.sls","top.sls"]}`,
	} {
		got, err := call(&site{}, line)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
}

// call calls a function as it is typed.
func call(s *site, line string) (string, error) {
	kind := runner.Runner
	if rest, ok := strings.CutPrefix(line, "wheel "); ok {
		kind, line = runner.Wheel, rest
	}
	words := strings.Fields(line)
	for i := 1; i < len(words); i++ { // quotes hold words together
		for strings.Count(words[i], "'")%2 == 1 && i+1 < len(words) {
			words[i] += " " + words[i+1]
			words = append(words[:i+1], words[i+2:]...)
		}
		words[i] = strings.ReplaceAll(words[i], "'", "")
	}
	a, err := runner.New(s).Call(context.Background(), runner.Call{Kind: kind, Function: words[0], Input: module.Words(words[1:]...),
		Caller: runner.Caller{Actor: "operator ann"}})
	if err != nil {
		return "", err
	}
	data, err := value.MarshalJSON(a.Value)
	return string(data), err
}

func TestMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"manage.upp":                             `no runner is called "manage.upp" (did you mean "manage.up"?)`,
		"key.list_all":                           "key.list_all is a function of wheels: brine wheel key.list_all",
		"wheel manage.up":                        "manage.up is a function of runners: brine runner manage.up",
		"saltutil.sync_all":                      "brine has no runner saltutil.sync_all: masters load no code from trees; saltutil.sync_* of brine run has minions fetch theirs",
		"git_pillar.update":                      "brine has no runner git_pillar.update: fileserver.update has",
		"cache.clear_grains":                     "brine run TARGET saltutil.refresh_grains",
		"wheel key.gen_accept":                   "brine has no wheel key.gen_accept: a minion makes its key itself",
		"jobs.list_job":                          `argument "jid" is missing`,
		"jobs.list_jobs start_time=never":        "start_time:",
		"manage.present subset=x":                "want a network such as 10.1.0.0/16",
		"salt.cmd cmd.run id":                    "it would look at the machine of a master",
		"state.event count=0":                    "want 1 to 1000",
		"state.orchestrate a pillar_enc=x":       "pillar_enc is not supported",
		"wheel key.list some":                    `there is no list of keys "some"`,
		"wheel key.accept a include_denied=True": "a key that was revoked stays so",
	} {
		if got, err := call(&site{}, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", line, got, err, want)
		}
	}
}

func TestWhatIsDecided(t *testing.T) {
	s := &site{}
	for _, line := range []string{"manage.down removekeys=True", "wheel key.reject web2", "wheel key.delete_dict '{minions: web1}'", "event.send x", "state.soft_kill 1",
		"state.pause 1 deploy duration=60", "state.set_pause 1 __all__", "state.resume 1 deploy", "state.rm_pause 1"} {
		if _, err := call(s, line); err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(append(s.decided, s.sent...), "; "), "KEY_DELETED db1; KEY_REJECTED web2; KEY_DELETED web1; cancel 1; x {}; pause 1 \"deploy\" 1m0s; pause 1 \"\" 0s; resume 1 \"deploy\"; resume 1 \"\""; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEachFunctionIsInTheTableAndDocumented(t *testing.T) {
	f := runner.New(&site{})
	rights := runner.Rights()
	n := 1 // that to orchestrate
	for _, kind := range []string{runner.Runner, runner.Wheel} {
		for _, name := range f.Names(kind) {
			n++
			all, err := f.Rights(kind, name)
			if err != nil || !strings.Contains(strings.Join(rights, " ")+" ", "@"+kind+"."+name+" ") || len(all) == 0 {
				t.Errorf("%s %s has no place in the table: %v, %v", kind, name, all, err)
			}
			if f.Reads(kind, name) && f.Own(kind, name) {
				t.Errorf("%s %s both changes nothing and tells of itself", kind, name)
			}
		}
	}
	if n != len(rights) {
		t.Errorf("the table has %d functions, there are %d", len(rights), n)
	}
	docs, err := call(&site{}, "doc.runner")
	if err != nil || !strings.Contains(docs, "brine runner jobs.list_jobs") {
		t.Errorf("got %.200s, %v", docs, err)
	}
}

func TestAnOrchestrationIsOnlyNamed(t *testing.T) {
	f := runner.New(&site{})
	o, err := f.Orchestration(runner.Call{Kind: runner.Runner, Function: "state.orchestrate", Input: module.Words("deploy", "test=True")})
	if err != nil || len(o.Mods) != 1 || o.Mods[0] != "deploy" || !o.Test || o.Environment != "base" {
		t.Errorf("got %+v, %v", o, err)
	}
}
