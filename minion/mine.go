package minion

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/job"
	pb "brine/proto"
	"brine/proto/subject"
	"brine/states/host"
	"brine/states/value"
)

const (
	mineFunctions = "mine_functions"
	mineLimit     = 1 << 20          // masters take no more
	mineMost      = 900 << 10        // likewise, compressed
	mineAsk       = 30 * time.Second // one attempt to tell the masters, or to ask them
	mineStart     = 10 * time.Second // minions of which only pillar says what they tell don't all ask at once
	mineRun       = 5 * time.Minute  // for all functions
	mineRetry     = 2 * time.Second  // after an attempt that failed; doubled each time
	mineRetryMost = 10 * time.Minute
)

// A mine is what this minion tells others, and what it asks them. It implements host.Mine.
type mine struct {
	m    *Minion
	wake chan struct{} // a master is there again
	due  chan struct{} // the functions are to be called now

	mu    sync.Mutex                // guards the fields below; held while the masters are told
	own   map[string]host.MineEntry // nil until it was read
	known [sha256.Size]byte         // of what a master has stored
	key   ed25519.PublicKey         // with which
	at    int64                     // of what was sent last
}

var _ host.Mine = (*mine)(nil)

func newMine(m *Minion) *mine {
	return &mine{m: m, wake: make(chan struct{}, 1), due: make(chan struct{}, 1)}
}

// minedBy are the functions that pillar has this minion call.
func minedBy(pillar *value.Dict) any {
	v, _ := pillar.Get(mineFunctions)
	return v
}

// mineProblems are the mistakes in what is told to others.
func (c *Config) mineProblems() (problems []string) {
	if d, err := time.ParseDuration(c.MineInterval); err != nil || d < 10*time.Second {
		problems = append(problems, fmt.Sprintf("mine_interval = %q: want a duration of at least 10s, such as 60m", c.MineInterval))
	}
	for _, name := range slices.Sorted(maps.Keys(c.MineFunctions)) {
		switch c.MineFunctions[name].(type) {
		case []any, []map[string]any, map[string]any:
		default:
			problems = append(problems, fmt.Sprintf("mine_functions.%q: want a list of arguments, or a table of them by name", name))
		}
	}
	return problems
}

// mineInterval is checked; a Config made by hand has the default.
func (c *Config) mineInterval() time.Duration {
	d, _ := time.ParseDuration(c.MineInterval)
	if d <= 0 {
		return time.Hour
	}
	return d
}

// keepMine calls the functions of the mine once a master is there, then now and then and when they become
// others, and tells the masters what they don't know yet.
func (m *Minion) keepMine(ctx context.Context) {
	if m.WaitLinked(ctx) != nil {
		return
	}
	interval := m.o.Config.mineInterval()
	first := interval/2 + rand.N(interval/2)
	switch {
	case len(m.o.Config.MineFunctions) > 0:
		first = 0
	case !m.o.Stateless:
		first = rand.N(min(mineStart, interval))
	}
	look := time.NewTimer(first)
	defer look.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	var failed time.Duration
	for {
		select {
		case <-again.C:
		case <-m.mine.wake:
		case <-m.mine.due:
			m.runMine(ctx)
		case <-look.C:
			m.runMine(ctx)
			look.Reset(interval/2 + rand.N(interval/2)) // not all minions of a site at the same time
		case <-ctx.Done():
			return
		}
		err := m.mine.tell(ctx)
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		if failed == 0 {
			m.log.Warn("mine not told to the masters yet", "err", err)
		}
		failed = min(max(2*failed, mineRetry), mineRetryMost)
		again.Reset(failed/2 + rand.N(failed/2))
	}
}

// runMine calls mine.update as a job would, so that executables of the tree count too.
func (m *Minion) runMine(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mineRun)
	defer cancel()
	m.busy.begin()
	defer m.busy.end()
	if !m.minesSomething(ctx) {
		return
	}
	reply, err := m.currentTree(ctx, &pb.TreeRequest{})
	if err != nil {
		m.log.Warn("mine is made without the file tree", "err", err)
	}
	l := &last{}
	if _, err := m.call(ctx, &job.Job{Function: "mine.update", Tree: reply.GetTree()}, l); err != nil && ctx.Err() == nil {
		m.log.Warn("mine not made anew", "err", err)
	}
	l.run(ctx, m.log.Named("mine"))
}

// minesSomething tells whether there are functions to call. That takes the pillar, if nothing else names any.
func (m *Minion) minesSomething(ctx context.Context) bool {
	if len(m.o.Config.MineFunctions) > 0 {
		return true
	}
	d := m.heldPillar()
	if d == nil {
		var err error
		if d, err = m.askPillar(ctx, ""); err != nil {
			m.log.Warn("pillar not known: the mine is not made anew", "err", err)
			return false
		}
	}
	return minedBy(d) != nil
}

// renew has the functions called when there are any.
func (n *mine) renew(pillar *value.Dict) {
	if minedBy(pillar) != nil || len(n.m.o.Config.MineFunctions) > 0 {
		signal(n.due)
	}
}

// Edit changes what this minion tells, and tells it.
func (n *mine) Edit(ctx context.Context, change func(own map[string]host.MineEntry)) error {
	n.mu.Lock()
	err := n.change(change)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	if err := n.tell(ctx); err != nil {
		signal(n.wake)
		return fmt.Errorf("the masters don't know the mine yet: %w", err)
	}
	return nil
}

// change keeps what a change makes of the mine. Call it with mu held.
func (n *mine) change(change func(own map[string]host.MineEntry)) error {
	if err := n.read(); err != nil {
		return err
	}
	next := maps.Clone(n.own)
	change(next)
	data, err := minePlain(next)
	if err != nil {
		return err
	}
	if _, err := minePacked(data); err != nil {
		return err
	}
	if !maps.EqualFunc(n.own, next, sameEntry) {
		n.m.save(n.m.layout.Mine(), func() error { return writeFile(n.m.layout.Mine(), data) })
	}
	n.own = next
	return nil
}

func sameEntry(a, b host.MineEntry) bool {
	return bytes.Equal(a.Data, b.Data) && a.Allow == b.Allow && a.AllowHow == b.AllowHow
}

// read reads what was told before this start. Call it with mu held.
func (n *mine) read() error {
	if n.own != nil {
		return nil
	}
	own := map[string]host.MineEntry{}
	never := n.m.o.Stateless
	if !never {
		data, err := os.ReadFile(n.m.layout.Mine())
		if never = errors.Is(err, fs.ErrNotExist); err != nil && !never {
			return fmt.Errorf("cannot read the mine: %w", err)
		}
		all := &pb.MineEntries{}
		if err := proto.Unmarshal(data, all); err != nil {
			return fmt.Errorf("cannot read the mine in %s: %v", n.m.layout.Mine(), err)
		}
		for _, e := range all.Entries {
			own[e.Name] = host.MineEntry{Data: e.Data, Allow: e.AllowTgt, AllowHow: e.AllowTgtType}
		}
	}
	if n.own = own; never {
		n.known = sha256.Sum256(nil) // that of nothing: no one has to be told
	}
	return nil
}

// minePlain is the mine as it is kept and told.
func minePlain(own map[string]host.MineEntry) ([]byte, error) {
	all := &pb.MineEntries{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		e := own[name]
		all.Entries = append(all.Entries, &pb.MineEntry{Name: name, Data: e.Data, AllowTgt: e.Allow, AllowTgtType: e.AllowHow})
	}
	data, err := proto.Marshal(all)
	if err == nil && len(data) > mineLimit {
		large := slices.MaxFunc(all.Entries, func(a, b *pb.MineEntry) int { return len(a.Data) - len(b.Data) })
		err = fmt.Errorf("cannot tell the mine: it would have %d bytes, the limit is %d: the largest is %q", len(data), mineLimit, large.Name)
	}
	return data, err
}

func minePacked(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	if err = errors.Join(err, z.Close()); err == nil && b.Len() > mineMost {
		err = fmt.Errorf("cannot tell the mine: it would have %d bytes when compressed, the limit is %d", b.Len(), mineMost)
	}
	return b.Bytes(), err
}

// tell tells the masters what they don't know yet.
func (n *mine) tell(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.read(); err != nil {
		return err
	}
	data, err := minePlain(n.own)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if sum == n.known && (n.key == nil || n.key.Equal(n.m.state.keys.Now().Public())) {
		return nil
	}
	packed, err := minePacked(data)
	if err == nil {
		err = n.send(ctx, packed)
	}
	if err == nil {
		n.known = sum
	}
	return err
}

// send has a master store the mine. Call it with mu held.
func (n *mine) send(ctx context.Context, packed []byte) error {
	ctx, cancel := context.WithTimeout(ctx, mineAsk)
	defer cancel()
	n.at, n.key = max(n.at+1, n.m.now().UnixMicro()), n.m.state.keys.Now().Public()
	for range 3 {
		body, err := proto.Marshal(&pb.Mine{At: n.at, Key: n.key, Packed: packed})
		if err != nil {
			return err
		}
		answer, err := n.m.link.TellMine(ctx, body)
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
		case reply.At <= n.at:
			return nil
		}
		n.at = reply.At + 1 // the masters have one from when this clock was ahead
	}
	return fmt.Errorf("the masters have a later mine: does another host use the id %q?", n.m.state.id)
}

// Get asks the masters what others told.
func (n *mine) Get(ctx context.Context, q host.MineQuery) ([]host.MineItem, error) {
	found, err := n.ask(ctx, &pb.MineRequest{Target: q.Target, TargetType: q.Type, Functions: q.Functions})
	if err == nil && found.Error != "" {
		err = errors.New(found.Error)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask the mine: %w", err)
	}
	items := make([]host.MineItem, len(found.Items))
	for i, f := range found.Items {
		v, err := value.FromJSON(f.Data)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s of minion %q: %w", f.Function, f.Minion, err)
		}
		items[i] = host.MineItem{Function: f.Function, Minion: f.Minion, Value: v}
	}
	return items, nil
}

func (n *mine) ask(ctx context.Context, req *pb.MineRequest) (*pb.MineFound, error) {
	req.Id = make([]byte, 16)
	_, _ = crand.Read(req.Id) // never fails
	body, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, mineAsk)
	defer cancel()
	reply := &pb.MineAnswer{}
	if err := n.m.ask(ctx, subject.Mined, body, pb.Kind_KIND_MINE, reply); err != nil {
		return nil, err
	}
	if reply.Minion != n.m.state.id || !bytes.Equal(reply.RequestId, req.Id) {
		return nil, fmt.Errorf("master %q answers another request", reply.Master)
	}
	found := &pb.MineFound{}
	return found, n.m.unseal(reply.Sealed, found)
}
