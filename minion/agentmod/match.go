package agentmod

import (
	"fmt"
	"strings"

	"brine/proto"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
)

// syntaxes are the kinds of targets of top files that package target reads.
var syntaxes = map[string]proto.Target_Syntax{
	"compound": proto.Target_GLOB, // a glob is the simplest of them
	"glob":     proto.Target_GLOB,
	"list":     proto.Target_LIST,
}

// known are all kinds of targets that a top file may have.
var known = []string{"compound", "compound_match", "glob", "grain", "grain_pcre", "ipcidr", "list", "nodegroup", "pcre",
	"pillar", "pillar_exact", "pillar_pcre"}

// Match returns what tells whether a host is meant by a target of a top file.
func Match(h *host.Host) func(kind, expr string) (bool, error) {
	id, _ := h.Grains.Get("id")
	facts := target.Facts{ID: fmt.Sprint(id)}
	return func(kind, expr string) (bool, error) {
		syntax, ok := syntaxes[kind]
		if !ok {
			return false, refuse(kind, expr)
		}
		m, err := target.Parse(&proto.Target{Syntax: syntax, Expression: expr})
		if err != nil && kind == "compound" && strings.ContainsAny(expr, "@ ()") {
			return false, fmt.Errorf("cannot match target %q: only globs and lists of ids are read in this version", expr)
		}
		if err != nil {
			return false, err
		}
		return m.Match(facts), nil
	}
}

func refuse(kind, expr string) error {
	for _, k := range known {
		if k == kind {
			return fmt.Errorf("cannot match target %q: match: %s is not read yet in this version", expr, kind)
		}
	}
	return fmt.Errorf("cannot match target %q: unknown match %q%s", expr, kind, module.DidYouMean(kind, known))
}
