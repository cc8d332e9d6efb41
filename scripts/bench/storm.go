package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"brine/master/client"
	"brine/proto"
	"brine/scripts/lab"
)

const (
	stormEvents = 50_000
	stormAtOnce = 100 // alerts of a message
	flapping    = 100 // services
	mostActions = 40  // of the rule within an hour
)

// stormRules are one that answers services which flap, held by its rates, and one that leads to its own event.
const stormRules = `[[rule]]
name = "flap"
mode = "enforce"
tag = "brine/hook/storm/*"
key = "event.data.name"
cooldown = "1s"
rate = "3/1h"
rule_rate = "40/1h"
breaker = {share = 0}
[rule.action]
run = "test.ping"

[[rule]]
name = "itself"
mode = "enforce"
tag = "storm/itself"
key = "event.id"
cooldown = "0s"
rate = "none"
rule_rate = "none"
breaker = {share = 0}
[rule.action]
run = "event.send"
args = ["storm/itself"]
target = "minion1"
`

const stormHook = `[hooks.storm]
kind = "json"
token_file = %q
fields = {alerts = "alerts", host = ["host"], status = "status", name = "name", key = "key", time = "time"}
`

// storm has 50,000 events come as fast as two masters take them, and asks a minion meanwhile.
func (b *bench) storm(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := b.stormSite(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = l.Down() }() // what it says of processes that are gone helps nobody
	c, err := operatorOf(l)
	if err != nil {
		return err
	}
	defer c.Close()
	h, err := hookClient(ctx, l)
	if err != nil {
		return err
	}
	if _, err := c.SendEvent(ctx, "storm/itself", []byte("{}")); err != nil {
		return err
	}
	over, ended := context.WithCancel(ctx)
	defer ended()
	pinged := make(chan error, 1)
	var walls []time.Duration
	go func() {
		var err error
		walls, err = pings(over, c)
		pinged <- err
	}()
	began := time.Now()
	err = sendStorm(ctx, h, l)
	sent := time.Now()
	if err == nil {
		err = quiet(ctx, c)
	}
	calm := time.Now()
	ended()
	if err := errors.Join(err, <-pinged); err != nil {
		return err
	}
	return b.sayStorm(ctx, c, walls, sent.Sub(began), calm.Sub(sent))
}

// stormSite has two masters that listen to monitoring.
func (b *bench) stormSite(ctx context.Context, dir string) (*lab.Lab, error) {
	tree, token := filepath.Join(dir, "tree"), filepath.Join(dir, "token")
	err := errors.Join(os.MkdirAll(filepath.Join(tree, "_rules"), 0o755), os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600))
	if err == nil {
		err = os.WriteFile(filepath.Join(tree, "_rules", "storm.toml"), []byte(stormRules), 0o644)
	}
	if err != nil {
		return nil, err
	}
	l, err := lab.Up(ctx, lab.UpOptions{Dir: filepath.Join(dir, "lab"), Bin: b.bin, Masters: 2, Minions: 3, FileRoot: tree})
	if err != nil {
		return nil, err
	}
	for _, m := range l.Masters {
		err := os.WriteFile(filepath.Join(m.Root, "etc/brine/master.d/50-storm.toml"), fmt.Appendf(nil, stormHook, token), 0o600)
		if err == nil {
			err = l.Kill(m.Name, syscall.SIGKILL)
		}
		if err == nil {
			err = l.Restart(ctx, m.Name)
		}
		if err != nil {
			return nil, errors.Join(err, l.Down())
		}
	}
	return l, nil
}

// hookClient reaches the masters of a lab by their names.
func hookClient(ctx context.Context, l *lab.Lab) (*http.Client, error) {
	ca, err := l.Brine(ctx, "hook", "ca")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	dial := func(ctx context.Context, _, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr) // it is made of a URL
		var at struct{ Files string }
		data, err := os.ReadFile(filepath.Join(l.Dir, host, "run/brine/master.json"))
		if err == nil {
			err = json.Unmarshal(data, &at)
		}
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", at.Files)
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DialContext: dial}}, nil
}

// sendStorm sends all events, to the masters in turn.
func sendStorm(ctx context.Context, h *http.Client, l *lab.Lab) error {
	for from := 0; from < stormEvents; from += stormAtOnce {
		var all []map[string]any
		for n := from; n < from+stormAtOnce; n++ {
			all = append(all, map[string]any{"host": l.Minions[n%len(l.Minions)].ID, "status": "bad", "name": fmt.Sprintf("service%d", n%flapping),
				"key": fmt.Sprintf("key%d", n), "time": time.Now()})
		}
		body, err := json.Marshal(map[string]any{"alerts": all})
		if err != nil {
			return err
		}
		name := l.Masters[from/stormAtOnce%len(l.Masters)].Name
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+name+"/hook/storm", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer 0123456789abcdef")
		resp, err := h.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close() // it is not read
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("cannot send a storm: %s says %s", name, resp.Status)
		}
	}
	return nil
}

// pings asks a minion again and again until ctx ends.
func pings(ctx context.Context, c *client.Client) (walls []time.Duration, err error) {
	for ctx.Err() == nil {
		began := time.Now()
		// A ping that is under way at the end ends too.
		r, err := c.Run(context.WithoutCancel(ctx), c.NewJob(&proto.Target{Syntax: proto.Target_LIST, Expression: "minion1"}, "test.ping", nil), func(*client.Result, []string) {})
		if err != nil {
			return nil, err
		}
		if r.Counts()["ok"] != 1 {
			return nil, fmt.Errorf("a ping during the storm came to %v", r.Counts())
		}
		walls = append(walls, time.Since(began))
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return walls, nil
}

// quiet waits until the rules have looked at everything.
func quiet(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		reply := &proto.MasterListReply{}
		if err := c.Call(ctx, "master.list", &proto.Empty{}, reply); err != nil {
			return err
		}
		busy := ""
		for _, m := range reply.Masters {
			if s := m.Reactor; m.State != "live" || m.Lag+s.GetLag()+s.GetWaits()+int64(s.GetOpen()) > 0 {
				busy = fmt.Sprintf("%s (%s): %d records not read, %v", m.Name, m.State, m.Lag, s)
			}
		}
		if busy == "" {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the rules don't come to an end: %s", busy)
		}
	}
}

func (b *bench) sayStorm(ctx context.Context, c *client.Client, walls []time.Duration, took, behind time.Duration) error {
	fired, err := decided(ctx, c, "brine/rule/flap/fired")
	if err != nil {
		return err
	}
	held, err := decided(ctx, c, "brine/rule/flap/suppressed")
	if err != nil {
		return err
	}
	loops, err := decided(ctx, c, "brine/rule/itself/fired")
	if err != nil {
		return err
	}
	slices.Sort(walls)
	late := walls[len(walls)*99/100]
	b.say("a storm: test.ping meanwhile, 99th percentile", ms(late), "500 ms", late <= 500*time.Millisecond)
	b.say("a storm: events stored by two masters a second", fmt.Sprintf("%.0f", stormEvents/took.Seconds()), "", true)
	b.say("a storm: until the rules have decided about all", fmt.Sprintf("%.1f s", behind.Seconds()), "30 s", behind <= 30*time.Second)
	b.say("a storm: events not decided about", fmt.Sprint(stormEvents-fired-held), "0", fired+held == stormEvents)
	b.say("a storm: actions of a rule held to 40 an hour", fmt.Sprint(fired), "40", fired <= mostActions && fired > 0)
	b.say("a storm: actions of a rule that triggers itself", fmt.Sprint(loops), "1", loops == 1)
	return nil
}

// decided counts the events that the steps under a tag are about.
func decided(ctx context.Context, c *client.Client, tag string) (n int, err error) {
	for before := int64(0); ; {
		reply := &proto.EventListReply{}
		req := &proto.EventListRequest{Query: &proto.EventQuery{Tags: []string{tag}}, Limit: 100, Before: before}
		if err := c.Call(ctx, "event.list", req, reply); err != nil {
			return 0, err
		}
		for _, e := range reply.Events {
			var step struct{ Times int }
			if err := json.Unmarshal(e.Event.Data, &step); err != nil {
				return 0, err
			}
			n += max(1, step.Times)
		}
		if before = reply.Next; before == 0 {
			return n, nil
		}
	}
}
