package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"brine/states/host"
	"brine/states/value"
)

type programArgs struct {
	Cmd string `arg:"cmd,required,alias=name" doc:"the name of a program"`
}

func which(_ context.Context, _ *host.Host, a programArgs) (any, error) {
	if file := find(a.Cmd, (&options{}).path(nil)); file != "" {
		return file, nil
	}
	return nil, nil
}

// find returns where a program lies in a PATH, or "".
func find(name, path string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if strings.Contains(name, "/") {
			file = name
		}
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil {
			return file
		}
	}
	return ""
}

type programsArgs struct {
	Cmds []string `arg:"cmds,required" doc:"names of programs"`
}

func whichBin(ctx context.Context, h *host.Host, a programsArgs) (any, error) {
	for _, name := range a.Cmds {
		if file, err := which(ctx, h, programArgs{name}); file != nil || err != nil {
			return file, err
		}
	}
	return nil, nil
}

func hasExec(ctx context.Context, h *host.Host, a programArgs) (bool, error) {
	file, err := which(ctx, h, a)
	return file != nil, err
}

func shells(_ context.Context, h *host.Host, _ struct{}) ([]string, error) {
	all := []string{}
	data, err := os.ReadFile(h.Path("/etc/shells"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for l := range bytes.Lines(data) {
		if name := string(bytes.TrimSpace(l)); name != "" && name[0] != '#' {
			all = append(all, name)
		}
	}
	return all, nil
}

type ttyArgs struct {
	Device string `arg:"device,required" doc:"a terminal, such as tty1, ttyS0 or pts3"`
	Echo   string `arg:"echo" doc:"what to write"`
}

var terminalName = regexp.MustCompile(`^(tty[A-Za-z]*[0-9]*|pts/?[0-9]+)$`)

func tty(_ context.Context, h *host.Host, a ttyArgs) (*value.Dict, error) {
	if !terminalName.MatchString(a.Device) {
		return nil, fmt.Errorf("cannot write to %q: it is no terminal such as tty1 or pts3", a.Device)
	}
	name := "/dev/" + a.Device
	if n, ok := strings.CutPrefix(a.Device, "pts"); ok {
		name = "/dev/pts/" + strings.TrimPrefix(n, "/")
	}
	f, err := os.OpenFile(h.Path(name), os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot write to a terminal: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Mode()&fs.ModeCharDevice == 0 {
		return nil, fmt.Errorf("cannot write to %q: it is no terminal", name)
	}
	if _, err := f.WriteString(a.Echo); err != nil {
		return nil, fmt.Errorf("cannot write to a terminal: %w", err)
	}
	return value.NewDict("Success", "Message was successfully echoed to "+name), nil
}
