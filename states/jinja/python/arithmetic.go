package python

import (
	"math"
	"math/big"
	"math/bits"
	"strings"

	"brine/states/value"
)

// Binary evaluates a binary operator: + - * / // % **.
func Binary(op string, a, b any) (any, error) {
	if u, ok := a.(*Undefined); ok {
		return nil, u.Err()
	}
	if u, ok := b.(*Undefined); ok {
		if _, isText := Text(a); op != "%" || !isText {
			return nil, u.Err()
		}
	}
	if u := eitherUnknown(a, b); u != nil {
		return u, nil
	}
	if IsNumber(a) && IsNumber(b) {
		return arithmetic(op, a, b)
	}
	switch op {
	case "+":
		return add(a, b)
	case "*":
		if n, ok := repeatCount(b); ok {
			return repeat(a, n)
		}
		if n, ok := repeatCount(a); ok {
			return repeat(b, n)
		}
	case "%":
		if s, ok := a.(string); ok {
			return Percent(s, b)
		}
		if m, ok := a.(Markup); ok {
			return percentMarkup(m, b)
		}
	case "-":
		if x, ok := a.(*value.Set); ok {
			if y, ok := b.(*value.Set); ok {
				return setDifference(x, y.Has), nil
			}
		}
	}
	return nil, unsupported(op, a, b)
}

func unsupported(op string, a, b any) error {
	name := op
	if op == "**" {
		name = "** or pow()"
	}
	return typeError("unsupported operand type(s) for %s: '%s' and '%s'", name, TypeName(a), TypeName(b))
}

func setDifference(a *value.Set, has func(any) bool) *value.Set {
	out := &value.Set{}
	for _, m := range a.Items() {
		if !has(m) {
			_ = out.Add(m) // it was a member
		}
	}
	return out
}

func add(a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			return bounded(x, y)
		case Markup:
			return Escape(x) + y, nil
		}
		return nil, typeError("can only concatenate str (not \"%s\") to str", TypeName(b))
	case Markup:
		if y, ok := Text(b); ok {
			if m, ok := b.(Markup); ok {
				return x + m, nil
			}
			return x + Escape(y), nil
		}
	case *value.List:
		if y, ok := b.(*value.List); ok {
			items, err := joined(x.Items, y.Items)
			return &value.List{Items: items}, err
		}
		return nil, typeError("can only concatenate list (not \"%s\") to list", TypeName(b))
	case value.Tuple:
		if y, ok := b.(value.Tuple); ok {
			items, err := joined(x, y)
			return value.Tuple(items), err
		}
		return nil, typeError("can only concatenate tuple (not \"%s\") to tuple", TypeName(b))
	case []byte:
		if y, ok := b.([]byte); ok {
			return append(append([]byte(nil), x...), y...), nil
		}
	}
	return nil, unsupported("+", a, b)
}

func bounded(a, b string) (any, error) {
	if len(a)+len(b) > maxText {
		return nil, tooLarge("text")
	}
	return a + b, nil
}

func joined(a, b []any) ([]any, error) {
	if len(a)+len(b) > maxItems {
		return nil, tooLarge("sequence")
	}
	return append(append(make([]any, 0, len(a)+len(b)), a...), b...), nil
}

func repeatCount(v any) (int64, bool) {
	n, ok := Int(v)
	return max(n, 0), ok
}

func repeat(v any, n int64) (any, error) {
	switch v := v.(type) {
	case string:
		s, err := repeatText(v, n)
		return s, err
	case Markup:
		s, err := repeatText(string(v), n)
		return Markup(s), err
	case []byte:
		s, err := repeatText(string(v), n)
		return []byte(s), err
	case *value.List:
		items, err := repeatItems(v.Items, n)
		return &value.List{Items: items}, err
	case value.Tuple:
		items, err := repeatItems(v, n)
		return value.Tuple(items), err
	}
	return nil, unsupported("*", v, n)
}

func repeatText(s string, n int64) (string, error) {
	if s != "" && n > maxText/int64(len(s)) {
		return "", tooLarge("text")
	}
	if s == "" {
		return "", nil
	}
	return strings.Repeat(s, int(n)), nil
}

func repeatItems(items []any, n int64) ([]any, error) {
	if len(items) > 0 && n > maxItems/int64(len(items)) {
		return nil, tooLarge("sequence")
	}
	var out []any
	for range n {
		if len(items) == 0 {
			break
		}
		out = append(out, items...)
	}
	return out, nil
}

func arithmetic(op string, a, b any) (any, error) {
	if op == "/" {
		return divide(a, b)
	}
	x, xSmall := Int(a)
	y, ySmall := Int(b)
	if xSmall && ySmall {
		if v, ok, err := small(op, x, y); ok || err != nil {
			return v, err
		}
	}
	if IsInt(a) && IsInt(b) {
		return large(op, bigOf(a), bigOf(b))
	}
	return floats(op, Float(a), Float(b))
}

func divide(a, b any) (any, error) {
	if Float(b) == 0 {
		if IsInt(a) && IsInt(b) {
			return nil, Errorf("ZeroDivisionError", "division by zero")
		}
		return nil, Errorf("ZeroDivisionError", "float division by zero")
	}
	if x, y := Float(a), Float(b); math.Abs(x) < 1<<53 && math.Abs(y) < 1<<53 {
		return x / y, nil
	}
	if IsInt(a) && IsInt(b) {
		f, _ := new(big.Rat).SetFrac(bigOf(a), bigOf(b)).Float64()
		if math.IsInf(f, 0) {
			return nil, Errorf("OverflowError", "integer division result too large for a float")
		}
		return f, nil
	}
	return Float(a) / Float(b), nil
}

// small computes on int64; not ok when the result does not fit.
func small(op string, x, y int64) (any, bool, error) {
	switch op {
	case "+":
		s := x + y
		return s, (s > x) == (y > 0), nil
	case "-":
		d := x - y
		return d, (d < x) == (y > 0), nil
	case "*":
		hi, lo := bits.Mul64(magnitude(x), magnitude(y))
		if hi != 0 || lo > math.MaxInt64 {
			return nil, false, nil
		}
		return x * y, true, nil
	case "//", "%":
		if y == 0 {
			return nil, false, Errorf("ZeroDivisionError", "integer division or modulo by zero")
		}
		if x == math.MinInt64 && y == -1 {
			return nil, false, nil
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) {
			q, r = q-1, r+y
		}
		if op == "%" {
			return r, true, nil
		}
		return q, true, nil
	}
	return nil, false, nil
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return uint64(-x)
	}
	return uint64(x)
}

func large(op string, x, y *big.Int) (any, error) {
	r := new(big.Int)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		if x.BitLen()+y.BitLen() > maxBits {
			return nil, tooLarge("integer")
		}
		r.Mul(x, y)
	case "//", "%":
		if y.Sign() == 0 {
			return nil, Errorf("ZeroDivisionError", "integer division or modulo by zero")
		}
		m := new(big.Int)
		r.QuoRem(x, y, m)
		if m.Sign() != 0 && (m.Sign() < 0) != (y.Sign() < 0) {
			r.Sub(r, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			r = m
		}
	case "**":
		return power(x, y)
	}
	return value.Int(r), nil
}

func power(x, y *big.Int) (any, error) {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power")
		}
		return accuratePower(Float(x), Float(y)), nil
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits/int64(x.BitLen())) {
		return nil, tooLarge("integer")
	}
	if x.BitLen() <= 1 && !y.IsInt64() {
		y = big.NewInt(2 + int64(y.Bit(0)))
	}
	return value.Int(new(big.Int).Exp(x, y, nil)), nil
}

func floats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return floatPower(x, y)
	}
	if y == 0 {
		if op == "%" {
			return nil, Errorf("ZeroDivisionError", "float modulo")
		}
		return nil, Errorf("ZeroDivisionError", "float floor division by zero")
	}
	m := math.Mod(x, y)
	if m != 0 && (m < 0) != (y < 0) {
		m += y
	} else if m == 0 {
		m = math.Copysign(0, y)
	}
	if op == "%" {
		return m, nil
	}
	q := (x - m) / y
	if q == 0 {
		return math.Copysign(0, x/y), nil
	}
	floor := math.Floor(q)
	if q-floor > 0.5 {
		floor++
	}
	return floor, nil
}

func floatPower(x, y float64) (any, error) {
	if x == 0 && y < 0 {
		return nil, Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(y, 0) {
		return nil, valueError("a negative number cannot be raised to a fractional power here")
	}
	f := accuratePower(x, y)
	if math.IsInf(f, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, Errorf("OverflowError", "(34, 'Numerical result out of range')")
	}
	return f, nil
}

// accuratePower is x to the power of y to the last digit, which math.Pow is not.
func accuratePower(x, y float64) float64 {
	rough := math.Pow(x, y)
	if x == 0 || rough == 0 || math.IsNaN(rough) || math.IsInf(rough, 0) || math.IsInf(x, 0) || math.Abs(y) > 1<<20 {
		return rough
	}
	const precision = 160
	number := func(f float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(f) }
	whole, rest := math.Modf(math.Abs(y))
	result, square := number(1), number(x)
	for n := int64(whole); n > 0; n >>= 1 {
		if n&1 == 1 {
			result.Mul(result, square)
		}
		square.Mul(square, square)
	}
	// The rest is a sum of powers of 1/2, each a root of x.
	for root := number(math.Abs(x)); rest > 0; {
		root.Sqrt(root)
		if rest *= 2; rest >= 1 {
			result.Mul(result, root)
			rest--
		}
	}
	if y < 0 {
		result.Quo(number(1), result)
	}
	f, _ := result.Float64()
	return f
}

// Negate is unary minus.
func Negate(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		return -v, nil
	case *Undefined:
		return nil, v.Err()
	case *Unknown:
		return v, nil
	}
	if !IsInt(v) {
		return nil, typeError("bad operand type for unary -: '%s'", TypeName(v))
	}
	return value.Int(new(big.Int).Neg(bigOf(v))), nil
}

// Plus is unary plus.
func Plus(v any) (any, error) {
	switch v := v.(type) {
	case float64, *big.Int, int64, *Unknown:
		return v, nil
	case bool:
		i, _ := Int(v)
		return i, nil
	case *Undefined:
		return nil, v.Err()
	}
	return nil, typeError("bad operand type for unary +: '%s'", TypeName(v))
}
