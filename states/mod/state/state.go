// Package state applies states to the host.
package state

import (
	"errors"

	"brine/states/host"
	"brine/states/module"
)

// Module is the state module.
var Module = module.Module{
	Name: "state",
	Doc:  "Apply states, or say what applying them would change.",
	Funcs: []module.Func{
		{
			Name: "apply",
			Doc: `
				Apply the states of SLS files in the order given, or what the top file gives this minion when none
				is named.

				The whole run is compiled before anything changes: one mistake and nothing is touched. The return
				code is 0, 1 when the states could not be compiled, or 2 when one failed.`,
			Example: "web,db test=True", Do: module.Call(apply), StateRun: true,
		},
		{
			Name: "highstate", Doc: "Apply what the top file gives this minion.",
			Example: "test=True", Do: module.Call(highstate), StateRun: true,
		},
		{Name: "running", Doc: "Return a line for each state run that runs or waits here.", Do: module.Call(running)},
		{
			Name: "show_highstate", Doc: "Return the states that the top file gives this minion as they are declared, by ID.",
			Do: module.Call(showTop(host.ShowHigh)),
		},
		{
			Name: "show_low_sls", Doc: "Return the states of SLS files as a list, in the order in which they run.",
			Example: "web", Do: module.Call(showMods(host.ShowLow)),
		},
		{
			Name: "show_lowstate", Doc: "Return the states that the top file gives this minion as a list, in the order in which they run.",
			Do: module.Call(showTop(host.ShowLow)),
		},
		{
			Name: "show_sls", Doc: "Return the states of SLS files as they are declared, by ID.",
			Example: "web", Do: module.Call(showMods(host.ShowHigh)),
		},
		{
			Name: "show_states", Doc: "Return the names of the SLS files that the top file gives this minion, with all that they include.",
			Do: module.Call(showTop(host.ShowStates)),
		},
		{
			Name: "show_top", Doc: "Return the names of the SLS files that the top file gives this minion, by environment.",
			Do: module.Call(showTop(host.ShowTop)),
		},
		{
			Name: "single", Doc: "Apply one state.",
			Example: "file.managed /etc/motd contents=hello mode=0644", Do: module.Call(single), StateRun: true,
		},
		{
			Name: "sls", Doc: "Apply the states of SLS files, as apply does.",
			Example: "web.config", Do: module.Call(sls), StateRun: true,
		},
		{
			Name: "sls_id", Doc: "Apply the states of one ID of SLS files, and what these require.",
			Example: "nginx web", Do: module.Call(slsID), StateRun: true,
		},
		{
			Name: "soft_kill", Doc: `
				Let a state run end before the states of an ID, or before its next state. What runs just now is not cut
				off; the result names the states that did not run.`,
			Example: "20260131120000000123 nginx", Do: module.Call(softKill),
		},
		{
			Name: "template", Doc: "Apply the states of an SLS file that lies on the minion itself. It may include no other.",
			Example: "/root/repair.sls", Do: module.Call(template), StateRun: true,
		},
		{
			Name: "template_str", Doc: "Apply the states of an SLS given as text. It may include no other.",
			Example: "'greet: test.nop'", Do: module.Call(templateStr), StateRun: true,
		},
		{
			Name: "test", Doc: "Say what applying SLS files would change, as apply does with test=True.",
			Example: "web", Do: module.Call(test), StateRun: true,
		},
		{
			Name: "top", Doc: "Apply what another top file than top.sls gives this minion.",
			Example: "reverse_top.sls", Do: module.Call(top), StateRun: true,
		},
	},
}

// Functions are the names of the functions of this module that apply states, in order.
var Functions = []string{
	"state.apply", "state.highstate", "state.single", "state.sls", "state.sls_id", "state.template", "state.template_str",
	"state.test", "state.top",
}

var errNoAgent = errors.New("cannot apply states: no minion runs here")
