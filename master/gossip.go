package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/pki"
	"brine/proto"
)

// Masters of which one has an older trust bundle refuse each other: it does not
// know a new one, or that it is revoked itself. The site key has signed the
// bundle, so that anyone may bring it: other masters over HTTPS, and minions.

const (
	bundlePath    = "/bundle"
	maxBundle     = 1 << 20
	exchangeEvery = 5 * time.Second
	exchangeTime  = 2 * time.Second
	maxSwaps      = 8 // that are being read: anyone may bring one
)

// keepBundles exchanges trust bundles with the masters that are away.
func (m *Master) keepBundles(ctx context.Context) {
	tick := time.NewTicker(exchangeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.exchangeBundles(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// exchangeBundles hands the trust bundle to each master that is not heard, and
// takes what it has. Most that are not heard are down.
func (m *Master) exchangeBundles(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	var wait sync.WaitGroup
	for name, address := range m.awayFiles(ctx) {
		wait.Go(func() {
			if err := m.exchangeBundle(ctx, name, address); err != nil {
				m.log.Debug("trust bundle not exchanged", "master", name, "err", err)
			}
		})
	}
	wait.Wait()
}

// awayFiles are the HTTPS addresses of the masters that are away, by name.
func (m *Master) awayFiles(ctx context.Context) map[string]string {
	told := map[string]string{}
	masters, err := m.store.Masters(ctx)
	if err != nil {
		m.log.Error("cannot read the masters' addresses", "err", err)
	}
	for _, a := range masters {
		told[a.Name] = a.Files
	}
	away := map[string]string{}
	for _, name := range m.peers.Away() {
		if own := m.o.Config.Peers[name].Files; own != "" {
			away[name] = own
		} else if told[name] != "" {
			away[name] = told[name]
		}
	}
	return away
}

func (m *Master) exchangeBundle(ctx context.Context, name, address string) error {
	body, err := pb.Marshal(m.trust.Envelope())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+bundlePath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	// Without a certificate of our own: it may be the one that is revoked there.
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: pki.ClientTLS(m.trust), DisableKeepAlives: true}}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBundle))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	env := &proto.Envelope{}
	if err := pb.Unmarshal(data, env); err != nil {
		return err
	}
	return m.learn(env, "master "+name)
}

// swapBundle takes somebody's trust bundle and answers with the one in force.
func (m *Master) swapBundle(w http.ResponseWriter, r *http.Request) {
	select {
	case m.swaps <- struct{}{}:
		defer func() { <-m.swaps }()
	default:
		http.Error(w, "too many bundles at a time: try again", http.StatusServiceUnavailable)
		return
	}
	env := &proto.Envelope{}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBundle))
	if err == nil {
		err = pb.Unmarshal(data, env)
	}
	if err == nil {
		err = m.learn(env, r.RemoteAddr)
	}
	if err != nil {
		m.complain("", "trust bundle refused", "address", r.RemoteAddr, "err", err)
		http.Error(w, fmt.Sprintf("cannot take the trust bundle: %v", err), http.StatusBadRequest)
		return
	}
	if data, err = pb.Marshal(m.trust.Envelope()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(data) // whoever has gone asks again
}

// toldBundle takes the trust bundle that a minion has brought.
func (m *Master) toldBundle(id string, data []byte) {
	req := &proto.BundleRequest{}
	if err := pb.Unmarshal(data, req); err != nil || req.Bundle == nil {
		return
	}
	if err := m.learn(req.Bundle, "minion "+id); err != nil {
		m.complain(id, "trust bundle refused", "minion", id, "err", err)
	}
}

// learn puts a trust bundle in force that somebody brought, if it is newer or
// revokes more. Nothing is verified of one that is known.
func (m *Master) learn(env *proto.Envelope, from string) error {
	if pb.Equal(env, m.trust.Envelope()) {
		return nil
	}
	changed, err := m.take(env)
	if changed {
		m.log.Warn("trust bundle learnt", "from", from, "serial", m.trust.Serial())
		m.later(m.bundleChanged)
	}
	return err
}
