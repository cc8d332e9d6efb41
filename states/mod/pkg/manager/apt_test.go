package manager_test

import (
	"reflect"
	"strings"
	"testing"

	"brine/states/mod/pkg/manager"
)

func aptHost(t *testing.T) *scripted {
	s := newHost(t, "Debian", "apt-get", "/var/lib/dpkg/status")
	s.answer(t, "dpkg-query -W -f ${db:Status-Abbrev}\t${Package}\t${Version}", "apt-list.txt", 0)
	return s.answer(t, "dpkg-query -W -f ${db:Status-Abbrev}\t${Package}\t${Provides}", "apt-provides.txt", 0)
}

func TestAptList(t *testing.T) {
	l, err := aptHost(t).system(t).Installed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]manager.Package{
		"alpha":      {Versions: []string{"1.0"}},
		"bash":       {Versions: []string{"5.2.15-2+b13"}, Held: true},
		"broken":     {Broken: "1.0"},
		"conf":       {Config: "2.0"},
		"multi":      {},
		"multi:i386": {Versions: []string{"1.0"}},
		"nosuch":     {},
	} {
		if got := l.Get(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestAptProvider(t *testing.T) {
	m := aptHost(t).system(t)
	for name, want := range map[string]string{"mail-transport-agent": "mta-a", "awk": "mawk", "apt-transport-https": "apt", "nosuch": ""} {
		if got, err := m.Provider(t.Context(), name); got != want || err != nil {
			t.Errorf("%s: got %q, want %q (%v)", name, got, want, err)
		}
	}
}

func TestAptAvailable(t *testing.T) {
	s := aptHost(t).answer(t, "apt-cache -q policy alpha nosuch", "apt-policy.txt", 0)
	got, err := s.system(t).Available(t.Context(), []string{"alpha", "nosuch"}, manager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"1:3.0-1", "2.0", "1.0"}
	want := map[string]manager.Versions{
		"alpha":                {Candidate: "1:3.0-1", All: all, Local: all, Known: true},
		"bash":                 {Candidate: "5.2.15-2+b13", Known: true},
		"mail-transport-agent": {Known: true},
		"only-virtual":         {Known: true},
		"multi:i386":           {Candidate: "1.0", All: []string{"1.0"}, Local: []string{"1.0"}, Known: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAptForesees(t *testing.T) {
	s := aptHost(t)
	const simulate = "apt-get -q -s -o Debug::NoLocking=1 -y -o Dpkg::Use-Pty=0 -o DPkg::Options::=--force-confdef " +
		"-o DPkg::Options::=--force-confold -o DPkg::Lock::Timeout=600 "
	s.answer(t, simulate+"install alpha beta multi gamma=1.5", "apt-simulated.txt", 0)
	s.answer(t, simulate+"install mta-b", "apt-replace.txt", 0)
	s.answer(t, simulate+"purge zeta", "apt-purge.txt", 0)
	s.answer(t, strings.Replace(simulate, " -y", "", 1)+"dist-upgrade", "apt-upgrade.txt", 0)
	m := s.system(t)
	tr := install("alpha", "beta", "multi")
	tr.Install = append(tr.Install, manager.Want{Name: "gamma", Version: "1.5"})
	foresee(t, m, tr, `{"alpha": {"old": "1.0", "new": "1:3.0-1"}, "beta": {"old": "", "new": "1.0"}, `+
		`"gamma": {"old": "1.0", "new": "1.5"}, "multi": {"old": "", "new": "1.0"}}`)
	foresee(t, m, install("mta-b"), `{"mta-a": {"old": "1.0", "new": ""}, "mta-b": {"old": "", "new": "1.0"}}`)
	foresee(t, m, manager.Transaction{Remove: []string{"zeta"}, Purge: true}, `{"zeta": {"old": "1.0", "new": ""}}`)
	changes, err := m.Upgrades(t.Context(), manager.Options{}, true)
	if err != nil {
		t.Fatal(err)
	}
	wantChanges(t, changes, `{"alpha": {"old": "1.0", "new": "1:3.0-1"}, "gamma": {"old": "1.0", "new": "1.5"}}`)
}

func TestAptOptions(t *testing.T) {
	s := aptHost(t)
	s.answers = append(s.answers, answer{start: "apt-get"})
	yes := true
	_, err := s.system(t).Apply(t.Context(), manager.Transaction{
		Install:   []manager.Want{{Name: "a"}, {Name: "b", File: "/tmp/b.deb"}},
		Downgrade: []manager.Want{{Name: "c", Version: "1.0"}},
		Reinstall: []manager.Want{{Name: "d", Version: "2.0"}},
		Options: manager.Options{
			FromRepo: "bookworm-backports", SkipVerify: true, Recommends: &yes, OnlyUpgrade: true, NewConf: true, Held: true, DownloadOnly: true,
		},
	})
	const want = "apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Options::=--force-confnew -o DPkg::Lock::Timeout=600 " +
		"--allow-downgrades --reinstall --allow-change-held-packages --allow-unauthenticated --install-recommends " +
		"--only-upgrade --download-only -t bookworm-backports install a /tmp/b.deb c=1.0 d=2.0"
	if got := s.ran[1]; got != want || err != nil {
		t.Errorf("got  %s\nwant %s (%v)", got, want, err)
	}
}

func TestAptRefusalIsThatOfTheLastAttempt(t *testing.T) {
	s := aptHost(t).answer(t, "apt-get -q update", "apt-update-refused.txt", 0)
	m := s.system(t)
	if err := m.RefreshOnce(t.Context(), manager.Refresh{}); err != nil {
		t.Fatal(err)
	}
	const want = "Err:4 file:/srv/gone ./ Packages\n" +
		"W: Failed to fetch file:/srv/gone/./Packages  File not found - /srv/gone/./Packages (2: No such file or directory)"
	if got := m.Refusal(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAptRefresh(t *testing.T) {
	s := aptHost(t).answer(t, "apt-get -q update", "apt-update.txt", 0)
	m := s.system(t)
	for range 2 {
		if err := m.RefreshOnce(t.Context(), manager.Refresh{}); err != nil {
			t.Fatal(err)
		}
	}
	m.Outdated()
	if err := m.RefreshOnce(t.Context(), manager.Refresh{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.ran, "; "); got != "apt-get -q update; apt-get -q update" {
		t.Errorf("ran %s", got)
	}
}
