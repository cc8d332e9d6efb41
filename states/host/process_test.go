package host

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	p, ok := parseStat([]byte("7 (a) R (b) S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n"))
	if want := (process{parent: 1, group: 2, session: 3, started: 4711}); !ok || p != want {
		t.Errorf("got %+v, %v, want %+v", p, ok, want)
	}
	if p, _ := parseStat([]byte("7 (a) Z 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0")); !p.ended {
		t.Error("a zombie counts as alive")
	}
	for _, text := range []string{"", "7 a S 1", "7 (a) S 1 2", "7 (a)"} {
		if p, ok := parseStat([]byte(text)); ok {
			t.Errorf("%q: got %+v", text, p)
		}
	}
	if self, ok := readProcess(os.Getpid()); !ok || self.parent != os.Getppid() || self.started == 0 {
		t.Errorf("own process: got %+v, %v", self, ok)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) S 1 2 3 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseStat(data) })
}

func TestTreeLeavesAReusedPIDAlone(t *testing.T) {
	self, ok := readProcess(os.Getpid())
	if !ok {
		t.Skip("no /proc")
	}
	if n := newTree(os.Getpid(), identity{started: self.started + 1}).grow(); n != 0 {
		t.Errorf("took %d processes of another process with the same id", n)
	}
	if n := newTree(os.Getpid(), identity{started: self.started}).grow(); n < 1 {
		t.Error("did not find the process itself")
	}
}
