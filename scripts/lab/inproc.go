package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master"
	"brine/master/client"
	"brine/master/store"
	"brine/minion"
	"brine/proto"
)

// A Site is a site within a test's process: real masters and minions, real
// TLS on loopback, files under the test's temporary directory. It is used by
// the test's own goroutine.
type Site struct {
	Masters map[string]*Running
	Minions map[string]*minion.Minion
	Client  *client.Client // of the first operator, who may do everything

	t        testing.TB
	dir      string
	fileRoot string
	config   string
	log      hclog.Logger
	stops    map[string]func() error    // of what runs
	ends     map[string]<-chan struct{} // closed when it has ended
}

// A Running is one master of a Site.
type Running struct {
	Name, Root string
	Addresses  master.Addresses
}

// Layout tells where the master's files lie.
func (r *Running) Layout() master.Layout { return master.Layout{Root: r.Root} }

// SiteOptions say what site to make.
type SiteOptions struct {
	Masters   int // 0: 2
	Minions   []string
	FileRoot  string
	Config    string                  // further TOML of every master
	Operators []*proto.OperatorRecord // besides the first
	Log       io.Writer               // gets all that masters and minions log, and every message of the bus; nil: the test's log gets their warnings
}

// Passphrase opens the site key of every lab.
const Passphrase = "lab"

// Start makes a site and returns when every master hears the others and every
// minion hears jobs. The test's cleanup stops it.
func Start(t testing.TB, o SiteOptions) *Site {
	t.Helper()
	if o.Masters == 0 {
		o.Masters = 2
	}
	s := &Site{
		Masters: map[string]*Running{}, Minions: map[string]*minion.Minion{},
		t: t, dir: t.TempDir(), fileRoot: o.FileRoot, config: o.Config, stops: map[string]func() error{}, ends: map[string]<-chan struct{}{},
		log: hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: testOutput{t}, DisableTime: true}),
	}
	if o.Log != nil {
		s.log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: o.Log})
	}
	t.Cleanup(s.stop)
	for i := range o.Masters {
		s.addMaster(fmt.Sprintf("m%d", i+1), o.Operators)
	}
	s.Together()
	for _, id := range o.Minions {
		s.AddMinion(id)
	}
	s.Accept(o.Minions...)
	return s
}

// testOutput hands log lines to the test.
type testOutput struct{ t testing.TB }

func (w testOutput) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// stop ends minions before masters.
func (s *Site) stop() {
	if s.Client != nil {
		s.Client.Close()
	}
	for _, masters := range []bool{false, true} {
		var wait sync.WaitGroup
		for name, stop := range s.stops {
			if (s.Masters[name] != nil) == masters {
				wait.Go(func() {
					if err := stop(); err != nil {
						s.t.Errorf("%s: %v", name, err)
					}
				})
			}
		}
		wait.Wait()
	}
}

// ctx ends when waiting any longer is of no use.
func (s *Site) ctx() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (s *Site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// AddMaster invites, makes and starts one more master.
func (s *Site) AddMaster(name string) {
	s.t.Helper()
	s.addMaster(name, nil)
}

func (s *Site) addMaster(name string, operators []*proto.OperatorRecord) {
	s.t.Helper()
	ctx, cancel := s.ctx()
	defer cancel()
	r := &Running{Name: name, Root: filepath.Join(s.dir, name)}
	if len(s.Masters) == 0 {
		_, err := master.Init(ctx, master.InitOptions{Root: r.Root, Name: name, Listen: "127.0.0.1:0", Passphrase: Passphrase})
		s.must(err)
		s.must(addOperators(ctx, r.Layout(), name, operators))
	} else {
		token, err := client.Invite(ctx, s.Client, name, Passphrase, time.Hour)
		s.must(err)
		_, _, err = master.Join(ctx, master.JoinOptions{Root: r.Root, Token: token, Listen: "127.0.0.1:0"})
		s.must(err)
	}
	if s.fileRoot != "" {
		s.must(dropIn(r.Root, "10-lab.toml", fmt.Sprintf("[file_roots]\nbase = [%q]\n", s.fileRoot)))
	}
	if s.config != "" {
		s.must(dropIn(r.Root, "30-test.toml", s.config))
	}
	s.Masters[name] = r
	s.StartMaster(name)
	a := r.Addresses
	s.must(dropIn(r.Root, "20-ports.toml", fmt.Sprintf("[listen]\nbus = %q\nroute = %q\nfiles = %q\n", a.Bus, a.Route, a.Files)))
	s.connect()
}

// addOperators writes operators into the store of a master that does not run.
func addOperators(ctx context.Context, l master.Layout, name string, operators []*proto.OperatorRecord) error {
	db, err := store.Open(l.Store(), store.Options{Master: name})
	if err != nil {
		return err
	}
	for _, op := range operators {
		rec, err := store.NewRecord(db.Stamp(), name, op)
		if err == nil {
			err = db.Append(ctx, rec)
		}
		if err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

// StartMaster starts a master that was stopped. Changes of its options are for
// one start.
func (s *Site) StartMaster(name string, change ...func(*master.Options)) {
	s.t.Helper()
	s.must(s.TryMaster(name, change...))
}

// TryMaster starts a master that may refuse to.
func (s *Site) TryMaster(name string, change ...func(*master.Options)) error {
	r := s.Masters[name]
	config, err := master.LoadConfig(r.Root, nil)
	if err != nil {
		return err
	}
	ready := make(chan master.Addresses, 1)
	o := master.Options{
		Root: r.Root, Config: config, Log: s.log.Named(name), Ready: func(a master.Addresses) { ready <- a },
		TraceBus: s.log.IsTrace(),
	}
	for _, f := range change {
		f(&o)
	}
	stop, ended := background(func(ctx context.Context) error { return master.Run(ctx, o) })
	select {
	case r.Addresses = <-ready:
		s.stops[name], s.ends[name] = stop, ended
		return nil
	case <-ended:
		return stop()
	}
}

// background runs f. stop ends it and returns what it returned; ended is
// closed when it has returned.
func background(f func(context.Context) error) (stop func() error, ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f(ctx)
	}()
	return func() error {
		cancel()
		<-done
		return err
	}, done
}

// Stop stops a master or minion, gently.
func (s *Site) Stop(name string) {
	s.t.Helper()
	stop := s.stops[name]
	if stop == nil {
		s.t.Fatalf("%s does not run", name)
	}
	delete(s.stops, name)
	s.must(stop())
}

// Ended waits until a master or minion ends by itself, and returns with what.
func (s *Site) Ended(name string) error {
	s.t.Helper()
	stop, ended := s.stops[name], s.ends[name]
	select {
	case <-ended:
	case <-time.After(patience):
		return fmt.Errorf("%s goes on", name)
	}
	delete(s.stops, name)
	return stop()
}

// Together waits until every master that runs hears all the others.
func (s *Site) Together() {
	s.t.Helper()
	ctx, cancel := s.ctx()
	defer cancel()
	for name, r := range s.Masters {
		if s.stops[name] == nil {
			continue
		}
		c := s.At(name)
		s.must(until(ctx, "all masters are live at "+name, func() error {
			reply := &proto.MasterListReply{}
			if err := c.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
				return err
			}
			for _, m := range reply.Masters {
				if s.stops[m.Name] != nil && m.State != "live" {
					return fmt.Errorf("%s is %s at %s", m.Name, m.State, r.Name)
				}
			}
			return nil
		}))
		c.Close()
	}
}

// At is the first operator's client that asks only this master. The caller closes it.
func (s *Site) At(name string) *client.Client {
	s.t.Helper()
	config, err := client.LoadConfig(s.Masters["m1"].Layout().OperatorConfig())
	s.must(err)
	config.Masters = []string{s.Masters[name].Addresses.Bus}
	c, err := client.New(config)
	s.must(err)
	c.Only()
	return c
}

// connect makes the operator's client know every master.
func (s *Site) connect() {
	s.t.Helper()
	if s.Client != nil {
		s.Client.Close()
	}
	config, err := client.LoadConfig(s.Masters["m1"].Layout().OperatorConfig())
	s.must(err)
	config.Masters = s.Buses()
	s.Client, err = client.New(config)
	s.must(err)
}

// Buses are the addresses of the masters' buses.
func (s *Site) Buses() []string {
	var out []string
	for i := range len(s.Masters) {
		out = append(out, s.Masters["m"+strconv.Itoa(i+1)].Addresses.Bus)
	}
	return out
}

// AddMinion starts a minion: one that nobody has accepted yet, or one that was
// stopped. Changes of its options are for one start.
func (s *Site) AddMinion(id string, change ...func(*minion.Options)) *minion.Minion {
	s.t.Helper()
	c := &minion.Config{ID: id, Masters: s.Buses(), CAFingerprint: s.Client.Config().CAFingerprint}
	c.Link.Ping, c.Files.KeepDays, c.Files.KeepMB = "500ms", 30, 100
	o := minion.Options{Root: s.HostRoot(id), Config: c, Log: s.log.Named(id)}
	for _, f := range change {
		f(&o)
	}
	m, err := minion.New(o)
	s.must(err)
	s.stops[id], s.ends[id] = background(m.Run)
	s.Minions[id] = m
	return m
}

// Accept accepts minions' keys once they have asked, and waits until they hear jobs.
func (s *Site) Accept(ids ...string) {
	s.t.Helper()
	ctx, cancel := s.ctx()
	defer cancel()
	for _, id := range ids {
		s.must(until(ctx, id+" asks to be accepted", func() error {
			req := &proto.KeyDecideRequest{Patterns: []string{id}, State: proto.KeyState_KEY_ACCEPTED}
			return s.Client.Call(ctx, "key.decide", req, &proto.KeyDecideReply{})
		}))
		s.must(s.Minions[id].WaitLinked(ctx))
	}
}

// Run runs a function on minions that a glob matches and returns what is known at the end.
func (s *Site) Run(target, function string, args ...string) *client.Result {
	s.t.Helper()
	ctx, cancel := s.ctx()
	defer cancel()
	var list []*proto.Argument
	for _, a := range args {
		name, text, named := strings.Cut(a, "=")
		if !named {
			name, text = "", a
		}
		list = append(list, &proto.Argument{Name: name, Value: &proto.Argument_Text{Text: text}})
	}
	req := s.Client.NewJob(&proto.Target{Syntax: proto.Target_GLOB, Expression: target}, function, list)
	r, err := s.Client.Run(ctx, req, func(*client.Result, []string) {})
	s.must(err)
	return r
}

// HostRoot is the directory under which a minion's host lies.
func (s *Site) HostRoot(id string) string { return filepath.Join(s.dir, id) }
