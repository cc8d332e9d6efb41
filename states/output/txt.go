package output

import (
	"io"
	"strings"

	"brine/states/value"
)

// txt writes "minion: text", once for each line of a text: for grep and cut. What holds other values is
// shown as JSON.
func txt(w io.Writer, minion string, returned []byte, o Options) error {
	p := &printer{o: o}
	for l := range strings.SplitSeq(ended(plainText(read(returned))), "\n") {
		p.paint(cyan, minion)
		p.paint("", strings.TrimRight(": "+l, " "))
		p.WriteByte('\n')
	}
	_, err := w.Write(p.Bytes())
	return err
}

// plainText is a value as text: JSON when it holds other values.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case *value.List, *value.Dict:
		if text, err := value.MarshalJSON(v); err == nil {
			return string(text)
		}
	}
	return scalar(v)
}
