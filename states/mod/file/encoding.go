package file

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"brine/states/module"
)

// An encoding makes bytes of text. The zero one leaves it as it is, which is UTF-8.
type encoding struct {
	name string
	one  rune // the largest character of an encoding with a byte each; 0 for others
	wide []binary.AppendByteOrder
	mark bool
}

// encodings are the names that Python knows them by, without "-" and "_".
var encodings = map[string]encoding{
	"utf8": {}, "u8": {},
	"ascii": {name: "ascii", one: 0x7f}, "usascii": {name: "ascii", one: 0x7f},
	"latin1": {name: "latin-1", one: 0xff}, "iso88591": {name: "latin-1", one: 0xff},
	"utf16":   {name: "utf-16", wide: []binary.AppendByteOrder{binary.LittleEndian}, mark: true},
	"utf16le": {name: "utf-16-le", wide: []binary.AppendByteOrder{binary.LittleEndian}},
	"utf16be": {name: "utf-16-be", wide: []binary.AppendByteOrder{binary.BigEndian}},
}

func (e *encoding) ArgType() string { return "encoding" }

func (e *encoding) ParseArg(v module.Value) error {
	name, err := v.Str()
	known, ok := encodings[strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))]
	if err != nil || !ok {
		return v.Want("utf-8, ascii, latin-1, utf-16, utf-16-le or utf-16-be")
	}
	*e = known
	return nil
}

// encode makes bytes of text; errors says what becomes of characters that the encoding has not.
func (e encoding) encode(text, errors string) ([]byte, error) {
	switch errors {
	case "strict", "ignore", "replace":
	default:
		return nil, fmt.Errorf("argument %q: want strict, ignore or replace, got %q", "encoding_errors", errors)
	}
	if e.name == "" {
		return []byte(text), nil
	}
	if e.wide != nil {
		return e.encodeWide(text), nil
	}
	out := make([]byte, 0, len(text))
	for i, c := range text {
		switch {
		case c <= e.one && (c != utf8.RuneError):
			out = append(out, byte(c))
		case errors == "replace":
			out = append(out, '?')
		case errors == "strict":
			return nil, fmt.Errorf("%s has no %q, which is byte %d of it", e.name, c, i)
		}
	}
	return out, nil
}

func (e encoding) encodeWide(text string) []byte {
	var out []byte
	if e.mark {
		out = e.wide[0].AppendUint16(out, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = e.wide[0].AppendUint16(out, unit)
	}
	return out
}
