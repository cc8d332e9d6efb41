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
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
)

// Trees are the files that pillar is made of.
type Trees interface {
	// Tree returns the files of an environment, as they were at a time or later, and a name that is another
	// one for other files. An error wraps fs.ErrNotExist where there is no such environment.
	Tree(ctx context.Context, env string, since time.Time) (id string, src sls.Source, err error)
}

// Options say how pillar is made. Trees is required.
type Options struct {
	Trees      Trees
	Over       []Trees     // further files, each with a top file of its own: what they give counts more, the later the more
	MergeLists bool        // lists of several SLS are joined
	Config     *value.Dict // what templates may see of the masters' configuration, by Salt's names; with nodegroups
	Index      *module.Index
	Mine       func(minion string) host.Mine // what a minion may see of the mine; nil for no mine
	Room       int                           // bounds what is kept, in bytes of JSON, which take nine times that in memory; 0 is 64 MiB
}

// A Pillar is what was made for a minion. Nobody may change it.
type Pillar struct {
	Data     *value.Dict
	Mistakes []string // each with its file and line; with any, Data is nil
	Tree     string   // of which it was made

	passing bool // it has something of the mine, which changes by itself
}

// A Maker makes pillar. Its methods may be called from many goroutines.
type Maker struct {
	o      Options
	making singleflight.Group

	mu   sync.Mutex // guards the fields below
	kept map[owner]kept
	room int // that is left
}

type owner struct{ minion, env string }

type kept struct {
	of     [sha256.Size]byte // tree and grains
	pillar *Pillar
	size   int
}

// New makes a Maker.
func New(o Options) *Maker {
	if o.Index == nil {
		o.Index = all.Index()
	}
	o.Room = cmp.Or(o.Room, 64<<20)
	return &Maker{o: o, kept: map[owner]kept{}, room: o.Room}
}

// Of returns the pillar of a minion of an environment ("" is base), made of files as they were at a time or later. Grains are a JSON object. An error
// is of the files as a whole; what is wrong in the files, or with the grains, are the pillar's mistakes: what one minion
// says of itself must not stop who asks for the pillar of all.
func (m *Maker) Of(ctx context.Context, minion, env string, grains []byte, since time.Time) (*Pillar, error) {
	env = cmp.Or(env, "base")
	tree, sources, err := m.sources(ctx, env, since)
	if err != nil {
		return nil, fmt.Errorf("cannot make pillar of environment %q: %w", env, err)
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
	made, _, _ := m.making.Do(minion+"\x00"+env+"\x00"+string(of[:]), func() (any, error) {
		p := m.make(context.WithoutCancel(ctx), minion, env, grains, sources)
		p.Tree = tree
		if !p.passing {
			m.keep(who, kept{of, p, size(p)})
		}
		return p, nil
	})
	return made.(*Pillar), nil
}

// sources are the files of an environment, what counts least first, and a name for all of them.
func (m *Maker) sources(ctx context.Context, env string, since time.Time) (string, []sls.Source, error) {
	var sources []sls.Source
	var ids []string
	var missing error
	for _, t := range append([]Trees{m.o.Trees}, m.o.Over...) {
		id, src, err := t.Tree(ctx, env, since)
		if errors.Is(err, fs.ErrNotExist) {
			missing = errors.Join(missing, err)
			continue
		}
		if err != nil {
			return "", nil, err
		}
		sources, ids = append(sources, src), append(ids, id)
	}
	switch len(ids) {
	case 0:
		return "", nil, missing
	case 1:
		return ids[0], sources, nil
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:]), sources, nil
}

// keep remembers a pillar. When there is no room for it all others are forgotten.
func (m *Maker) keep(who owner, k kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room += m.kept[who].size - k.size
	if m.room < 0 {
		clear(m.kept)
		m.room = m.o.Room - k.size
	}
	m.kept[who] = k
}

// size is roughly what a pillar takes, and the least that anything does.
func size(p *Pillar) int {
	data, _ := value.MarshalJSON(p.Data) // what has none takes no more than its mistakes
	return len(data) + len(strings.Join(p.Mistakes, "")) + 512
}

// makeLimit bounds the making of one pillar.
const makeLimit = time.Minute

func (m *Maker) make(ctx context.Context, minion, env string, grains []byte, sources []sls.Source) *Pillar {
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	all, merge := &Pillar{Data: &value.Dict{}}, pillar.Merge
	if m.o.MergeLists {
		merge = pillar.MergeLists
	}
	for _, src := range sources {
		h, err := m.host(minion, env, grains)
		if err != nil {
			all.Mistakes = []string{err.Error()}
			break
		}
		if len(src.Paths()) > 0 { // else it is a site without pillar
			all.Data = merge(all.Data, m.compile(ctx, h, env, src, all))
		}
	}
	if len(all.Mistakes) > 0 {
		all.Data = nil
	}
	return all
}

// compile makes the pillar of one tree, and adds its mistakes to those of all.
func (m *Maker) compile(ctx context.Context, h *host.Host, env string, src sls.Source, all *Pillar) *value.Dict {
	called := &functions{Index: m.o.Index}
	h.Modules = called
	h.Render = render.New(h, env, func(ctx context.Context, _, path string) ([]byte, error) { return src.Open(ctx, path) })
	data, mistakes := pillar.Compile(ctx, src, pillar.Options{Env: env, Match: match.Targets(ctx, h), MergeLists: m.o.MergeLists, Host: h})
	all.passing = all.passing || called.mine.Load()
	for _, e := range mistakes {
		all.Mistakes = append(all.Mistakes, e.Error())
	}
	return data
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
	config := value.NewDict("id", minion, "saltenv", env, "pillarenv", env)
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
