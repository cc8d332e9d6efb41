package pkg

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A verification says that the files of packages have to be as these brought them.
type verification struct {
	on      bool
	ignore  names // types of files
	options names
}

func (v *verification) ArgType() string { return "boolean, or list of ignore_types and verify_options" }

func (v *verification) ParseArg(arg module.Value) error {
	const want = "true, false, or a list of ignore_types and verify_options"
	if _, isList := arg.Items(); !isList {
		on, err := arg.Bool()
		if v.on = on; err != nil {
			return arg.Want(want)
		}
		return nil
	}
	v.on = true
	for _, item := range arg.Each() {
		pairs, ok := item.Pairs()
		for _, p := range pairs {
			var err error
			switch p[0].Data {
			case "ignore_types":
				err = v.ignore.ParseArg(p[1])
			case "verify_options":
				err = v.options.ParseArg(p[1])
			default:
				ok = false
			}
			ok = ok && err == nil
		}
		if !ok {
			return arg.Want(want)
		}
	}
	return nil
}

type verifyArgs struct {
	Names  []string `arg:"names,rest,required" doc:"the packages"`
	Ignore names    `arg:"ignore_types" doc:"types of files that may differ: config, doc, ghost, license, readme"`
	Option names    `arg:"verify_options" doc:"options of the program that looks, such as nomtime"`
}

// verify returns the files that differ, of all packages.
func verify(ctx context.Context, h *host.Host, a verifyArgs) (*value.Dict, error) {
	s, _, err := installed(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, name := range a.Names {
		files, err := s.Verify(ctx, name, a.Ignore, a.Option)
		if err != nil {
			return nil, fmt.Errorf("cannot verify %s: %w", name, err)
		}
		for file, what := range files.All() {
			all.Put(file.(string), what)
		}
	}
	return all, nil
}

// intact says whether the files of a package are as it brought them, where the request asks for that.
func (r *request) intact(ctx context.Context, name string) (bool, error) {
	if !r.verify.on {
		return true, nil
	}
	files, err := r.system.Verify(ctx, name, r.verify.ignore, r.verify.options)
	if err != nil {
		return false, fmt.Errorf("cannot verify %s: %w", name, err)
	}
	return files.Len() == 0, nil
}
