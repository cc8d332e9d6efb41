// Package mine asks for what other minions tell of themselves.
package mine

import (
	"context"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the mine module.
var Module = module.Module{
	Name: "mine",
	Doc:  "Ask for what other minions tell of themselves.",
	Funcs: []module.Func{{
		Name: "get",
		Doc: `
			Return what a function of the mine returned on the minions of a target, by their ids.

			A site keeps no mine yet: the answer is an empty map, and the minion's log says so.`,
		Example: "'web*' network.ip_addrs tgt_type=glob", Do: module.Call(get),
	}},
}

type getArgs struct {
	Target  string `arg:"tgt,required" doc:"the minions"`
	Fun     any    `arg:"fun,required" doc:"the function, or a list of them"`
	Type    string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read: glob, grain, compound and the like"`
	Without bool   `arg:"exclude_minion" doc:"leave this minion out"`
}

func get(_ context.Context, h *host.Host, a getArgs) (*value.Dict, error) {
	if h.Log != nil {
		h.Log("warn", "mine.get has no answer: a site keeps no mine yet")
	}
	return &value.Dict{}, nil
}
