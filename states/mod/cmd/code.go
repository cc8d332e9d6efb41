package cmd

import (
	"context"
	"errors"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type codeArgs struct {
	Lang string `arg:"lang,required" doc:"the program that runs it, such as python3, perl or ruby"`
	Code string `arg:"code,required" doc:"the text to run"`
	place
	Args argument `arg:"args" doc:"its arguments: a list, or text, which is one argument"`
	input
	account
	surround
	raising
}

func (a *codeArgs) execute(ctx context.Context, h *host.Host) (outcome, error) {
	if strings.TrimSpace(a.Lang) == "" {
		return outcome{}, errors.New("cannot run code: lang is empty")
	}
	o := options{a.place, a.input, a.account, a.surround}
	code, err := o.render(ctx, h, "code", a.Code, nil)
	if err != nil {
		return outcome{}, err
	}
	name := "code"
	if isPowershell(a.Lang) {
		name = "code.ps1"
	}
	r, err := o.runCopy(ctx, h, strings.NewReader(code), name, a.Lang, func(file string, _ []byte) []string {
		argv := []string{a.Lang, file}
		if isPowershell(a.Lang) {
			argv = []string{a.Lang, "-File", file}
		}
		return append(argv, a.Args...)
	})
	return r, a.err(a.Lang, r, err)
}

func execCode(ctx context.Context, h *host.Host, a codeArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h)
	return (&options{surround: a.surround}).returned(r.stdout, r, err)
}

func execCodeAll(ctx context.Context, h *host.Host, a codeArgs) (module.Returned, error) {
	r, err := a.execute(ctx, h)
	return (&options{surround: a.surround}).returned(r.dict(), r, err)
}
