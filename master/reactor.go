package master

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/master/job"
	"brine/master/reactor"
	"brine/master/reactor/decide"
	"brine/master/reactor/rule"
	"brine/master/reactor/salt"
	"brine/master/store"
	"brine/proto"
	"brine/proto/config"
	"brine/proto/manifest"
	"brine/states/value"
)

// SaltReactor is an entry of [[reactor]]: what happens under a tag is answered by reaction SLS.
type SaltReactor struct {
	Tag string   `toml:"tag"`
	SLS []string `toml:"sls"` // paths on the master, and salt:// URLs
}

// silentFor is how long a master may be silent before others go on with its work.
const silentFor = 2 * time.Second

// reactorProblems are the mistakes in what the configuration says of reactors.
func (c *Config) reactorProblems(path, dropins string) []error {
	where := config.Where(path, dropins, "reactor")
	_, errs := c.reactors(where)
	for _, x := range c.Reactor {
		for _, ref := range x.SLS {
			if !filepath.IsAbs(ref) && !strings.HasPrefix(ref, "salt://") {
				errs = append(errs, fmt.Errorf("%s: reactor %q: sls %q: want a whole path, or one with salt://", where, x.Tag, ref))
			}
		}
	}
	return errs
}

// reactors are the rules that stand for Salt's reactors.
func (c *Config) reactors(where string) (rules []*rule.Rule, errs []error) {
	var names []string
	for _, x := range c.Reactor {
		name := rule.ReactorName(x.Tag, names)
		names = append(names, name)
		r, err := rule.Reactor(name, where, x.Tag, x.SLS)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rules = append(rules, r)
	}
	return rules, errs
}

// makeReactor makes what reacts to events. The heartbeat tells of it before it begins.
func (m *Master) makeReactor(context.Context) (func(), error) {
	rules, errs := m.o.Config.reactors("master.toml")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.reactor = reactor.New(reactor.Options{
		Master: m.id.Name, Log: reactorLog{m}, Rules: m.servedRules, Salt: rules, PerMinute: m.o.Config.Rules.PerMinute,
		Act: reactor.Act{Derive: m.deriveFor, Wait: m.waitFor, React: m.renderReaction,
			Runner: m.callFor, Orchestrate: m.orchestrateFor, Notify: m.notifyFor},
		Masters: m.otherReactors, Others: func() bool { return !m.alone() }, Leaving: m.draining,
		Grains: m.grainsOf, Pillar: m.pillarOf, Minion: func(id string) bool { _, ok := m.keys.ByID(id); return ok },
		Fleet: func() int { return len(m.keys.Accepted()) },
		File:  m.layout.Reactor(), Logger: m.log.Named("rules"),
	})
	return nil, nil
}

// startReactor begins to react. It needs the jobs, the files, the keys and the other masters.
func (m *Master) startReactor(ctx context.Context) (func(), error) {
	var running sync.WaitGroup
	running.Go(func() { m.reactor.Run(ctx) })
	return running.Wait, nil
}

// draining tells whether this master leaves.
func (m *Master) draining() bool {
	select {
	case <-m.drain:
		return true
	default:
		return false
	}
}

// otherReactors are the masters that react to events, and were heard a short while ago.
func (m *Master) otherReactors() []reactor.Master {
	var all []reactor.Master
	for _, b := range m.peers.Beats() {
		if b.Beat != nil && b.Late < silentFor && b.Problem == "" && !b.Beat.Draining {
			all = append(all, reactor.Master{Name: b.Name, Rules: b.Beat.GetReactor().GetNames(), Last: b.Beat.Sequence, Behind: b.Lag})
		}
	}
	return all
}

// servedRules are the files of rules in the tree of environment base.
func (m *Master) servedRules(ctx context.Context) ([]rule.File, string, error) {
	tree, commits, err := m.files.TreeFrom(ctx, "base")
	if err != nil {
		return nil, "", err
	}
	list, err := m.manifest(tree)
	if err != nil {
		return nil, "", err
	}
	names := map[string]*proto.File{}
	var paths []string
	for _, f := range list.Files {
		names[f.Path] = f
		paths = append(paths, f.Path)
	}
	var files []rule.File
	for _, path := range reactor.Files(paths) {
		text, err := m.content(names[path].Sha256, names[path].Size)
		if err != nil {
			return nil, "", err
		}
		files = append(files, rule.File{Name: path, Text: text})
	}
	source := "tree " + tree[:min(len(tree), 12)]
	if len(commits) > 0 {
		source = strings.Join(commits, ", ")
	}
	return files, source, nil
}

// maxServed bounds a file that a master reads for itself.
const maxServed = 8 << 20

// manifest reads which files are in a tree.
func (m *Master) manifest(tree string) (*proto.Manifest, error) {
	sum, err := hex.DecodeString(tree)
	if err != nil {
		return nil, err
	}
	data, err := m.content(sum, 1<<30)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(tree, data)
}

// content reads what is served under a hash.
func (m *Master) content(sum []byte, limit int64) ([]byte, error) {
	var all []byte
	for {
		piece, size, err := m.files.Chunk(hex.EncodeToString(sum), int64(len(all)), 1<<20)
		if err != nil {
			return nil, err
		}
		if size > limit {
			return nil, fmt.Errorf("it has %d bytes, more than %d", size, limit)
		}
		if all = append(all, piece...); int64(len(all)) >= size || len(piece) == 0 {
			return all, nil
		}
	}
}

// openServed reads a file of an environment as it is served now.
func (m *Master) openServed(ctx context.Context, env, path string) ([]byte, error) {
	tree, err := m.files.Tree(ctx, env)
	if err != nil {
		return nil, err
	}
	list, err := m.manifest(tree)
	if err != nil {
		return nil, err
	}
	f := manifest.Find(list, path)
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return m.content(f.Sha256, maxServed)
}

func (m *Master) renderReaction(ctx context.Context, files []string, e *proto.Event) ([]salt.Reaction, error) {
	o := salt.Options{Open: m.openServed, ID: m.id.Name}
	if _, ok := m.keys.ByID(e.Origin); ok {
		o.Sender = e.Origin
	}
	return salt.Render(ctx, o, files, e)
}

// deriveFor makes a job for a rule.
func (m *Master) deriveFor(ctx context.Context, w reactor.Work) (string, error) {
	info, err := m.jobs.Derive(ctx, job.Derived{Cause: w.Cause, Key: w.Key, At: w.At, Depth: w.Depth, Actor: w.Actor,
		Target: w.Target, Function: w.Function, Args: w.Args, Environment: w.Environment, With: m.reasons(ctx, w.Cause, w.Fired)})
	if err != nil {
		return "", err
	}
	return info.Jid, nil
}

// reasons are the records of why a rule makes a job: of the event, and of the step by which it fired.
func (m *Master) reasons(ctx context.Context, event string, fired *proto.Event) []*proto.Record {
	recs := m.eventRecords(ctx, event)
	if fired == nil {
		return recs
	}
	rec, err := store.NewRecord(fired.At, fired.Origin, fired)
	if err != nil {
		return recs // it was refused before
	}
	return append(recs, rec)
}

// eventRecords are those of events, as far as the other masters could lack them: what became of jobs their minions tell each master.
func (m *Master) eventRecords(ctx context.Context, ids ...string) []*proto.Record {
	if m.alone() {
		return nil
	}
	recs, err := m.store.Records(ctx, ids, maxReasons)
	if err != nil {
		m.log.Warn("masters are not told why rules act", "err", err)
	}
	return slices.DeleteFunc(recs, func(r *proto.Record) bool { return r.Kind != proto.RecordKind_RECORD_EVENT })
}

// maxReasons bounds what the other masters are told of at once, of why rules act, in bytes. One event is less.
const maxReasons = 1 << 20

// waitFor waits until a job has ended on all its minions.
func (m *Master) waitFor(ctx context.Context, id string) ([]reactor.Returned, error) {
	known := map[string]*reactor.Returned{}
	err := m.jobs.Watch(ctx, id, false, func(f *proto.WatchFrame, _ bool) error {
		for _, u := range f.Minions {
			r := known[u.Minion]
			if r == nil {
				r = &reactor.Returned{Minion: u.Minion}
				known[u.Minion] = r
			}
			r.Status, r.OK, r.Reason = u.Status, u.Status == string(job.OK), u.Reason
			if u.ValueOffset == 0 {
				r.Value = nil
			}
			r.Value = append(r.Value, u.Value...)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	var all []reactor.Returned
	for _, r := range known {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b reactor.Returned) int { return strings.Compare(a.Minion, b.Minion) })
	return all, nil
}

// grainsOf are what a minion said of itself, as expressions see it.
func (m *Master) grainsOf(ctx context.Context, id string) (map[string]any, error) {
	g, err := m.grains.Of(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return object(g.Data)
}

// pillarOf is a minion's pillar, as expressions see it.
func (m *Master) pillarOf(ctx context.Context, id string) (map[string]any, error) {
	g, err := m.grains.Of(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := m.pillars.Of(ctx, id, "", g.Data, time.Now())
	if err != nil {
		return nil, err
	}
	if len(p.Mistakes) > 0 {
		return nil, fmt.Errorf("the pillar of %s can't be made: %s", id, p.Mistakes[0])
	}
	data, err := value.MarshalJSON(p.Data)
	if err != nil {
		return nil, err
	}
	return object(data)
}

func object(data []byte) (map[string]any, error) {
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	rule.Plain(all)
	return all, nil
}

// reactorState is what the heartbeat tells of the rules.
func (m *Master) reactorState() *proto.ReactorState {
	s := m.reactor.State()
	return &proto.ReactorState{Lag: s.Lag, Late: s.Late.Microseconds(), Waits: int64(s.Waits), Rules: uint32(s.Rules), Source: s.Source,
		Open: uint32(s.Open), Approvals: uint32(s.Approve), Paused: s.Paused, Names: s.Hashes}
}

// reactorLate is how long the rules may be behind before status warns.
const reactorLate = 10 * time.Second

// reactorWarnings tell of rules that can't be used, that are behind, that tell nobody, and of masters that have others.
func (m *Master) reactorWarnings() []string {
	var texts []string
	s := m.reactor.State()
	if s.Problem != "" {
		texts = append(texts, s.Problem)
	}
	if s.Late > reactorLate {
		texts = append(texts, fmt.Sprintf("the rules are behind: %d records of the log are not looked at, the first for %v", s.Lag, s.Late.Round(time.Second)))
	}
	if s.Paused != "" {
		texts = append(texts, s.Paused+" (brine rules resume --all)")
	}
	for _, r := range m.reactor.Set().Rules {
		for _, channel := range r.Tells() {
			if err := m.notes.Check(channel); err != nil {
				texts = append(texts, fmt.Sprintf("rule %s tells nobody: %v", r.Name, err))
			}
		}
	}
	for _, o := range m.otherReactors() {
		if o.Name > m.id.Name && differ(s, o, m.peers.Beat(o.Name).GetStartedAt(), time.Now()) {
			texts = append(texts, fmt.Sprintf("master %s has other rules, or other [[reactor]] in its master.toml", o.Name))
		}
	}
	return texts
}

// rulesSettle is within what each master has read what is pushed, or its first rules.
const rulesSettle = 15 * time.Second

// differ tells whether another master has other rules, and has had the time to read the same.
func differ(s reactor.State, o reactor.Master, started int64, now time.Time) bool {
	settled := !s.Changed.IsZero() && now.Sub(s.Changed) > rulesSettle && now.Sub(time.UnixMicro(started)) > rulesSettle
	return settled && !slices.Equal(o.Rules, s.Hashes)
}

// reactorLog is the log as the reactor follows it.
type reactorLog struct{ m *Master }

// After gives events, jobs and, where they are wanted, returns.
func (l reactorLog) After(ctx context.Context, seq int64, limit int, returns bool) ([]reactor.Entry, int64, error) {
	told, upTo, err := l.m.events.After(ctx, seq, limit, returns)
	all := make([]reactor.Entry, len(told))
	for i, e := range told {
		all[i] = reactor.Entry{Seq: e.Seq, ID: e.ID, Event: e.Event}
	}
	return all, upTo, err
}

// Last is the place of the end.
func (l reactorLog) Last() int64 { return l.m.store.Last() }

// Changed is closed with the next commit, or with the next of anything but returns.
func (l reactorLog) Changed(returns bool) <-chan struct{} { return l.m.events.Changed(returns) }

// Incarnation names the life of the log.
func (l reactorLog) Incarnation() string { return l.m.store.Incarnation() }

// Place is that before the first event of a time.
func (l reactorLog) Place(ctx context.Context, at time.Time) (int64, error) {
	last := l.Last()
	seq, err := l.m.store.EventSince(ctx, at.UnixMicro())
	if err == nil && seq > 0 {
		last = seq - 1
	}
	return last, err
}

// Event is that of a record.
func (l reactorLog) Event(ctx context.Context, id string) (*proto.Event, error) {
	return l.m.events.Event(ctx, id)
}

// Ancestors are the actors of what led to something.
func (l reactorLog) Ancestors(ctx context.Context, cause string) []string {
	return l.m.events.Ancestors(ctx, cause)
}

// Steps are those of rules since a time, and all pauses.
func (l reactorLog) Steps(ctx context.Context, since time.Time) ([]*proto.Event, error) {
	lists := []store.EventFilter{
		{Tags: []string{"brine/rule/*/paused", "brine/rule/*/resumed", "brine/rules/paused", "brine/rules/resumed"}},
		{Tags: []string{"brine/rule/*"}, Since: since.UnixMicro()},
	}
	var steps []*proto.Event
	for _, f := range lists {
		for f.Limit = 1000; ; {
			page, err := l.m.store.Events(ctx, f)
			if err != nil {
				return nil, err
			}
			for _, e := range page {
				steps = append(steps, e.Event)
			}
			if len(page) < f.Limit {
				break
			}
			f.Before = page[len(page)-1].Seq
		}
	}
	slices.SortStableFunc(steps, func(a, b *proto.Event) int { return int(a.At - b.At) })
	return steps, nil
}

// confirmWithin is how long an action waits for other masters to store that it begins.
const confirmWithin = time.Second

// Write stores events of this master.
func (l reactorLog) Write(events []*proto.Event, kept func()) func(context.Context) {
	var recs []*proto.Record
	var about []string
	enqueue := l.m.store.Enqueue
	for _, e := range events {
		s, ok := decide.ReadStep(e)
		if ok && s.Step == decide.Fired {
			enqueue = l.m.store.EnqueueAhead // of the job that it is mostly about
		}
		if ok && (s.Step == decide.Fired || s.Step == decide.Waiting) {
			about = append(about, s.Event)
		}
		e.Origin, e.At = l.m.id.Name, l.m.store.Stamp()
		rec, err := store.NewRecord(e.At, e.Origin, e)
		if err != nil {
			l.m.complain("", "cannot keep an event", "tag", e.Tag, "err", err)
			continue
		}
		recs = append(recs, rec)
	}
	l.m.keepAll(recs, enqueue, func(err error) {
		if err != nil {
			l.m.complain("", "steps of rules are not kept", "err", err)
			return
		}
		kept()
	})
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, confirmWithin)
		defer cancel()
		l.m.peers.Commit(ctx, append(l.m.eventRecords(ctx, about...), recs...), "")
	}
}
