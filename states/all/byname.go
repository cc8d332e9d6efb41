package all

import (
	"slices"

	"brine/states/module"
)

// byName are the arguments that masters look for by their names: environments, to which whoever asks needs a right, and
// pillar, which travels sealed.
var byName = []string{"pillar", "pillarenv", "saltenv"}

// ByName returns those arguments of a function that masters must find by their names, by their positions; nil for none,
// and for a function that is not known.
func ByName(x *module.Index, function string) map[int]string {
	f, err := x.Func(function)
	if err != nil {
		return nil
	}
	var found map[int]string
	for i, p := range f.Params() {
		if p.Rest || p.Named {
			break
		}
		if slices.Contains(byName, p.Name) && !(p.Name == "pillar" && p.Required) { // that is the name of a value
			if found == nil {
				found = map[int]string{}
			}
			found[i] = p.Name
		}
	}
	return found
}
