package serial

import (
	"strings"

	"brine/states/jinja/dump"
	"brine/states/module"
	"brine/states/value"
)

func writeJSON(v any, options *value.Dict) (string, error) {
	o := dump.JSONOptions{}
	err := set(options,
		option{"indent", func(v module.Value) (err error) {
			o.Lines, o.Indent, err = indentation(v)
			return err
		}},
		option{"separators", func(v module.Value) error {
			pair, err := strings1(v)
			if err != nil || len(pair) != 2 {
				return v.Want("two texts: what stands between items, and between a key and its value")
			}
			o.Comma, o.Colon = pair[0], pair[1]
			return nil
		}},
		flag("sort_keys", &o.SortKeys), flag("ensure_ascii", &o.ASCII), ignored("check_circular"), ignored("allow_nan"),
	)
	if err != nil {
		return "", err
	}
	return dump.JSON(v, o)
}

// indentation is that of a level: a number of blanks, or a text. Nothing is all on one line.
func indentation(v module.Value) (lines bool, indent string, err error) {
	if v.Data == nil {
		return false, "", nil
	}
	if s, ok := v.Data.(string); ok {
		return true, s, nil
	}
	n, ok := v.Data.(int64)
	if !ok || n < 0 || n > 100 {
		return false, "", v.Want("a number of blanks")
	}
	return true, strings.Repeat(" ", int(n)), nil
}

func readJSON(text string, options *value.Dict) (any, error) {
	if err := set(options); err != nil {
		return nil, err
	}
	return value.FromJSON([]byte(text))
}
