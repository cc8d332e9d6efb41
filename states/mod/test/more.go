package test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"brine/proto"
	"brine/states/host"
	"brine/states/jinja/python"
	"brine/states/value"
)

func argRepr(_ context.Context, _ *host.Host, a argArgs) (any, error) {
	return each(a, func(v any) (any, error) { return python.Repr(v) })
}

func argType(_ context.Context, _ *host.Host, a argArgs) (any, error) {
	return each(a, func(v any) (any, error) { return fmt.Sprintf("<class '%s'>", class(v)), nil })
}

// class is Python's name of a value's type.
func class(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case *value.Dict:
		return "dict"
	case *value.List:
		return "list"
	}
	return value.Kind(v)
}

// each makes something of each argument.
func each(a argArgs, make func(any) (any, error)) (any, error) {
	args, kwargs := value.NewList(), &value.Dict{}
	for _, v := range a.Args {
		made, err := make(v)
		if err != nil {
			return nil, err
		}
		args.Items = append(args.Items, made)
	}
	for k, v := range a.Kwargs.All() {
		made, err := make(v)
		if err != nil {
			return nil, err
		}
		_ = kwargs.Set(k, made) // it was a key already
	}
	return value.NewDict("args", args, "kwargs", kwargs), nil
}

type assertionArgs struct {
	Assertion any `arg:"assertion,required" doc:"the value"`
}

func assertion(_ context.Context, _ *host.Host, a assertionArgs) (any, error) {
	if !value.Truth(a.Assertion) {
		return nil, errors.New("cannot go on: the value is not true")
	}
	return nil, nil
}

type collatzArgs struct {
	Start int64 `arg:"start,required" doc:"the first number"`
}

func collatz(ctx context.Context, _ *host.Host, a collatzArgs) (any, error) {
	if a.Start < 1 {
		return nil, fmt.Errorf("cannot begin with %d: want a number from 1 on", a.Start)
	}
	begin, steps := time.Now(), value.NewList()
	for n := big.NewInt(a.Start); ; {
		steps.Items = append(steps.Items, value.Int(new(big.Int).Set(n)))
		if n.Cmp(big.NewInt(1)) == 0 {
			return value.NewList(steps, time.Since(begin).Seconds()), nil
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if n.Bit(0) == 0 {
			n.Rsh(n, 1)
		} else {
			n.Add(n.Mul(n, big.NewInt(3)), big.NewInt(1))
		}
	}
}

type fibArgs struct {
	Num int `arg:"num,required" doc:"which number, at most 100000"`
}

func fib(_ context.Context, _ *host.Host, a fibArgs) (any, error) {
	if a.Num < 0 || a.Num > 100_000 {
		return nil, fmt.Errorf("cannot compute number %d of Fibonacci: want 0 to 100000", a.Num)
	}
	begin := time.Now()
	x, y := big.NewInt(0), big.NewInt(1)
	for range a.Num {
		x.Add(x, y)
		x, y = y, x
	}
	return value.NewList(value.Int(x), time.Since(begin).Seconds()), nil
}

func getOpts(_ context.Context, h *host.Host, _ noArgs) (any, error) { return named(h.Config), nil }

type outputterArgs struct {
	Data any `arg:"data,required" doc:"the value"`
}

func outputter(_ context.Context, _ *host.Host, a outputterArgs) (any, error) { return a.Data, nil }

type providerArgs struct {
	Module string `arg:"module,required" doc:"the module"`
}

func provider(ctx context.Context, h *host.Host, a providerArgs) (any, error) {
	all, err := providers(ctx, h, noArgs{})
	if err != nil {
		return nil, err
	}
	name, ok := all.Get(a.Module)
	if !ok {
		return nil, fmt.Errorf("cannot find the module %q: there is none", a.Module)
	}
	return name, nil
}

func providers(_ context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	if h.Modules == nil {
		return nil, errors.New("cannot look for modules: this host has none")
	}
	all := &value.Dict{}
	for _, name := range h.Modules.Modules() {
		all.Put(name, name)
	}
	return all, nil
}

type randSleepArgs struct {
	Max time.Duration `arg:"max" default:"60" doc:"how long at most, in seconds"`
}

func randSleep(ctx context.Context, h *host.Host, a randSleepArgs) (bool, error) {
	return sleep(ctx, h, sleepArgs{time.Duration(rand.Int64N(int64(a.Max) + 1))})
}

func stack(context.Context, *host.Host, noArgs) (string, error) { return string(debug.Stack()), nil }

func versionsInformation(_ context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	system := value.NewDict("kernel", runtime.GOOS, "machine", runtime.GOARCH)
	for _, name := range []string{"osfinger", "kernelrelease"} {
		if v, ok := h.Grains.Get(name); ok {
			system.Put(name, v)
		}
	}
	return value.NewDict("Brine Version", value.NewDict("Brine", proto.Version),
		"Dependency Versions", value.NewDict("Go", runtime.Version()), "System Versions", system), nil
}

func versions(ctx context.Context, h *host.Host, a noArgs) (string, error) {
	all, err := versionsInformation(ctx, h, a)
	var b strings.Builder
	for title, v := range all.All() {
		fmt.Fprintf(&b, "%v:\n", title)
		for name, version := range v.(*value.Dict).All() {
			fmt.Fprintf(&b, "%18v: %v\n", name, version)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n"), err
}
