package orchestrate

import (
	"brine/states/module"
)

// Module are the states that only orchestrations have, by Salt's names.
var Module = module.Module{
	Name: "salt",
	Doc:  "The steps of an orchestration: jobs on minions, functions of masters, waits for events.",
	States: []module.State{
		{
			Name: "function", Doc: `
				Run a function on minions. It fails when the function fails on one of them, or returns false there. A minion that
				is not there counts as failed with expect_minions alone, as in Salt; the comment names it in any case.`,
			Example: `
				cmd.run:
				  salt.function:
				    - tgt: 'web*'
				    - arg: [systemctl reload nginx]`,
			Plan: module.Look(planFunction),
		},
		{
			Name: "parallel_runners", Doc: "Call several functions of masters at the same time.",
			Example: `
				both sites:
				  salt.parallel_runners:
				    - runners:
				        east:
				          - name: state.orchestrate
				          - kwarg: {mods: east}
				        west:
				          - name: state.orchestrate
				          - kwarg: {mods: west}`,
			Plan: module.Look(planParallel),
		},
		{
			Name: "runner", Doc: "Call a function of masters. Arguments that are not named here are the function's.",
			Example: `
				update files:
				  salt.runner:
				    - name: fileserver.update`,
			Plan: module.Look(planCall("runner")),
		},
		{
			Name: "state", Doc: `
				Apply states on minions: those of sls, of a top file, or of the highstate. It fails when they fail on more minions
				than allow_fail says, or when a minion that is meant is not there.`,
			Example: `
				webservers:
				  salt.state:
				    - tgt: 'web*'
				    - sls: [nginx, site]
				    - batch: 25%`,
			Plan: module.Look(planState),
		},
		{
			Name: "wait_for_event", Doc: `
				Wait until events came from each of id_list, from the beginning of the step on. Of an event that a minion told
				the id is that of the minion, whatever it says in it.`,
			Example: `
				salt/minion/*/start:
				  salt.wait_for_event:
				    - id_list: [web1, web2]
				    - timeout: 600`,
			Plan: module.Look(planWait),
		},
		{
			Name: "wheel", Doc: "Call a function of masters that manages them, such as key.accept. Arguments that are not named here are the function's.",
			Example: `
				key.accept:
				  salt.wheel:
				    - match: web3`,
			Plan: module.Look(planCall("wheel")),
		},
	},
}

// targeted are the arguments of states that make a job.
type targeted struct {
	Name    string `arg:"name,required" doc:"the function of salt.function; of salt.state any text"`
	Tgt     any    `arg:"tgt,required" doc:"the minions: a target, or a list of ids"`
	TgtType string `arg:"tgt_type,alias=expr_form" default:"glob" doc:"how tgt is read: glob, list, pcre, grain, grain_pcre, pillar, pillar_pcre, pillar_exact, ipcidr, nodegroup, compound"`

	FailMinions any    `arg:"fail_minions" doc:"minions that may fail: a list, or a text with commas between"`
	Timeout     int64  `arg:"timeout" doc:"seconds after which minions that have not returned count as failed; 0 waits for all that are there"`
	Batch       any    `arg:"batch" doc:"how many minions at once, such as 10 or 25%"`
	Subset      int64  `arg:"subset" doc:"only so many of the minions, chosen by chance"`
	SSH         bool   `arg:"ssh" doc:"refused: there is no way to minions but the bus"`
	Roster      string `arg:"roster" doc:"refused with ssh"`

	Ret       any `arg:"ret" doc:"taken for Salt's sake: the masters keep what a job returns"`
	RetConfig any `arg:"ret_config" doc:"taken for Salt's sake"`
	RetKwargs any `arg:"ret_kwargs" doc:"taken for Salt's sake"`
}

// CheckArgs implements module.Checker.
func (t *targeted) CheckArgs() error { return t.check() }
