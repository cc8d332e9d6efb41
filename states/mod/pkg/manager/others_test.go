package manager_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
)

func zypperHost(t *testing.T) *scripted {
	s := newHost(t, "Suse", "zypper", "/var/lib/rpm/rpmdb.sqlite")
	return s.answer(t, "rpm -qa", "rpm-list.txt", 0)
}

func TestZypperForesees(t *testing.T) {
	s := zypperHost(t)
	const start = "zypper --non-interactive --no-refresh --xmlout "
	s.answer(t, start+"install --dry-run --auto-agree-with-licenses --oldpackage beta alpha=2.0-1", "zypper-install.txt", 0)
	s.answer(t, start+"remove --dry-run zeta", "zypper-remove.txt", 0)
	s.answer(t, start+"update --dry-run --auto-agree-with-licenses", "zypper-update.txt", 0)
	s.answer(t, start+"install --dry-run --auto-agree-with-licenses --oldpackage uninst", "zypper-uninst.txt", 4)
	m := s.system(t)
	tr := install("beta")
	tr.Install = append(tr.Install, manager.Want{Name: "alpha", Version: "2.0-1"})
	foresee(t, m, tr, `{"alpha": {"old": "1.0-1", "new": "2.0-1"}, "beta": {"old": "", "new": "1.0-1"}, "gamma": {"old": "", "new": "1.5-1"}}`)
	foresee(t, m, manager.Transaction{Remove: []string{"zeta"}}, `{"zeta": {"old": "1.0-1", "new": ""}}`)
	foresee(t, m, manager.Transaction{Upgrade: true}, `{"alpha": {"old": "1.0-1", "new": "1:3.0-1"}}`)
	_, err := m.Foresee(t.Context(), install("uninst"))
	if err == nil || !strings.Contains(err.Error(), "Problem: nothing provides nosuchthing needed by uninst-1.0-1.noarch") {
		t.Errorf("got %v", err)
	}
}

func TestZypperAvailable(t *testing.T) {
	s := zypperHost(t)
	const start = "zypper --non-interactive --no-refresh --xmlout search -s --match-exact --type package "
	s.answer(t, start+"alpha", "zypper-search.txt", 0).answer(t, start+"--provides mail-server", "zypper-provides.txt", 0)
	s.answer(t, start+"--provides nosuch", "zypper-none.txt", 104)
	got, err := s.system(t).Available(t.Context(), []string{"alpha", "nosuch", "mail-server"}, manager.Options{})
	want := map[string]manager.Versions{
		"alpha":       {Candidate: "1:3.0-1", All: []string{"1:3.0-1", "2.0-1", "1.0-1"}, Known: true},
		"mail-server": {Known: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
}

func TestZypperCommandsAndLocks(t *testing.T) {
	s := zypperHost(t)
	s.Write("/etc/zypp/locks", "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: alpha\n\n")
	s.answers = append(s.answers, answer{start: "zypper", out: host.Output{Code: 102}}) // the machine should be restarted
	yes := true
	_, err := s.system(t).Apply(t.Context(), manager.Transaction{
		Install:   []manager.Want{{Name: "a"}, {Name: "b", File: "/tmp/b.rpm"}},
		Downgrade: []manager.Want{{Name: "alpha", Version: "0.9-1"}},
		Reinstall: []manager.Want{{Name: "d"}},
		Options:   manager.Options{FromRepo: "update", SkipVerify: true, Recommends: &yes, Held: true},
	})
	const options = "--auto-agree-with-licenses --recommends --from update --allow-unsigned-rpm "
	want := []string{
		"zypper --non-interactive removelock alpha",
		"zypper --non-interactive --no-refresh --no-gpg-checks install " + options + "--oldpackage a /tmp/b.rpm alpha=0.9-1",
		"zypper --non-interactive --no-refresh --no-gpg-checks install " + options + "--force d",
	}
	if got := s.ran[1 : len(s.ran)-1]; !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("got  %q\nwant %q (%v)", got, want, err)
	}
}

func pacmanHost(t *testing.T) *scripted {
	s := newHost(t, "Arch", "pacman", "/var/lib/pacman/local/ALPM_DB_VERSION")
	s.Write("/etc/pacman.conf", "[options]\nIgnorePkg = beta linux\n")
	return s.answer(t, "pacman -Qi", "pacman-info.txt", 0).answer(t, "pacman -Q", "pacman-list.txt", 0)
}

func TestPacman(t *testing.T) {
	s := pacmanHost(t)
	s.answer(t, "pacman -Si alpha", "pacman-versions.txt", 1)
	s.answers = append(s.answers,
		answer{start: "pacman -Sp --print-format %n mail-server", out: host.Output{Stdout: []byte("mta-a\n")}},
		answer{start: "pacman -Sp --print-format %n nosuch", out: host.Output{Code: 1}})
	s.answer(t, "pacman -S --noconfirm --print --print-format %n %v alpha delta", "pacman-install.txt", 0)
	s.answer(t, "pacman -R --noconfirm --print --print-format %n %v beta", "pacman-remove.txt", 0)
	s.answer(t, "pacman -S --noconfirm delta", "pacman-locked.txt", 1)
	m := s.system(t)
	l, err := m.Installed(t.Context())
	if err != nil || !reflect.DeepEqual(l.Get("beta"), manager.Package{Versions: []string{"1.0-1"}, Held: true}) {
		t.Errorf("got %+v (%v)", l.Get("beta"), err)
	}
	if by, err := m.Provider(t.Context(), "mail-server"); by != "mta-a" || err != nil {
		t.Errorf("got %q, want mta-a (%v)", by, err)
	}
	got, err := m.Available(t.Context(), []string{"alpha", "nosuch", "mail-server"}, manager.Options{})
	want := map[string]manager.Versions{"alpha": {Candidate: "2.0-1", All: []string{"2.0-1"}, Known: true}, "mail-server": {Known: true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v (%v)", got, want, err)
	}
	foresee(t, m, install("alpha", "delta"), `{"alpha": {"old": "", "new": "2.0-1"}, "delta": {"old": "", "new": "1.0-1"}}`)
	foresee(t, m, manager.Transaction{Remove: []string{"beta"}, Purge: true}, `{"beta": {"old": "1.0-1", "new": ""}}`)
	tr := install("delta")
	tr.LockTimeout = time.Second
	_, err = m.Apply(t.Context(), tr)
	if err == nil || !strings.Contains(err.Error(), "cannot get the lock of pacman, waited 1s for it") {
		t.Errorf("got %v", err)
	}
	if err := m.Hold(t.Context(), []string{"beta"}, true); err == nil {
		t.Error("pacman put a package on hold")
	}
}

func TestApk(t *testing.T) {
	s := newHost(t, "Alpine", "apk", "")
	s.answer(t, "apk policy", "apk-policy.txt", 0).answer(t, "apk add --no-progress --wait 600 --simulate --upgrade nginx", "apk-simulated.txt", 0)
	s.Write("/lib/apk/db/installed", readFile(t, "apk-installed.txt"))
	m := s.system(t)
	l, err := m.Installed(t.Context())
	if err != nil || l.Get("busybox").Version() != "1.36.1-r15" || !l.Has("ssl_client") {
		t.Errorf("got %v (%v)", l.Names(), err)
	}
	if by, err := m.Provider(t.Context(), "tls-helper"); by != "ssl_client" || err != nil {
		t.Errorf("got %q (%v)", by, err)
	}
	if owner, err := m.Owner(t.Context(), "/bin/busybox"); owner != "busybox" || err != nil {
		t.Errorf("got %q (%v)", owner, err)
	}
	got, err := m.Available(t.Context(), []string{"nginx", "busybox", "gone", "nosuch"}, manager.Options{})
	want := map[string]manager.Versions{
		"nginx":   {Candidate: "1.24.0-r16", All: []string{"1.24.0-r16", "1.24.0-r15"}, Known: true},
		"busybox": {Candidate: "1.36.1-r15", All: []string{"1.36.1-r15"}, Known: true},
		"gone":    {Known: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
	foresee(t, m, install("nginx"), `{"busybox": {"old": "1.36.1-r15", "new": "1.36.1-r16"}, "nginx": {"old": "", "new": "1.24.0-r16"}, `+
		`"pcre": {"old": "", "new": "8.45-r3"}, "ssl_client": {"old": "1.36.1-r15", "new": ""}}`)
}

// TestApk3 reads what apk 3 writes on a host with a repository that has a tag.
func TestApk3(t *testing.T) {
	s := newHost(t, "Alpine", "apk", "")
	const options = " --no-progress --wait 600 --simulate "
	s.answer(t, "apk policy", "apk3-policy.txt", 0).answer(t, "apk add"+options+"--upgrade nginx@edge", "apk3-tagged.txt", 0).
		answer(t, "apk add"+options+"--upgrade nginx", "apk3-simulated.txt", 0).answer(t, "apk del"+options+"dep-a", "apk3-kept.txt", 0)
	s.Write("/lib/apk/db/installed", "P:busybox\nV:1.36.1-r15\n\n")
	m := s.system(t)
	got, err := m.Available(t.Context(), []string{"nginx", "dep-a"}, manager.Options{})
	want := map[string]manager.Versions{
		"busybox": {Candidate: "1.36.1-r16", All: []string{"1.36.1-r16", "1.36.1-r15"}, Known: true},
		"dep-a":   {Candidate: "1.0-r0", All: []string{"1.0-r0"}, Known: true},
		"nginx":   {Candidate: "1.24.0-r16", All: []string{"1.24.0-r16", "1.24.0-r15"}, Known: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
	changes := `{"busybox": {"old": "1.36.1-r15", "new": "1.36.1-r16"}, `
	for _, c := range "abcdefghij" {
		changes += fmt.Sprintf(`"dep-%c": {"old": "", "new": "1.0-r0"}, `, c)
	}
	foresee(t, m, install("nginx"), changes+`"nginx": {"old": "", "new": "1.24.0-r16"}}`)
	foresee(t, m, install("nginx@edge"), `{"nginx": {"old": "", "new": "1.27.0-r0"}}`)
	if _, err := m.Foresee(t.Context(), manager.Transaction{Remove: []string{"dep-a"}}); err == nil || !strings.Contains(err.Error(), "dep-a: nginx") {
		t.Errorf("the removal of what others need was foreseen: %v", err)
	}
}
