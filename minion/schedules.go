package minion

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"brine/minion/job"
	"brine/minion/schedule"
	pb "brine/proto"
	"brine/proto/config"
	"brine/states/value"
)

const (
	scheduled = "schedule" // its key in minion.toml and in pillar

	treeAsk  = 10 * time.Second // for the tree of a job of the schedule
	treeKept = time.Minute      // for functions that most likely do not use it
)

// newSchedule makes what the minion runs at certain times.
func (m *Minion) newSchedule() *schedule.Set {
	o := scheduleOptions(m.layout, m.o.Config, m.o.Stateless)
	o.ID, o.Log, o.Start = m.state.id, m.log.Named("schedule"), m.startScheduled
	o.Grains = func() *value.Dict { return m.grains.Now(context.Background()) }
	o.Running = func(jid string) bool {
		return slices.ContainsFunc(m.runner.Running(), func(a job.Active) bool { return a.JID == jid })
	}
	if !m.o.Stateless {
		var err error
		if o.Runs, err = readDict(m.layout.ScheduleRuns()); err != nil {
			o.Log.Error("not known when jobs have run", "file", m.layout.ScheduleRuns(), "err", err)
		}
		o.WriteRuns = func(d *value.Dict) error { return writeDict(m.layout.ScheduleRuns(), d) }
	}
	return schedule.New(o)
}

// scheduleOptions are what the configuration and the state directory say of the schedule.
func scheduleOptions(l Layout, c *Config, stateless bool) schedule.Options {
	o := schedule.Options{Where: func(name string) string {
		return config.Where(l.Config(), l.ConfigDir(), scheduled, name)
	}}
	v, err := value.Of(dated(c.Schedule))
	if d, ok := v.(*value.Dict); ok && err == nil { // TOML has nothing that can't be told
		o.Fixed = d
	}
	if !stateless {
		o.Edits = func() (*value.Dict, string, error) {
			d, err := readDict(l.Schedule())
			return d, l.Schedule(), err
		}
		o.Write = func(d *value.Dict) (string, error) { return l.Schedule(), writeDict(l.Schedule(), d) }
	}
	return o
}

// readDict is what writeDict wrote at an earlier start; nil when there is none.
func readDict(path string) (*value.Dict, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return asDict(data)
}

func writeDict(path string, d *value.Dict) error {
	data, err := value.MarshalJSON(d)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

// setSchedule takes what pillar says of the schedule.
func (m *Minion) setSchedule(pillar *value.Dict) {
	jobs, _ := pillar.Get(scheduled)
	whens, _ := pillar.Get("whens")
	m.schedule.SetPillar(jobs, whens)
}

// pillarOfSchedule gets pillar for the schedule, if nothing else has got it a while after a master is there.
func (m *Minion) pillarOfSchedule(ctx context.Context) {
	if m.o.Stateless || m.WaitLinked(ctx) != nil {
		return
	}
	for wait := mineStart; ; wait = min(2*wait, mineRetryMost) {
		timer := time.NewTimer(wait + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if m.heldPillar() != nil {
			return
		}
		m.renewPillar(ctx)
	}
}

// startScheduled begins a job of the schedule.
func (m *Minion) startScheduled(r schedule.Run) (string, error) {
	own := job.Own{Cause: job.CauseSchedule, Name: r.Name, At: r.At, Function: r.Function, Quiet: r.Quiet}
	args, err := scheduledArgs(r)
	if err != nil {
		return "", err
	}
	own.Args = args
	for _, a := range args {
		if v, err := argument(a); a.Name == "saltenv" && err == nil {
			own.Environment, _ = v.Data.(string)
		}
	}
	return m.runner.Start(own)
}

// scheduledArgs are the arguments of a run.
func scheduledArgs(r schedule.Run) (args []*pb.Argument, err error) {
	add := func(name string, v any) error {
		text, err := value.MarshalJSON(v)
		args = append(args, &pb.Argument{Name: name, Value: &pb.Argument_Json{Json: text}})
		return err
	}
	switch list := r.Args.(type) {
	case nil:
	case *value.List:
		for _, v := range list.Items {
			err = errors.Join(err, add("", v))
		}
	default:
		err = add("", list)
	}
	named, _ := r.Kwargs.(*value.Dict)
	if named == nil {
		return args, err
	}
	for k, v := range named.All() {
		err = errors.Join(err, add(value.KeyText(k), v))
	}
	return args, err
}

// knownTrees are those of jobs of the schedule that were asked for last, by environment.
type knownTrees struct {
	mu    sync.Mutex // guards the fields below
	trees map[string]*pb.TreeReply
	asked map[string]time.Time
}

// treeOfSchedule finds, now that a job of the schedule begins, which files it uses. It goes on without when no master tells:
// what needs files says so itself.
func (m *Minion) treeOfSchedule(ctx context.Context, j *job.Job) {
	if j.Master != "" || j.Tree != "" {
		return
	}
	k, env := &m.trees, j.Environment
	k.mu.Lock()
	tree, fresh := k.trees[env], time.Since(k.asked[env]) < treeKept && !m.isStateRun(j.Function)
	k.mu.Unlock()
	if j.Tree, j.Environments = tree.GetTree(), tree.GetEnvironments(); fresh || needsNoGrains(j.Function) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, treeAsk)
	defer cancel()
	tree, err := m.currentTree(ctx, &pb.TreeRequest{Environment: env, All: m.isStateRun(j.Function)})
	if err != nil {
		m.log.Warn("job of the schedule uses the files that were known last", "job", j.JID, "err", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trees == nil {
		k.trees, k.asked = map[string]*pb.TreeReply{}, map[string]time.Time{}
	}
	j.Tree, j.Environments = tree.Tree, tree.Environments
	k.trees[env], k.asked[env] = tree, time.Now()
}
