package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/master/orchestrate"
	"brine/master/runner"
	"brine/master/store"
	"brine/proto"
	"brine/proto/jid"
	"brine/proto/manifest"
	"brine/states/host"
	"brine/states/sls"
	"brine/states/value"
)

// settleFor is within what minions are back that live: the longest they wait between two attempts to connect.
const settleFor = 5 * time.Second

// startOrchestrations begins to drive those that are for this master to drive.
func (m *Master) startOrchestrations(ctx context.Context) (func(), error) {
	groups, err := value.Of(map[string]any(m.o.Config.Nodegroups))
	if err != nil {
		return nil, fmt.Errorf("cannot use the nodegroups: %w", err)
	}
	m.runners = runner.New(site{m})
	m.orchestrations = orchestrate.New(orchestrate.Options{
		Master: m.id.Name, Records: records{m}, Masters: siteMasters{m}, Files: served{m}, Jobs: steps{m}, Calls: calls{m},
		Pillar: m.pillarNamed, Operator: m.keys.OperatorRecord,
		Mine:   func(asker string) host.Mine { return asked{m, asker} },
		Config: value.NewDict("nodegroups", groups), Settle: settleFor, Log: m.log.Named("orchestrate"),
	})
	m.peers.Handle("sys", "orchestrate.share", m.sharedByPeer)
	m.peers.Handle("sys", "orchestrate.shared", m.askedByPeer)
	m.store.OnCommit(m.orchestrations.Committed)
	var running sync.WaitGroup
	running.Go(func() { m.orchestrations.Run(ctx) })
	return running.Wait, nil
}

// records are the events of orchestrations.
type records struct{ m *Master }

// Keep stores an event at all masters that live.
func (r records) Keep(ctx context.Context, e *proto.Event) (string, error) {
	at := r.m.store.Stamp()
	e.At, e.Origin = at, r.m.id.Name
	rec, err := store.NewRecord(at, r.m.id.Name, e)
	if err == nil {
		err = r.m.store.Append(ctx, rec)
	}
	if err != nil {
		return "", fmt.Errorf("cannot store the event %s: %w", e.Tag, err)
	}
	r.m.peers.Commit(ctx, []*proto.Record{rec}, "") // who does not confirm it reads it in our log
	return rec.Id, nil
}

// Events lists those of a tag.
func (r records) Events(ctx context.Context, tag string, since time.Time, limit int) ([]*proto.EventInfo, error) {
	f := store.EventFilter{Tags: []string{tag}, Limit: limit}
	if !since.IsZero() {
		f.Since = since.UnixMicro()
	}
	found, err := r.m.store.Events(ctx, f)
	var all []*proto.EventInfo
	for _, e := range found {
		all = append(all, &proto.EventInfo{Id: e.ID, Event: e.Event})
	}
	return all, err
}

// Watch tells of events as they are stored.
func (r records) Watch(ctx context.Context, q *proto.EventQuery, after int64, each func(*proto.Event) error) error {
	return r.m.events.Watch(ctx, q, after, func(f *proto.EventFrame) error {
		for _, e := range f.Events {
			if err := each(e.Event); err != nil {
				return err
			}
		}
		return nil
	})
}

// siteMasters are the masters, as orchestrations see them.
type siteMasters struct{ m *Master }

func (o siteMasters) Live() []string                 { return o.m.peers.Live() }
func (o siteMasters) Late(name string) time.Duration { return o.m.peers.Late(name) }

// Behind tells whether something of another's log is still to come: what a master keeps to itself that hangs or is dead may not.
func (o siteMasters) Behind() bool {
	for _, b := range o.m.peers.Beats() {
		if b.Live && b.Lag > 0 {
			return true
		}
	}
	return false
}

// shareLimit bounds how long another master is waited for.
const shareLimit = 2 * time.Second

// each asks the other live masters at the same time.
func (o siteMasters) each(ctx context.Context, ask func(ctx context.Context, name string) error) error {
	ctx, cancel := context.WithTimeout(ctx, shareLimit)
	defer cancel()
	var mu sync.Mutex
	var errs []error
	var wait sync.WaitGroup
	for _, name := range o.m.peers.Live() {
		if name == o.m.id.Name {
			continue
		}
		wait.Go(func() {
			if err := ask(ctx, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("master %s: %w", name, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Share gives the others what must not reach a disk.
func (o siteMasters) Share(ctx context.Context, id string, data []byte) error {
	return o.each(ctx, func(ctx context.Context, name string) error {
		return o.m.peers.Call(ctx, name, "sys", "orchestrate.share", &proto.RunnerFrame{Jid: id, Value: data}, &proto.Empty{})
	})
}

// Shared asks the others for it.
func (o siteMasters) Shared(ctx context.Context, id string) (data []byte) {
	var mu sync.Mutex
	_ = o.each(ctx, func(ctx context.Context, name string) error { // who does not answer has it not
		reply := &proto.RunnerFrame{}
		err := o.m.peers.Call(ctx, name, "sys", "orchestrate.shared", &proto.RunnerFrame{Jid: id}, reply)
		if err == nil && len(reply.Value) > 0 {
			mu.Lock()
			defer mu.Unlock()
			data = reply.Value
		}
		return err
	})
	return data
}

func (m *Master) sharedByPeer(_ context.Context, _ string, payload []byte) (pb.Message, error) {
	f := &proto.RunnerFrame{}
	if err := pb.Unmarshal(payload, f); err != nil {
		return nil, err
	}
	if _, err := jid.Time(f.Jid); err != nil || len(f.Value) > orchestrate.MaxPillar {
		return nil, fmt.Errorf("cannot take what is shared for %.40q: %v", f.Jid, err)
	}
	m.orchestrations.Take(f.Jid, f.Value)
	return &proto.Empty{}, nil
}

func (m *Master) askedByPeer(_ context.Context, _ string, payload []byte) (pb.Message, error) {
	f := &proto.RunnerFrame{}
	if err := pb.Unmarshal(payload, f); err != nil {
		return nil, err
	}
	return &proto.RunnerFrame{Jid: f.Jid, Value: m.orchestrations.Give(f.Jid)}, nil
}

// served are the file trees that this master has.
type served struct{ m *Master }

// Current is the tree of an environment now.
func (s served) Current(ctx context.Context, environment string) (string, []string, error) {
	return s.m.files.TreeFrom(ctx, environment)
}

// Tree reads a tree, of another master if it is not whole here.
func (s served) Tree(ctx context.Context, tree, from string) (sls.Source, error) {
	src, err := s.m.treeSource(tree)
	if err == nil || from == s.m.id.Name && len(s.m.peers.Live()) < 2 {
		return src, err
	}
	if !s.m.fetchFromAny(ctx, tree, from) {
		return nil, fmt.Errorf("cannot have file tree %s: no master that lives has it", tree)
	}
	return s.m.treeSource(tree)
}

// A treeSource is a tree that is kept here.
type treeSource struct {
	m     *Master
	files map[string]*proto.File
}

// mostOfFile bounds a file that templates read, and the list of a tree.
const mostOfFile = 64 << 20

func (m *Master) treeSource(tree string) (sls.Source, error) {
	data, err := m.blob(tree)
	if err != nil {
		return nil, err
	}
	list, err := manifest.Parse(tree, data)
	if err != nil {
		return nil, err
	}
	t := treeSource{m, make(map[string]*proto.File, len(list.Files))}
	for _, f := range list.Files {
		t.files[f.Path] = f
	}
	return t, nil
}

func (m *Master) blob(sum string) ([]byte, error) {
	data, size, err := m.files.Chunk(sum, 0, mostOfFile)
	if err == nil && size > int64(len(data)) {
		err = fmt.Errorf("cannot read content %s: it has %d bytes, the limit is %d", sum, size, mostOfFile)
	}
	return data, err
}

// Open reads a file.
func (t treeSource) Open(_ context.Context, path string) ([]byte, error) {
	f := t.files[path]
	if f == nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return t.m.blob(fmt.Sprintf("%x", f.Sha256))
}

// Paths are those of all files.
func (t treeSource) Paths() []string {
	all := make([]string, 0, len(t.files))
	for path := range t.files {
		all = append(all, path)
	}
	return all
}

// pillarNamed is the pillar of a master, as one of the name of an orchestration.
func (m *Master) pillarNamed(ctx context.Context, name, environment string, grains *value.Dict) (*value.Dict, []string, error) {
	facts, err := value.MarshalJSON(grains)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.pillars.Of(ctx, name, environment, facts, time.Now())
	if err != nil {
		return nil, nil, err
	}
	if len(p.Mistakes) > 0 {
		return nil, nil, errors.New(strings.Join(p.Mistakes, "\n"))
	}
	return p.Data, p.Opened, nil
}

// steps are the jobs of orchestrations.
type steps struct{ m *Master }

// Make makes the job of a step, or finds it.
func (s steps) Make(ctx context.Context, j orchestrate.Job) (string, error) {
	d := job.Derived{
		Cause: j.Cause, Key: "step " + j.Key, At: j.At, Depth: j.By.Depth, Actor: j.By.Actor, Operator: j.By.Operator, Target: j.Target,
		Function: j.Function, Args: j.Args, Sealed: j.Secret, Environment: j.Environment, Batch: j.Batch,
	}
	if j.Subset > 0 {
		if err := s.m.choose(ctx, &d, j.Subset); err != nil {
			return "", refusalOf(err)
		}
	}
	info, err := s.m.jobs.Derive(ctx, d)
	return info.GetJid(), refusalOf(err)
}

// refusalOf is an error as orchestrations know it.
func refusalOf(err error) error {
	var refused *job.Error
	if !errors.As(err, &refused) {
		return err
	}
	return &orchestrate.Refusal{Text: refused.Message, None: refused.Code == proto.ApiError_NO_MATCH}
}

// Follow follows a job.
func (s steps) Follow(ctx context.Context, id string, each func(*proto.MinionUpdate)) error {
	return s.m.jobs.Watch(ctx, id, false, func(f *proto.WatchFrame, _ bool) error {
		for _, u := range f.Minions {
			each(u)
		}
		return nil
	})
}

// Return is what a minion returned.
func (s steps) Return(ctx context.Context, id, minion string) ([]byte, error) {
	r, err := s.m.store.Return(ctx, id, minion)
	return r.GetValue(), err
}

// Cancel ends a job.
func (s steps) Cancel(ctx context.Context, id string, by orchestrate.Cause) error {
	op := by.Operator
	if op == nil {
		op = job.Automaton(by.Actor)
	}
	_, err := s.m.jobs.Cancel(ctx, op, id)
	return err
}

// choose lets a job be for some of its minions, by chance: those that are there, if any is.
func (m *Master) choose(ctx context.Context, d *job.Derived, n int) error {
	ids, err := m.meant(ctx, d.Operator, d.Target)
	if err != nil || len(ids) == 0 {
		return err
	}
	if there := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !m.broker.Online(id) }); len(there) > 0 {
		ids = there
	}
	rand.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	d.Target = &proto.Target{Syntax: proto.Target_LIST, Expression: strings.Join(ids[:min(n, len(ids))], ",")}
	return nil
}

// causeOf is by whom something is called, as orchestrations know it.
func causeOf(op *proto.OperatorRecord, actor, record string, depth uint32) orchestrate.Cause {
	if op != nil {
		actor = "operator " + op.Name
	}
	return orchestrate.Cause{Operator: op, Actor: cmp.Or(actor, "master"), Record: record, Depth: depth}
}
