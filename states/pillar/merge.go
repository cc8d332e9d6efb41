package pillar

import (
	"fmt"
	"slices"

	"brine/proto/spell"
	"brine/states/value"
)

// How SLS are brought together, by Salt's names.
const (
	Smart     = "smart"     // as Recurse
	Recurse   = "recurse"   // dicts are merged key by key
	Overwrite = "overwrite" // a key at the top takes the place of that before
	None      = "none"      // as Recurse, without Lists, and only the top file of one environment counts
)

// Strategies are all ways to bring SLS together.
func Strategies() []string { return []string{Smart, Recurse, Overwrite, None} }

// Merging says how what comes later is laid over what is there. The zero value is Salt's default.
type Merging struct {
	Strategy string // "" is Smart
	Lists    bool   // lists that both have are joined: of the later one what the earlier does not hold yet
}

// Check tells what is wrong with a strategy.
func (m Merging) Check() error {
	if m.Strategy == "" || slices.Contains(Strategies(), m.Strategy) {
		return nil
	}
	if m.Strategy == "aggregate" {
		return fmt.Errorf("the merging strategy %q is not supported, since it needs marks that only Salt's yamlex has; "+
			"without such marks %q is the same", m.Strategy, Overwrite)
	}
	return fmt.Errorf("unknown merging strategy %q%s", m.Strategy, spell.DidYouMean(m.Strategy, Strategies()))
}

// Merge lays a pillar over another, and returns a new one: anything of over that is not merged takes the place of what
// is there, which keeps its place in the order. Nil counts as empty.
func (m Merging) Merge(under, over *value.Dict) *value.Dict {
	all := &value.Dict{}
	m.lay(all, under)
	m.lay(all, over)
	return all
}

// Merge lays a pillar over another by Salt's default.
func Merge(under, over *value.Dict) *value.Dict { return Merging{}.Merge(under, over) }

// lay changes what no one else has: all, and every dict in it.
func (m Merging) lay(all, over *value.Dict) {
	for k, v := range over.All() {
		old, _ := all.Get(k)
		if m.Strategy == Overwrite {
			old = nil
		}
		_ = all.Set(k, m.merged(old, v)) // it was a key already
	}
}

func (m Merging) merged(old, v any) any {
	switch v := v.(type) {
	case *value.Dict:
		into, ok := old.(*value.Dict)
		if !ok {
			into = &value.Dict{} // its own: a later merge must not change what was read
		}
		for k, item := range v.All() {
			before, _ := into.Get(k)
			_ = into.Set(k, m.merged(before, item)) // it was one too
		}
		return into
	case *value.List:
		if old, ok := old.(*value.List); ok && m.Lists && m.Strategy != None {
			return joined(old, v)
		}
	}
	return v
}

// joined is a list with what another one holds beside.
func joined(list, more *value.List) *value.List {
	all := &value.List{Items: slices.Clone(list.Items)}
	for _, item := range more.Items {
		if !slices.ContainsFunc(list.Items, func(old any) bool { return value.Equal(old, item) }) {
			all.Items = append(all.Items, item)
		}
	}
	return all
}
