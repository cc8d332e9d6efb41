// Package modulemod is the module named module: its states call execution functions.
package modulemod

import "brine/states/module"

// Module is the module module.
var Module = module.Module{
	Name: "module",
	Doc: `
		Call execution functions in a state run.

		Two forms are understood. The newer one names functions as arguments, each with its own arguments as a list or map:
		    - service.restart: [{name: nginx}]
		A function can stand there twice, with a colon and any word behind its name. The older one names one function, with
		its arguments beside: name: service.restart, m_name: nginx. There m_name, m_fun, m_names, m_state and m_saltenv are
		the arguments whose names states have for themselves; args and kwargs hold others.

		A function that returns false, or ends with another return code than 0, is a failure.`,
	States: []module.State{
		{
			Name: "run", Doc: "Call functions, at each run: say with onchanges, onlyif or unless when there is something to do.",
			Example: `
				look:
				  module.run:
				    - test.echo: [hi]
				older:
				  module.run:
				    - name: test.echo
				    - text: hi`,
			Plan: module.Look(planRun), Watch: module.React(rerun),
		},
		{
			Name: "wait", Doc: "Call functions only when a watched state changed. New trees say module.run with onchanges.",
			Example: `
				look:
				  module.wait:
				    - test.echo: [hi]`,
			Plan: module.Look(planWait), Watch: module.React(rerun),
		},
		{
			Name: "watch", Doc: "Another name of wait.",
			Example: `
				look:
				  module.watch:
				    - name: test.echo
				    - text: hi`,
			Plan: module.Look(planWait), Watch: module.React(rerun),
		},
	},
}
