package minion

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/job"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
	"brine/states/module"
	"brine/states/value"
)

const (
	maxPillar   = 64 << 20         // bytes of a pillar
	pillarWait  = 5 * time.Second  // likewise, for a function that most likely does not use it
	pillarLimit = 90 * time.Second // for a master to make it, which gives up after a minute
)

// held is what masters told last: the pillar of functions that don't ask anew, and of targets.
type held struct {
	mu     sync.Mutex // guards the fields below
	data   *value.Dict
	groups *value.Dict // the masters' nodegroups, which came with it
}

// A badPillar is pillar that masters could not make.
type badPillar struct{ mistakes []string }

func (e *badPillar) Error() string {
	return "pillar failed to render with the following messages:\n" + strings.Join(e.mistakes, "\n")
}

// list is what a state run returns of it.
func (e *badPillar) list() *value.List {
	list := value.NewList("Pillar failed to render with the following messages:")
	for _, text := range e.mistakes {
		list.Items = append(list.Items, text)
	}
	return list
}

// pillarOf returns the pillar for a function: states and what shows pillar get it anew, others what was told last, or
// where that can't be had an empty one and why.
func (m *Minion) pillarOf(ctx context.Context, j *job.Job, f *module.Func) (d *value.Dict, missing, err error) {
	module, _, _ := strings.Cut(j.Function, ".")
	anew := f.StateRun || module == "state" || module == "pillar" || j.Function == "saltutil.refresh_pillar"
	switch {
	case needsNoGrains(j.Function) && !anew:
		return &value.Dict{}, nil, nil
	case !anew:
		if d := m.heldPillar(); d != nil {
			return d, nil, nil
		}
	}
	if !anew {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, pillarWait)
		defer cancel()
	}
	d, err = m.askPillar(ctx, pillarenv(j.Args))
	if err == nil && j.Function == "saltutil.refresh_pillar" {
		m.mine.renew(d)
	}
	if err != nil && !anew {
		m.log.Warn("pillar not known", "job", j.JID, "function", j.Function, "err", err)
		return &value.Dict{}, err, nil
	}
	return d, nil, err
}

// pillarenv is the environment that a function's arguments ask for; "" is all.
func pillarenv(args []*pb.Argument) string {
	i := slices.IndexFunc(args, func(a *pb.Argument) bool { return a.GetName() == "pillarenv" })
	if i < 0 {
		return ""
	}
	return args[i].GetText()
}

// heldPillar is a copy of what masters told last; nil when they told none.
func (m *Minion) heldPillar() *value.Dict {
	m.held.mu.Lock()
	defer m.held.mu.Unlock()
	return copied(m.held.data)
}

func copied(d *value.Dict) *value.Dict {
	if d == nil {
		return nil
	}
	c, err := value.Clone(d)
	if err != nil {
		return &value.Dict{} // it came as JSON: nothing in it contains itself
	}
	return c.(*value.Dict)
}

// askPillar has the masters make the minion's pillar of what its grains are now. A mistake in it is a *badPillar.
func (m *Minion) askPillar(ctx context.Context, env string) (*value.Dict, error) {
	p, err := m.fetchPillar(ctx, env)
	if err != nil {
		return nil, fmt.Errorf("cannot get the pillar: %w", err)
	}
	if len(p.Mistakes) > 0 {
		return nil, &badPillar{p.Mistakes}
	}
	data, err := asDict(p.Data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the pillar: %w", err)
	}
	groups, err := asDict(p.Nodegroups)
	if err != nil {
		return nil, fmt.Errorf("cannot read the nodegroups: %w", err)
	}
	m.held.mu.Lock()
	defer m.held.mu.Unlock()
	m.held.groups = groups
	m.secrets.Add(data, p.Opened...)
	if env == "" {
		if before, _ := m.held.data.Get(mineFunctions); !value.Equal(before, minedBy(data)) {
			signal(m.mine.due)
		}
		watched, _ := data.Get(beacons)
		if before, _ := m.held.data.Get(beacons); !value.Equal(before, watched) {
			m.beacons.SetPillar(watched)
		}
		m.held.data = data
		m.setSchedule(data)
	}
	return copied(data), nil
}

func asDict(data []byte) (*value.Dict, error) {
	if len(data) == 0 {
		return &value.Dict{}, nil
	}
	v, err := value.FromJSON(data)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, errors.New("it is no dict")
	}
	return d, nil
}

// fetchPillar asks, and opens what only this minion can.
func (m *Minion) fetchPillar(ctx context.Context, env string) (*pb.Pillar, error) {
	grains, _, _ := m.grains.JSON(ctx)
	req := &pb.PillarRequest{Id: make([]byte, 16), Environment: env, Grains: grains}
	_, _ = rand.Read(req.Id) // never fails
	body, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pillarLimit)
	defer cancel()
	reply := &pb.PillarReply{}
	if err := m.ask(ctx, subject.Pillar, body, pb.Kind_KIND_PILLAR, reply); err != nil {
		return nil, err
	}
	if reply.Minion != m.state.id || !bytes.Equal(reply.RequestId, req.Id) {
		return nil, fmt.Errorf("master %q answers another request", reply.Master)
	}
	p := &pb.Pillar{}
	return p, m.unseal(reply.Sealed, p)
}

// A signedReply names the master that signed it.
type signedReply interface {
	proto.Message
	GetMaster() string
}

const (
	askAgain      = 400 * time.Millisecond // after an answer with a key that is unknown yet, or was until now
	askAgainTimes = 5
)

// ask asks the masters for verb, and reads the answer that one of them has signed. A master
// may have taken another key meanwhile: then it is asked again.
func (m *Minion) ask(ctx context.Context, verb string, body []byte, kind pb.Kind, reply signedReply) error {
	for try := 0; ; try++ {
		answer, err := m.link.Request(ctx, verb, body)
		if err != nil {
			return err
		}
		err = m.openAnswer(answer, kind, reply)
		if try == askAgainTimes || !errors.Is(err, pki.ErrUnknownMaster) && !errors.Is(err, pki.ErrRevokedMaster) {
			return err
		}
		m.link.Stranger()
		timer := time.NewTimer(askAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// openAnswer checks that the master of the site which an answer names has signed it.
func (m *Minion) openAnswer(answer []byte, kind pb.Kind, reply signedReply) error {
	env := &pb.Envelope{}
	if err := proto.Unmarshal(answer, env); err != nil {
		return fmt.Errorf("cannot read the master's answer: %v", err)
	}
	var master string
	body, err := pki.Verify(env, m.state.trust.Pin(), kind, func(key ed25519.PublicKey) (err error) {
		master, err = m.state.trust.Master(key)
		return err
	})
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("cannot read the answer of master %q: %v", master, err)
	}
	if reply.GetMaster() != master {
		return fmt.Errorf("master %q signed an answer of %q", master, reply.GetMaster())
	}
	return nil
}

// unseal opens what is sealed for this minion.
func (m *Minion) unseal(sealed []byte, into proto.Message) error {
	packed, err := m.state.keys.Open(sealed)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(z, maxPillar+1))
	if err != nil {
		return err
	}
	if len(data) > maxPillar {
		return fmt.Errorf("it has over %d MiB", maxPillar>>20)
	}
	return proto.Unmarshal(data, into)
}

// pillarFailed is what a function returns whose pillar could not be had.
func pillarFailed(f *module.Func, err error) (module.Returned, error) {
	var bad *badPillar
	if f.StateRun && errors.As(err, &bad) {
		return module.Returned{Value: bad.list(), Retcode: retcodePillar}, nil
	}
	return module.Returned{Retcode: retcodePillar}, err
}

// settings are what modules may see of the configuration.
func (m *Minion) settings() *value.Dict {
	d := m.o.Config.settings(m.state.id)
	m.held.mu.Lock()
	defer m.held.mu.Unlock()
	if m.held.groups.Len() > 0 {
		d.Put("nodegroups", copied(m.held.groups))
	}
	return d
}

// renewPillar gets the pillar of targets, and of functions that take what is known.
func (m *Minion) renewPillar(ctx context.Context) error {
	_, err := m.askPillar(ctx, "")
	if err != nil && ctx.Err() == nil {
		m.log.Warn("pillar not known", "err", err)
	}
	return err
}
