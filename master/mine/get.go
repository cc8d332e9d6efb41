package mine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/target"
)

// answerLimit bounds what one answer holds before it is compressed.
const answerLimit = 64 << 20

// A Query is what a minion asks.
type Query struct {
	Asker     string // its id, which its key proves
	Target    string
	Type      string // how Target is read; "" is glob
	Functions []string
	// Making says that the asker's pillar is being made: then nothing can depend on pillar.
	Making bool
}

var errMaking = errors.New("cannot look into the mine by pillar while pillar is made")

// Get returns what the minions of a target told as functions, as far as the asker may see it, in order of
// function and minion. The target means pillar by whole values of open keys alone.
func (db *DB) Get(ctx context.Context, site Site, q Query) ([]*proto.MineItem, error) {
	if q.Type == "" {
		q.Type = "glob"
	}
	language := site.Language()
	language.Exact = true
	t, err := language.Parse(q.Type, q.Target)
	if err != nil {
		return nil, err
	}
	if q.Making && t.Asks().Pillar {
		return nil, errMaking
	}
	if key, ok := site.closed(t); ok {
		return nil, fmt.Errorf("cannot look into the mine by the pillar key %q: others' pillar is secret where [mine] pillar_keys of the "+
			"masters' configuration does not name the key; targets may have nodegroups that ask for it", key)
	}
	ids := site.Accepted()
	facts, err := site.Facts(ctx, t.Asks(), ids)
	if err != nil {
		return nil, err
	}
	r := &reader{db: db, site: site, q: q, may: map[[2]string]bool{}}
	found := make([][]*proto.MineItem, len(q.Functions))
	for _, id := range ids {
		var unknown *target.Unknown // such a minion is not meant
		if ok, err := t.Decide(facts(id)); err != nil && !errors.As(err, &unknown) {
			return nil, err
		} else if ok {
			if err := r.read(ctx, id, found); err != nil {
				return nil, err
			}
		}
	}
	var items []*proto.MineItem
	for _, f := range found {
		items = append(items, f...)
	}
	return items, nil
}

// All returns what minions told under some names, or under any, whomever they told it for: for the site's operators. It
// comes in order of minion and name.
func (db *DB) All(ctx context.Context, site Site, ids, names []string) (items []*proto.MineItem, err error) {
	for _, id := range ids {
		k, err := db.of(ctx, id)
		if err != nil {
			return nil, err
		}
		if key, ok := site.Key(id); !ok || k.key == nil || !key.Equal(k.key) {
			continue // it told nothing, or what was told is of a key that counts no more
		}
		for _, name := range slices.Sorted(maps.Keys(k.entries)) {
			if len(names) == 0 || slices.Contains(names, name) {
				items = append(items, &proto.MineItem{Function: name, Minion: id, Data: k.entries[name].Data})
			}
		}
	}
	return items, nil
}

// closed returns a key of pillar that a target asks for and that is open to no minion. By who answers a minion could try
// what a secret of another one is.
func (s Site) closed(t *target.Matcher) (key string, ok bool) {
	for _, asked := range t.PillarAsked() {
		if !slices.ContainsFunc(s.PillarKeys, func(key string) bool {
			open := strings.Split(key, ":")
			return len(open) < len(asked) && slices.Equal(open, asked[:len(open)])
		}) {
			return asked[0], true
		}
	}
	return "", false
}

// A reader answers one query.
type reader struct {
	db   *DB
	site Site
	q    Query
	may  map[[2]string]bool // what allow_tgt and its type decided
	size int
}

// read adds what the asker may see of a minion's mine, by function.
func (r *reader) read(ctx context.Context, id string, found [][]*proto.MineItem) error {
	k, err := r.db.of(ctx, id)
	if err != nil {
		return err
	}
	if key, ok := r.site.Key(id); !ok || k.key == nil || !key.Equal(k.key) {
		return nil // it told nothing, or what was told is of a key that counts no more
	}
	for i, name := range r.q.Functions {
		e := k.entries[name]
		if e == nil {
			continue
		}
		if ok, err := r.allowed(ctx, e); err != nil {
			return err
		} else if !ok {
			continue
		}
		if r.size += len(e.Data); r.size > answerLimit {
			return fmt.Errorf("cannot answer: the answer has over %d MiB: ask for fewer minions or functions", answerLimit>>20)
		}
		found[i] = append(found[i], &proto.MineItem{Function: name, Minion: id, Data: e.Data})
	}
	return nil
}

// allowed tells whether the asker is one that an entry is for. What can't be read or decided, such as for want of the
// asker's pillar, allows nobody.
func (r *reader) allowed(ctx context.Context, e *proto.MineEntry) (bool, error) {
	if e.AllowTgt == "" {
		return true, nil
	}
	rule := [2]string{e.AllowTgt, e.AllowTgtType}
	if may, ok := r.may[rule]; ok {
		return may, nil
	}
	may, err := r.decide(ctx, rule[0], rule[1])
	if err == nil {
		r.may[rule] = may
	}
	return may, err
}

func (r *reader) decide(ctx context.Context, tgt, kind string) (bool, error) {
	if kind == "" {
		kind = "glob"
	}
	t, err := r.site.Language().Parse(kind, tgt)
	if err != nil || r.q.Making && t.Asks().Pillar {
		return false, nil
	}
	facts, err := r.site.Facts(ctx, t.Asks(), []string{r.q.Asker})
	if err != nil {
		return false, err
	}
	ok, err := t.Decide(facts(r.q.Asker))
	return ok && err == nil, nil
}
