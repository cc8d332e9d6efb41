package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"brine/proto"
)

// sealed takes out of a job's arguments those that only its minions may read: the pillar that is given to states, and
// what --secret-file names.
func (f *jobFlags) sealed(function string, args []*proto.Argument) (open, sealed []*proto.Argument, err error) {
	for _, arg := range args {
		if arg.Name == "pillar" && strings.HasPrefix(function, "state.") {
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
