package job

import (
	"fmt"
	"strings"

	"brine/proto"
	"brine/proto/spell"
)

// UnknownIDs refuses, with an *Error, a list that names minions which nobody has accepted:
// most likely they are misspelt, and no answer could ever come.
func UnknownIDs(listed, fleet []string) error {
	known := make(map[string]struct{}, len(fleet))
	for _, id := range fleet {
		known[id] = struct{}{}
	}
	const shown = 5
	var mistakes []string
	unknown := 0
	for _, id := range listed {
		if _, ok := known[id]; ok {
			continue
		}
		if unknown++; unknown > shown {
			continue
		}
		mistakes = append(mistakes, fmt.Sprintf("no accepted minion is called %q%s", id, spell.DidYouMean(id, fleet)))
	}
	if unknown > shown {
		mistakes = append(mistakes, fmt.Sprintf("%d more are not known either", unknown-shown))
	}
	if unknown == 0 {
		return nil
	}
	return refuse(proto.ApiError_NO_MATCH, "%s", strings.Join(mistakes, "\n"))
}

// Meant returns what may have been meant by a target that means nobody of a fleet, as in ` (did you mean "web*"?)`, or "".
func Meant(t *proto.Target, fleet []string) string {
	if t.GetSyntax() != proto.Target_GLOB {
		return ""
	}
	return spell.Glob(t.GetExpression(), fleet)
}
