package orchestrate_test

import (
	"slices"
	"strings"
	"testing"

	"brine/master/orchestrate"
	"brine/states/module"
)

// TestArgumentsOfPublicOrchestrations ticks off what orchestrations out there give to the states of salt.
func TestArgumentsOfPublicOrchestrations(t *testing.T) {
	for name, args := range map[string]string{
		"state":    "tgt sls tgt_type pillar concurrent queue saltenv highstate sync_mods batch subset timeout ssh roster",
		"function": "name tgt tgt_type arg kwarg fail_minions",
		"runner":   "name mods arg args kwarg pillar timeout",
	} {
		i := slices.IndexFunc(orchestrate.Module.States, func(s module.State) bool { return s.Name == name })
		if i < 0 {
			t.Errorf("there is no salt.%s", name)
			continue
		}
		params := orchestrate.Module.States[i].Params()
		for arg := range strings.FieldsSeq(args) {
			if !slices.ContainsFunc(params, func(p module.Param) bool {
				return p.Name == arg || slices.Contains(p.Aliases, arg) || p.Named
			}) {
				t.Errorf("salt.%s has no argument %s", name, arg)
			}
		}
	}
}
