// Package hello leaves greetings on a host.
package hello

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"brine/states/host"
	"brine/states/module"
)

// Module is the hello module.
var Module = module.Module{
	Name: "hello",
	Doc:  "Leave greetings, to show how a module is made.",
	Funcs: []module.Func{{
		Name: "read", Doc: "Return the greeting in a file.",
		Example: "/etc/motd", Do: module.Call(read),
	}},
	States: []module.State{{
		Name: "greeted",
		Doc:  "Make sure that a file greets.",
		Example: `
			/etc/motd:
			  hello.greeted:
			    - whom: world`,
		Plan: module.Look(greeted),
	}},
}

type readArgs struct {
	Path string `arg:"path,required" doc:"the file"`
}

func read(_ context.Context, h *host.Host, a readArgs) (string, error) {
	text, err := os.ReadFile(h.Path(a.Path))
	return string(text), err
}

type greetedArgs struct {
	Name string `arg:"name,required" doc:"the file"`
	Whom string `arg:"whom" default:"you" doc:"who is greeted"`
}

// greeted looks at the host, and plans. Only a step's function may change anything.
func greeted(ctx context.Context, h *host.Host, a greetedArgs) (module.Plan, error) {
	want := "hello " + a.Whom + "\n"
	have, err := read(ctx, h, readArgs{Path: a.Name})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return module.Plan{}, err
	}
	if have == want {
		return module.Plan{Same: a.Name + " greets already"}, nil
	}
	write := func(context.Context) error {
		if err := os.WriteFile(h.Path(a.Name), []byte(want), 0o644); err != nil {
			return fmt.Errorf("cannot greet: %w", err)
		}
		return nil
	}
	return module.Plan{Steps: []module.Step{module.Replace("greeting", have, want, write)}}, nil
}
