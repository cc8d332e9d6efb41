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
	"time"

	"golang.org/x/sync/singleflight"

	"brine/states/all"
	"brine/states/host"
	"brine/states/module"
	"brine/states/pillar"
	"brine/states/render"
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
	Room    int                           // bounds what is kept, in bytes of JSON, which take nine times that in memory; 0 is 64 MiB

	External      []External // programs whose pillar lies over that of all files
	ExternalFirst bool       // Over and External lie beneath Trees, whose templates and targets see what they give
	Exec          host.Exec  // runs External

	Decrypt func(ctx context.Context, block string) (string, error) // what an encrypted block holds; nil for no keys
	Exposed bool                                                    // look for secrets that are given by grains
}

// A Pillar is what was made for a minion. Nobody may change it.
type Pillar struct {
	Data     *value.Dict
	Opened   []string // values of Data that are encrypted in the files
	Mistakes []string // each with its file and line; with any, Data is nil
	Tree     string   // of which it was made

	passing bool // it has something that changes by itself, such as the mine
	exposed []string
	until   time.Time // when it must be made anew; zero: with the files and the grains
}

// A Maker makes pillar. Its methods may be called from many goroutines.
type Maker struct {
	o      Options
	making singleflight.Group

	running chan struct{} // holds one for each program that runs

	rendered render.Cache // files, for all minions

	mu      sync.Mutex // guards the fields below
	kept    map[owner]kept
	room    int                // that is left
	exposed map[owner][]string // secrets that are given by grains, where there are some
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
	return &Maker{
		o: o, running: make(chan struct{}, externalsAtOnce), kept: map[owner]kept{}, room: o.Room, exposed: map[owner][]string{},
	}
}

const base = "base"

// Of returns the pillar of a minion of an environment ("" is all that there are, merged), made of files as they were at
// a time or later. Grains are a JSON object. An error is of the files as a whole; what is wrong in the files, or with
// the grains, are the pillar's mistakes: what one minion says of itself must not stop who asks for the pillar of all.
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
	if ok && k.of == of && k.pillar.holds(time.Now()) {
		return k.pillar, nil
	}
	made, _, _ := m.making.Do(minion+"\x00"+env+"\x00"+string(of[:]), func() (any, error) {
		p := m.make(context.WithoutCancel(ctx), minion, env, grains, layers)
		p.Tree = tree
		m.keep(who, kept{of, p, size(p)})
		return p, nil
	})
	return made.(*Pillar), nil
}

func (p *Pillar) holds(now time.Time) bool { return p.until.IsZero() || now.Before(p.until) }

// layers are the files of an environment, or of all, one layer for each Trees, and a name for all of them.
func (m *Maker) layers(ctx context.Context, env string, since time.Time) (string, []layer, error) {
	var layers []layer
	var ids []string
	var missing error
	some := false
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
		layers = append(layers, l)
		some = some || len(l) > 0
		ids = append(ids, "")
	}
	if !some {
		return "", nil, fmt.Errorf("cannot make pillar of environment %q: %w", cmp.Or(env, base), missing)
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:]), layers, nil
}

// keep remembers a pillar. When there is no room for it all others are forgotten.
func (m *Maker) keep(who owner, k kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if delete(m.exposed, who); len(k.pillar.exposed) > 0 {
		m.exposed[who] = k.pillar.exposed
	}
	if k.pillar.passing {
		return
	}
	m.room += m.kept[who].size - k.size
	if m.room < 0 {
		clear(m.kept)
		m.room = m.o.Room - k.size
	}
	m.kept[who] = k
}

// size is roughly what a pillar takes, and the least that anything does.
func size(p *Pillar) int {
	data, _ := value.MarshalJSON(p.Data)                       // what has none takes no more than its mistakes
	return len(data) + len(strings.Join(p.Mistakes, "")) + 512 // values of Opened are those of Data
}

// Exposures tells which secrets are given by grains, by the pillars that were made last of minions that still count, each
// once and in order. It wants Options.Exposed.
func (m *Maker) Exposures(counts func(minion string) bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]bool{}
	for who, texts := range m.exposed {
		if !counts(who.minion) {
			delete(m.exposed, who)
			continue
		}
		for _, text := range texts {
			seen[text] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
