package library

import (
	"math/big"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"brine/states/jinja/python"
	"brine/states/regex"
	"brine/states/value"
)

func filterToBool(_ Host, c *python.Call) (any, error) {
	switch v := c.Args[0].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case *value.List, *value.Dict, *value.Set:
		return python.Truth(v)
	}
	if s, ok := python.Text(c.Args[0]); ok {
		switch strings.ToLower(s) {
		case "yes", "1", "true":
			return true, nil
		}
		return false, nil
	}
	if python.IsInt(c.Args[0]) {
		return python.Compare(">", c.Args[0], int64(0))
	}
	return false, nil
}

func filterToNum(_ Host, c *python.Call) (any, error) {
	v := c.Args[0]
	if s, ok := python.Text(v); ok {
		if i, ok := python.ParseInt(s, 10); ok {
			return i, nil
		}
		if f, ok := python.ParseFloat(s); ok {
			return f, nil
		}
		return v, nil
	}
	if f, ok := v.(float64); ok {
		return python.Truncate(f)
	}
	if python.IsInt(v) {
		return python.Plus(v)
	}
	if _, err := python.Defined(v); err != nil {
		return nil, err
	}
	return nil, python.Errorf("TypeError", "int() argument must be a string, a bytes-like object or a real number, not '%s'", python.TypeName(v))
}

func filterIsHex(_ Host, c *python.Call) (any, error) {
	if _, err := python.Defined(c.Args[0]); err != nil {
		return nil, err
	}
	s, ok := python.Text(c.Args[0])
	if ok {
		_, ok = python.ParseInt(s, 16)
	}
	return ok, nil
}

func filterContainsWhitespace(_ Host, c *python.Call) (any, error) {
	items, err := python.Items(c.Args[0])
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if s, ok := python.Text(item); ok && s != "" && strings.TrimFunc(s, python.IsSpace) == "" {
			return true, nil
		}
	}
	return false, nil
}

var humanSize = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9.]*)\s*(.*)$`) })

func filterHumanToBytes(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	metric, err := boolArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	m := humanSize().FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return int64(0), nil
	}
	unit := strings.ToLower(m[2])
	if unit == "" {
		d, err := text(c.Args[1])
		if err != nil {
			return nil, err
		}
		unit = strings.ToLower(d)
	}
	var n any
	if i, ok := python.ParseInt(m[1], 10); ok {
		n = i
	} else if f, ok := python.ParseFloat(m[1]); ok {
		n = f
	} else {
		return int64(0), nil
	}
	power := strings.IndexByte("bkmgtpezy", (unit + " ")[0])
	decimal := len(unit) == 2 && unit[1] == 'b' && power > 0
	if power < 0 || !decimal && len(unit) != 1 && (unit[1:] != "ib" || power == 0) {
		return int64(0), nil
	}
	base := int64(1024)
	if decimal && metric {
		base = 1000
	}
	factor := value.Int(new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(power)), nil))
	product, err := python.Binary("*", n, factor)
	if f, ok := product.(float64); ok {
		return python.Truncate(f)
	}
	return product, err
}

func filterWhitelist(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	white, err := patterns(c.Args[1], "whitelist")
	if err != nil {
		return nil, err
	}
	black, err := patterns(c.Args[2], "blacklist")
	if err != nil {
		return nil, err
	}
	return !anyMatch(s, black) && (len(white) == 0 || anyMatch(s, white)), nil
}

func patterns(v any, name string) ([]string, error) {
	if ok, err := python.Truth(v); !ok || err != nil {
		return nil, err
	}
	if s, ok := python.Text(v); ok {
		return []string{s}, nil
	}
	items, err := python.Items(v)
	if err != nil {
		return nil, python.Errorf("TypeError", "Expecting iterable %s, but got %s", name, python.TypeName(v))
	}
	var out []string
	for _, item := range items {
		if s, ok := python.Text(item); ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// anyMatch reports whether a glob or regular expression of the list matches the whole text.
func anyMatch(s string, list []string) bool {
	for _, p := range list {
		for _, expr := range []string{globToRegex(p), p} {
			re, err := regex.Compile(`\A(?:`+expr+`)\Z`, regex.Unicode)
			if err != nil {
				continue
			}
			if m, err := re.Search(s); err == nil && m != nil {
				return true
			}
		}
	}
	return false
}

// globToRegex is Python's fnmatch: a star matches slashes too.
func globToRegex(glob string) string {
	var b strings.Builder
	b.WriteString("(?s:")
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			end := strings.IndexByte(glob[min(i+2, len(glob)):], ']')
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			set := glob[i+1 : i+2+end]
			if set[0] == '!' {
				set = "^" + set[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += end + 2
		default:
			b.WriteString(regex.Escape(glob[i : i+1]))
		}
	}
	return b.String() + ")"
}

func filterToCamel(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	upper, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	words := strings.Split(s, "_")
	for i, w := range words {
		if i > 0 || upper {
			words[i] = python.Capitalize(w)
		}
	}
	return strings.Join(words, ""), nil
}

func filterToSnake(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	r := []rune(s)
	for i := range r {
		if i > 0 && unicode.IsUpper(r[i]) && (unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r[i]))
	}
	return b.String(), nil
}

func filterQuote(_ Host, c *python.Call) (any, error) {
	s, ok := python.Text(c.Args[0])
	if !ok {
		if _, err := python.Defined(c.Args[0]); err != nil {
			return nil, err
		}
		return nil, python.Errorf("TypeError", "expected string or bytes-like object, got '%s'", python.TypeName(c.Args[0]))
	}
	plain := s != ""
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)) {
			plain = false
		}
	}
	if plain {
		return s, nil
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'", nil
}

func filterRegexEscape(_ Host, c *python.Call) (any, error) {
	s, err := text(c.Args[0])
	return regex.Escape(s), err
}

func filterRegexSearch(_ Host, c *python.Call) (any, error) {
	return regexGroups(c, (*regex.Regexp).Search)
}

func filterRegexMatch(_ Host, c *python.Call) (any, error) {
	return regexGroups(c, (*regex.Regexp).Begins)
}

func regexGroups(c *python.Call, find func(*regex.Regexp, string) ([]int, error)) (any, error) {
	s, re, err := regexArgs(c, 2)
	if err != nil {
		return nil, err
	}
	m, err := find(re, s)
	if m == nil || err != nil {
		return nil, err
	}
	groups := make(value.Tuple, re.NumGroups())
	for i := range groups {
		if from, to := m[2*i+2], m[2*i+3]; from >= 0 {
			groups[i] = s[from:to]
		}
	}
	return groups, nil
}

func filterRegexReplace(_ Host, c *python.Call) (any, error) {
	s, re, err := regexArgs(c, 3)
	if err != nil {
		return nil, err
	}
	template, ok := python.Text(c.Args[2])
	if !ok {
		return nil, python.Errorf("TypeError", "the replacement must be text, not %s", python.TypeName(c.Args[2]))
	}
	by, err := re.Template(template)
	if err != nil {
		return nil, err
	}
	out, _, err := re.Sub([]byte(s), by, 0)
	return string(out), err
}

// hashes are the hash functions that filters know by name.
// bytesOf is the text or bytes of an argument.
// uuidSpace is the name space of the filter uuid in Salt.
func filterStrftime(h Host, c *python.Call) (any, error) {
	format, err := text(c.Args[1])
	if err != nil {
		return nil, err
	}
	var seconds float64
	switch v := c.Args[0].(type) {
	case nil:
		return (&python.Time{Time: h.Now()}).Strftime(format), nil
	case *python.Time:
		return v.Strftime(format), nil
	default:
		if seconds, err = toFloat(v); err != nil {
			if _, err := python.Defined(v); err != nil {
				return nil, err
			}
			s, err := text(v)
			if err != nil {
				return nil, err
			}
			return nil, python.Errorf("RuntimeError", "Unable to parse %s. Consider installing timelib", s)
		}
	}
	if seconds != seconds || seconds < -62135596800 || seconds > 253402300799 {
		return nil, python.Errorf("RuntimeError", "Unable to parse %v. Consider installing timelib", seconds)
	}
	t := time.UnixMicro(int64(seconds * 1e6)).In(h.Now().Location())
	return (&python.Time{Time: t}).Strftime(format), nil
}
