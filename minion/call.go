package minion

import (
	"context"
	"errors"
	"os"

	"brine/minion/agentmod"
	"brine/minion/files"
	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// CallOptions say what to run without a master.
type CallOptions struct {
	Root        string
	FileRoots   []string // directories of state files
	Environment string   // that they are of; "" is base
	Function    string
	Words       []string // arguments as typed: VALUE or NAME=VALUE
}

// Called is how a function ended.
type Called struct {
	Value       []byte // JSON
	Retcode     int
	States      bool // the value is the results of states
	NotCompiled bool // the states had mistakes; the value lists them
}

// Call runs a function on this host. The error says that it could not be
// called: it is not known, or its arguments don't fit.
func Call(ctx context.Context, o CallOptions) (*Called, error) {
	index := all.Index()
	f, err := index.Func(o.Function)
	if err != nil {
		return nil, err
	}
	config, err := LoadConfig(o.Root, os.Environ())
	if err != nil {
		return nil, err
	}
	local := &host.Local{Root: Layout{o.Root}.hostRoot()}
	defer local.Close()
	tree := files.NewDirs(o.Environment, o.FileRoots...)
	id := config.ID
	if id == "" {
		if id, err = knownID(Layout{o.Root}); err != nil {
			return nil, err
		}
	}
	h := &host.Host{Root: local.Root, Grains: grains(id), Exec: local.Run, Files: tree, Modules: index}
	h.Agent = &agentmod.Agent{Host: h, Index: index, Source: tree, Environment: o.Environment}
	r, err := f.Call(ctx, h, module.Words(o.Words...))
	var mistakes module.ArgErrors
	if errors.As(err, &mistakes) {
		return nil, err
	}
	out := result(r, err)
	_, isList := r.Value.(*value.List)
	_, isDict := r.Value.(*value.Dict)
	return &Called{
		Value: out.Value, Retcode: out.Retcode,
		States: f.StateRun && isDict, NotCompiled: f.StateRun && isList,
	}, nil
}
