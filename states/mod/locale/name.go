package locale

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/module"
)

// A name is a locale taken apart, such as de_DE.UTF-8@euro UTF-8.
type name struct {
	language, territory, codeset, modifier string
	charmap                                string
}

func (*name) ArgType() string { return "locale" }

// ParseArg implements module.ArgParser.
func (n *name) ParseArg(v module.Value) error {
	text, err := v.Str()
	strange := func(r rune) bool {
		return !strings.ContainsRune(" ._@+-", r) && (r < '0' || r > '9') && (r|' ' < 'a' || r|' ' > 'z')
	}
	fields := strings.Fields(text)
	if err != nil || len(fields) < 1 || len(fields) > 2 || text[0] == '-' || strings.ContainsFunc(text, strange) {
		return v.Want("a locale such as de_DE.UTF-8")
	}
	*n = parse(text)
	return nil
}

func parse(text string) name {
	var n name
	text, n.charmap, _ = strings.Cut(strings.Join(strings.Fields(text), " "), " ")
	text, n.modifier, _ = strings.Cut(text, "@")
	text, n.codeset, _ = strings.Cut(text, ".")
	n.language, n.territory, _ = strings.Cut(text, "_")
	return n
}

// input is the description of the language, such as de_DE@euro.
func (n name) input() string {
	text := n.language
	if n.territory != "" {
		text += "_" + n.territory
	}
	return text + n.mod()
}

func (n name) mod() string {
	if n.modifier == "" {
		return ""
	}
	return "@" + n.modifier
}

// plain is the name without its character map.
func (n name) plain() string {
	text := strings.TrimSuffix(n.input(), n.mod())
	if n.codeset != "" {
		text += "." + n.codeset
	}
	return text + n.mod()
}

// String is the whole name.
func (n name) String() string { return strings.TrimSpace(n.plain() + " " + n.charmap) }

// same is the name as all its spellings are compared: the C library takes the codeset without its signs.
func (n name) same() string {
	n.codeset = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(n.codeset))
	return n.plain()
}

// in says whether the locale is one of those.
func (n name) in(all []string) bool {
	return slices.ContainsFunc(all, func(l string) bool { return parse(l).same() == n.same() })
}

// fits says whether a line such as "de_DE.UTF-8 UTF-8" is of this locale.
func (n name) fits(line string) bool {
	other := parse(line)
	return other.same() == n.same() && (n.charmap == "" || strings.EqualFold(other.charmap, n.charmap))
}

func (n name) missing(where, hint string) error {
	return fmt.Errorf("cannot make the locale %q: it is not in %s%s", n, where, hint)
}
