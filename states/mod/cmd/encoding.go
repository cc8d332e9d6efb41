package cmd

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"

	"brine/states/module"
)

// encodingName is an encoding that output can be read in.
type encodingName string

func (e *encodingName) ArgType() string { return "encoding" }

func (e *encodingName) ParseArg(v module.Value) error {
	s, err := v.Str()
	name := strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(s))
	if other, ok := sameEncoding[name]; ok {
		name = other
	}
	if err != nil || decoders[name] == nil {
		return v.Want("one of ascii, cp1252, iso-8859-1, iso-8859-15, utf-8, utf-16, utf-16-be, utf-16-le")
	}
	*e = encodingName(name)
	return nil
}

// sameEncoding are Python's other names.
var sameEncoding = map[string]string{
	"us-ascii": "ascii", "646": "ascii", "windows-1252": "cp1252", "1252": "cp1252",
	"latin-1": "iso-8859-1", "latin1": "iso-8859-1", "iso8859-1": "iso-8859-1", "l1": "iso-8859-1", "8859": "iso-8859-1",
	"latin-9": "iso-8859-15", "latin9": "iso-8859-15", "iso8859-15": "iso-8859-15", "l9": "iso-8859-15",
	"utf8": "utf-8", "u8": "utf-8", "utf16": "utf-16", "u16": "utf-16", "utf-16be": "utf-16-be", "utf-16le": "utf-16-le",
}

var decoders = map[string]func([]byte) string{
	"ascii":       func(b []byte) string { return eachByte(b, asciiOnly) },
	"cp1252":      func(b []byte) string { return eachByte(b, cp1252) },
	"iso-8859-1":  func(b []byte) string { return eachByte(b, func(c byte) rune { return rune(c) }) },
	"iso-8859-15": func(b []byte) string { return eachByte(b, latin9) },
	"utf-8":       func(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") },
	"utf-16":      marked,
	"utf-16-be":   func(b []byte) string { return wide(b, binary.BigEndian) },
	"utf-16-le":   func(b []byte) string { return wide(b, binary.LittleEndian) },
}

// decode makes text of output; what the encoding has no letter for becomes U+FFFD.
func (e encodingName) decode(b []byte) string {
	if e == "" {
		return string(b)
	}
	return decoders[string(e)](b)
}

func eachByte(b []byte, letter func(byte) rune) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(letter(c))
	}
	return s.String()
}

func asciiOnly(c byte) rune {
	if c >= 0x80 {
		return '\ufffd'
	}
	return rune(c)
}

// latin9 is Latin-1 but for eight letters.
func latin9(c byte) rune {
	if i := slices.Index([]byte{0xa4, 0xa6, 0xa8, 0xb4, 0xb8, 0xbc, 0xbd, 0xbe}, c); i >= 0 {
		return []rune("€ŠšŽžŒœŸ")[i]
	}
	return rune(c)
}

// cp1252 is Latin-1 with letters in place of the controls from 0x80 to 0x9f.
func cp1252(c byte) rune {
	if c >= 0x80 && c < 0xa0 {
		return []rune("€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ")[c-0x80]
	}
	return rune(c)
}

// marked is UTF-16 that says its byte order at its beginning; that of most machines without.
func marked(b []byte) string {
	switch {
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		return wide(b[2:], binary.BigEndian)
	case len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe:
		return wide(b[2:], binary.LittleEndian)
	}
	return wide(b, binary.LittleEndian)
}

func wide(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	s := string(utf16.Decode(units))
	if len(b) > 0 {
		s += "\ufffd"
	}
	return s
}
