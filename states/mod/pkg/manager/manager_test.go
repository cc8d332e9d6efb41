package manager_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/pkg/manager"
	"brine/states/value"
)

// A scripted host answers commands that begin with a given text by what a real one wrote, and notes which were run.
type scripted struct {
	*hosttest.Host
	answers []answer
	ran     []string
}

type answer struct {
	start string
	out   host.Output
	run   func()
}

func newHost(t *testing.T, family, program, database string) *scripted {
	t.Helper()
	s := &scripted{Host: hosttest.New(t)}
	s.Grains.Put("os_family", family)
	s.Write("/usr/bin/"+program, "")
	if database != "" {
		s.Write(database, "")
	}
	s.Host.Host.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		line := strings.TrimPrefix(strings.Join(c.Argv, " "), "chroot "+s.Path("/")+" ")
		s.ran = append(s.ran, line)
		for _, a := range s.answers {
			if strings.HasPrefix(line, a.start) {
				if a.run != nil {
					a.run()
				}
				return a.out, nil
			}
		}
		t.Errorf("ran %q, which no one scripted", line)
		return host.Output{Code: 127}, nil
	}
	return s
}

// answer answers commands that begin so with a file of testdata.
func (s *scripted) answer(t *testing.T, start, file string, code int) *scripted {
	t.Helper()
	s.answers = append(s.answers, answer{start: start, out: host.Output{Stdout: []byte(readFile(t, file)), Code: code}})
	return s
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *scripted) system(t *testing.T) *manager.System {
	t.Helper()
	m, err := manager.Of(s.Host.Host)
	if err != nil {
		t.Fatal(err)
	}
	m.Wait = func(context.Context, time.Duration) error { return nil }
	return m
}

func foresee(t *testing.T, m *manager.System, tr manager.Transaction, want string) {
	t.Helper()
	changes, err := m.Foresee(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	wantChanges(t, changes, want)
}

func wantChanges(t *testing.T, changes manager.Changes, want string) {
	t.Helper()
	got, err := value.MarshalJSON(changes.Dict())
	want = strings.NewReplacer(`": `, `":`, `, "`, `,"`).Replace(want)
	if err != nil || string(got) != want {
		t.Errorf("got %s, want %s (%v)", got, want, err)
	}
}

func install(names ...string) (t manager.Transaction) {
	for _, name := range names {
		t.Install = append(t.Install, manager.Want{Name: name})
	}
	return t
}

func TestNoManager(t *testing.T) {
	_, err := manager.Of(hosttest.New(t).Host)
	if err == nil || !strings.Contains(err.Error(), "cannot manage packages: this host has none of apt-get") {
		t.Errorf("got %v", err)
	}
}

func TestListIsReadOnceUntilItChanges(t *testing.T) {
	s := newHost(t, "Debian", "apt-get", "/var/lib/dpkg/status").answer(t, "dpkg-query -W", "apt-list.txt", 0)
	m := s.system(t)
	for range 3 {
		if _, err := m.Installed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.Write("/var/lib/dpkg/status", "someone else changed it")
	if _, err := m.Installed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.ran) != 2 {
		t.Errorf("ran %q, want two queries", s.ran)
	}
}

func TestLockIsWaitedFor(t *testing.T) {
	s := newHost(t, "Debian", "apt-get", "/var/lib/dpkg/status").answer(t, "dpkg-query -W", "apt-list.txt", 0)
	s.answer(t, "apt-get -q -y", "apt-locked.txt", 100)
	m := s.system(t)
	tr := install("delta")
	tr.LockTimeout = 5 * time.Second
	_, err := m.Apply(t.Context(), tr)
	const want = "cannot get the lock of apt, waited 5s for it: Could not get lock /var/lib/dpkg/lock-frontend. " +
		"It is held by process 25996..."
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if n := len(s.ran); n != 2+3 { // lists before and after, and three tries
		t.Errorf("ran %q", s.ran)
	}
}

func TestLockThatMayNotBeTakenIsNotWaitedFor(t *testing.T) {
	s := newHost(t, "Debian", "apt-get", "/var/lib/dpkg/status").answer(t, "dpkg-query -W", "apt-list.txt", 0)
	s.answer(t, "apt-get -q -y", "apt-forbidden.txt", 100)
	_, err := s.system(t).Apply(t.Context(), install("delta"))
	const want = "apt-get ended with 100:\nE: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\n" +
		"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWaitingEndsWithTheJob(t *testing.T) {
	s := newHost(t, "Debian", "apt-get", "/var/lib/dpkg/status").answer(t, "dpkg-query -W", "apt-list.txt", 0)
	s.answer(t, "apt-get -q -y", "apt-locked.txt", 100)
	m := s.system(t)
	cancelled := errors.New("cancelled")
	m.Wait = func(context.Context, time.Duration) error { return cancelled }
	if _, err := m.Apply(t.Context(), install("delta")); !errors.Is(err, cancelled) {
		t.Errorf("got %v, want %v", err, cancelled)
	}
}
