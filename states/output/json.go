package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

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

func object(minion string, returned []byte) ([]byte, error) {
	text, err := value.MarshalJSON(value.NewDict(minion, read(returned)))
	return HarmlessJSON(text), err
}

// HarmlessJSON writes the control characters that JSON leaves in its strings, and terminals obey, as
// escapes: the same JSON to whoever reads it.
func HarmlessJSON(text []byte) []byte {
	if !bytes.Contains(text, []byte{0xc2}) && bytes.IndexByte(text, 0x7f) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r >= 0x7f && r < 0xa0 {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}
