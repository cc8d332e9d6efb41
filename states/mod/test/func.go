package test

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	"brine/proto"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type noArgs struct{}

func yes(context.Context, *host.Host, noArgs) (bool, error) { return true, nil }

func no(context.Context, *host.Host, noArgs) (bool, error) { return false, nil }

func version(context.Context, *host.Host, noArgs) (string, error) { return proto.Version, nil }

type echoArgs struct {
	Text any `arg:"text,required" doc:"what to return; a value that is no text stays what it is"`
}

func echo(_ context.Context, _ *host.Host, a echoArgs) (any, error) { return a.Text, nil }

type argArgs struct {
	Args   []any       `arg:"args,rest" doc:"any values"`
	Kwargs *value.Dict `arg:"kwargs,named" doc:"any named values"`
}

func arg(_ context.Context, _ *host.Host, a argArgs) (any, error) {
	return value.NewDict("args", value.NewList(a.Args...), "kwargs", named(a.Kwargs)), nil
}

type kwargArgs struct {
	Kwargs *value.Dict `arg:"kwargs,named" doc:"any named values"`
}

func kwarg(_ context.Context, _ *host.Host, a kwargArgs) (any, error) { return named(a.Kwargs), nil }

func named(d *value.Dict) *value.Dict {
	if d == nil {
		return &value.Dict{}
	}
	return d
}

type exceptionArgs struct {
	Message string `arg:"message" default:"Test Exception" doc:"the error"`
}

func exception(_ context.Context, _ *host.Host, a exceptionArgs) (any, error) {
	return nil, errors.New(a.Message)
}

type retcodeArgs struct {
	Code int32 `arg:"code" default:"42" doc:"the return code"`
}

func retcode(_ context.Context, _ *host.Host, a retcodeArgs) (module.Returned, error) {
	return module.Returned{Value: true, Retcode: int(a.Code)}, nil
}

type sleepArgs struct {
	Length time.Duration `arg:"length,required" doc:"how long, in seconds"`
}

func sleep(ctx context.Context, _ *host.Host, a sleepArgs) (bool, error) {
	t := time.NewTimer(a.Length)
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

type randStrArgs struct {
	Size int `arg:"size" default:"32" doc:"how many characters, at most 1048576"`
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func randStr(_ context.Context, _ *host.Host, a randStrArgs) (string, error) {
	if a.Size < 0 || a.Size > 1<<20 {
		return "", errors.New("cannot make random text: size must be between 0 and 1048576")
	}
	text := make([]byte, a.Size)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", err
		}
		text[i] = letters[n.Int64()]
	}
	return string(text), nil
}
