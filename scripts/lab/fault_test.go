package lab_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master"
	"brine/master/client"
	"brine/minion"
	"brine/proto"
	"brine/scripts/lab"
)

func TestDamage(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1", "web2"}})
	t.Run("clock of a minion", func(t *testing.T) { wrongClock(t, s) })
	t.Run("clock of a master", func(t *testing.T) { wrongMasterClock(t, s) })
	t.Run("journal", func(t *testing.T) { damagedJournal(t, s) })
	t.Run("database in use", func(t *testing.T) { databaseDamagedInUse(t, s) })
	t.Run("database", func(t *testing.T) { damagedDatabase(t, s) })
}

// wrongClock: a minion whose clock is ten minutes off says so, and is well
// again once the clock is.
func wrongClock(t *testing.T, s *lab.Site) {
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		s.Stop("web2")
		m := s.AddMinion("web2", func(o *minion.Options) {
			o.Now = func() time.Time { return time.Now().Add(off) }
		})
		must(t, m.WaitLinked(within(t)))
		r := s.Run("*", "test.ping")
		if got := r.Minions["web2"]; got.Status != "refused" || !strings.Contains(got.Reason, "clock differs by") ||
			!strings.Contains(got.Reason, "check NTP") {
			t.Errorf("%v off: got %v", off, got)
		}
		if got := r.Minions["web1"].Status; got != "ok" {
			t.Errorf("the other: got %s", got)
		}
	}
	s.Stop("web2")
	must(t, s.AddMinion("web2").WaitLinked(within(t)))
	works(t, s, 2)
}

// wrongMasterClock: two masters whose clocks differ exchange nothing. Both say
// so, no job claims to be at both, and all is caught up with once the clock is right.
func wrongMasterClock(t *testing.T, s *lab.Site) {
	off := 90 * time.Second
	s.Stop("m2")
	s.StartMaster("m2", func(o *master.Options) {
		o.Now = func() time.Time { return time.Now().Add(off) }
	})
	for name, other := range map[string]string{"m1": "m2", "m2": "m1"} {
		c := s.At(name)
		eventually(t, name+" names the clock of "+other, func() bool {
			list := &proto.MasterListReply{}
			must(t, c.Call(within(t), "master.list", &proto.Empty{}, list))
			for _, m := range list.Masters {
				if m.Name == other {
					return strings.Contains(m.State, "clock of master") && strings.Contains(m.State, "check NTP")
				}
			}
			return false
		})
		works(t, s, 2)
		r, err := c.Run(within(t), c.NewJob(glob("*"), "test.echo", []*proto.Argument{text("apart")}), func(*client.Result, []string) {})
		must(t, err)
		if r.Counts()["ok"] != 2 || !slices.Equal(r.Job.UnreachedMasters, []string{other}) {
			t.Errorf("a job at %s: got %v, unreached %v", name, r.Counts(), r.Job.UnreachedMasters)
		}
		c.Close()
	}
	sent := sendApart(t, s)
	s.Stop("m2")
	s.StartMaster("m2")
	s.Together()
	works(t, s, 2)
	toldOnce(t, s, sent)
}

// sendApart sends one event to each of two masters that exchange nothing, as a command does that the first did not answer in time, and
// then another one that says the same.
func sendApart(t *testing.T, s *lab.Site) (ids []string) {
	req := &proto.EventSendRequest{Tag: "site/apart", Data: []byte(`{"n":1}`), RequestId: []byte("0123456789abcdef"), At: time.Now().UnixMicro(), Origin: "m1"}
	for _, name := range []string{"m1", "m2", "m1"} {
		c, reply := s.At(name), &proto.EventSendReply{}
		must(t, c.Call(within(t), "event.send", req, reply))
		c.Close()
		if ids = append(ids, reply.Id); reply.Id != ids[0] {
			t.Errorf("asked of %s it is event %s, not %s", name, reply.Id, ids[0])
		}
	}
	c, reply := s.At("m2"), &proto.EventSendReply{}
	defer c.Close()
	for what, change := range map[string]func(*proto.EventSendRequest){
		"there is no such master": func(r *proto.EventSendRequest) { r.Origin = "web1" },
		"has 15 bytes, want 16":   func(r *proto.EventSendRequest) { r.RequestId = r.RequestId[1:] },
		"differs by 3600 s":       func(r *proto.EventSendRequest) { r.At = time.Now().Add(-time.Hour).UnixMicro() },
		"differs by 90 s":         func(r *proto.EventSendRequest) { r.At = time.Now().Add(90 * time.Second).UnixMicro() },
	} {
		odd := pb.CloneOf(req)
		change(odd)
		if err := c.Call(within(t), "event.send", odd, reply); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want %q", err, what)
		}
	}
	req.RequestId = []byte("fedcba9876543210")
	must(t, c.Call(within(t), "event.send", req, reply))
	return []string{ids[0], reply.Id}
}

// toldOnce: every master has these events of a tag, once.
func toldOnce(t *testing.T, s *lab.Site, ids []string) {
	slices.Sort(ids)
	for _, name := range []string{"m1", "m2"} {
		c := s.At(name)
		eventually(t, name+" has each event once", func() bool {
			list, got := &proto.EventListReply{}, []string{}
			must(t, c.Call(within(t), "event.list", &proto.EventListRequest{Query: &proto.EventQuery{Tags: []string{"site/apart"}}}, list))
			for _, e := range list.Events {
				got = append(got, e.Id)
			}
			slices.Sort(got)
			return slices.Equal(got, ids)
		})
		c.Close()
	}
}

// spoil overwrites a file's bytes from offset on.
func spoil(t *testing.T, path string, offset int64, size int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	noise := make([]byte, size)
	rand.Read(noise)
	_, err = f.WriteAt(noise, offset)
	must(t, err)
	must(t, f.Close())
}

// damagedJournal: whatever stands in the journal, the minion comes up and
// runs what is asked from then on, and nothing again.
func damagedJournal(t *testing.T, s *lab.Site) {
	path := minion.Layout{Root: s.HostRoot("web1")}.Journal()
	ran := filepath.Join(t.TempDir(), "ran")
	each := func(damage func(file string)) {
		files, err := filepath.Glob(path + ".[0-9]")
		must(t, err)
		if len(files) == 0 {
			t.Fatalf("no journal at %s", path)
		}
		for _, f := range files {
			damage(f)
		}
	}
	for name, damage := range map[string]func(file string){
		"beginning": func(f string) { spoil(t, f, 0, 4096) },
		"middle":    func(f string) { spoil(t, f, 200, 300) },
		"all":       func(f string) { must(t, os.WriteFile(f, bytes.Repeat([]byte("no journal "), 1000), 0o600)) },
		"nothing":   func(f string) { must(t, os.WriteFile(f, nil, 0o600)) },
		"gone":      func(f string) { must(t, os.Remove(f)) },
	} {
		c := s.Client
		target := &proto.Target{Syntax: proto.Target_LIST, Expression: "web1"}
		job := c.NewJob(target, "cmd.run", []*proto.Argument{text("echo " + name + " >> " + ran)})
		r, err := c.Run(within(t), job, func(*client.Result, []string) {})
		must(t, err)
		if got := r.Minions["web1"]; got.Status != "ok" {
			t.Fatalf("%s: got %v", name, got)
		}
		s.Stop("web1")
		each(damage)
		must(t, s.AddMinion("web1").WaitLinked(within(t)))
		// The same request again, as from a client that has lost its master.
		if _, err = c.Run(within(t), job, func(*client.Result, []string) {}); err != nil {
			t.Error(err)
		}
		works(t, s, 2)
		data, err := os.ReadFile(ran)
		must(t, err)
		if n := strings.Count(string(data), name+"\n"); n != 1 {
			t.Errorf("%s: the job ran %d times", name, n)
		}
	}
}

// databaseDamagedInUse: a master that finds its database damaged ends itself;
// its next start fills a new one from the other master, and status names the old.
func databaseDamagedInUse(t *testing.T, s *lab.Site) {
	before := s.Run("*", "test.echo", "kept in use")
	db := s.Masters["m2"].Layout().Store()
	info, err := os.Stat(db)
	must(t, err)
	spoil(t, db, 4096, int(info.Size())-4096)
	ended := make(chan error, 1)
	go func() { ended <- s.Ended("m2") }()
	for range 200 { // it finds out when it reads
		c := s.At("m2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = c.Call(ctx, "job.list", &proto.JobListRequest{}, &proto.JobListReply{})
		_, _ = c.Show(ctx, before.Job.Jid)
		cancel()
		c.Close()
		if len(ended) > 0 {
			break
		}
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "malformed") {
		t.Errorf("got %v", err)
	}
	s.StartMaster("m2")
	s.Together()
	eventually(t, "status names the old database", func() bool {
		list := &proto.MasterListReply{}
		must(t, s.Client.Call(within(t), "master.list", &proto.Empty{}, list))
		for _, m := range list.Masters {
			for _, w := range m.Warnings {
				if m.Name == "m2" && strings.Contains(w, db+".corrupt-") && strings.Contains(w, "damaged on 20") &&
					strings.Contains(w, "filled again from m1") {
					return true
				}
			}
		}
		return false
	})
	c := s.At("m2")
	defer c.Close()
	eventually(t, "the old job is back at m2", func() bool {
		r, err := c.Show(within(t), before.Job.Jid)
		return err == nil && r.Counts()["ok"] == 2 && string(r.Minions["web1"].Value) == `"kept in use"`
	})
	works(t, s, 2)
}

// damagedDatabase: a master fills its store again from another, and will not
// start without one.
func damagedDatabase(t *testing.T, s *lab.Site) {
	before := s.Run("*", "test.echo", "kept")
	db := s.Masters["m2"].Layout().Store()
	for name, damage := range map[string]func(){
		"header": func() { spoil(t, db, 0, 4096) },
		"pages":  func() { spoil(t, db, 4096, 40_000) },
		"short":  func() { must(t, os.Truncate(db, 5000)) },
	} {
		s.Stop("m2")
		damage()
		s.StartMaster("m2")
		s.Together()
		c := s.At("m2")
		eventually(t, name+": the old job is back at m2", func() bool {
			r, err := c.Show(within(t), before.Job.Jid)
			return err == nil && r.Counts()["ok"] == 2 && string(r.Minions["web1"].Value) == `"kept"`
		})
		c.Close()
		if kept, err := filepath.Glob(db + ".corrupt-*"); err != nil || len(kept) == 0 {
			t.Errorf("%s: the damaged database is gone (%v)", name, err)
		}
		works(t, s, 2)
	}
	s.Stop("m2")
	s.Stop("m1")
	spoil(t, s.Masters["m1"].Layout().Store(), 0, 4096)
	err := s.TryMaster("m1")
	for _, want := range []string{"restore", "--start-empty", s.Masters["m1"].Layout().Store()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("alone: got %v, want a word of %s", err, want)
		}
	}
	s.StartMaster("m2")
	s.StartMaster("m1")
	s.Together()
	for _, m := range s.Minions {
		must(t, m.WaitLinked(within(t)))
	}
	works(t, s, 2)
}
