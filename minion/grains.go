package minion

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"brine/minion/grains"
	pb "brine/proto"
	"brine/states/custom"
	"brine/states/host"
	"brine/states/value"
)

const (
	grainsEvery = time.Hour        // the host is looked at anew
	grainsAsk   = 30 * time.Second // one attempt to tell the masters
	grainsRetry = 2 * time.Second  // after one that failed; doubled each time
	grainsLimit = 256 << 10        // masters take no more
)

// static are the grains that the configuration gives.
func (c *Config) static() (*value.Dict, error) {
	v, err := value.Of(dated(c.Grains))
	if err != nil {
		return nil, err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return &value.Dict{}, nil
	}
	return d, nil
}

// dated makes texts of TOML's dates and times, as YAML's are in Salt.
func dated(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = dated(v[i])
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = dated(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = dated(v[k])
		}
		return out
	}
	return v
}

// needsNoGrains tells the functions that are answered also while the first look at the host still runs.
func needsNoGrains(function string) bool { return function == "test.ping" || isUrgent(function) }

// machineOf makes the machine that a minion is on. What lies under a root of its own asks no name servers.
func machineOf(l Layout, local *host.Local, changed func()) *grains.Machine {
	o := grains.MachineOptions{
		Root: l.hostRoot(), System: grains.System{Exec: local.Run}, Cache: l.Names(), Changed: changed,
	}
	if o.Root == "" {
		o.Resolver = grains.SystemResolver()
	}
	return grains.NewMachine(o)
}

// grainsOf makes the grains of a minion that has files of its own.
func grainsOf(
	l Layout, c *Config, id string, m *grains.Machine, local *host.Local, synced func() []custom.Program, log hclog.Logger,
) (*grains.Source, error) {
	static, err := c.static()
	if err != nil {
		return nil, err
	}
	return grains.New(grains.Options{
		ID: id, Master: masterName(c), Machine: m, Programs: l.GrainPrograms(), Synced: synced, Exec: local.Run, File: l.Grains(),
		Static: static, Config: l.Config(), Log: log,
	}), nil
}

// masterName is where the minion was told to look for a master first. It stays the same when another one takes over.
func masterName(c *Config) string {
	if len(c.Masters) == 0 {
		return ""
	}
	name, _, err := net.SplitHostPort(c.Masters[0])
	if err != nil {
		return c.Masters[0]
	}
	return name
}

// makeGrains is a step of New.
func (m *Minion) makeGrains() (err error) {
	machine := m.o.Machine
	if machine == nil {
		l := m.layout
		if m.o.Stateless {
			machine = grains.NewMachine(grains.MachineOptions{Root: l.hostRoot()})
		} else {
			machine = machineOf(l, m.local, func() { signal(m.stale) })
		}
		m.machine = machine
	}
	log := m.log.Named("grains")
	if m.o.Stateless {
		var static *value.Dict
		if static, err = m.o.Config.static(); err == nil {
			m.grains = grains.New(grains.Options{ID: m.state.id, Master: masterName(m.o.Config), Machine: machine, Static: static, Log: log})
		}
		return err
	}
	m.grains, err = grainsOf(m.layout, m.o.Config, m.state.id, machine, m.local, m.custom.GrainPrograms, log)
	return err
}

// signal wakes whoever waits for c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepGrains tells the masters the grains at first and whenever they are others, and looks at the host now and then.
func (m *Minion) keepGrains(ctx context.Context) {
	// Not all minions of a site at the same time.
	look := time.NewTimer(grainsEvery/2 + rand.N(grainsEvery/2))
	defer look.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	t := teller{m: m}
	for {
		select {
		case <-again.C:
		case <-m.relinked:
		case <-m.grains.Changed():
		case <-m.stale:
			m.grains.Again(ctx)
		case <-look.C:
			_ = m.grains.Refresh(ctx) // fails only at the end
			look.Reset(grainsEvery)
		case <-ctx.Done():
			return
		}
		if wait := t.tell(ctx); wait > 0 {
			again.Reset(wait)
		}
	}
}

// A teller tells the masters what they don't know yet.
type teller struct {
	m      *Minion
	known  [sha256.Size]byte // that a master has stored
	at     int64             // of what was sent last
	failed time.Duration
	why    string // in the log last
}

// tell returns how long to wait before it is tried again; 0 when a master has stored the grains.
func (t *teller) tell(ctx context.Context) time.Duration {
	data, warnings, sum := t.m.grains.JSON(ctx)
	if sum == t.known || ctx.Err() != nil {
		return 0
	}
	err := t.send(ctx, data, warnings)
	if err == nil {
		t.known, t.failed, t.why = sum, 0, ""
		return 0
	}
	if text := err.Error(); text != t.why && ctx.Err() == nil {
		t.why = text
		t.m.log.Warn("grains not told to the masters yet", "err", err)
	}
	t.failed = min(max(2*t.failed, grainsRetry), grainsEvery/2)
	return t.failed/2 + rand.N(t.failed/2)
}

func (t *teller) send(ctx context.Context, data []byte, warnings []string) error {
	if len(data) > grainsLimit {
		return fmt.Errorf("they have %d bytes, the limit is %d: the largest is %q", len(data), grainsLimit, largest(t.m.grains.Now(ctx)))
	}
	ctx, cancel := context.WithTimeout(ctx, grainsAsk)
	defer cancel()
	t.at = max(t.at+1, t.m.now().UnixMicro())
	for range 3 {
		body, err := proto.Marshal(&pb.Grains{At: t.at, Data: data, Warnings: shortened(warnings)})
		if err != nil {
			return err
		}
		answer, err := t.m.link.TellGrains(ctx, body)
		if err != nil {
			return err
		}
		reply := &pb.ToldReply{}
		if err := proto.Unmarshal(answer, reply); err != nil {
			return fmt.Errorf("cannot read the master's answer: %v", err)
		}
		switch {
		case reply.Error != "":
			return fmt.Errorf("refused: %s", reply.Error)
		case reply.At <= t.at:
			return nil
		}
		t.at = reply.At + 1 // the masters have some from when this clock was ahead
	}
	return fmt.Errorf("the masters have later ones, of %s: does another host use the id %q?",
		time.UnixMicro(t.at-1).UTC().Format(time.RFC3339), t.m.state.id)
}

func (m *Minion) now() time.Time {
	if m.o.Now != nil {
		return m.o.Now()
	}
	return time.Now()
}

// shortened bounds warnings, which hold words of programs.
func shortened(warnings []string) []string {
	const most, longest = 20, 500
	var out []string
	for _, w := range warnings[:min(len(warnings), most)] {
		out = append(out, strings.ToValidUTF8(w[:min(len(w), longest)], "\ufffd"))
	}
	return out
}

// largest names the grain that takes most room.
func largest(d *value.Dict) (name string) {
	most := -1
	for k, v := range d.All() {
		data, err := value.MarshalJSON(v)
		if text, ok := k.(string); ok && err == nil && len(data) > most {
			name, most = text, len(data)
		}
	}
	return name
}
