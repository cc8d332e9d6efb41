package pkg_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/pkgver"
)

// A fakeApt is a host whose dpkg and apt work on a file that has the lines of dpkg-query. What they write has the form
// of the real ones.
type fakeApt struct {
	*hosttest.Host
	t      testing.TB
	repo   map[string][]string // versions, the newest first
	news   map[string][]string // the same after the next refresh
	needs  map[string]string   // what a package depends on
	broken map[string]bool     // packages that cannot be set up
	ran    []string

	altered string // what dpkg --verify writes
}

const statusFile = "/var/lib/dpkg/status"

func newFake(t testing.TB) *fakeApt {
	f := &fakeApt{Host: hosttest.New(t), t: t, broken: map[string]bool{}}
	f.repo = map[string][]string{
		"nginx": {"1.1", "1.0"}, "curl": {"7.2", "7.1"}, "jq": {"1.6"}, "libjq": {"1.6"}, "bash": {"5"}, "dash": {"1"},
	}
	f.needs = map[string]string{"jq": "libjq"}
	f.Grains.Put("os_family", "Debian")
	f.Write("/usr/bin/apt-get", "")
	f.Write("/var/lib/apt/lists/a_Packages", "")
	f.Write(statusFile, "ii \tbash\t5\tall\nii \tdash\t1\tall\nii \tdpkg\t1\tamd64\n")
	f.Host.Host.Exec = f.exec
	return f
}

func (f *fakeApt) exec(_ context.Context, c host.Command) (host.Output, error) {
	argv := c.Argv
	if argv[0] == "chroot" {
		argv = argv[2:]
	}
	line := strings.Join(argv, " ")
	f.ran = append(f.ran, line)
	switch {
	case strings.HasPrefix(line, "dpkg-query -W") && strings.Contains(line, "Version"):
		return said(f.Read(statusFile)), nil
	case strings.HasPrefix(line, "dpkg-query -W"):
		return said("ii \tdash\tposix-shell\n"), nil
	case strings.HasPrefix(line, "apt-cache -q policy"):
		return said(f.policy(argv[3:])), nil
	case argv[0] == "dpkg-deb" && argv[1] == "--show":
		return said(f.Read(argv[len(argv)-1])), nil
	case argv[0] == "dpkg" && argv[1] == "--verify":
		return said(f.altered), nil
	case line == "apt-get -q update":
		f.Write("/var/lib/apt/lists/a_Packages", line)
		maps.Copy(f.repo, f.news)
		return said(""), nil
	case argv[0] == "apt-mark":
		for _, name := range argv[2:] {
			f.edit(name, func(l []string) { l[0] = map[string]string{"hold": "h", "unhold": "i"}[argv[1]] + l[0][1:] })
		}
		return said(""), nil
	case argv[0] == "apt-get":
		return f.get(argv), nil
	case line == "debconf-set-selections":
		f.ran[len(f.ran)-1] += " < " + string(c.Stdin)
		return said(""), nil
	}
	f.t.Errorf("ran %q, which this host has not", line)
	return host.Output{Code: 127}, nil
}

func said(text string) host.Output { return host.Output{Stdout: []byte(text)} }

func (f *fakeApt) policy(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if versions := f.repo[name]; versions != nil {
			fmt.Fprintf(&b, "%s:\n  Installed: (none)\n  Candidate: %s\n  Version table:\n", name, versions[0])
			for _, v := range versions {
				fmt.Fprintf(&b, "     %s 500\n        500 http://example.org stable/main amd64 Packages\n", v)
			}
		}
	}
	return b.String()
}

// edit changes the line of a package, which is made when there is none and goes when it has no version.
func (f *fakeApt) edit(name string, change func(line []string)) {
	lines := strings.Split(strings.TrimSpace(f.Read(statusFile)), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "\t"+name+"\t") })
	l := []string{"in ", name, "", "all"}
	if i >= 0 {
		l = strings.Split(lines[i], "\t")
		lines = slices.Delete(lines, i, i+1)
	}
	if change(l); l[2] != "" && l[0][1] == 'n' {
		l[0] = l[0][:1] + "i "
	}
	if l[2] != "" || l[0][0] == 'h' {
		lines = append(lines, strings.Join(l, "\t"))
	}
	f.Write(statusFile, strings.Join(lines, "\n")+"\n")
}

func (f *fakeApt) version(name string) string {
	for line := range strings.Lines(f.Read(statusFile)) {
		if l := strings.Split(line, "\t"); l[1] == name && l[0][1] == 'i' {
			return l[2]
		}
	}
	return ""
}

// get is apt-get: the verb is the last word that is one.
func (f *fakeApt) get(argv []string) host.Output {
	verbs := []string{"install", "remove", "purge", "upgrade", "dist-upgrade"}
	at := slices.IndexFunc(argv, func(a string) bool { return slices.Contains(verbs, a) })
	simulate := slices.Contains(argv, "-s")
	var b strings.Builder
	out := host.Output{}
	switch argv[at] {
	case "install":
		for _, want := range argv[at+1:] {
			name, version, _ := strings.Cut(want, "=")
			if name == "leftout" && !simulate {
				b.WriteString("nothing provides what leftout needs\n")
				continue
			}
			for _, n := range []string{f.needs[name], name} {
				if n == "" {
					continue
				}
				v := f.repo[n][0]
				if n == name && version != "" {
					v = version
				}
				if slices.Contains(argv, "--download-only") {
					f.Write("/var/cache/apt/archives/"+n+"_"+v+"_all.deb", "")
					continue
				}
				if f.install(&b, n, v, simulate) && !simulate {
					out.Code = 100
				}
			}
		}
	case "upgrade", "dist-upgrade":
		for name, versions := range f.repo {
			if have := f.version(name); have != "" && pkgver.Deb(have, versions[0]) < 0 {
				f.install(&b, name, versions[0], simulate)
			}
		}
	default:
		for _, name := range argv[at+1:] {
			if strings.Contains(f.Read(statusFile), "hi \t"+name+"\t") && slices.Contains(argv, "-y") {
				return host.Output{Code: 100, Stderr: []byte("E: Held packages were changed and -y was used without --allow-change-held-packages.\n")}
			}
			fmt.Fprintf(&b, "Remv %s [%s]\n", name, f.version(name))
			if !simulate {
				f.edit(name, func(l []string) { l[2] = "" })
			}
		}
	}
	out.Stdout = []byte(b.String())
	return out
}

func (f *fakeApt) install(b *strings.Builder, name, version string, simulate bool) (failed bool) {
	if f.version(name) == version {
		if !simulate {
			f.altered = ""
		}
		return false
	}
	fmt.Fprintf(b, "Inst %s (%s Example:1 [all])\n", name, version)
	if simulate {
		return false
	}
	f.edit(name, func(l []string) {
		if l[2] = version; f.broken[name] {
			l[0] = "iF "
		}
	})
	if f.broken[name] {
		b.WriteString("Errors were encountered while processing:\n " + name + "\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n")
	}
	return f.broken[name]
}
