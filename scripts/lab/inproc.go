package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/master"
	"brine/master/client"
	"brine/minion"
	"brine/proto"
)

// A Site is a site within a test's process: real masters and minions, real
// TLS on loopback, files under the test's temporary directory.
type Site struct {
	Masters map[string]*Running
	Minions map[string]*minion.Minion
	Client  *client.Client

	t        testing.TB
	dir      string
	fileRoot string
	log      hclog.Logger
	stops    map[string]func()
}

// A Running is one master of a Site.
type Running struct {
	Name, Root string
	Addresses  master.Addresses
}

// SiteOptions say what site to make.
type SiteOptions struct {
	Masters  int // 0: 2
	Minions  []string
	FileRoot string
}

const passphrase = "lab"

// Start makes a site and returns when every minion hears jobs. The test's
// cleanup stops it.
func Start(t testing.TB, o SiteOptions) *Site {
	t.Helper()
	if o.Masters == 0 {
		o.Masters = 2
	}
	s := &Site{
		Masters: map[string]*Running{}, Minions: map[string]*minion.Minion{}, t: t, dir: t.TempDir(), fileRoot: o.FileRoot,
		stops: map[string]func(){},
		log:   hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: testOutput{t}, DisableTime: true}),
	}
	t.Cleanup(s.stop)
	for i := range o.Masters {
		s.addMaster(fmt.Sprintf("m%d", i+1))
	}
	for _, id := range o.Minions {
		s.AddMinion(id)
	}
	if len(o.Minions) > 0 {
		s.Accept(o.Minions...)
	}
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
	var wait sync.WaitGroup
	for name, stop := range s.stops {
		if s.Masters[name] == nil {
			wait.Go(stop)
		}
	}
	wait.Wait()
	for name, stop := range s.stops {
		if s.Masters[name] != nil {
			wait.Go(stop)
		}
	}
	wait.Wait()
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

func (s *Site) addMaster(name string) {
	s.t.Helper()
	ctx, cancel := s.ctx()
	defer cancel()
	r := &Running{Name: name, Root: filepath.Join(s.dir, name)}
	if len(s.Masters) == 0 {
		_, err := master.Init(ctx, master.InitOptions{Root: r.Root, Name: name, Listen: "127.0.0.1:0", Passphrase: passphrase})
		s.must(err)
	} else {
		token, err := client.Invite(ctx, s.Client, name, passphrase, time.Hour)
		s.must(err)
		_, _, err = master.Join(ctx, master.JoinOptions{Root: r.Root, Token: token, Listen: "127.0.0.1:0"})
		s.must(err)
	}
	if s.fileRoot != "" {
		s.must(dropIn(r.Root, "10-lab.toml", fmt.Sprintf("[file_roots]\nbase = [%q]\n", s.fileRoot)))
	}
	s.Masters[name] = r
	s.StartMaster(name)
	a := r.Addresses
	s.must(dropIn(r.Root, "20-ports.toml", fmt.Sprintf("[listen]\nbus = %q\nroute = %q\nfiles = %q\n", a.Bus, a.Route, a.Files)))
	s.connect()
}

// StartMaster starts a master that was stopped.
func (s *Site) StartMaster(name string) {
	s.t.Helper()
	r := s.Masters[name]
	config, err := master.LoadConfig(r.Root, nil)
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan master.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- master.Run(ctx, master.Options{
			Root: r.Root, Config: config, Log: s.log.Named(name), Ready: func(a master.Addresses) { ready <- a },
		})
	}()
	s.stops[name] = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("master %s: %v", name, err)
		}
	}
	select {
	case r.Addresses = <-ready:
	case err := <-ended:
		delete(s.stops, name)
		cancel()
		s.t.Fatalf("master %s: %v", name, err)
	}
}

// Stop stops a master or minion, gently.
func (s *Site) Stop(name string) {
	s.stops[name]()
	delete(s.stops, name)
}

// connect makes the operator's client know every master.
func (s *Site) connect() {
	s.t.Helper()
	if s.Client != nil {
		s.Client.Close()
	}
	config, err := client.LoadConfig(filepath.Join(s.dir, "m1/etc/brine/operator.toml"))
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

// AddMinion starts a minion that nobody has accepted yet.
func (s *Site) AddMinion(id string) *minion.Minion {
	s.t.Helper()
	c := &minion.Config{ID: id, Masters: s.Buses(), CAFingerprint: s.Client.Config().CAFingerprint}
	c.Link.Ping, c.Files.KeepDays = "500ms", 30
	m, err := minion.New(minion.Options{Root: filepath.Join(s.dir, id), Config: c, Log: s.log.Named(id)})
	s.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	s.stops[id] = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("minion %s: %v", id, err)
		}
	}
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
