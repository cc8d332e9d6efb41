package pillar

import (
	"context"
	"slices"
	"time"

	"brine/states/mod/match"
	"brine/states/pillar"
	"brine/states/value"
)

// Top returns the SLS that the top files give a minion, by environment, as Of would read them; what is wrong in them is an error.
func (m *Maker) Top(ctx context.Context, minion, env string, grains []byte, since time.Time) (map[string][]string, error) {
	_, layers, err := m.layers(ctx, env, since)
	if err != nil {
		return nil, err
	}
	facts, err := factsOf(minion, grains)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	w := &work{m, minion, env, facts, map[string]bool{}, &Pillar{}}
	given := map[string][]string{}
	for _, l := range layers {
		if l.empty() {
			continue
		}
		h := w.host()
		h.Modules, h.Files, h.Pillar = &functions{Index: w.o.Index}, l, &value.Dict{}
		mods, errs := pillar.Top(ctx, l, pillar.Options{Env: env, Match: match.Targets(ctx, h), Merging: w.o.Merging, Host: h})
		if len(errs) > 0 {
			return nil, errs[0]
		}
		for _, mod := range mods {
			if !slices.Contains(given[mod.Env], mod.Name) {
				given[mod.Env] = append(given[mod.Env], mod.Name)
			}
		}
	}
	return given, nil
}
