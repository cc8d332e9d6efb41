package yaml

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"brine/states/value"
)

// The implicit resolvers of PyYAML, word for word; (?:...) groups as there.
var (
	intForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)` +
			`|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	})
	floatForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?` +
			`|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*` +
			`|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	})
)

// words are the plain scalars that are not strings, other than numbers.
var words = map[string]any{
	"": nil, "~": nil, "null": nil, "Null": nil, "NULL": nil,
	"yes": true, "Yes": true, "YES": true, "no": false, "No": false, "NO": false,
	"true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false,
	"on": true, "On": true, "ON": true, "off": false, "Off": false, "OFF": false,
}

// maxDigits bounds numbers, as Python does: reading one takes time that grows with
// the square of its length.
const maxDigits = 4300

// resolve returns what a plain scalar means: dates and everything else that is
// no word and no number stays a string, as Salt's loader has it.
func resolve(text string) any {
	if v, ok := words[text]; ok {
		return v
	}
	if c := text[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return text
	}
	if len(text) > maxDigits {
		return text
	}
	if floatForm().MatchString(text) {
		if f, ok := parseFloat(text); ok {
			return f
		}
	} else if intForm().MatchString(text) {
		if i, ok := parseInt(text); ok {
			return i
		}
	}
	return text
}

// parseInt reads an integer as Salt's loader does: leading zeros are cut off
// ("0644" is 644) unless a sign stands before them ("-0755" is octal).
func parseInt(text string) (any, bool) {
	if text == "0" {
		return int64(0), true
	}
	zeros := strings.HasPrefix(text, "0") && !strings.HasPrefix(text, "0b") && !strings.HasPrefix(text, "0x")
	if zeros {
		text = strings.TrimLeft(text, "0")
	}
	digits := strings.ReplaceAll(text, "_", "")
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = strings.TrimPrefix(digits[:1], "+"), digits[1:]
	}
	switch {
	case digits == "":
		return int64(0), zeros
	case strings.HasPrefix(digits, "0b"):
		return integer(sign+digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		return integer(sign+digits[2:], 16)
	case digits[0] == '0' && len(digits) > 1:
		return integer(sign+digits, 8)
	case strings.Contains(digits, ":"):
		return sexagesimal(sign, digits)
	}
	return integer(sign+digits, 10)
}

// integer returns an int64, or a *big.Int for what does not fit.
func integer(digits string, base int) (any, bool) {
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return i, true
	}
	if len(digits) > maxDigits {
		return nil, false
	}
	if i, ok := new(big.Int).SetString(digits, base); ok {
		return i, true
	}
	return nil, false
}

// sexagesimal reads 12:30:45 as 45045.
func sexagesimal(sign, digits string) (any, bool) {
	sum := new(big.Int)
	for part := range strings.SplitSeq(digits, ":") {
		n, ok := new(big.Int).SetString(part, 10)
		if !ok || len(digits) > maxDigits {
			return nil, false
		}
		sum.Add(sum.Mul(sum, big.NewInt(60)), n)
	}
	if sign == "-" {
		sum.Neg(sum)
	}
	return value.Int(sum), true
}

func parseFloat(text string) (float64, bool) {
	text = strings.ToLower(strings.ReplaceAll(text, "_", ""))
	sign := 1.0
	if text != "" && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	switch text {
	case ".inf":
		return sign * math.Inf(1), true
	case ".nan":
		return math.NaN(), true
	}
	sum := 0.0
	for part := range strings.SplitSeq(text, ":") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil && !math.IsInf(f, 0) || strings.Contains(part, "x") { // Python reads no 0x1p4
			return 0, false
		}
		sum = sum*60 + f
	}
	return sign * sum, true
}
