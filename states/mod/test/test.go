// Package test has functions and states that prove the way to a minion and back, and change nothing.
package test

import "brine/states/module"

// Module is the test module.
var Module = module.Module{
	Name: "test",
	Doc:  "Functions and states for trying out brine itself. They change nothing on the host.",
	Funcs: []module.Func{
		{
			Name: "arg", Doc: "Return the arguments, positional and named.",
			Example: "1 two three=3", Do: module.Call(arg),
		},
		{
			Name: "arg_repr", Doc: "Return the arguments as Python writes them down.",
			Example: "1 two three=3", Do: module.Call(argRepr),
		},
		{
			Name: "arg_type", Doc: "Return the types of the arguments, by Python's names.",
			Example: "1 two three=3", Do: module.Call(argType),
		},
		{Name: "assertion", Doc: "Fail unless the value is true.", Example: "true", Do: module.Call(assertion)},
		{
			Name: "collatz", Doc: "Return the numbers of Collatz from one on, to 1, and how long it took: work for a processor.",
			Example: "3", Do: module.Call(collatz),
		},
		{Name: "echo", Doc: "Return the text.", Example: "'hello there'", Do: module.Call(echo)},
		{
			Name: "exception", Doc: "Fail with the message, as a function does that can't do its work.",
			Example: "'out of beer'", Do: module.Call(exception),
		},
		{Name: "false", Doc: "Return false. The function itself succeeds.", Do: module.Call(no)},
		{Name: "fib", Doc: "Return a number of Fibonacci, and how long it took.", Example: "30", Do: module.Call(fib)},
		{Name: "get_opts", Doc: "Return the configuration as modules and templates see it.", Do: module.Call(getOpts)},
		{Name: "kwarg", Doc: "Return the named arguments.", Example: "one=1 two=2", Do: module.Call(kwarg)},
		{Name: "outputter", Doc: "Return the value, to see how it is shown.", Example: "foobar", Do: module.Call(outputter)},
		{Name: "ping", Doc: "Return true: the minion takes jobs and answers.", Do: module.Call(yes)},
		{
			Name: "provider", Doc: "Return the name of the module that stands behind a name: its own.",
			Example: "cmd", Do: module.Call(provider),
		},
		{Name: "providers", Doc: "Return all modules, each with what provider returns.", Do: module.Call(providers)},
		{Name: "rand_sleep", Doc: "Wait for a random time, then return true.", Example: "60", Do: module.Call(randSleep)},
		{Name: "rand_str", Doc: "Return random text.", Example: "16", Do: module.Call(randStr)},
		{
			Name: "retcode", Doc: "Return true, and the return code given.",
			Example: "42", Do: module.Call(retcode),
		},
		{
			Name: "sleep", Doc: "Wait, then return true. Cancelling the job ends the wait.",
			Example: "20", Do: module.Call(sleep),
		},
		{Name: "stack", Doc: "Return where in the program this function runs.", Do: module.Call(stack)},
		{Name: "true", Doc: "Return true.", Do: module.Call(yes)},
		{Name: "version", Doc: "Return the version of brine that the minion runs.", Do: module.Call(version)},
		{Name: "versions", Doc: "Return the versions of brine and of what it is made with, as a text.", Do: module.Call(versions)},
		{Name: "versions_information", Doc: "Return the versions of brine and of what it is made with.", Do: module.Call(versionsInformation)},
		{Name: "versions_report", Doc: "The same as versions.", Do: module.Call(versions)},
	},
	States: []module.State{
		{
			Name: "configurable_test_state",
			Doc:  "Change and end as the arguments say.",
			Example: `
				my-combination:
				  test.configurable_test_state:
				    - changes: false
				    - result: true
				    - comment: bar.baz`,
			Plan: module.Look(configurable), Watch: module.React(watched[configurableArgs]),
		},
		{
			Name: "fail_with_changes", Doc: "Pretend to change something, and fail.",
			Example: `
				always-changes-and-fails:
				  test.fail_with_changes:
				    - comment: as it should`,
			Plan: module.Look(failWithChanges), Watch: module.React(watched[stateArgs]),
		},
		{
			Name: "fail_without_changes", Doc: "Fail, and change nothing: to try what depends on it.",
			Example: `
				always-fails:
				  test.fail_without_changes:
				    - comment: as it should`,
			Plan: module.Look(failWithoutChanges), Watch: module.React(watched[stateArgs]),
		},
		{
			Name: "nop", Doc: "Do nothing, whatever the arguments: a place for requisites.",
			Example: `
				all-done:
				  test.nop`,
			Plan: module.Look(nop), Watch: module.React(watched[nopArgs]),
		},
		{
			Name: "show_notification", Doc: "Show a text among the results.",
			Example: `
				remember:
				  test.show_notification:
				    - text: the disk is to be replaced on Monday`,
			Plan: module.Look(showNotification), Watch: module.React(watched[notificationArgs]),
		},
		{
			Name: "succeed_with_changes", Doc: "Pretend to change something, and succeed.",
			Example: `
				always-changes:
				  test.succeed_with_changes`,
			Plan: module.Look(succeedWithChanges), Watch: module.React(watched[stateArgs]),
		},
		{
			Name: "succeed_without_changes", Doc: "Succeed, and change nothing: to try what depends on it.",
			Example: `
				always-passes:
				  test.succeed_without_changes`,
			Plan: module.Look(succeedWithoutChanges), Watch: module.React(watched[stateArgs]),
		},
	},
}
