package pillar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"brine/states/all"
	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/value"
)

// makeLimit bounds the making of one pillar.
const makeLimit = time.Minute

// work is the making of one pillar.
type work struct {
	*Maker
	minion, env string
	facts       *value.Dict
	opened      map[string]bool // what was decrypted
	out         *Pillar
}

func (m *Maker) make(ctx context.Context, minion, env string, grains []byte, layers []layer) *Pillar {
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	facts, err := factsOf(minion, grains)
	if err != nil {
		return &Pillar{Mistakes: []string{err.Error()}}
	}
	w := &work{m, minion, env, facts, map[string]bool{}, &Pillar{Data: &value.Dict{}}}
	if m.o.ExternalFirst {
		w.beside(ctx, layers[1:])
		w.layer(ctx, layers[0], w.out.Data)
	} else {
		w.layer(ctx, layers[0], nil)
		w.beside(ctx, layers[1:])
	}
	if len(w.out.Mistakes) > 0 {
		w.out.Data = nil
	}
	w.out.Opened = pillar.Opened(w.out.Data, w.opened)
	return w.out
}

// factsOf reads the grains of a minion.
func factsOf(minion string, grains []byte) (*value.Dict, error) {
	v, err := value.FromJSON(grains)
	if err != nil {
		return nil, fmt.Errorf("cannot read the grains of minion %q: %w", minion, err)
	}
	facts, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot read the grains of minion %q: they are no dict", minion)
	}
	facts.Put("id", minion) // what a key proves counts, not what a minion says
	return facts, nil
}

// beside lays over the pillar so far what Salt calls external: other trees, then what programs give.
func (w *work) beside(ctx context.Context, layers []layer) {
	for _, l := range layers {
		w.layer(ctx, l, nil)
	}
	for _, x := range w.o.External {
		if len(w.out.Mistakes) > 0 {
			return // a program would see a pillar that is not whole
		}
		d, err := w.external(ctx, x)
		if err != nil {
			w.mistake(fmt.Errorf("cannot get pillar of program %s: %w", x.Command[0], err))
			w.holds(0)
			return
		}
		w.out.Data = w.o.Merging.Merge(w.out.Data, d)
	}
}

func (w *work) mistake(err error) { w.out.Mistakes = append(w.out.Mistakes, err.Error()) }

// holds notes that what the pillar was made of can be taken for the same only that long.
func (w *work) holds(d time.Duration) {
	until := time.Now().Add(d)
	if w.out.passing = w.out.passing || d <= 0; w.out.until.IsZero() || until.Before(w.out.until) {
		w.out.until = until
	}
}

// layer lays the pillar of a tree over that so far. Templates see what was before as the pillar.
func (w *work) layer(ctx context.Context, l layer, before *value.Dict) {
	if l.empty() { // a site without pillar
		return
	}
	h := w.host()
	called := &functions{Index: w.o.Index}
	h.Modules, h.Files = called, l
	if h.Pillar = before; before == nil {
		h.Pillar = &value.Dict{}
	}
	o := pillar.Options{Env: w.env, Match: match.Targets(ctx, h), Merging: w.o.Merging, Host: h, Before: before, Cache: &w.rendered, Opened: w.opened}
	if w.o.Exposed {
		o.Grains = match.ByGrains(ctx, h)
		o.Exposed = func(x pillar.Exposure) { w.out.exposed = append(w.out.exposed, fmt.Sprintf("%s: %s", x.At, x)) }
	}
	var sealed atomic.Bool // a value could not be decrypted: that may soon be otherwise, with the same files
	if w.o.Decrypt != nil {
		o.Decrypt = func(ctx context.Context, block string) (string, error) {
			text, err := w.o.Decrypt(ctx, block)
			if err != nil {
				sealed.Store(true)
			}
			return text, err
		}
	}
	data, mistakes := pillar.Compile(ctx, l, o)
	w.out.passing = w.out.passing || called.mine.Load() || sealed.Load()
	for _, e := range mistakes {
		w.mistake(e)
	}
	w.out.Data = w.o.Merging.Merge(w.out.Data, data)
}

// host is what templates see: the minion's grains, and nothing of this machine.
func (w *work) host() *host.Host {
	config := value.NewDict("id", w.minion, "__role", "master", "saltenv", cmp.Or(w.env, base), "pillarenv", nil)
	if w.env != "" {
		config.Put("pillarenv", w.env)
	}
	for k, v := range w.o.Config.All() {
		_ = config.Set(k, v) // it was a key already
	}
	h := &host.Host{Grains: w.facts, Config: config, Exec: noCommands, Memo: &host.Memo{}}
	if w.o.Mine != nil {
		h.Mine = w.o.Mine(w.minion)
	}
	return h
}

func noCommands(context.Context, host.Command) (host.Output, error) {
	return host.Output{}, errors.New("cannot run a command: pillar is made on a master, where templates run none")
}

// functions are what the templates of one pillar may call: those that don't look at the machine they run on.
type functions struct {
	*module.Index
	mine atomic.Bool // the mine was asked
}

var _ host.Modules = (*functions)(nil)

// Call calls a function that is pure, or asks the mine.
func (f *functions) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if _, err := f.Func(name); err != nil {
		return nil, 0, err
	}
	switch {
	case name == "mine.get" && h.Mine != nil:
		f.mine.Store(true)
	case !all.Pure(name):
		return nil, 0, fmt.Errorf("cannot call %s: pillar is made on a master, and %s would look at that machine; "+
			"only functions of the minion's grains and of data can be called", name, name)
	}
	return f.Index.Call(ctx, h, name, args, named)
}
