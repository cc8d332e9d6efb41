package library

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"brine/states/jinja/dump"
	"brine/states/jinja/python"
	"brine/states/value"
)

func filterAbs(_ Host, c *python.Call) (any, error) {
	v := c.Args[0]
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	if !python.IsInt(v) {
		return nil, python.WrongType(v, "bad operand type for abs(): '%s'")
	}
	if less, err := python.Less(v, int64(0)); err != nil || less {
		return python.Negate(v)
	}
	return python.Plus(v)
}

func filterFilesize(_ Host, c *python.Call) (any, error) {
	f, err := toFloat(c.Args[0])
	if err != nil {
		return nil, err
	}
	binary, err := boolArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case f == 1:
		return "1 Byte", nil
	case f < base:
		return fmt.Sprintf("%d Bytes", int64(f)), nil
	}
	unit := base
	for i, name := range units {
		unit *= base
		if f < unit || i == len(units)-1 {
			return fmt.Sprintf("%.1f %s", base*f/unit, name), nil
		}
	}
	return nil, nil
}

// toFloat is Python's float(v).
func toFloat(v any) (float64, error) {
	if python.IsNumber(v) {
		return python.Float(v), nil
	}
	if s, ok := python.Text(v); ok {
		if f, ok := python.ParseFloat(s); ok {
			return f, nil
		}
		return 0, python.Errorf("ValueError", "could not convert string to float: %s", python.Quote(s))
	}
	if _, err := python.Defined(v); err != nil {
		return 0, err
	}
	return 0, python.Errorf("TypeError", "float() argument must be a string or a real number, not '%s'", python.TypeName(v))
}

func filterFloat(_ Host, c *python.Call) (any, error) {
	if u, ok := c.Args[0].(*python.Undefined); ok {
		return nil, u.Err()
	}
	f, err := toFloat(c.Args[0])
	if err != nil {
		return c.Args[1], nil
	}
	return f, nil
}

func filterInt(_ Host, c *python.Call) (any, error) {
	v := c.Args[0]
	if u, ok := v.(*python.Undefined); ok {
		return nil, u.Err()
	}
	base, err := intArg(c.Args[2])
	if err != nil {
		return nil, err
	}
	if s, ok := python.Text(v); ok {
		if base == 0 || base >= 2 && base <= 36 {
			if i, ok := python.ParseInt(s, base); ok {
				return i, nil
			}
		}
	} else if python.IsInt(v) {
		return python.Plus(v)
	}
	f, err := toFloat(v)
	if err != nil {
		return c.Args[1], nil
	}
	i, err := python.Truncate(f)
	if err != nil {
		return c.Args[1], nil
	}
	return i, nil
}

func filterRound(_ Host, c *python.Call) (any, error) {
	method, _ := python.Text(c.Args[2])
	precision, err := intArg(c.Args[1])
	if err != nil {
		return nil, err
	}
	v := c.Args[0]
	if u, ok := v.(*python.Undefined); ok && method != "common" {
		return nil, u.Err()
	}
	if !python.IsNumber(v) {
		return nil, python.WrongType(v, "type %s doesn't define __round__ method")
	}
	switch method {
	case "common":
		if python.IsInt(v) {
			return roundInt(v, precision)
		}
		return roundFloat(python.Float(v), precision), nil
	case "ceil":
		p := math.Pow(10, float64(precision))
		return math.Ceil(python.Float(v)*p)/p + 0, nil
	case "floor":
		p := math.Pow(10, float64(precision))
		return math.Floor(python.Float(v)*p)/p + 0, nil
	}
	return nil, python.Errorf("FilterArgumentError", "method must be common, ceil or floor")
}

// roundFloat rounds half to even, on the exact value.
func roundFloat(f float64, precision int) float64 {
	if precision >= 0 {
		r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', min(precision, 400), 64), 64)
		if err != nil {
			return f
		}
		return r
	}
	p := math.Pow(10, float64(-precision))
	return math.RoundToEven(f/p) * p
}

func roundInt(v any, precision int) (any, error) {
	v, err := python.Plus(v)
	if err != nil || precision >= 0 || precision < -400 {
		return v, err
	}
	i, ok := v.(*big.Int)
	if !ok {
		i = big.NewInt(v.(int64))
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-precision)), nil)
	q, r := new(big.Int).DivMod(i, p, new(big.Int))
	half := new(big.Int).Lsh(r, 1).Cmp(p)
	if half > 0 || half == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return value.Int(q.Mul(q, p)), nil
}

func filterPython(_ Host, c *python.Call) (any, error) {
	s, err := dump.Python(c.Args[0])
	return s, err
}
