package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/spell"
	"brine/proto/target"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// runners are all modules of runners.
func (f *Functions) runners() []module.Module {
	return []module.Module{
		f.cache(), f.doc(), f.event(), f.fileserver(), f.jobs(), f.manage(), f.mine(), f.pillar(), f.salt(), f.state(), f.test(),
	}
}

// wheels are all modules of wheels.
func (f *Functions) wheels() []module.Module {
	return []module.Module{f.fileRoots(), f.key(), f.minions()}
}

func (f *Functions) doc() module.Module {
	docs := func(kind string) module.Code {
		return module.Call(func(context.Context, *host.Host, noArgs) (*value.Dict, error) { return f.docs(kind), nil })
	}
	return module.Module{Name: "doc", Doc: "Documentation.", Funcs: []module.Func{
		{Name: "execution", Doc: "Return what the functions of minions do.", Do: module.Call(func(context.Context, *host.Host, noArgs) (*value.Dict, error) {
			return all.Index().FunctionDocs(), nil
		})},
		{Name: "runner", Doc: "Return what runners do.", Do: docs(Runner)},
		{Name: "wheel", Doc: "Return what wheels do.", Do: docs(Wheel)},
	}}
}

func (f *Functions) pillar() module.Module {
	return module.Module{Name: "pillar", Doc: "Pillar.", Funcs: []module.Func{
		{
			Name: "show_pillar", Doc: "Return the pillar of a minion, made of the grains that it told last, or that of the master. It needs the right to pillar.items there.",
			Example: "web1", Do: module.Call(f.showPillar),
		},
		{
			Name: "show_top", Doc: "Return the SLS that the top files of the pillar give a minion, or the master, by environment. It needs the right to pillar.items there.",
			Example: "web1", Do: module.Call(f.showPillarTop),
		},
	}}
}

type pillarArgs struct {
	Minion    string `arg:"minion" default:"*" doc:"the minion; * is the master itself"`
	PillarEnv string `arg:"pillarenv" doc:"environment of the pillar; all that there are when absent"`
	Saltenv   string `arg:"saltenv" doc:"taken for Salt's sake"`
}

func (f *Functions) showPillar(ctx context.Context, _ *host.Host, a pillarArgs) (*value.Dict, error) {
	if a.Minion == "*" {
		a.Minion = ""
	}
	return f.site.Pillar(ctx, callOf(ctx).Caller, a.Minion, a.PillarEnv)
}

type topArgs struct {
	Minion  string `arg:"minion" default:"*" doc:"the minion; * is the master itself"`
	Saltenv string `arg:"saltenv,alias=pillarenv" doc:"environment of the pillar; all that there are when absent"`
}

func (f *Functions) showPillarTop(ctx context.Context, _ *host.Host, a topArgs) (*value.Dict, error) {
	if a.Minion == "*" {
		a.Minion = ""
	}
	return f.site.PillarTop(ctx, callOf(ctx).Caller, a.Minion, a.Saltenv)
}

func (f *Functions) salt() module.Module {
	return module.Module{Name: "salt", Doc: "Functions of minions.", Funcs: []module.Func{
		{Name: "cmd", Doc: "Call a function of data here, on the master.", Example: "hashutil.sha256_digest text", Do: module.Call(f.saltCmd)},
		{Name: "execute", Doc: "Have minions run a function, and return what each returned.", Example: "'*' test.ping", Do: module.Call(f.saltExecute)},
	}}
}

type cmdArgs struct {
	Fun   string       `arg:"fun,required" doc:"the function"`
	Args  []any        `arg:"args,rest" doc:"its arguments"`
	Named []module.Arg `arg:"kwargs,named" doc:"its named arguments"`
}

func (f *Functions) saltCmd(ctx context.Context, _ *host.Host, a cmdArgs) (module.Returned, error) {
	if _, err := all.Index().Func(a.Fun); err != nil {
		return module.Returned{}, err
	}
	if !all.Pure(a.Fun) {
		return module.Returned{}, fmt.Errorf("cannot call %s: it would look at the machine of a master; brine run has a minion call it", a.Fun)
	}
	named := &value.Dict{}
	for _, n := range a.Named {
		named.Put(n.Name, n.Value.Data)
	}
	h := &host.Host{Grains: &value.Dict{}, Config: &value.Dict{}, Pillar: &value.Dict{}, Memo: &host.Memo{}, Modules: all.Index()}
	v, code, err := all.Index().Call(ctx, h, a.Fun, a.Args, named)
	return module.Returned{Value: v, Retcode: code}, err
}

type executeArgs struct {
	Tgt     string      `arg:"tgt,required" doc:"the minions"`
	Fun     string      `arg:"fun,required" doc:"the function"`
	Arg     *value.List `arg:"arg" doc:"its arguments"`
	Timeout int64       `arg:"timeout" doc:"seconds after which minions are no longer waited for; 0 waits for all that are there"`
	TgtType string      `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read"`
	Ret     string      `arg:"ret" doc:"taken for Salt's sake: the masters keep what a job returns"`
	JID     string      `arg:"jid" doc:"taken for Salt's sake"`
	Kwarg   *value.Dict `arg:"kwarg" doc:"its named arguments"`
}

func (f *Functions) saltExecute(ctx context.Context, _ *host.Host, a executeArgs) (*value.Dict, error) {
	var args []any
	if a.Arg != nil {
		args = a.Arg.Items
	}
	return f.execute(ctx, a.Tgt, a.TgtType, a.Fun, args, a.Kwarg, time.Duration(a.Timeout)*time.Second)
}

// execute has minions do something and returns what each returned.
func (f *Functions) execute(ctx context.Context, expression, kind, function string, args []any, named *value.Dict, timeout time.Duration) (*value.Dict, error) {
	syntax, ok := proto.Target_Syntax_value[strings.ToUpper(kind)]
	if !ok || syntax == 0 {
		return nil, fmt.Errorf("tgt_type: there is no %q%s", kind, spell.DidYouMean(kind, target.Kinds()))
	}
	j := Job{Target: &proto.Target{Syntax: proto.Target_Syntax(syntax), Expression: expression}, Function: function, Timeout: timeout}
	var errs []error
	add := func(name string, v any) {
		data, err := value.MarshalJSON(v)
		errs = append(errs, err)
		j.Args = append(j.Args, &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: data}})
	}
	for _, v := range args {
		add("", v)
	}
	for k, v := range named.All() {
		add(fmt.Sprint(k), v)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	_, results, err := f.site.Run(ctx, callOf(ctx).Caller, j)
	ret := &value.Dict{}
	for _, r := range results {
		if r.Returned() {
			ret.Put(r.Minion, r.Value)
		}
	}
	return ret, err
}

func (f *Functions) test() module.Module {
	return module.Module{Name: "test", Doc: "Functions for trying out calls. They change nothing.", Funcs: []module.Func{
		{Name: "arg", Doc: "Return the arguments.", Example: "1 two three=3", Do: module.Call(testArg)},
		{Name: "raw_arg", Doc: "Return the arguments, and who calls.", Example: "1 two three=3", Do: module.Call(testRaw)},
		{Name: "sleep", Doc: "Wait, then return true.", Example: "10", Do: module.Call(testSleep)},
	}}
}

type anyArgs struct {
	Args  []any        `arg:"args,rest" doc:"any"`
	Named []module.Arg `arg:"kwargs,named" doc:"any"`
}

func (a *anyArgs) dict() *value.Dict {
	d := &value.Dict{}
	for _, n := range a.Named {
		d.Put(n.Name, n.Value.Data)
	}
	return d
}

func testArg(_ context.Context, _ *host.Host, a anyArgs) (*value.Dict, error) {
	return value.NewDict("args", value.NewList(a.Args...), "kwargs", a.dict()), nil
}

func testRaw(ctx context.Context, _ *host.Host, a anyArgs) (*value.Dict, error) {
	d := a.dict()
	d.Put("__pub_user", callOf(ctx).Actor)
	return value.NewDict("args", value.NewList(a.Args...), "kwargs", d), nil
}

type sleepArgs struct {
	For time.Duration `arg:"s_time" default:"10" doc:"how long"`
}

func testSleep(ctx context.Context, _ *host.Host, a sleepArgs) (bool, error) {
	select {
	case <-time.After(a.For):
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
