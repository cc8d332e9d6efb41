package mount_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/mount"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// A kernel is a table of mounts that the programs mount, umount, swapon and blkid of a host work on.
type kernel struct {
	*hosttest.Host
	lines []string
	n     int
}

const (
	rootLine = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro"
	oldLine  = "21 20 8:2 / /old rw,nodev,relatime shared:2 - ext4 /dev/sda2 rw"
)

func newKernel(t testing.TB, lines ...string) *kernel {
	k := &kernel{Host: hosttest.New(t), n: 30}
	k.set(append([]string{rootLine}, lines...))
	k.Write("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	k.Write("/proc/meminfo", "MemTotal:        1000000 kB\n")
	for _, name := range []string{"/dev/sda1", "/dev/sda2", "/dev/sdb1", "/dev/sdc1", "/swapfile", "/srv/x", "/mnt/big/x", "/old/x", "/t/x"} {
		k.Write(name, "")
	}
	k.Write("/etc/fstab", "# kept\n/dev/sda1 / ext4 errors=remount-ro 0 1\n\n/dev/sda2\t/old ext4 nodev\n/dev/sdc1 /old ext4 defaults 0 0\n")
	k.Exec = k.exec
	return k
}

func (k *kernel) set(lines []string) {
	k.lines = lines
	k.Write("/proc/self/mountinfo", strings.Join(lines, "\n")+"\n")
}

// exec runs a command as a host does, on the table.
func (k *kernel) exec(_ context.Context, c host.Command) (host.Output, error) {
	argv := c.Argv
	last := argv[len(argv)-1]
	switch argv[0] {
	case "mount":
		return k.mount(argv)
	case "umount":
		for i := len(k.lines) - 1; i >= 0; i-- {
			if strings.Fields(k.lines[i])[4] == last {
				k.set(append(k.lines[:i:i], k.lines[i+1:]...))
				return host.Output{}, nil
			}
		}
		return host.Output{Code: 32, Stderr: []byte("umount: " + last + ": not mounted.\n")}, nil
	case "swapon":
		k.Write("/proc/swaps", k.Read("/proc/swaps")+last+" file 1020 0 -2\n")
	case "swapoff":
		k.Write("/proc/swaps", "Filename\n")
	case "blkid":
		if strings.Contains(strings.Join(argv, " "), "-t LABEL=DATA") {
			return host.Output{Stdout: []byte("/dev/sdb1\n")}, nil
		}
		if strings.Join(argv, " ") == "blkid -o value -s UUID -- /dev/sdb1" {
			return host.Output{Stdout: []byte("0a-1\n")}, nil
		}
		return host.Output{Code: 2}, nil
	default:
		return host.Output{}, fmt.Errorf("no such program: %q", argv)
	}
	return host.Output{}, nil
}

func (k *kernel) mount(argv []string) (host.Output, error) {
	args := map[string]string{}
	rest := argv[1:]
	for len(rest) > 0 && rest[0] != "--" {
		args[rest[0]], rest = rest[1], rest[2:]
	}
	if len(rest) == 2 {
		rest = []string{"--", "/dev/sdb1", rest[1]}
	}
	device, point, opts := rest[1], rest[2], args["-o"]
	if strings.Contains(opts, "refused") {
		return host.Output{Code: 32, Stderr: []byte("mount: wrong fs type, bad option\n")}, nil
	}
	of, flags, kernel := "0:40 /", []string{"rw", "relatime"}, []string{"rw"}
	for _, o := range strings.Split(opts, ",") {
		switch {
		case o == "ro":
			flags[0] = "ro"
		case o == "noatime":
			flags[1] = o
		case o == "nodev", o == "noexec", o == "nosuid":
			flags = append(flags, o)
		case o == "bind":
			of = "8:1 " + device
		case strings.HasPrefix(o, "size="):
			kernel = append(kernel, strings.Replace(o, "64m", "65536k", 1))
		case strings.Contains(o, "="):
			kernel = append(kernel, o)
		}
	}
	if strings.HasPrefix(device, "/dev/") {
		of = "8:1" + device[len(device)-1:] + " /"
	}
	if strings.HasPrefix(of, "8:1 ") || strings.HasPrefix(device, "LABEL=") {
		device = map[bool]string{true: "/dev/sda1", false: "/dev/sdb1"}[of[:3] == "8:1"]
	}
	k.n++
	line := fmt.Sprintf("%d 20 %s %s %s shared:9 - %s %s %s", k.n, of, strings.ReplaceAll(point, " ", `\040`), strings.Join(flags, ","),
		map[bool]string{true: args["-t"], false: "ext4"}[args["-t"] != ""], device, strings.Join(kernel, ","))
	for i, old := range k.lines {
		if strings.HasPrefix(opts, "remount") && strings.Fields(old)[4] == point {
			f, was := strings.Fields(line), strings.Fields(old)
			was[5], was[len(was)-1] = f[5], f[len(f)-1]
			k.lines[i] = strings.Join(was, " ")
			k.set(k.lines)
			return host.Output{}, nil
		}
	}
	k.set(append(k.lines, line))
	return host.Output{}, nil
}

func TestModule(t *testing.T) {
	moduletest.Run(t, mount.Module, moduletest.Options{
		Host: func(t testing.TB) *hosttest.Host { return newKernel(t, oldLine).Host },
		Bare: func(t testing.TB) *hosttest.Host { // with a kernel, which tells what is mounted
			h := hosttest.New(t)
			h.Write("/proc/self/mountinfo", "")
			h.Write("/proc/swaps", "Filename\n")
			h.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
				return host.Output{}, fmt.Errorf("cannot run %q: %w", c.Argv[0], os.ErrNotExist)
			}
			return h
		},
	})
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func bind(t *testing.T, line string) *module.Bound {
	t.Helper()
	words := strings.Split(line, "; ")
	s, err := module.NewIndex(mount.Module).State("mount." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
