// Package accounttest gives tests a host whose programs for accounts change the files under its root, as those of the
// package shadow do.
package accounttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// fake is the programs.
type fake struct {
	h   *hosttest.Host
	old string // where files are kept that are no longer those of the host

	mu     sync.Mutex // guards the fields below
	ran    []string
	stored int
}

// Host is a host with the users root and me, and the groups root, me, wheel and games.
type Host struct {
	*hosttest.Host
	fake *fake
}

// New makes a host.
func New(t testing.TB) *Host {
	h := hosttest.New(t)
	h.Write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000:Me,,,:/home/me:/bin/sh\n")
	h.Write("/etc/group", "root:x:0:\nme:x:1000:\nwheel:x:10:\ngames:x:20:me\n")
	h.Write("/etc/shadow", "root:*:19000:0:99999:7:::\nme:!:19000:0:99999:7:::\n")
	h.Write("/etc/login.defs", "# defaults\nUSERGROUPS_ENAB yes\nUMASK 022\n")
	h.Write("/etc/default/useradd", "SHELL=/bin/sh\n")
	h.Write("/home/me/.profile", "")
	f := &fake{h: h, old: t.TempDir()}
	h.Exec = f.run
	return &Host{h, f}
}

// Ran returns the commands that were run, without the root, and with what they were given to read.
func (h *Host) Ran() []string {
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	return slices.Clone(h.fake.ran)
}

// Forget forgets the commands that were run.
func (h *Host) Forget() {
	h.fake.mu.Lock()
	defer h.fake.mu.Unlock()
	h.fake.ran = nil
}

func (f *fake) run(ctx context.Context, c host.Command) (host.Output, error) {
	if err := context.Cause(ctx); err != nil {
		return host.Output{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(c.Argv) < 4 && c.Argv[0] != "chpasswd" || c.Argv[1] != "--root" || c.Argv[2] != f.h.Root {
		return host.Output{}, fmt.Errorf("cannot run %q: it does not work on the root of the test", c.Argv)
	}
	argv := append([]string{c.Argv[0]}, c.Argv[3:]...)
	line := strings.Join(argv, " ")
	if len(c.Stdin) > 0 {
		line += " < " + strings.TrimSpace(string(c.Stdin))
	}
	f.ran = append(f.ran, line)
	if err := f.do(argv, string(c.Stdin)); err != nil {
		return host.Output{Code: 1, Stderr: []byte(argv[0] + ": " + err.Error() + "\n")}, nil
	}
	return host.Output{}, nil
}

// options reads the options of a program: those in flags have no value.
func options(argv []string, flags string) (map[string]string, string) {
	given := map[string]string{}
	i := 1
	for ; i < len(argv)-1; i++ {
		name := argv[i]
		if strings.Contains(flags, name[1:]) {
			given[name] = "yes"
			continue
		}
		i++
		given[name] = argv[i]
	}
	if i < len(argv) {
		return given, argv[i]
	}
	return given, ""
}

func (f *fake) do(argv []string, input string) error {
	switch argv[0] {
	case "useradd":
		return f.useradd(options(argv, "mMUNorl"))
	case "usermod":
		return f.usermod(options(argv, "mo"))
	case "userdel":
		return f.userdel(options(argv, "rf"))
	case "groupadd":
		return f.groupadd(options(argv, "ro"))
	case "groupmod":
		o, name := options(argv, "o")
		return f.edit("/etc/group", name, func(e []string) { e[2] = o["-g"] })
	case "groupdel":
		f.remove("/etc/group", argv[1])
		return nil
	case "gpasswd":
		return f.member(argv[1] == "-a", argv[2], argv[3])
	case "chpasswd":
		name, hash, _ := strings.Cut(strings.TrimSpace(input), ":")
		return f.edit("/etc/shadow", name, func(e []string) { e[1], e[2] = hash, f.today() })
	case "passwd":
		return f.edit("/etc/shadow", argv[2], func(e []string) { e[1], e[2] = "", f.today() })
	case "chage":
		return f.chage(options(argv, ""))
	}
	return fmt.Errorf("no such program")
}

func (f *fake) today() string { return strconv.FormatInt(time.Now().Unix()/86400, 10) }

func (f *fake) lines(file string) [][]string {
	var all [][]string
	for line := range strings.Lines(f.h.Read(file)) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\n"), ":"))
	}
	return all
}

func (f *fake) store(file string, lines [][]string) {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.Join(line, ":") + "\n")
	}
	// Another file, as the programs make it. The old one is kept, so that no new one gets its number.
	f.stored++
	if err := os.Rename(f.h.Path(file), filepath.Join(f.old, strconv.Itoa(f.stored))); err != nil {
		panic(err)
	}
	f.h.Write(file, b.String())
}

func (f *fake) edit(file, name string, change func([]string)) error {
	lines := f.lines(file)
	for _, e := range lines {
		if e[0] == name {
			change(e)
			f.store(file, lines)
			return nil
		}
	}
	return fmt.Errorf("%s does not exist in %s", name, file)
}

func (f *fake) remove(file, name string) {
	f.store(file, slices.DeleteFunc(f.lines(file), func(e []string) bool { return e[0] == name }))
}

// free is the first number of a file that no entry has.
func (f *fake) free(file string, from int) string {
	for ; ; from++ {
		n := strconv.Itoa(from)
		if !slices.ContainsFunc(f.lines(file), func(e []string) bool { return e[2] == n }) {
			return n
		}
	}
}

func (f *fake) has(file string, field int, text string) bool {
	return slices.ContainsFunc(f.lines(file), func(e []string) bool { return e[field] == text })
}

func (f *fake) gid(group string) (string, error) {
	for _, e := range f.lines("/etc/group") {
		if e[0] == group || e[2] == group {
			return e[2], nil
		}
	}
	return "", fmt.Errorf("group '%s' does not exist", group)
}

func (f *fake) useradd(o map[string]string, name string) (err error) {
	uid, from := o["-u"], 1001
	if o["-r"] != "" {
		from = 990
	}
	if uid == "" {
		uid = f.free("/etc/passwd", from)
	}
	gid := "100"
	switch {
	case f.has("/etc/passwd", 0, name):
		return fmt.Errorf("user '%s' already exists", name)
	case f.has("/etc/passwd", 2, uid) && o["-o"] == "":
		return fmt.Errorf("UID %s is not unique", uid)
	case o["-g"] != "":
		gid, err = f.gid(o["-g"])
	case o["-N"] != "":
	case f.has("/etc/group", 0, name):
		return fmt.Errorf("group %s exists - if you want to add this user to that group, use -g", name)
	default:
		gid = f.free("/etc/group", from)
		f.store("/etc/group", append(f.lines("/etc/group"), []string{name, "x", gid, ""}))
	}
	if err != nil {
		return err
	}
	home, shell := o["-d"], o["-s"]
	if home == "" {
		home = "/home/" + name
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	f.store("/etc/passwd", append(f.lines("/etc/passwd"), []string{name, "x", uid, gid, o["-c"], home, shell}))
	f.store("/etc/shadow", append(f.lines("/etc/shadow"), []string{name, "!", f.today(), "0", "99999", "7", "", "", ""}))
	if o["-m"] != "" {
		f.h.Write(home+"/.profile", "")
	}
	return f.groups(name, o)
}

func (f *fake) usermod(o map[string]string, name string) (err error) {
	for option, field := range map[string]int{"-u": 2, "-g": 3, "-c": 4, "-d": 5, "-s": 6, "-l": 0} {
		if text, ok := o[option]; ok && option != "-l" {
			if err := f.edit("/etc/passwd", name, func(e []string) { e[field] = text }); err != nil {
				return err
			}
		}
	}
	if to := o["-l"]; to != "" {
		return f.edit("/etc/passwd", name, func(e []string) { e[0] = to })
	}
	return f.groups(name, o)
}

func (f *fake) groups(name string, o map[string]string) error {
	wanted, given := o["-G"]
	if !given {
		return nil
	}
	for _, e := range f.lines("/etc/group") {
		in := slices.Contains(strings.Split(wanted, ","), e[0])
		is := slices.Contains(strings.Split(e[3], ","), name)
		if in != is {
			if err := f.member(in, name, e[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) member(in bool, user, group string) error {
	return f.edit("/etc/group", group, func(e []string) {
		members := slices.DeleteFunc(strings.Split(e[3], ","), func(m string) bool { return m == "" || m == user })
		if in {
			members = append(members, user)
		}
		e[3] = strings.Join(members, ",")
	})
}

func (f *fake) userdel(o map[string]string, name string) error {
	for _, e := range f.lines("/etc/passwd") {
		if e[0] == name && o["-r"] != "" {
			if err := os.RemoveAll(f.h.Path(e[5])); err != nil {
				return err
			}
		}
	}
	f.remove("/etc/passwd", name)
	f.remove("/etc/shadow", name)
	f.remove("/etc/group", name)
	return f.groups(name, map[string]string{"-G": ""})
}

func (f *fake) groupadd(o map[string]string, name string) error {
	gid := o["-g"]
	if gid == "" {
		gid = f.free("/etc/group", 1001)
	}
	if f.has("/etc/group", 2, gid) && o["-o"] == "" {
		return fmt.Errorf("GID '%s' already exists", gid)
	}
	f.store("/etc/group", append(f.lines("/etc/group"), []string{name, "x", gid, ""}))
	return nil
}

func (f *fake) chage(o map[string]string, name string) error {
	for option, field := range map[string]int{"-d": 2, "-m": 3, "-M": 4, "-W": 5, "-I": 6, "-E": 7} {
		if text, ok := o[option]; ok {
			if text == "-1" {
				text = ""
			}
			if err := f.edit("/etc/shadow", name, func(e []string) { e[field] = text }); err != nil {
				return err
			}
		}
	}
	return nil
}
