package job

import (
	"cmp"
	"fmt"
	"strings"

	"brine/proto"
	"brine/proto/spell"
)

// UnknownIDs refuses, with an *Error, a list that names minions which nobody has accepted:
// most likely they are misspelt, and no answer could ever come.
func UnknownIDs(listed, fleet []string, key func(id string) string) error {
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
		mistakes = append(mistakes, fmt.Sprintf("no accepted minion is called %q%s", id, cmp.Or(keyOf(id, key), spell.DidYouMean(id, fleet))))
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
// key tells of the key of an id that is not accepted, as in "is revoked", or ""; nil tells nothing.
func Meant(t *proto.Target, fleet []string, key func(id string) string) string {
	if t.GetSyntax() != proto.Target_GLOB {
		return ""
	}
	return cmp.Or(keyOf(t.GetExpression(), key), spell.Glob(t.GetExpression(), fleet))
}

// keyOf says why the key of an id counts for nothing, as in ` (its key is revoked)`, or "".
func keyOf(id string, key func(id string) string) string {
	if key == nil {
		return ""
	}
	if is := key(id); is != "" {
		return " (its key " + is + ")"
	}
	return ""
}
