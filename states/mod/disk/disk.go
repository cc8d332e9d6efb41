// Package disk tells how full file systems are and what lies on block devices.
package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the disk module.
var Module = module.Module{
	Name: "disk",
	Doc:  "Tell how full file systems are and what lies on block devices.",
	Funcs: []module.Func{
		{
			Name: "blkid", Doc: "Return what block devices hold: LABEL, UUID, TYPE and more, by device.",
			Example: "/dev/sda1", Do: module.Call(blkid),
		},
		{
			Name: "fstype", Doc: "Return the kind of the file system of a block device or a path; empty text when there is none.",
			Example: "/dev/sda1", Do: module.Call(fstype),
		},
		{
			Name: "inodeusage", Doc: "Return how many inodes of file systems are used, by mount point.",
			Example: "l", Do: module.Call(inodeUsage),
		},
		{
			Name: "percent", Doc: "Return how full file systems are in percent, by mount point, or how full one is.",
			Example: "/var", Do: module.Call(percent),
		},
		{
			Name: "usage", Doc: "Return how full file systems are in blocks of 1024 bytes, by mount point.",
			Example: "l", Do: module.Call(usage),
		},
	},
}

type flagArgs struct {
	Args flags `arg:"args" doc:"options of df, a letter each: a for all, l for those of this host alone"`
}

// flags are options of df that leave its columns alone.
type flags string

func (f *flags) ArgType() string { return "letters" }

func (f *flags) ParseArg(v module.Value) error {
	s, err := v.Str()
	letters := strings.TrimPrefix(s, "-")
	if err != nil || strings.Trim(letters, "aklPiv") != "" {
		return v.Want("options of df, of the letters a, k, l, P, i and v")
	}
	*f = flags(strings.Map(func(r rune) rune {
		if r == 'a' || r == 'l' {
			return r
		}
		return -1 // given anyway
	}, letters))
	return nil
}

// A line is one of df: a file system, three numbers, a percentage, a mount point.
type line struct{ filesystem, total, used, free, percent, mount string }

// df runs df(1). When it could not ask one of many file systems it tells of the others and ends with 1.
func df(ctx context.Context, h *host.Host, option string, f flags) ([]line, error) {
	out, err := h.Run(ctx, "df", option+string(f))
	var exit *host.ExitError
	if err != nil && (!errors.As(err, &exit) || out == "") {
		return nil, err
	}
	var all []line
	for i, text := range strings.Split(out, "\n") {
		if l, ok := parse(text); ok && i > 0 {
			all = append(all, l)
		}
	}
	return all, nil
}

// parse reads a line from behind its first word: the name of a file system may hold blanks, and a mount point too.
func parse(text string) (line, bool) {
	f := strings.Fields(text)
	for i := 4; i+1 < len(f); i++ {
		if !strings.HasSuffix(f[i], "%") && f[i] != "-" || !numeric(f[i-1]) || !numeric(f[i-2]) || !numeric(f[i-3]) {
			continue
		}
		return line{strings.Join(f[:i-3], " "), f[i-3], f[i-2], f[i-1], f[i], strings.Join(f[i+1:], " ")}, true
	}
	return line{}, false
}

func numeric(s string) bool { return s == "-" || strings.Trim(s, "-0123456789") == "" }

func usage(ctx context.Context, h *host.Host, a flagArgs) (*value.Dict, error) {
	all, err := df(ctx, h, "-Pk", a.Args)
	d := &value.Dict{}
	for _, l := range all {
		d.Put(l.mount, value.NewDict("filesystem", l.filesystem, "1K-blocks", l.total, "used", l.used,
			"available", l.free, "capacity", l.percent))
	}
	return d, err
}

func inodeUsage(ctx context.Context, h *host.Host, a flagArgs) (*value.Dict, error) {
	all, err := df(ctx, h, "-Pi", a.Args)
	d := &value.Dict{}
	for _, l := range all {
		d.Put(l.mount, value.NewDict("inodes", l.total, "used", l.used, "free", l.free, "use", l.percent,
			"filesystem", l.filesystem))
	}
	return d, err
}

type percentArgs struct {
	Args string `arg:"args" doc:"a mount point; all when absent"`
}

func percent(ctx context.Context, h *host.Host, a percentArgs) (any, error) {
	all, err := df(ctx, h, "-Pk", "")
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	var mounts []string
	for _, l := range all {
		d.Put(l.mount, l.percent)
		mounts = append(mounts, l.mount)
	}
	if a.Args == "" {
		return d, nil
	}
	if p, ok := d.Get(a.Args); ok {
		return p, nil
	}
	return nil, fmt.Errorf("cannot tell how full %q is: nothing is mounted there%s", a.Args, spell.DidYouMean(a.Args, mounts))
}

type blkidArgs struct {
	Device string `arg:"device" doc:"only that of this device"`
	Token  string `arg:"token" doc:"only those with this, such as TYPE=ext4"`
}

func blkid(ctx context.Context, h *host.Host, a blkidArgs) (*value.Dict, error) {
	argv := []string{"blkid"}
	switch {
	case strings.HasPrefix(a.Device, "-"):
		return nil, fmt.Errorf("cannot ask for %q: it is no device", a.Device)
	case a.Token != "" && !strings.Contains(a.Token, "="):
		return nil, fmt.Errorf("cannot look for devices with %q: want NAME=VALUE", a.Token)
	case a.Token != "":
		argv = append(argv, "-t", a.Token)
	}
	if a.Device != "" {
		argv = append(argv, a.Device)
	}
	out, err := h.Run(ctx, argv...)
	var exit *host.ExitError
	if errors.As(err, &exit) && exit.Code == 2 { // nothing found
		return &value.Dict{}, nil
	}
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for text := range strings.Lines(out) {
		device, rest, ok := strings.Cut(strings.TrimSpace(text), ": ")
		if ok {
			d.Put(device, attributes(rest))
		}
	}
	return d, nil
}

// attributes reads NAME="VALUE" again and again.
func attributes(text string) *value.Dict {
	d := &value.Dict{}
	for {
		name, rest, ok := strings.Cut(text, `="`)
		val, after, closed := strings.Cut(rest, `"`)
		if !ok || !closed {
			return d
		}
		d.Put(strings.TrimSpace(name), val)
		text = after
	}
}

type fstypeArgs struct {
	Device string `arg:"device,required" doc:"a block device, or a path"`
}

func fstype(ctx context.Context, h *host.Host, a fstypeArgs) (string, error) {
	if !strings.HasPrefix(a.Device, "/") {
		return "", fmt.Errorf("cannot tell the file system of %q: want an absolute path", a.Device)
	}
	// Both know nothing of some devices, and only lsblk of those that are not mounted.
	for _, argv := range [][]string{{"lsblk", "-dno", "fstype", a.Device}, {"df", "--output=fstype", a.Device}} {
		out, err := h.Run(ctx, argv...)
		var exit *host.ExitError
		if err != nil && !errors.As(err, &exit) && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		lines := strings.Split(out, "\n")
		if kind := strings.TrimSpace(lines[len(lines)-1]); err == nil && kind != "" && kind != "-" {
			return kind, nil
		}
	}
	return "", nil
}
