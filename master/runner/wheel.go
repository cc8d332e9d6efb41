package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// The names of Salt's lists of keys, in the order in which it shows them.
const (
	accepted = "minions"
	pending  = "minions_pre"
	rejected = "minions_rejected"
	denied   = "minions_denied"
)

// listOf is the list that a key of a state stands in: a revoked key is one that is denied for good.
func listOf(s proto.KeyState) string {
	switch s {
	case proto.KeyState_KEY_ACCEPTED:
		return accepted
	case proto.KeyState_KEY_PENDING:
		return pending
	case proto.KeyState_KEY_REJECTED:
		return rejected
	}
	return denied
}

func (f *Functions) key() module.Module {
	return module.Module{Name: "key", Doc: "Keys of minions.", Funcs: []module.Func{
		{Name: "accept", Doc: "Accept keys that wait, by a glob over ids.", Example: "'web*'", Do: module.Call(f.keyAccept)},
		{Name: "accept_dict", Doc: "Accept keys by lists.", Example: "'{minions_pre: [web1]}'", Do: module.Call(f.dictDo(proto.KeyState_KEY_ACCEPTED))},
		{Name: "delete", Doc: "Forget keys, by a glob over ids.", Example: "'web*'", Do: module.Call(f.keyDelete)},
		{Name: "delete_dict", Doc: "Forget keys by lists.", Example: "'{minions: [web1]}'", Do: module.Call(f.dictDo(proto.KeyState_KEY_DELETED))},
		{Name: "finger", Doc: "Return fingerprints of keys, by a glob over ids.", Example: "'web*'", Do: module.Call(f.keyFinger)},
		{Name: "finger_master", Doc: "Return the fingerprint of the site's key, by which minions know its masters.", Do: module.Call(f.keyFingerMaster)},
		{Name: "list", Doc: "Return one list of keys: accepted, unaccepted, rejected, denied or all.", Example: "accepted", Do: module.Call(f.keyList)},
		{Name: "list_all", Doc: "Return all lists of keys.", Do: module.Call(f.keyListAll)},
		{Name: "name_match", Doc: "Return the keys whose ids match a glob.", Example: "'web*'", Do: module.Call(f.keyNameMatch)},
		{Name: "reject", Doc: "Reject keys that wait, by a glob over ids.", Example: "'web*'", Do: module.Call(f.keyReject)},
		{Name: "reject_dict", Doc: "Reject keys by lists.", Example: "'{minions_pre: [web1]}'", Do: module.Call(f.dictDo(proto.KeyState_KEY_REJECTED))},
	}}
}

// lists are the keys that a glob means, by list; "" means all.
func (f *Functions) lists(glob string) (map[string][]*proto.KeyInfo, error) {
	var patterns []string
	if glob != "" {
		patterns = []string{glob}
	}
	keys, err := f.site.Keys(patterns)
	by := map[string][]*proto.KeyInfo{}
	for _, k := range keys {
		by[listOf(k.State)] = append(by[listOf(k.State)], k)
	}
	return by, err
}

func ids(keys []*proto.KeyInfo) *value.List {
	var all []string
	for _, k := range keys {
		all = append(all, k.Id)
	}
	slices.Sort(all)
	return texts(slices.Compact(all))
}

func (f *Functions) keyListAll(context.Context, *host.Host, noArgs) (*value.Dict, error) {
	by, err := f.lists("")
	all := value.NewDict("local", value.NewList("master.pem", "master.pub"))
	for _, name := range []string{rejected, denied, pending, accepted} {
		all.Put(name, ids(by[name]))
	}
	return all, err
}

type matchArgs struct {
	Match string `arg:"match,required" doc:"a glob over ids"`
}

func (f *Functions) keyList(_ context.Context, _ *host.Host, a matchArgs) (*value.Dict, error) {
	by, err := f.lists("")
	all := &value.Dict{}
	for _, l := range []struct{ name, short string }{{accepted, "acc"}, {pending, "pre"}, {pending, "un"}, {rejected, "rej"}, {denied, "den"}} {
		if strings.HasPrefix(a.Match, l.short) || a.Match == "all" {
			all.Put(l.name, ids(by[l.name]))
		}
	}
	if all.Len() == 0 {
		return nil, fmt.Errorf("there is no list of keys %q: there are accepted, unaccepted, rejected, denied and all", a.Match)
	}
	return all, err
}

func (f *Functions) keyNameMatch(_ context.Context, _ *host.Host, a matchArgs) (*value.Dict, error) {
	by, err := f.lists(a.Match)
	all := &value.Dict{}
	for _, name := range []string{accepted, denied, pending, rejected} {
		if len(by[name]) > 0 {
			all.Put(name, ids(by[name]))
		}
	}
	return all, err
}

type fingerArgs struct {
	Match string `arg:"match,required" doc:"a glob over ids"`
	Hash  string `arg:"hash_type" doc:"taken for Salt's sake: always SHA-256"`
}

func (f *Functions) keyFinger(_ context.Context, _ *host.Host, a fingerArgs) (*value.Dict, error) {
	by, err := f.lists(a.Match)
	all := &value.Dict{}
	for _, name := range []string{accepted, denied, pending, rejected} {
		d := &value.Dict{}
		for _, k := range by[name] {
			d.Put(k.Id, k.Fingerprint)
		}
		if d.Len() > 0 {
			all.Put(name, d)
		}
	}
	return all, err
}

type hashArgs struct {
	Hash string `arg:"hash_type" doc:"taken for Salt's sake: always SHA-256"`
}

func (f *Functions) keyFingerMaster(context.Context, *host.Host, hashArgs) (*value.Dict, error) {
	return value.NewDict("local", value.NewDict("master.pub", f.site.SiteFingerprint())), nil
}

// decide decides about the keys of a glob that are in some lists, and returns those of it that it was about.
func (f *Functions) decide(ctx context.Context, glob string, state proto.KeyState, from ...string) ([]string, error) {
	if _, err := target.ParseGlob(glob); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	by, err := f.lists(glob)
	if err != nil {
		return nil, err
	}
	var about []string
	for _, list := range from {
		for _, k := range by[list] {
			about = append(about, k.Id)
		}
	}
	slices.Sort(about)
	return f.settle(ctx, slices.Compact(about), state)
}

// settle decides about the keys of ids.
func (f *Functions) settle(ctx context.Context, about []string, state proto.KeyState) ([]string, error) {
	if len(about) == 0 {
		return nil, nil
	}
	_, err := f.site.Decide(ctx, callOf(ctx).Caller, &proto.KeyDecideRequest{Patterns: about, State: state})
	return about, err
}

type acceptArgs struct {
	Match           string `arg:"match,required" doc:"a glob over ids"`
	IncludeRejected bool   `arg:"include_rejected" doc:"those that are rejected too"`
	IncludeDenied   bool   `arg:"include_denied" doc:"refused: a key that is revoked stays so"`
}

// CheckArgs implements module.Checker.
func (a *acceptArgs) CheckArgs() error {
	if a.IncludeDenied {
		return fmt.Errorf("include_denied is not supported: a key that was revoked stays so, the minion needs a new one")
	}
	return nil
}

func (f *Functions) keyAccept(ctx context.Context, _ *host.Host, a acceptArgs) (*value.Dict, error) {
	from := []string{pending}
	if a.IncludeRejected {
		from = append(from, rejected)
	}
	return result(accepted)(f.decide(ctx, a.Match, proto.KeyState_KEY_ACCEPTED, from...))
}

// result is what Salt returns of a decision: the ids, under the name of the list that they are in now.
func result(list string) func(about []string, err error) (*value.Dict, error) {
	return func(about []string, err error) (*value.Dict, error) {
		if len(about) == 0 {
			return &value.Dict{}, err
		}
		return value.NewDict(list, texts(about)), err
	}
}

type rejectArgs struct {
	Match           string `arg:"match,required" doc:"a glob over ids"`
	IncludeAccepted bool   `arg:"include_accepted" doc:"those that are accepted too"`
	IncludeDenied   bool   `arg:"include_denied" doc:"taken for Salt's sake: a key that is revoked stays so"`
}

func (f *Functions) keyReject(ctx context.Context, _ *host.Host, a rejectArgs) (*value.Dict, error) {
	from := []string{pending}
	if a.IncludeAccepted {
		from = append(from, accepted)
	}
	return result(rejected)(f.decide(ctx, a.Match, proto.KeyState_KEY_REJECTED, from...))
}

func (f *Functions) keyDelete(ctx context.Context, _ *host.Host, a matchArgs) (*value.Dict, error) {
	_, err := f.decide(ctx, a.Match, proto.KeyState_KEY_DELETED, accepted, pending, rejected, denied)
	return &value.Dict{}, err
}

type dictArgs struct {
	Match *value.Dict `arg:"match,required" doc:"lists of ids, by the name of their list, such as minions_pre"`
}

// dictDo decides about keys of lists.
func (f *Functions) dictDo(state proto.KeyState) func(context.Context, *host.Host, dictArgs) (*value.Dict, error) {
	return func(ctx context.Context, _ *host.Host, a dictArgs) (*value.Dict, error) {
		by, err := f.lists("")
		if err != nil {
			return nil, err
		}
		var about []string
		for list, v := range a.Match.All() {
			for _, id := range globs(v) {
				if slices.ContainsFunc(by[fmt.Sprint(list)], func(k *proto.KeyInfo) bool { return k.Id == id }) {
					about = append(about, id)
				}
			}
		}
		slices.Sort(about)
		return result(listOf(state))(f.settle(ctx, slices.Compact(about), state))
	}
}

func (f *Functions) minions() module.Module {
	return module.Module{Name: "minions", Doc: "Minions.", Funcs: []module.Func{
		{Name: "connected", Doc: "Return the minions that are there.", Do: module.Call(func(ctx context.Context, h *host.Host, _ noArgs) (any, error) {
			return f.managePresent(ctx, h, presentArgs{})
		})},
	}}
}

func (f *Functions) fileRoots() module.Module {
	return module.Module{Name: "file_roots", Doc: "The files that masters serve.", Funcs: []module.Func{
		{Name: "list_env", Doc: "Return the files of an environment.", Do: module.Call(f.fileList)},
		{Name: "list_roots", Doc: "Return the files of each environment.", Do: module.Call(f.listRoots)},
		{Name: "read", Doc: "Return the text of a file.", Example: "web/init.sls", Do: module.Call(f.readFile)},
	}}
}

func (f *Functions) listRoots(ctx context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	all := &value.Dict{}
	for _, env := range f.site.Environments() {
		files, err := f.fileList(ctx, h, envArgs{Saltenv: env})
		if err != nil {
			return nil, err
		}
		all.Put(env, files)
	}
	return all, nil
}

type readArgs struct {
	Path    string `arg:"path,required" doc:"from the root of the environment"`
	Saltenv string `arg:"saltenv" default:"base" doc:"the environment"`
}

func (f *Functions) readFile(ctx context.Context, _ *host.Host, a readArgs) (*value.List, error) {
	data, err := f.site.Content(ctx, a.Saltenv, a.Path)
	if err != nil {
		return nil, err
	}
	return value.NewList(value.NewDict(a.Path, strings.ToValidUTF8(string(data), "\uFFFD"))), nil
}
