package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/states/all"
	"brine/states/module"
)

// sealed takes out of a job's arguments those that only its minions may read: the pillar that is given to states, and
// what --secret-file names.
func (f *jobFlags) sealed(function string, args []*proto.Argument) (open, sealed []*proto.Argument, err error) {
	secret := strings.HasPrefix(function, "state.") || takesPillar(function)
	for _, arg := range args {
		if arg.Name == "pillar" && secret {
			sealed = append(sealed, arg)
		} else {
			open = append(open, arg)
		}
	}
	for _, s := range f.secrets {
		name, file, ok := strings.Cut(s, "=")
		if !ok || name == "" || file == "" {
			return nil, nil, fmt.Errorf("cannot use --secret-file %q: want NAME=FILE", s)
		}
		if name == "saltenv" || name == "pillarenv" {
			return nil, nil, fmt.Errorf("cannot seal %s: masters have to know whether you may use that environment", name)
		}
		data, err := secretFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the argument %q: %w", name, err)
		}
		sealed = append(sealed, text(name, string(bytes.TrimSuffix(data, []byte("\n")))))
	}
	return open, sealed, nil
}

// takesPillar tells of functions with an argument that is pillar; one that a function can't do without is the name of a value.
func takesPillar(function string) bool {
	f, err := all.Index().Func(function)
	return err == nil && slices.ContainsFunc(f.Params(), func(p module.Param) bool { return p.Name == "pillar" && !p.Required })
}

// byName gives those arguments their names that masters look for by name, and all after the first of them.
func byName(function string, args []*proto.Argument) []*proto.Argument {
	x := all.Index()
	known := all.ByName(x, function)
	f, err := x.Func(function)
	if len(known) == 0 || err != nil {
		return args
	}
	first, params := slices.Min(slices.Collect(maps.Keys(known))), f.Params()
	out, position := slices.Clone(args), 0
	for i, a := range args {
		if a.Name != "" {
			continue
		}
		if position >= first && position < len(params) && !params[position].Rest && !params[position].Named {
			out[i] = pb.CloneOf(a)
			out[i].Name = params[position].Name
		}
		position++
	}
	return out
}

// maxSecret is how large an argument of a file may be.
const maxSecret = 256 << 10

func secretFile(name string) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err == nil && len(data) > maxSecret {
		err = fmt.Errorf("%s has over %d KiB", name, maxSecret>>10)
	}
	return data, err
}
