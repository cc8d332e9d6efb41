package output

import (
	"bytes"
	"encoding/json"
	"io"

	"brine/states/value"
)

// indented writes {"minion": value} over several lines.
func indented(w io.Writer, minion string, returned []byte, _ Options) error {
	compact, err := object(minion, returned)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "    "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// line writes {"minion": value} in one line.
func line(w io.Writer, minion string, returned []byte, _ Options) error {
	compact, err := object(minion, returned)
	if err != nil {
		return err
	}
	_, err = w.Write(append(compact, '\n'))
	return err
}

func object(minion string, returned []byte) ([]byte, error) {
	return value.MarshalJSON(value.NewDict(minion, read(returned)))
}
