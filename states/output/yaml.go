package output

import (
	"io"

	"brine/states/value"
	"brine/states/yaml"
)

// yamlText writes {minion: value} as a YAML document.
func yamlText(w io.Writer, minion string, returned []byte, _ Options) error {
	text, err := yaml.Dump(value.NewDict(minion, read(returned)))
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
