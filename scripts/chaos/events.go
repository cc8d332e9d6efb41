package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// eventRules answer each event of one source once, and those of one name of the other once within the cool-down.
const eventRules = `
[[rule]]
name = "each"
mode = "enforce"
tag = "brine/hook/each/*"
key = "event.id"
cooldown = "0s"
rate = "none"
rule_rate = "none"
breaker = {share = 0, failed = 0}
[rule.action]
run = "cmd.run"
args = ["echo each ${event.data.key} ${event.id} >>EFFECTS/${event.origin}/actions"]

[[rule]]
name = "cool"
mode = "enforce"
tag = "brine/hook/cool/*"
key = "event.data.name"
cooldown = "3h"
rate = "none"
rule_rate = "none"
breaker = {share = 0, failed = 0}
[rule.action]
run = "cmd.run"
args = ["echo cool ${event.data.name} ${event.id} >>EFFECTS/${event.origin}/actions"]
`

const (
	senders   = 4
	sameName  = 20 // events of a name that is to be acted on once
	mostAhead = 40 // events that are sent before what those before them lead to has happened
)

const fields = `fields = {alerts = "alerts", host = ["host"], status = "status", name = "name", key = "key", time = "time"}`

// alert is what monitoring tells: the same to whichever master, and told until one has it.
type alert struct {
	Host   string    `json:"host"`
	Status string    `json:"status"`
	Name   string    `json:"name"`
	Key    string    `json:"key"`
	Time   time.Time `json:"time"`
}

// An eventRun sends events to a site with rules while that is broken.
type eventRun struct {
	*chaos
	http *http.Client
	sent atomic.Int64
	// split are the names of which events came while the masters were cut from each other: each side may act on one.
	split map[string]bool
}

// ruleTree is where the rules are; the directory is served to the site.
func (c *chaos) ruleTree() (string, error) {
	tree := filepath.Join(c.dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "_rules"), 0o755); err != nil {
		return "", err
	}
	text := bytes.ReplaceAll([]byte(eventRules), []byte("EFFECTS"), []byte(filepath.Join(c.dir, "effects")))
	return tree, os.WriteFile(filepath.Join(tree, "_rules", "chaos.toml"), text, 0o644)
}

// eventLoop sends all events: most while masters are killed and come back, the last while two are cut from each other.
func (c *chaos) eventLoop(ctx context.Context) error {
	r := &eventRun{chaos: c, split: map[string]bool{}}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	kills, whole := 0, c.events*4/5
	err := r.while(ctx, 0, whole, func(ctx context.Context, done <-chan struct{}) (err error) {
		kills, err = r.killMasters(ctx, done)
		return err
	})
	if err == nil {
		err = r.settled(ctx)
	}
	if err == nil {
		err = r.while(ctx, whole, c.events, r.cutMasters)
	}
	if err == nil {
		err = r.settled(ctx)
	}
	if err == nil {
		err = r.storesEqual(ctx)
	}
	if err == nil {
		err = r.checkActions(ctx)
	}
	if err != nil {
		return fmt.Errorf("%d events sent (seed %d): %w", r.sent.Load(), c.seed, err)
	}
	fmt.Printf("%d events, %d masters killed, 1 cut: each action on a minion once, none missing, cool-downs kept, stores equal (seed %d, %s)\n",
		c.events, kills, c.seed, time.Since(c.began).Round(time.Second))
	return nil
}

// prepare has the masters listen to monitoring.
func (r *eventRun) prepare(ctx context.Context) error {
	token := filepath.Join(r.dir, "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		return err
	}
	text := "[rules]\nactions_per_minute = 0\n"
	for _, name := range []string{"each", "cool"} {
		text += fmt.Sprintf("[hooks.%s]\nkind = \"json\"\ntoken_file = %q\n%s\n", name, token, fields)
	}
	for _, m := range r.lab.Masters {
		if err := os.WriteFile(filepath.Join(m.Root, "etc/brine/master.d/50-events.toml"), []byte(text), 0o600); err != nil {
			return err
		}
		if err := r.lab.Kill(m.Name, syscall.SIGKILL); err != nil {
			return err
		}
		if err := r.back(ctx, m.Name); err != nil {
			return err
		}
	}
	ca, err := r.lab.Brine(ctx, "hook", "ca")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	r.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DialContext: r.dial}}
	return nil
}

// dial finds a master by its name.
func (r *eventRun) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(r.dir, host, "run/brine/master.json"))
	if err != nil {
		return nil, err
	}
	var at struct{ Files string }
	if err := json.Unmarshal(data, &at); err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", at.Files)
}

// while sends some events, and breaks the site until they are sent.
func (r *eventRun) while(ctx context.Context, from, to int, broken func(context.Context, <-chan struct{}) error) error {
	group, ctx := errgroup.WithContext(ctx)
	done := make(chan struct{})
	group.Go(func() error { return broken(ctx, done) })
	group.Go(func() error {
		defer close(done)
		return r.send(ctx, from, to)
	})
	return group.Wait()
}

// send tells of events from several sides, and does not run far ahead of the site.
func (r *eventRun) send(ctx context.Context, from, to int) error {
	group, ctx := errgroup.WithContext(ctx)
	next := atomic.Int64{}
	next.Store(int64(from))
	for i := range senders {
		random := rand.New(rand.NewPCG(r.seed, uint64(from+i)))
		group.Go(func() error {
			for n := int(next.Add(1)) - 1; n < to && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				if err := r.tell(ctx, n, random); err != nil {
					return err
				}
				if n%10 == 0 {
					err := until(ctx, "actions follow", func() error { return r.notFarAhead(n) })
					if err != nil {
						return err
					}
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// tell tells of the n-th event. Every other one is of the source whose events lead to an action each.
func (r *eventRun) tell(ctx context.Context, n int, random *rand.Rand) error {
	a := alert{Host: r.lab.Minions[n/2/sameName%len(r.lab.Minions)].ID, Status: "bad", Name: fmt.Sprintf("name%d", n/2/sameName), Key: fmt.Sprintf("key%d", n), Time: time.Now()}
	body, err := json.Marshal(map[string][]alert{"alerts": {a}})
	if err != nil {
		return err
	}
	return until(ctx, "a master takes an event", func() error {
		err := r.post(ctx, r.lab.Masters[random.IntN(len(r.lab.Masters))].Name, source(n), body)
		if err == nil {
			r.sent.Add(1)
		}
		return err
	})
}

// source is where the n-th event comes from.
func source(n int) string {
	if n%2 == 0 {
		return "each"
	}
	return "cool"
}

func (r *eventRun) post(ctx context.Context, master, source string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+master+"/hook/"+source, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer 0123456789abcdef")
	resp, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s", resp.Status, said)
	}
	return err
}

// killMasters kills one after the other, at any moment and for any time up to twice that after which others go on without it.
func (r *eventRun) killMasters(ctx context.Context, done <-chan struct{}) (kills int, err error) {
	for {
		if ended, err := pause(ctx, done, r.soon(2*time.Second)); ended || err != nil {
			return kills, err
		}
		m := r.master()
		if err := r.lab.Kill(m.Name, syscall.SIGKILL); err != nil {
			return kills, err
		}
		kills++
		if _, err := pause(ctx, done, r.soon(4*time.Second)); err != nil {
			return kills, err
		}
		if err := r.lab.Restart(ctx, m.Name); err != nil {
			return kills, err
		}
		if r.rand.IntN(2) == 0 { // else the next one dies before the others know that this one is back
			if err := r.whole(ctx); err != nil {
				return kills, err
			}
		}
	}
}

// pause waits a while, or until all is sent.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) (ended bool, err error) {
	select {
	case <-time.After(d):
		return false, nil
	case <-done:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// cutMasters cuts the first two from each other until all is sent.
func (r *eventRun) cutMasters(ctx context.Context, done <-chan struct{}) error {
	for n := int(r.sent.Load()); n < r.events; n++ {
		r.split[fmt.Sprintf("name%d", n/2/sameName)] = true
	}
	if err := r.lab.Cut(r.lab.Masters[0].Name, r.lab.Masters[1].Name); err != nil {
		return err
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	return errors.Join(r.lab.Heal(), r.whole(ctx))
}
