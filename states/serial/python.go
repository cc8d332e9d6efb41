package serial

import (
	"brine/states/jinja/dump"
	"brine/states/value"
)

// writePython writes as pprint does what JSON makes of the data: keys are text.
func writePython(v any, options *value.Dict) (string, error) {
	width, indent := 80, 1
	err := set(options, number("width", 1, 1<<30, &width), number("indent", 0, 100, &indent))
	if err != nil {
		return "", err
	}
	json, err := dump.JSON(v, dump.JSONOptions{})
	if err != nil {
		return "", err
	}
	if v, err = value.FromJSON([]byte(json)); err != nil {
		return "", err
	}
	return dump.PythonIn(v, width, indent)
}
