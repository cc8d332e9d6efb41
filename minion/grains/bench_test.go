package grains_test

import (
	"testing"

	"brine/minion/grains"
	"brine/states/host"
	"brine/states/value"
)

// BenchmarkCold collects all grains of this machine as a new process does: of
// names what the files tell.
func BenchmarkCold(b *testing.B) {
	local := &host.Local{}
	defer local.Close()
	b.ReportAllocs()
	for b.Loop() {
		m := grains.NewMachine(grains.MachineOptions{System: grains.System{Exec: local.Run}})
		if grains.New(grains.Options{ID: "web1", Machine: m}).Now(b.Context()).Len() == 0 {
			b.Fatal("no grains")
		}
		m.Close()
	}
}

// BenchmarkRefresh collects them again in a process that runs.
func BenchmarkRefresh(b *testing.B) {
	local := &host.Local{}
	defer local.Close()
	m := grains.NewMachine(grains.MachineOptions{System: grains.System{Exec: local.Run}})
	defer m.Close()
	s := grains.New(grains.Options{ID: "web1", Machine: m})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJob is what each job pays for grains of its own.
func BenchmarkJob(b *testing.B) {
	m := grains.NewMachine(grains.MachineOptions{})
	defer m.Close()
	s := grains.New(grains.Options{ID: "web1", Machine: m, File: b.TempDir() + "/grains", Static: value.NewDict("role", "web")})
	s.Now(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		s.Copy(b.Context())
	}
}
