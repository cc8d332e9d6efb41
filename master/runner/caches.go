package runner

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

func (f *Functions) cache() module.Module {
	return module.Module{Name: "cache", Doc: "What masters know of minions.", Funcs: []module.Func{
		{Name: "clear_mine", Doc: "Have minions take all that they tell out of the mine. It names those that are not there.", Example: "'web*'", Do: module.Call(f.clearMine)},
		{Name: "clear_mine_func", Doc: "Have minions take what they tell under a name out of the mine.", Example: "'web*' clear_mine_func_flag=network.ip_addrs", Do: module.Call(f.clearMineFunc)},
		{Name: "clear_pillar", Doc: "Return true: no pillar is kept that could be older than its files.", Do: module.Call(func(context.Context, *host.Host, targetArgs) (bool, error) { return true, nil })},
		{Name: "grains", Doc: "Return what minions told of their hosts last.", Example: "'web*'", Do: module.Call(f.cacheGrains)},
		{Name: "mine", Doc: "Return what minions told the mine.", Example: "'web*'", Do: module.Call(f.cacheMine)},
		{Name: "pillar", Doc: "Return the pillar of minions, made of the grains that they told last. It needs the right to pillar.items on each.", Example: "web1", Do: module.Call(f.cachePillar)},
	}}
}

func (f *Functions) cacheGrains(ctx context.Context, _ *host.Host, a targetArgs) (*value.Dict, error) {
	return f.each(ctx, a, func(id string) (*value.Dict, error) { return f.site.Grains(ctx, id) })
}

func (f *Functions) cachePillar(ctx context.Context, _ *host.Host, a targetArgs) (*value.Dict, error) {
	c := callOf(ctx).Caller
	return f.each(ctx, a, func(id string) (*value.Dict, error) { return f.site.Pillar(ctx, c, id, "") })
}

// each asks for something of each minion of a target.
func (f *Functions) each(ctx context.Context, a targetArgs, of func(id string) (*value.Dict, error)) (*value.Dict, error) {
	ids, err := f.site.Meant(ctx, callOf(ctx).Caller, a.Tgt, a.TgtType)
	all := &value.Dict{}
	for _, id := range ids {
		d, err := of(id)
		if err != nil {
			return nil, fmt.Errorf("minion %q: %w", id, err)
		}
		if d != nil {
			all.Put(id, d)
		}
	}
	return all, err
}

func (f *Functions) cacheMine(ctx context.Context, _ *host.Host, a targetArgs) (*value.Dict, error) {
	found, err := f.site.Mine(ctx, callOf(ctx).Caller, a.Tgt, a.TgtType, nil)
	if err != nil {
		return nil, err
	}
	byMinion := map[string]*value.Dict{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for id, v := range found[name].All() {
			id := fmt.Sprint(id)
			if byMinion[id] == nil {
				byMinion[id] = &value.Dict{}
			}
			byMinion[id].Put(name, v)
		}
	}
	return ordered(byMinion), nil
}

func ordered(m map[string]*value.Dict) *value.Dict {
	all := &value.Dict{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all.Put(name, m[name])
	}
	return all
}

type clearArgs struct {
	Tgt     string `arg:"tgt,required" doc:"the minions"`
	TgtType string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read"`
}

type clearFuncArgs struct {
	clearArgs
	Function string `arg:"clear_mine_func_flag,alias=clear_mine_func,required" doc:"the name"`
}

func (f *Functions) clearMine(ctx context.Context, _ *host.Host, a clearArgs) (*value.Dict, error) {
	return f.unmine(ctx, a, "mine.flush")
}

func (f *Functions) clearMineFunc(ctx context.Context, _ *host.Host, a clearFuncArgs) (*value.Dict, error) {
	return f.unmine(ctx, a.clearArgs, "mine.delete", a.Function)
}

// unmine has minions take something out of the mine: what a minion that is not there tells stays.
func (f *Functions) unmine(ctx context.Context, a clearArgs, function string, args ...any) (*value.Dict, error) {
	ret, err := f.execute(ctx, a.Tgt, a.TgtType, function, args, nil, 0)
	if err != nil {
		return ret, err
	}
	_, down, err := f.there(ctx, targetArgs(a))
	for _, id := range down {
		if _, returned := ret.Get(id); !returned {
			ret.Put(id, "not there: what it tells stays in the mine")
		}
	}
	return ret, err
}

func (f *Functions) mine() module.Module {
	return module.Module{Name: "mine", Doc: "What minions tell each other.", Funcs: []module.Func{
		{Name: "get", Doc: "Return what the minions of a target told under a name.", Example: "'*' network.ip_addrs", Do: module.Call(f.mineGet)},
		{Name: "update", Doc: "Have the minions of a target tell it anew.", Example: "'web*'", Do: module.Call(f.mineUpdate)},
	}}
}

type mineArgs struct {
	Tgt     string `arg:"tgt,required" doc:"the minions"`
	Fun     any    `arg:"fun,required" doc:"the name: of a list, or with commas between, what each name has"`
	TgtType string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read"`
}

func (f *Functions) mineGet(ctx context.Context, _ *host.Host, a mineArgs) (*value.Dict, error) {
	names := globs(a.Fun)
	found, err := f.site.Mine(ctx, callOf(ctx).Caller, a.Tgt, a.TgtType, names)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 {
		return ordered(found), nil
	}
	if found[names[0]] == nil {
		return &value.Dict{}, nil
	}
	return found[names[0]], nil
}

type updateArgs struct {
	Tgt     string `arg:"tgt,required" doc:"the minions"`
	TgtType string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read"`
	Clear   bool   `arg:"clear" doc:"forget what was told before"`
}

func (f *Functions) mineUpdate(ctx context.Context, _ *host.Host, a updateArgs) (*value.Dict, error) {
	named := &value.Dict{}
	if a.Clear {
		named.Put("clear", true)
	}
	return f.execute(ctx, a.Tgt, a.TgtType, "mine.update", nil, named, 0)
}

func (f *Functions) fileserver() module.Module {
	return module.Module{Name: "fileserver", Doc: "The files that masters serve.", Funcs: []module.Func{
		{Name: "dir_list", Doc: "Return the directories of an environment.", Do: module.Call(f.dirList)},
		{Name: "empty_dir_list", Doc: "Return the directories without files of an environment.", Do: module.Call(f.emptyDirs)},
		{Name: "envs", Doc: "Return the environments.", Do: module.Call(f.envs)},
		{Name: "file_list", Doc: "Return the files of an environment.", Do: module.Call(f.fileList)},
		{Name: "symlink_list", Doc: "Return the links of an environment, and where they lead.", Do: module.Call(f.links)},
		{Name: "update", Doc: "Have all masters fetch their repositories.", Do: module.Call(f.update)},
	}}
}

type backendArgs struct {
	Backend any  `arg:"backend" doc:"taken for Salt's sake: there is one tree of all"`
	Sources bool `arg:"sources" doc:"taken for Salt's sake"`
}

type envArgs struct {
	Saltenv string `arg:"saltenv" default:"base" doc:"the environment"`
	Backend any    `arg:"backend" doc:"taken for Salt's sake: there is one tree of all"`
}

func (f *Functions) envs(context.Context, *host.Host, backendArgs) (*value.List, error) {
	return texts(f.site.Environments()), nil
}

func (f *Functions) fileList(ctx context.Context, _ *host.Host, a envArgs) (*value.List, error) {
	m, err := f.site.Files(ctx, a.Saltenv)
	list := value.NewList()
	for _, file := range m.GetFiles() {
		list.Items = append(list.Items, file.Path)
	}
	return list, err
}

func (f *Functions) dirList(ctx context.Context, _ *host.Host, a envArgs) (*value.List, error) {
	m, err := f.site.Files(ctx, a.Saltenv)
	dirs := map[string]bool{}
	for _, file := range m.GetFiles() {
		for dir := path.Dir(file.Path); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	for _, dir := range m.GetEmpty() {
		dirs[dir] = true
	}
	var all []string
	for dir := range dirs {
		all = append(all, dir)
	}
	return sorted(all), err
}

func (f *Functions) emptyDirs(ctx context.Context, _ *host.Host, a envArgs) (*value.List, error) {
	m, err := f.site.Files(ctx, a.Saltenv)
	return sorted(m.GetEmpty()), err
}

func (f *Functions) links(ctx context.Context, _ *host.Host, a envArgs) (*value.Dict, error) {
	m, err := f.site.Files(ctx, a.Saltenv)
	all := &value.Dict{}
	for _, l := range m.GetLinks() {
		all.Put(l.Path, l.Target)
	}
	return all, err
}

func (f *Functions) update(ctx context.Context, _ *host.Host, _ backendArgs) (any, error) {
	problems := f.site.Refresh(ctx)
	if len(problems) > 0 {
		return module.Returned{Value: texts(problems), Retcode: 1}, nil
	}
	return true, nil
}
