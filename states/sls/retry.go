package sls

import (
	"fmt"
	"time"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/yaml"
)

// retry reads how often a state is tried: true for Salt's defaults, or a dictionary.
func (b *chunkBuilder) retry(a argument) {
	r := &plan.Retry{Attempts: 2, Until: true, Interval: 30 * time.Second}
	switch on, isBool := a.value.Value.(bool); {
	case a.value.Kind == yaml.MappingNode:
		for _, p := range a.value.Pairs {
			if err := setRetry(r, p.Key.Text, module.Node(p.Value)); err != nil {
				b.fail(a.file.at(p.Key), "state %q: retry: %v", b.decl.id, err)
			}
		}
	case isBool && !on, a.value.IsNull():
		return
	case isBool:
	default:
		// As in Salt.
		b.chunk.Warnings = append(b.chunk.Warnings,
			"retry is no dictionary: the defaults are used, at "+b.decl.place(a).String())
	}
	b.chunk.Retry = r
}

func setRetry(r *plan.Retry, key string, v module.Value) (err error) {
	switch key {
	case "attempts":
		n, isInt := v.Data.(int64)
		if !isInt || n > 1_000_000 {
			return fmt.Errorf("argument %q: %w", key, v.Want("a number of attempts"))
		}
		r.Attempts = int(max(n, 1)) // a state is always tried once, also with 0
	case "until":
		r.Until, err = v.Bool()
	case "interval":
		r.Interval, err = v.Duration()
	case "splay":
		r.Splay, err = v.Duration()
	default:
		return fmt.Errorf("unknown argument %q%s", key, spell.DidYouMean(key, []string{"attempts", "interval", "splay", "until"}))
	}
	if err != nil {
		return fmt.Errorf("argument %q: %w", key, err)
	}
	return nil
}
