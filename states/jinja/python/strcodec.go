package python

import (
	"strings"

	"brine/states/value"
)

func strMaketrans(_ any, c *Call) (any, error) {
	table := &value.Dict{}
	if !c.Given(1) {
		d, ok := c.Args[0].(*value.Dict)
		if !ok {
			return nil, typeError("if you give only one argument to maketrans it must be a dict")
		}
		for k, v := range d.All() {
			if s, ok := Text(k); ok && runeLen(s) == 1 {
				k = int64([]rune(s)[0])
			}
			if err := table.Set(k, v); err != nil {
				return nil, err
			}
		}
		return table, nil
	}
	x, okX := Text(c.Args[0])
	y, okY := Text(c.Args[1])
	from, to := []rune(x), []rune(y)
	if !okX || !okY || len(from) != len(to) {
		return nil, valueError("the first two maketrans arguments must have equal length")
	}
	for i := range from {
		_ = table.Set(int64(from[i]), int64(to[i])) // integers are keys
	}
	if z, ok := Text(c.Args[2]); ok {
		for _, r := range z {
			_ = table.Set(int64(r), nil)
		}
	}
	return table, nil
}

func strTranslate(self any, c *Call) (any, error) {
	var b strings.Builder
	for _, r := range self.(string) {
		v, found, err := Index(c.Args[0], int64(r))
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case int64:
			b.WriteRune(rune(v))
		case string:
			b.WriteString(v)
		case nil:
			if !found {
				b.WriteRune(r)
			}
		default:
			return nil, typeError("character mapping must return integer, None or str")
		}
		if b.Len() > maxText {
			return nil, tooLarge("text")
		}
	}
	return b.String(), nil
}

func strEncode(self any, c *Call) (any, error) {
	name, _ := Text(c.Args[0])
	mode, _ := Text(c.Args[1])
	return encode(self.(string), name, mode)
}

func encode(s, encoding, mode string) (any, error) {
	limit := rune(0)
	switch strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(encoding)) {
	case "utf8", "u8":
		return []byte(s), nil
	case "ascii", "usascii":
		limit = 0x80
	case "latin1", "iso88591", "l1":
		limit = 0x100
	default:
		return nil, Errorf("LookupError", "unknown encoding: %s", encoding)
	}
	var out []byte
	for _, r := range s {
		switch {
		case r < limit:
			out = append(out, byte(r))
		case mode == "ignore":
		case mode == "replace":
			out = append(out, '?')
		case mode == "backslashreplace":
			out = append(out, asciiOnly(string(r))...)
		default:
			return nil, Errorf("UnicodeEncodeError", "'%s' codec can't encode character %s: ordinal not in range(%d)",
				encoding, quote(asciiOnly(string(r))), limit)
		}
	}
	return out, nil
}
