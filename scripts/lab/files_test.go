package lab_test

import (
	"bytes"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"brine/master/client"
	"brine/proto"
	"brine/scripts/lab"
)

// random is content that nothing can make smaller.
func random(t *testing.T, size int) []byte {
	data := make([]byte, size)
	_, err := io.ReadFull(mrand.NewChaCha8([32]byte{byte(size)}), data)
	must(t, err)
	return data
}

// A gate is in front of a master's files. It counts what comes out, and may
// cut everything off, or hold it back.
type gate struct {
	net.Listener
	to    string
	out   atomic.Int64
	cutAt atomic.Int64                  // closes all for good after so many bytes; 0: never
	cut   chan struct{}                 // closed then
	hold  atomic.Pointer[chan struct{}] // nothing comes out before it is closed; nil: at once
	once  sync.Once
}

// gated puts a gate in front of a master that runs.
func gated(t *testing.T, s *lab.Site, name string) *gate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &gate{Listener: l, to: s.Masters[name].Addresses.Files, cut: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { g.through(in) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	s.Stop(name)
	must(t, os.WriteFile(filepath.Join(s.Masters[name].Root, "etc/brine/master.d/40-gate.toml"),
		fmt.Appendf(nil, "[advertise]\nfiles = %q\n", l.Addr().String()), 0o600))
	s.StartMaster(name)
	return g
}

func (g *gate) through(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	var asks sync.WaitGroup
	asks.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	defer asks.Wait()
	defer in.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := out.Read(buf)
		if hold := g.hold.Load(); hold != nil {
			<-*hold
		}
		total, most := g.out.Add(int64(n)), g.cutAt.Load()
		if most > 0 && total > most {
			g.once.Do(func() { _ = g.Close(); close(g.cut) })
			return
		}
		if _, e := in.Write(buf[:n]); err != nil || e != nil {
			return
		}
	}
}

func wantFile(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: got %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

// TestDownloadGoesOnAtTheOtherMaster stops a master in the middle of a large file.
func TestDownloadGoesOnAtTheOtherMaster(t *testing.T) {
	t.Parallel()
	const size, cutAt = 24 << 20, 10 << 20
	root, data := t.TempDir(), random(t, size)
	must(t, os.WriteFile(filepath.Join(root, "large"), data, 0o600))
	s := lab.Start(t, lab.SiteOptions{FileRoot: root})
	gates := map[string]*gate{"m1": gated(t, s, "m1"), "m2": gated(t, s, "m2")}
	s.Together()
	s.AddMinion("web1")
	s.Accept("web1")
	works(t, s, 1)
	s.Run("*", "cp.hash_file", "salt://large") // both masters have it then
	first, other := s.Minions["web1"].Status().Master, "m2"
	if first == "m2" {
		other = "m1"
	}
	hold := make(chan struct{})
	before := gates[other].out.Load()
	gates[other].hold.Store(&hold)
	gates[first].cutAt.Store(gates[first].out.Load() + cutAt)
	c := s.At(other)
	defer c.Close()
	var r *client.Result
	var err error
	var job sync.WaitGroup
	job.Go(func() {
		r, err = c.Run(within(t), c.NewJob(glob("*"), "cp.get_file", []*proto.Argument{text("salt://large"), text("/large")}),
			func(*client.Result, []string) {})
	})
	select {
	case <-gates[first].cut:
	case <-within(t).Done():
		t.Error("nothing was cut")
	}
	s.Stop(first)
	close(hold)
	job.Wait()
	must(t, err)
	if r.Counts()["ok"] != 1 {
		t.Fatalf("got %v: %s", r.Counts(), r.Minions["web1"].Value)
	}
	wantFile(t, filepath.Join(s.HostRoot("web1"), "large"), data)
	if got := gates[other].out.Load() - before; got > size-cutAt+1<<20 {
		t.Errorf("the other master sent %d bytes, %d were missing", got, size-cutAt)
	}
}

// TestFilesComeOverTheBus has a minion that reaches nothing but the bus get a
// large file, and asks meanwhile whether it is there.
func TestFilesComeOverTheBus(t *testing.T) {
	t.Parallel()
	root, data := t.TempDir(), random(t, 8<<20)
	must(t, os.WriteFile(filepath.Join(root, "large"), data, 0o600))
	must(t, os.WriteFile(filepath.Join(root, "small"), []byte("small"), 0o600))
	s := lab.Start(t, lab.SiteOptions{
		Masters: 1, Minions: []string{"web1"}, FileRoot: root, Config: "[advertise]\nfiles = \"127.0.0.1:1\"\n",
	})
	if r := s.Run("*", "cp.get_file_str", "salt://small"); r.Counts()["ok"] != 1 || string(r.Minions["web1"].Value) != `"small"` {
		t.Fatalf("got %v: %s", r.Counts(), r.Minions["web1"].Value)
	}
	done := make(chan *client.Result)
	c := s.At("m1")
	defer c.Close()
	go func() {
		r, err := c.Run(within(t), c.NewJob(glob("*"), "state.single", []*proto.Argument{
			text("file.managed"), text("/large"), {Name: "source", Value: &proto.Argument_Text{Text: "salt://large"}},
		}), func(*client.Result, []string) {})
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	pings := 0
	for r := (*client.Result)(nil); r == nil; pings++ {
		if p := s.Run("*", "test.ping"); p.Counts()["ok"] != 1 {
			t.Errorf("ping %d: got %v", pings, p.Counts())
		}
		select {
		case r = <-done:
			if r.Counts()["ok"] != 1 {
				t.Fatalf("got %v: %s", r.Counts(), r.Minions["web1"].Value)
			}
		default:
		}
	}
	if pings < 3 { // one that waited for the file would be the only one
		t.Errorf("%d pings were answered meanwhile", pings)
	}
	wantFile(t, filepath.Join(s.HostRoot("web1"), "large"), data)
}

// TestPush has a minion send files to its masters.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"https", "bus"} {
		t.Run(way, func(t *testing.T) {
			config, masters := "file_recv = true\nfile_recv_max_size = 1\n", 2
			if way == "bus" {
				config, masters = config+"[advertise]\nfiles = \"127.0.0.1:1\"\n", 1
			}
			s := lab.Start(t, lab.SiteOptions{Masters: masters, Minions: []string{"web1"}, Config: config})
			pushes(t, s)
		})
	}
}

func pushes(t *testing.T, s *lab.Site) {
	data := random(t, 1<<20)
	host := s.HostRoot("web1")
	must(t, os.MkdirAll(filepath.Join(host, "srv/some/deep"), 0o700))
	for name, content := range map[string][]byte{"srv/data": data, "srv/some/a.conf": []byte("a"), "srv/some/deep/b.conf": {}, "srv/large": append(data, 'x')} {
		must(t, os.WriteFile(filepath.Join(host, name), content, 0o600))
	}
	ok := func(function string, args ...string) {
		t.Helper()
		if r := s.Run("*", function, args...); r.Counts()["ok"] != 1 || string(r.Minions["web1"].Value) != "true" {
			t.Errorf("%s %v: got %v: %s", function, args, r.Counts(), r.Minions["web1"].Value)
		}
	}
	kept := func(name string, want []byte) {
		t.Helper()
		for _, m := range s.Masters {
			wantFile(t, filepath.Join(m.Layout().Pushed(), "web1", name), want)
		}
	}
	ok("cp.push", "/srv/data")
	kept("srv/data", data)
	ok("cp.push_dir", "/srv/some", "glob=*.conf", "upload_path=/up")
	kept("up/a.conf", []byte("a"))
	kept("up/deep/b.conf", nil)
	ok("cp.push", "/srv/some/a.conf", "upload_path=../../../web2/a", "remove_source=true")
	kept("web2/a", []byte("a"))
	if _, err := os.Stat(filepath.Join(host, "srv/some/a.conf")); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	r := s.Run("*", "cp.push", "/srv/large")
	if r.Counts()["failed"] != 1 || !strings.Contains(string(r.Minions["web1"].Value), "file_recv_max_size of master.toml allows 1048576") {
		t.Errorf("got %v: %s", r.Counts(), r.Minions["web1"].Value)
	}
	if len(s.Masters) > 1 {
		s.Stop("m1")
		ok("cp.push", "/srv/data", "upload_path=alone")
		wantFile(t, filepath.Join(s.Masters["m2"].Layout().Pushed(), "web1/alone"), data)
	}
}
