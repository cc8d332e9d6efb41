package all_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/all"
	"brine/states/module"
)

func TestModulesAreInOrder(t *testing.T) {
	if !slices.IsSortedFunc(all.Modules(), func(a, b module.Module) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("modules are not in order of name")
	}
}

func TestEveryFolderIsListed(t *testing.T) {
	folders, err := os.ReadDir("../mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !slices.ContainsFunc(all.Modules(), func(m module.Module) bool { return m.Name == f.Name() }) {
			t.Errorf("states/mod/%s is no module of the list: add %s.Module to states/all/all.go", f.Name(), f.Name())
		}
	}
}

func TestLookup(t *testing.T) {
	x := all.Index()
	for name, want := range map[string]string{
		"cmd.rum":         `unknown function "cmd.rum" (did you mean "cmd.run"?)`,
		"cnd.run":         `unknown function "cnd.run" (did you mean "cmd.run"?)`,
		"test.nosuch":     `unknown function "test.nosuch": module "test" has arg, arg_repr, arg_type, assertion, collatz, echo, exception, false, fib, get_opts, kwarg, outputter, ping, provider, providers, rand_sleep, rand_str, retcode, sleep, stack, true, version, versions, versions_information, versions_report`,
		"wholly.other":    `unknown function "wholly.other"`,
		"ping":            `unknown function "ping" (did you mean "network.ping" or "test.ping"?)`,
		"":                `unknown function ""`,
		"file.managed":    `"file.managed" is a state, not a function: it belongs into an SLS file`,
		"state.aply":      `unknown function "state.aply" (did you mean "state.apply"?)`,
		"saltutil.nosuch": `unknown function "saltutil.nosuch": module "saltutil" has cmd, find_job, is_running, kill_job, refresh_grains, refresh_modules, refresh_pillar, regen_keys, runner, running, signal_job, sync_all, sync_grains, sync_modules, sync_states, term_job, wheel`,
	} {
		if _, err := x.Func(name); err == nil || err.Error() != want {
			t.Errorf("function %q: got %v, want %s", name, err, want)
		}
	}
	for name, want := range map[string]string{
		"file.manged": `unknown state "file.manged" (did you mean "file.managed"?)`,
		"test.ping":   `"test.ping" is a function, not a state`,
	} {
		if _, err := x.State(name); err == nil || err.Error() != want {
			t.Errorf("state %q: got %v, want %s", name, err, want)
		}
	}
}

func TestDocs(t *testing.T) {
	docs, err := all.Docs(all.Index(), "cmd.run")
	if err != nil || len(docs) != 2 || docs[0].Name != "cmd.run" || docs[1].Name != "cmd.run" || docs[1].Kind != "state" {
		t.Errorf("got %v, %v", docs, err)
	}
	for pattern, least := range map[string]int{"": 40, "file": 3, "test.*": 15, "sys.doc": 1} {
		if docs, err := all.Docs(all.Index(), pattern); err != nil || len(docs) < least {
			t.Errorf("%q: got %d, %v, want at least %d", pattern, len(docs), err, least)
		}
	}
	if _, err := all.Docs(all.Index(), "cmd.rnu"); err == nil || !strings.Contains(err.Error(), `did you mean "cmd.run"?`) {
		t.Errorf("got %v", err)
	}
}
