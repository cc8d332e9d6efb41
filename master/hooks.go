package master

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/master/hook"
	"brine/pki"
	"brine/proto"
	"brine/proto/config"
	"brine/proto/target"
)

// hookSettings are [hooks] of master.toml: who may tell what happens, and where.
type hookSettings struct {
	Listen      string            `toml:"listen"`      // "": the listener of files
	Certificate string            `toml:"certificate"` // of this listener; with
	Key         string            `toml:"key"`
	Aliases     map[string]string `toml:"aliases"` // minions, by other names of their hosts

	sources map[string]*hook.Source
}

// hooks reads [hooks]. Each table in it but aliases is a source.
func (c *Config) hooks() (*hookSettings, map[string][]error) {
	s, errs := &hookSettings{sources: map[string]*hook.Source{}}, map[string][]error{}
	own := map[string]any{}
	for name, v := range c.Hooks {
		table, ok := v.(map[string]any)
		if !ok || name == "aliases" {
			own[name] = v
			continue
		}
		source := &hook.Source{}
		if err := hook.CheckName(name); err != nil {
			errs[name] = append(errs[name], err)
		}
		errs[name] = append(errs[name], config.Table(table, source)...)
		errs[name] = append(errs[name], source.Check(secretFile)...)
		s.sources[name] = source
	}
	errs[""] = config.Table(own, s)
	if s.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil {
			errs[""] = append(errs[""], fmt.Errorf("listen = %q: want host:port", s.Listen))
		}
	}
	switch {
	case (s.Certificate == "") != (s.Key == ""):
		errs[""] = append(errs[""], errors.New("certificate and key: want both or none"))
	case s.Certificate != "" && s.Listen == "":
		errs[""] = append(errs[""], errors.New("certificate is for listen, which is missing"))
	case s.Certificate != "":
		if _, err := tls.LoadX509KeyPair(s.Certificate, s.Key); err != nil {
			errs[""] = append(errs[""], fmt.Errorf("certificate: %w", err))
		}
	}
	return s, errs
}

// hookProblems are the mistakes in what the configuration says of hooks.
func (c *Config) hookProblems(path, dropins string) (all []error) {
	_, errs := c.hooks()
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		for _, err := range errs[name] {
			section := strings.TrimSuffix("hooks."+name, ".")
			all = append(all, fmt.Errorf("%s: [%s] %w", config.Where(path, dropins, strings.Split(section, ".")...), section, err))
		}
	}
	return all
}

// hookIndex is the index of hosts, made anew when a minion comes, goes or tells other grains.
type hookIndex struct {
	making sync.Mutex // one is made at a time

	mu     sync.Mutex // guards the fields below
	index  *hook.Index
	made   time.Time
	change bool
}

// indexRest is how long an index that is out of date serves at least: a fleet that starts tells its grains one by one.
const indexRest = time.Second

// committed notes that the index may be out of date.
func (x *hookIndex) committed(recs []*proto.Record) {
	for _, rec := range recs {
		if rec.Kind == proto.RecordKind_RECORD_GRAINS || rec.Kind == proto.RecordKind_RECORD_KEY {
			x.mu.Lock()
			x.change = true
			x.mu.Unlock()
			return
		}
	}
}

func (x *hookIndex) current(now time.Time) *hook.Index {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.index == nil || x.change && now.Sub(x.made) > indexRest {
		return nil
	}
	return x.index
}

// hookHosts gives the index of hosts as it is now.
func (m *Master) hookHosts(ctx context.Context) (*hook.Index, error) {
	x := &m.hookIndex
	if index := x.current(time.Now()); index != nil {
		return index, nil
	}
	x.making.Lock()
	defer x.making.Unlock()
	if index := x.current(time.Now()); index != nil {
		return index, nil
	}
	x.mu.Lock()
	x.change = false
	x.mu.Unlock()
	ids := m.keys.Accepted()
	hosts := make([]hook.Host, 0, len(ids))
	for _, id := range ids {
		grains, err := m.grains.Facts(ctx, id)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, hook.Host{Minion: id, Names: grainTexts(grains, "fqdn", "host", "nodename"), Addresses: grainTexts(grains, "ipv4", "ipv6")})
	}
	index := hook.NewIndex(hosts, m.hookSettings.Aliases)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.index, x.made = index, time.Now()
	return index, nil
}

// grainTexts are the texts of grains and of those that are lists.
func grainTexts(grains target.Map, names ...string) (all []string) {
	if grains == nil {
		return nil
	}
	for _, name := range names {
		v, _ := grains.Get(name)
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case target.List:
			for _, item := range v.Elements() {
				if text, ok := item.(string); ok {
					all = append(all, text)
				}
			}
		case []any:
			for _, item := range v {
				if text, ok := item.(string); ok {
					all = append(all, text)
				}
			}
		}
	}
	return all
}

// makeHooks makes what serves those who tell something. Without any source it answers that there is none.
func (m *Master) makeHooks(context.Context) (func(), error) {
	m.hookSettings, _ = m.o.Config.hooks() // its mistakes were told at the start
	m.store.OnCommit(m.hookIndex.committed)
	m.hooked = hook.New(hook.Options{
		Master: m.id.Name, Sources: m.hookSettings.sources, Secret: secretFile, Index: m.hookHosts, Events: m.store.EventsNaming,
		Keep: m.keepEverywhere,
		Refused: func(source, address string, err error) {
			m.complain(source, "hook refused", "source", source, "address", address, "err", err)
		},
		Failed: func(source string, err error) { m.complain(source, "hook not stored", "source", source, "err", err) },
	})
	m.peers.Handle("sys", "hooks", m.peerHooks)
	return nil, nil
}

// addHooks serves hooks.
func (m *Master) addHooks(mux *http.ServeMux) {
	mux.HandleFunc("POST /hook/git", m.hook)
	mux.Handle("POST /hook/{name}", m.hooked)
	mux.Handle("POST /hook/{name}/{path...}", m.hooked)
}

// startHooks opens the listener of hooks, if they have one of their own.
func (m *Master) startHooks(context.Context) (func(), error) {
	s := m.hookSettings
	if s.Listen == "" {
		return nil, nil
	}
	secure := pki.ServerTLS(m.id)
	if s.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(s.Certificate, s.Key); err != nil {
			return nil, fmt.Errorf("cannot use the certificate of hooks: %w", err)
		}
		secure.MinVersion = tls.VersionTLS12 // of systems that are what they are
		secure.GetCertificate = (&renewed{certificate: s.Certificate, key: s.Key}).get
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, listenError("hooks.listen", err)
	}
	mux := http.NewServeMux()
	m.addHooks(mux)
	web := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: m.log.Named("hooks").StandardLogger(nil),
	}
	m.hookAddress = l.Addr().String()
	m.log.Info("hooks are taken", "address", l.Addr())
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := web.Serve(tls.NewListener(l, secure)); err != http.ErrServerClosed {
			m.fail(err)
		}
	}()
	return func() {
		_ = web.Close() // it closes the listener; what it says of that helps nobody
		<-served
	}, nil
}

// renewed is a certificate that is read again when its file has changed.
type renewed struct {
	certificate, key string

	mu   sync.Mutex // guards the fields below
	read time.Time
	pair *tls.Certificate
}

// certificateRest is how long a certificate serves before its files are read again.
const certificateRest = time.Minute

func (r *renewed) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pair != nil && time.Since(r.read) < certificateRest {
		return r.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(r.certificate, r.key)
	if err != nil && r.pair == nil {
		return nil, err
	}
	r.read = time.Now()
	if err == nil { // else the old one serves: it may be half written
		r.pair = &pair
	}
	return r.pair, nil
}
