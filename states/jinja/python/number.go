package python

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"brine/states/value"
)

// IsNumber reports whether v is an int, a float or a bool, which Python counts as an int.
func IsNumber(v any) bool {
	switch v.(type) {
	case int64, float64, bool, *big.Int:
		return true
	}
	return false
}

// Int returns an int or bool that fits.
func Int(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// IsInt reports whether v is an int of any size or a bool.
func IsInt(v any) bool {
	switch v.(type) {
	case int64, bool, *big.Int:
		return true
	}
	return false
}

func bigOf(v any) *big.Int {
	if b, ok := v.(*big.Int); ok {
		return b
	}
	i, _ := Int(v)
	return big.NewInt(i)
}

// Float is the number as a float.
func Float(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	i, _ := Int(v)
	return float64(i)
}

func compareNumbers(a, b any) int {
	x, xInt := Int(a)
	y, yInt := Int(b)
	if xInt && yInt {
		return cmpOf(x < y, x > y)
	}
	if IsInt(a) && IsInt(b) {
		return bigOf(a).Cmp(bigOf(b))
	}
	f, g := Float(a), Float(b)
	if math.IsNaN(f) || math.IsNaN(g) {
		return unordered
	}
	if math.IsInf(f, 0) || math.IsInf(g, 0) {
		return cmpOf(f < g, f > g)
	}
	return exact(a).Cmp(exact(b))
}

func cmpOf(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// exact is a finite number without the loss of a conversion to float.
func exact(v any) *big.Rat {
	if f, ok := v.(float64); ok {
		return new(big.Rat).SetFloat64(f)
	}
	return new(big.Rat).SetInt(bigOf(v))
}

// ParseInt reads an integer as Python's int does: blanks around it, a sign, underscores between digits,
// a prefix where the base allows one.
func ParseInt(s string, base int) (any, bool) {
	s = strings.TrimFunc(s, isSpace)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = strings.TrimPrefix(s[:1], "+"), s[1:]
	}
	lower := strings.ToLower(s)
	for prefix, b := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if strings.HasPrefix(lower, prefix) && (base == b || base == 0) {
			s, base = strings.TrimPrefix(s[2:], "_"), b
			break
		}
	}
	if base == 0 {
		if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0_") != "" {
			return nil, false
		}
		base = 10
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || s[0] == '+' || s[0] == '-' {
		return nil, false
	}
	s = sign + strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(s, base, 64); err == nil {
		return i, true
	}
	if len(s) > 4300 {
		return nil, false
	}
	b, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil, false
	}
	return value.Int(b), true
}

// ParseFloat reads a float as Python's float does.
func ParseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// Truncate is int(f).
func Truncate(f float64) (any, error) {
	switch {
	case math.IsNaN(f):
		return nil, valueError("cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		return nil, Errorf("OverflowError", "cannot convert float infinity to integer")
	}
	i, _ := big.NewFloat(f).Int(nil)
	return value.Int(i), nil
}

// Itoa writes an int.
func Itoa(i int) string { return strconv.Itoa(i) }
