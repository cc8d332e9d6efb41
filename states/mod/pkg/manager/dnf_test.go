package manager_test

import (
	"reflect"
	"strings"
	"testing"

	"brine/states/mod/pkg/manager"
)

func dnfHost(t *testing.T, program string) *scripted {
	s := newHost(t, "RedHat", program, "/var/lib/rpm/rpmdb.sqlite")
	return s.answer(t, "rpm -qa", "rpm-list.txt", 0)
}

func TestRPMList(t *testing.T) {
	s := dnfHost(t, "dnf")
	s.Write("/etc/dnf/plugins/versionlock.list", "# Added lock on Thu\nalpha-0:1.0-1.*\n!zeta-0:1.0-1.*\n")
	l, err := s.system(t).Installed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]manager.Package{
		"alpha":      {Versions: []string{"1.0-1"}, Held: true},
		"zeta":       {Versions: []string{"1.0-1"}},
		"glibc":      {Versions: []string{"2.34-60.el9"}},
		"glibc.i686": {Versions: []string{"2.34-60.el9"}},
		"kernel":     {Versions: []string{"5.14.0-1.el9", "5.14.0-2.el9"}},
	} {
		if got := l.Get(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if got := l.Get("kernel").Version(); got != "5.14.0-1.el9,5.14.0-2.el9" {
		t.Errorf("got %s", got)
	}
}

func TestLocksOfOtherPrograms(t *testing.T) {
	for program, file := range map[string]string{"yum": "/etc/yum/pluginconf.d/versionlock.list", "dnf5": "/etc/dnf/versionlock.toml"} {
		s := dnfHost(t, program)
		s.Write(file, map[string]string{
			"yum":  "0:alpha-1.0-1.*\n",
			"dnf5": "version = \"1.0\"\n\n[[packages]]\nname = \"alpha\"\ncomment = \"x\"\n\n[[packages.conditions]]\nkey = \"evr\"\n",
		}[program])
		l, err := s.system(t).Installed(t.Context())
		if err != nil || !l.Get("alpha").Held {
			t.Errorf("%s: alpha is not on hold (%v)", program, err)
		}
	}
}

func TestDnfForesees(t *testing.T) {
	for program, files := range map[string]string{"dnf": "dnf4", "dnf5": "dnf5"} {
		s := dnfHost(t, program)
		start := program + " --assumeno --setopt=exit_on_lock=True "
		s.answer(t, start+"install beta", files+"-install.txt", 1).answer(t, start+"upgrade", files+"-upgrade.txt", 1)
		s.answer(t, start+"remove alpha", files+"-remove.txt", 1).answer(t, start+"install uninst", files+"-uninst.txt", 1)
		m := s.system(t)
		tr := install("beta", "a-package")
		tr.Install = append(tr.Install, manager.Want{Name: "alpha", Version: "2.0"})
		foresee(t, m, tr, `{"a-package-with-a-very-long-name-that-does-not-fit-in-the-table": {"old": "", "new": "1.0-1"}, `+
			`"alpha": {"old": "1.0-1", "new": "2.0-1"}, "beta": {"old": "", "new": "1.0-1"}, "gamma": {"old": "", "new": "1.5-1"}}`)
		foresee(t, m, manager.Transaction{Upgrade: true}, `{"alpha": {"old": "1.0-1", "new": "1:3.0-1"}}`)
		foresee(t, m, manager.Transaction{Remove: []string{"alpha"}}, `{"alpha": {"old": "1.0-1", "new": ""}}`)
		_, err := m.Foresee(t.Context(), install("uninst"))
		if err == nil || !strings.Contains(err.Error(), "nothing provides nosuchthing needed by uninst-1.0-1.noarch") {
			t.Errorf("got %v", err)
		}
	}
}

// TestForeseesWhatIsReplaced tells of packages that go because others take their place.
func TestForeseesWhatIsReplaced(t *testing.T) {
	for program, files := range map[string]string{"dnf": "dnf4", "dnf5": "dnf5"} {
		s := dnfHost(t, program).answer(t, program+" --assumeno --setopt=exit_on_lock=True install beta", files+"-obsoletes.txt", 1)
		foresee(t, s.system(t), install("beta"), `{"alpha": {"old": "1.0-1", "new": ""}, "beta": {"old": "", "new": "3.0-1"}}`)
	}
}

// TestYum reads what yum 3 of Red Hat 7 writes, which says no of its own accord as dnf does.
func TestYum(t *testing.T) {
	const options = " --setopt=exit_on_lock=True "
	s := dnfHost(t, "yum").answer(t, "yum --assumeno"+options+"install beta", "yum-install.txt", 1)
	s.answer(t, "yum --assumeno"+options+"install nosuch", "yum-none.txt", 1)
	s.answer(t, "yum -q"+options+"list --showduplicates", "yum-list.txt", 0).answer(t, "yum -q"+options+"group info tools", "yum-group.txt", 0)
	m := s.system(t)
	foresee(t, m, install("beta"), `{"a-package-with-a-very-long-name-that-does-not-fit-in-the-table": {"old": "", "new": "2:1.0-1"}, `+
		`"alpha": {"old": "1.0-1", "new": ""}, "beta": {"old": "", "new": "3.0-1"}, "gamma": {"old": "", "new": "1.5-1"}, `+
		`"glibc": {"old": "2.34-60.el9", "new": "2.34-61.el9"}, "glibc.i686": {"old": "2.34-60.el9", "new": ""}, `+
		`"zeta": {"old": "1.0-1", "new": ""}}`)
	if _, err := m.Foresee(t.Context(), install("nosuch")); err == nil || !strings.Contains(err.Error(), "No package nosuch available.") {
		t.Errorf("got %v", err)
	}
	got, err := m.Available(t.Context(), []string{"alpha", "glibc.i686"}, manager.Options{})
	want := map[string]manager.Versions{
		"alpha":      {Candidate: "1:3.0-1", All: []string{"1:3.0-1", "1.0-1"}, Known: true},
		"glibc.i686": {Candidate: "2.34-61.el9", All: []string{"2.34-61.el9"}, Known: true},
		"a-package-with-a-very-long-name-that-does-not-fit-in-the-table": {Candidate: "1.0-1", All: []string{"1.0-1"}, Known: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
	group, err := m.Group(t.Context(), "tools", manager.Options{})
	members := manager.Group{Mandatory: []string{"delta", "zeta"}, Default: []string{"epsilon"}, Optional: []string{"gamma"}}
	if err != nil || !reflect.DeepEqual(group, members) {
		t.Errorf("got %+v, want %+v (%v)", group, members, err)
	}
}

func TestDnfAvailable(t *testing.T) {
	for program, files := range map[string]string{"dnf": "dnf4", "dnf5": "dnf5"} {
		s := dnfHost(t, program)
		start := program + " -q --setopt=exit_on_lock=True "
		s.answer(t, start+"list --showduplicates", files+"-list.txt", 0)
		s.answer(t, start+"repoquery --whatprovides mail-server", files+"-provides.txt", 0)
		s.answers = append(s.answers, answer{start: start + "repoquery --whatprovides nosuch"})
		const long = "a-package-with-a-very-long-name-that-does-not-fit-in-the-table"
		got, err := s.system(t).Available(t.Context(), []string{"alpha", long, "mail-server", "nosuch"}, manager.Options{})
		want := map[string]manager.Versions{
			"alpha":       {Candidate: "1:3.0-1", All: []string{"1:3.0-1", "2.0-1", "1.0-1"}, Known: true},
			long:          {Candidate: "1.0-1", All: []string{"1.0-1"}, Known: true},
			"mail-server": {Known: true},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v\nwant %+v (%v)", program, got, want, err)
		}
	}
}

func TestDnfCommands(t *testing.T) {
	s := dnfHost(t, "dnf")
	s.Write("/etc/dnf/plugins/versionlock.list", "alpha-0:1.0-1.*\n")
	s.answers = append(s.answers, answer{start: "dnf"})
	no := false
	_, err := s.system(t).Apply(t.Context(), manager.Transaction{
		Install:   []manager.Want{{Name: "a"}, {Name: "glibc.i686", Version: "2.34-60.el9"}, {Name: "b", File: "/tmp/b.rpm"}},
		Downgrade: []manager.Want{{Name: "alpha", Version: "0.9-1"}},
		Reinstall: []manager.Want{{Name: "d", Version: "2.0-1"}},
		Options: manager.Options{
			FromRepo: "epel", Disable: []string{"base"}, DisableExcludes: "main", SetOpt: []string{"obsoletes=0"},
			SkipVerify: true, Recommends: &no, Held: true,
		},
	})
	const options = "dnf -y --setopt=exit_on_lock=True --disablerepo=* --disablerepo=base --enablerepo=epel --disableexcludes=main " +
		"--setopt=obsoletes=0 --nogpgcheck --setopt=install_weak_deps=False "
	want := []string{
		"dnf -q -y versionlock delete alpha",
		options + "install a glibc-2.34-60.el9.i686 /tmp/b.rpm",
		options + "downgrade alpha-0.9-1",
		options + "reinstall d-2.0-1",
	}
	if got := s.ran[1 : len(s.ran)-1]; !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("got  %q\nwant %q (%v)", got, want, err)
	}
}

func TestDnfGroup(t *testing.T) {
	for program, files := range map[string]string{"dnf": "dnf4", "dnf5": "dnf5"} {
		s := dnfHost(t, program).answer(t, program+" -q --setopt=exit_on_lock=True group info tools", files+"-group.txt", 0)
		s.answers = append(s.answers, answer{start: program + " -q --setopt=exit_on_lock=True group info nosuch"})
		m := s.system(t)
		got, err := m.Group(t.Context(), "tools", manager.Options{})
		want := manager.Group{Mandatory: []string{"delta", "zeta"}, Default: []string{"epsilon"}, Optional: []string{"gamma"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v (%v)", program, got, want, err)
		}
		if _, err := m.Group(t.Context(), "nosuch", manager.Options{}); err == nil {
			t.Errorf("%s: a group that is not there was found", program)
		}
	}
}
