package minion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/minion/agentmod"
	"brine/minion/job"
	pb "brine/proto"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/render"
	"brine/states/value"
)

func (m *Minion) jobOptions(journal *job.Journal) job.Options {
	return job.Options{
		ID: m.state.id, Journal: journal, Trust: m.state.trust, Exec: m.exec, Open: m.state.keys.Open, Publish: m.link.Publish,
		IsState: m.isStateRun, Urgent: isUrgent, Facts: m.facts, Renew: m.renewPillar, Stranger: m.link.Stranger, Log: m.log.Named("job"), Now: m.o.Now,
	}
}

// facts are what targets may ask of this minion.
func (m *Minion) facts(asks target.Asks) (f target.Facts) {
	if asks.Grains {
		if d := m.grains.Now(context.Background()); d != nil {
			f.Grains = d
		}
	}
	if asks.Pillar {
		m.held.mu.Lock()
		defer m.held.mu.Unlock()
		if d := m.held.data; d != nil { // which is never changed, only replaced
			f.Pillar = d
		}
	}
	return f
}

func (m *Minion) isStateRun(function string) bool {
	f, err := m.index.Func(function)
	return err == nil && f.StateRun
}

// isUrgent tells the functions by which an operator gets a busy minion free again.
func isUrgent(function string) bool {
	return strings.HasPrefix(function, "saltutil.") || function == "state.soft_kill" || function == "state.running"
}

// exec carries out a job.
func (m *Minion) exec(ctx context.Context, j *job.Job) job.Result {
	m.busy.begin()
	defer m.busy.end()
	defer m.lately.begin(j, m.isStateRun(j.Function))()
	m.treeOfSchedule(ctx, j)
	l := &last{}
	secrets := m.sealed(j)
	if tell := j.Progress; tell != nil {
		j.Progress = func(done, total int, current string) { tell(done, total, secrets.Text(current)) }
	}
	r, err := m.call(ctx, j, l)
	if err != nil {
		err = errors.New(secrets.Text(err.Error()))
	}
	r.Value = secrets.Value(r.Value)
	res := result(r, err)
	if len(l.all) > 0 {
		res.Last = func(ctx context.Context) { l.run(ctx, m.log.Named("job")) }
	}
	return res
}

// hidden are the secrets that results of states don't show; nil for none.
func (m *Minion) hidden() *pillar.Mask {
	if m.o.Config.States.ShowSecrets {
		return nil
	}
	return &m.secrets
}

// sealed hides the arguments of a job that were sealed, but pillar, whose secrets its states hide.
func (m *Minion) sealed(j *job.Job) *pillar.Mask {
	mask := &pillar.Mask{}
	for _, a := range j.Sealed {
		if a.GetName() == "pillar" || m.o.Config.States.ShowSecrets {
			continue
		}
		text := a.GetText()
		if v, err := value.FromJSON(a.GetJson()); err == nil {
			if s, ok := v.(string); ok {
				text = s
			}
		}
		mask.AddText(text)
		m.secrets.AddText(text)
	}
	return mask
}

// A last is what is left until a job has ended.
type last struct {
	mu  sync.Mutex // guards all
	all []func(context.Context) error
}

func (l *last) add(do func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, do)
}

func (l *last) run(ctx context.Context, log hclog.Logger) {
	for _, do := range l.all {
		if err := do(ctx); err != nil {
			log.Error("what a job left until its end failed", "err", err)
		}
	}
}

// result is what is returned of a function's value and error.
func result(r module.Returned, err error) job.Result {
	if err != nil {
		r.Value = err.Error()
		r.Retcode = max(r.Retcode, 1)
	}
	if saysItFailed(r.Value) {
		r.Retcode = max(r.Retcode, 1)
	}
	data, err := value.MarshalJSON(r.Value)
	if err != nil {
		data, _ = value.MarshalJSON(fmt.Sprintf("cannot return the value: %v", err)) // a text can always be encoded
		r.Retcode = max(r.Retcode, 1)
	}
	return job.Result{Value: data, Retcode: r.Retcode}
}

// saysItFailed tells, as Salt does, of a value that is a dict whose result or success is false.
func saysItFailed(v any) bool {
	d, ok := v.(*value.Dict)
	if !ok {
		return false
	}
	for _, key := range []string{"result", "success"} {
		if said, ok := d.Get(key); ok && said == false {
			return true
		}
	}
	return false
}

func (m *Minion) call(ctx context.Context, j *job.Job, l *last) (module.Returned, error) {
	in, err := input(j.Args)
	if err != nil {
		return module.Returned{}, fmt.Errorf("cannot call %s: %w", j.Function, err)
	}
	tree, err := m.files.Tree(ctx, j.Tree, j.Environment)
	if err != nil {
		return module.Returned{}, fmt.Errorf("cannot call %s: %w", j.Function, err)
	}
	tree.Beside(ctx, j.Environments)
	index, err := m.indexOf(ctx, tree)
	if err != nil {
		return module.Returned{}, fmt.Errorf("cannot call %s: %w", j.Function, err)
	}
	f, err := index.Func(j.Function)
	if err != nil {
		return module.Returned{}, unknownTo(index, j, err)
	}
	disk := &host.Disk{Flush: m.o.Flush}
	h := &host.Host{
		Root: m.local.Root, Facts: m.grains, Exec: m.local.Run, Files: tree, Modules: index, HTTP: web, Disk: disk,
		Log: m.told, Memo: &host.Memo{}, Last: l.add,
	}
	if m.custom != nil {
		h.Custom = syncer{m.custom, tree, m.index}
	}
	if !needsNoGrains(j.Function) {
		h.Grains = m.grains.Copy(ctx)
	}
	h.Mine, h.Beacons, h.Event, h.Rekey = m.mine, m.beacons, m.eventsOf(j.JID), m.Rekey
	if h.Pillar, h.Missing, err = m.pillarOf(ctx, j, f); err != nil {
		return pillarFailed(f, err)
	}
	h.Config = m.settings()
	if env := pillarenv(j.Args); env != "" {
		h.Config.Put("pillarenv", env)
	}
	h.Schedule = m.schedule
	h.Render = render.New(h, cmp.Or(j.Environment, "base"), nil)
	h.Agent = &agentmod.Agent{
		Jobs: jobs{m.runner}, Host: h, Index: index, Source: tree, Trees: tree.Trees(),
		Environment: j.Environment, Pinned: j.Environment != "", JID: j.JID, Progress: j.Progress, Stop: j.Stop, Events: m.o.Config.StateEvents,
		Lenient: m.o.Config.States.Lenient, Strategy: m.o.Config.States.TopMerging, Grains: m.grains.Renew,
		Secrets: m.hidden(),
		Pillar:  func(ctx context.Context) (*value.Dict, error) { return m.askPillar(ctx, pillarenv(j.Args)) },
	}
	r, err := f.Call(ctx, h, in)
	return onDisk(disk, f.StateRun, r, err)
}

// unknownTo adds to the error of a function of which there is no module how it may come here.
func unknownTo(x *module.Index, j *job.Job, err error) error {
	mod, _, ok := strings.Cut(j.Function, ".")
	if j.Tree != "" || !ok || slices.Contains(x.Modules(), mod) || strings.Contains(err.Error(), "did you mean") {
		return err
	}
	return fmt.Errorf("%w: saltutil.sync_modules brings the modules of the state tree here", err)
}

// told logs what modules and templates want to be logged.
func (m *Minion) told(level, message string) {
	m.log.Named("states").Log(hclog.LevelFromString(level), "told by a state or template", "message", message)
}

// input decodes the arguments of a job.
func input(args []*pb.Argument) (module.Input, error) {
	in := module.Input{Args: make([]module.Arg, len(args))}
	for i, a := range args {
		v, err := argument(a)
		if err != nil {
			return in, fmt.Errorf("cannot read argument %d: %w", i+1, err)
		}
		in.Args[i] = module.Arg{Name: a.GetName(), Value: v}
	}
	return in, nil
}

func argument(a *pb.Argument) (module.Value, error) {
	if raw := a.GetJson(); raw != nil {
		v, err := value.FromJSON(raw)
		return module.Data(v), err
	}
	return module.Typed(a.GetText()), nil
}

// jobs shows the runner's jobs to modules.
type jobs struct{ runner *job.Runner }

func (j jobs) Signal(jid string, sig syscall.Signal) error { return j.runner.Kill(jid, sig) }

func (j jobs) SoftStop(jid, id string) error { return j.runner.SoftStop(jid, id) }

func (j jobs) Running() []host.Job {
	var out []host.Job
	for _, a := range j.runner.Running() {
		out = append(out, host.Job{
			JID: a.JID, Function: a.Function, Args: plainArgs(a.Args),
			Operator: a.Operator, Master: a.Master, Started: a.Started,
		})
	}
	return out
}

// plainArgs are arguments as Salt shows them; one that can't be read is left out.
func plainArgs(args []*pb.Argument) []any {
	out := []any{}
	for _, a := range args {
		v, err := argument(a)
		switch {
		case err != nil:
		case a.GetName() != "":
			out = append(out, value.NewDict(a.GetName(), v.Data))
		default:
			out = append(out, v.Data)
		}
	}
	return out
}

// busy counts running jobs and calls idle a while after the last has ended.
type busy struct {
	idle func()

	mu      sync.Mutex // guards the fields below
	running int
	timer   *time.Timer
	stopped bool
}

func (b *busy) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running++
	if b.timer != nil {
		b.timer.Stop()
	}
}

func (b *busy) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if b.running > 0 || b.idle == nil || b.stopped {
		return
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(idleAfter, b.idle)
	} else {
		b.timer.Reset(idleAfter)
	}
}

func (b *busy) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.timer != nil {
		b.timer.Stop()
	}
}
