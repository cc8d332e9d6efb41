// Package pillar makes the pillar of minions: for each the data that it alone
// may know, of SLS files which a top file chooses. It keeps what it made in
// memory, never on disk, and makes it anew when the files or the minion's
// grains have become others.
package pillar

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"brine/states/all"
	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/sls"
	"brine/states/value"
)

// Trees are the files that pillar is made of.
type Trees interface {
	// Environments returns the names of those that are merged where none is asked for.
	Environments() []string
	// Tree returns the files of an environment, as they were at a time or later, and a name that is another
	// one for other files. An error wraps fs.ErrNotExist where there is no such environment.
	Tree(ctx context.Context, env string, since time.Time) (id string, src sls.Source, err error)
}

// Options say how pillar is made. Trees is required.
type Options struct {
	Trees   Trees
	Over    []Trees // further files, each with a top file of its own: what they give counts more, the later the more
	Merging pillar.Merging
	Config  *value.Dict // what templates may see of the masters' configuration, by Salt's names; with nodegroups
	Index   *module.Index
	Mine    func(minion string) host.Mine // what a minion may see of the mine; nil for no mine
}

// A Pillar is what was made for a minion. Nobody may change it.
type Pillar struct {
	Data     *value.Dict
	Mistakes []string // each with its file and line; with any, Data is nil
	Tree     string   // of which it was made

	passing bool // it has something of the mine, which changes by itself
}

// keptLimit bounds what is kept: pillars of that many minions and environments.
const keptLimit = 100_000

// A Maker makes pillar. Its methods may be called from many goroutines.
type Maker struct {
	o      Options
	making singleflight.Group

	mu   sync.Mutex // guards the field below
	kept map[owner]kept
}

type owner struct{ minion, env string }

type kept struct {
	of     [sha256.Size]byte // tree and grains
	pillar *Pillar
}

// New makes a Maker.
func New(o Options) *Maker {
	if o.Index == nil {
		o.Index = all.Index()
	}
	return &Maker{o: o, kept: map[owner]kept{}}
}

const base = "base"

// Of returns the pillar of a minion of an environment ("" is all that there are, merged), made of files as they were at a time or later. Grains are a JSON object. An error
// is of the files or the grains as a whole; what is wrong in the files are the pillar's mistakes.
func (m *Maker) Of(ctx context.Context, minion, env string, grains []byte, since time.Time) (*Pillar, error) {
	tree, layers, err := m.layers(ctx, env, since)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(tree), tree)
	h.Write(grains)
	of, who := [sha256.Size]byte(h.Sum(nil)), owner{minion, env}
	m.mu.Lock()
	k, ok := m.kept[who]
	m.mu.Unlock()
	if ok && k.of == of {
		return k.pillar, nil
	}
	made, err, _ := m.making.Do(minion+"\x00"+env+"\x00"+string(of[:]), func() (any, error) {
		p, err := m.make(context.WithoutCancel(ctx), minion, env, grains, layers)
		if err != nil {
			return nil, err
		}
		p.Tree = tree
		if !p.passing {
			m.keep(who, kept{of, p})
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return made.(*Pillar), nil
}

// A layer is the environments of one Trees, as they were at one time.
type layer map[string]sls.Source

var _ sls.Trees = layer{}

// Environments returns the names of all, that of base first.
func (l layer) Environments() []string {
	return slices.SortedFunc(maps.Keys(l), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

func rank(env string) int {
	if env == base {
		return 0
	}
	return 1
}

// Source returns the tree of one.
func (l layer) Source(env string) (sls.Source, error) {
	if src := l[env]; src != nil {
		return src, nil
	}
	return nil, fmt.Errorf("environment %q: %w", env, fs.ErrNotExist)
}

// layers are the files of an environment, or of all, what counts least first, and a name for all of them.
func (m *Maker) layers(ctx context.Context, env string, since time.Time) (string, []layer, error) {
	var layers []layer
	var ids []string
	var missing error
	for _, t := range append([]Trees{m.o.Trees}, m.o.Over...) {
		envs := []string{env}
		if env == "" {
			envs = t.Environments()
		}
		l := layer{}
		for _, name := range envs {
			id, src, err := t.Tree(ctx, name, since)
			if errors.Is(err, fs.ErrNotExist) {
				missing = errors.Join(missing, err)
				continue
			}
			if err != nil {
				return "", nil, fmt.Errorf("cannot make pillar of environment %q: %w", name, err)
			}
			l[name] = src
			ids = append(ids, name+" "+id)
		}
		if len(l) > 0 {
			layers = append(layers, l)
		}
		ids = append(ids, "")
	}
	if len(layers) == 0 {
		return "", nil, fmt.Errorf("cannot make pillar of environment %q: %w", cmp.Or(env, base), missing)
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:]), layers, nil
}

func (m *Maker) keep(who owner, k kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= keptLimit {
		clear(m.kept)
	}
	m.kept[who] = k
}

// Forget drops what was made for a minion, whose key is no longer accepted.
func (m *Maker) Forget(minion string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for who := range m.kept {
		if who.minion == minion {
			delete(m.kept, who)
		}
	}
}

// makeLimit bounds the making of one pillar.
const makeLimit = time.Minute

func (m *Maker) make(ctx context.Context, minion, env string, grains []byte, layers []layer) (*Pillar, error) {
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	all := &Pillar{Data: &value.Dict{}}
	for _, l := range layers {
		data, err := m.compile(ctx, minion, env, grains, l, all)
		if err != nil {
			return nil, err
		}
		all.Data = m.o.Merging.Merge(all.Data, data)
	}
	if len(all.Mistakes) > 0 {
		all.Data = nil
	}
	return all, nil
}

// compile makes the pillar of one layer, and adds its mistakes to those of all.
func (m *Maker) compile(ctx context.Context, minion, env string, grains []byte, l layer, all *Pillar) (*value.Dict, error) {
	h, err := m.host(minion, env, grains)
	if err != nil || l.empty() { // a site without pillar
		return nil, err
	}
	called := &functions{Index: m.o.Index}
	h.Modules = called
	data, mistakes := pillar.Compile(ctx, l, pillar.Options{Env: env, Match: match.Targets(ctx, h), Merging: m.o.Merging, Host: h})
	all.passing = all.passing || called.mine.Load()
	for _, e := range mistakes {
		all.Mistakes = append(all.Mistakes, e.Error())
	}
	return data, nil
}

func (l layer) empty() bool {
	for _, src := range l {
		if len(src.Paths()) > 0 {
			return false
		}
	}
	return true
}

// host is what templates see: the minion's grains, and nothing of this machine.
func (m *Maker) host(minion, env string, grains []byte) (*host.Host, error) {
	v, err := value.FromJSON(grains)
	if err != nil {
		return nil, fmt.Errorf("cannot read the grains of minion %q: %w", minion, err)
	}
	facts, ok := v.(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("cannot read the grains of minion %q: they are no dict", minion)
	}
	facts.Put("id", minion) // what a key proves counts, not what a minion says
	config := value.NewDict("id", minion, "saltenv", cmp.Or(env, base), "pillarenv", nil)
	if env != "" {
		config.Put("pillarenv", env)
	}
	for k, v := range m.o.Config.All() {
		if err := config.Set(k, v); err != nil {
			return nil, err
		}
	}
	h := &host.Host{Grains: facts, Config: config, Exec: noCommands, Memo: &host.Memo{}}
	if m.o.Mine != nil {
		h.Mine = m.o.Mine(minion)
	}
	return h, nil
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
