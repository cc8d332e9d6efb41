package keys

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"strings"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
)

// Fingerprint is that of an operator's key.
func Fingerprint(key ed25519.PublicKey) string { return pki.KeyFingerprint(key).String() }

// OperatorKeys are all keys of the operator of a name, those too that are
// revoked, past or over: sorted by key. Don't change them.
func (d *DB) OperatorKeys(name string) []store.Operator {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.named[name])
}

// Operators are all keys of the operators whose names match one of the globs,
// or of all without globs, in order of name.
func (d *DB) Operators(patterns []string) ([]store.Operator, error) {
	match, err := parsePatterns(patterns)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var all []store.Operator
	for name, keys := range d.named {
		if len(patterns) == 0 || match.any(name) {
			all = append(all, keys...)
		}
	}
	slices.SortStableFunc(all, func(a, b store.Operator) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// State says in a word what an operator's key is good for.
func (d *DB) State(op store.Operator) string {
	switch {
	case op.Revoked:
		return "revoked"
	case op.Past:
		return "replaced"
	case d.over(op.OperatorRecord):
		return "expired"
	}
	return "active"
}

// PastOperator returns the name of the operator whose key this was: one that
// is revoked, replaced or over.
func (d *DB) PastOperator(pub ed25519.PublicKey) (name string, ok bool) {
	if name, ok := d.Operator(pub); ok {
		return name, false
	}
	name = d.Whose(pub)
	return name, name != ""
}

// Whose is the name of the operator whose key this is or was; "" when it never was one's.
func (d *DB) Whose(pub ed25519.PublicKey) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.whose[string(pub)]
}

// noOperator says what is wrong with the name of an operator.
func (d *DB) noOperator(name, fingerprint string) string {
	if fingerprint != "" && len(d.OperatorKeys(name)) > 0 {
		return fmt.Sprintf("it has no key with the fingerprint %s (brine operator show %s)", fingerprint, name)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var names []string
	for n := range d.named {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Sprintf("there is no such operator; there are %s", some(names))
}

// Expire closes the connections of operators whose time has run out. It is to
// be called again and again; it costs nothing while there is none.
func (d *DB) Expire() {
	now := d.o.Now().Unix()
	d.mu.RLock()
	waiting := now < d.soonest
	d.mu.RUnlock()
	if waiting {
		return
	}
	d.following.Lock()
	defer d.following.Unlock()
	d.mu.Lock()
	var lost [][]byte
	for key, op := range d.operators {
		if d.over(op) {
			lost = append(lost, []byte(key))
			delete(d.operators, key)
		}
	}
	d.findSoonest()
	d.mu.Unlock()
	d.cut(lost)
}

// findSoonest finds when the next operator's time runs out. Call it with mu held.
func (d *DB) findSoonest() {
	d.soonest = math.MaxInt64
	for _, op := range d.operators {
		if op.NotAfter != 0 {
			d.soonest = min(d.soonest, op.NotAfter)
		}
	}
}

// cut has the connections of keys closed.
func (d *DB) cut(keys [][]byte) {
	for _, key := range keys {
		d.lost(key, d.replacedByOwner(key))
	}
}

// replacedByOwner tells of a key that is none any more whether its operator has put another into its place.
func (d *DB) replacedByOwner(key []byte) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	name := d.whose[string(key)]
	var was, is bool
	for _, op := range d.named[name] {
		switch {
		case store.Session(op.OperatorRecord):
		case string(op.Key) == string(key):
			was = true
		case d.operators[string(op.Key)] != nil && op.AddedBy == name:
			is = true
		}
	}
	return was && is
}

// readOperators reads anew the operators of some names, or all with none, and
// has the connections closed of those whose key is none any more. Call it with
// following held.
func (d *DB) readOperators(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		list, err := d.stored(ctx, "")
		if err != nil {
			return err
		}
		byName := map[string][]store.Operator{}
		for _, op := range list {
			byName[op.Name] = append(byName[op.Name], op)
		}
		d.cut(d.replaceOperators(byName, true))
		return nil
	}
	byName := map[string][]store.Operator{}
	for _, name := range names {
		list, err := d.stored(ctx, name)
		if err != nil {
			return err
		}
		byName[name] = list
	}
	d.cut(d.replaceOperators(byName, false))
	return nil
}

// replaceOperators takes in what the store says of the operators of some
// names, or of all. It returns the keys that are good for nothing any more.
func (d *DB) replaceOperators(byName map[string][]store.Operator, all bool) (lost [][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	good := map[string]*proto.OperatorRecord{}
	for name, list := range byName {
		for _, op := range list {
			d.whose[string(op.Key)] = name
			if !op.Revoked && !op.Past && !d.over(op.OperatorRecord) {
				good[string(op.Key)] = op.OperatorRecord
			}
		}
		if d.named[name] = list; len(list) == 0 {
			delete(d.named, name)
		}
	}
	for key, op := range d.operators {
		if _, concerned := byName[op.Name]; (concerned || all) && good[key] == nil {
			lost = append(lost, []byte(key))
			delete(d.operators, key)
		}
	}
	for key, op := range good {
		d.operators[key] = op
	}
	if all {
		d.forgetOthers(byName)
	}
	d.findSoonest()
	return lost
}

// stored are the keys of an operator, or of all, with the roles that sign-ins have now.
func (d *DB) stored(ctx context.Context, name string) ([]store.Operator, error) {
	list, err := d.o.Store.Operators(ctx, name)
	for _, op := range list {
		if store.Session(op.OperatorRecord) {
			op.OperatorRecord.Roles = nil
			if d.o.Roles != nil {
				op.OperatorRecord.Roles = d.o.Roles(op.OperatorRecord)
			}
		}
	}
	return list, err
}

// forgetOthers forgets the operators of names that the store has no more, and the
// keys of sign-ins that it has pruned. Call it with mu held.
func (d *DB) forgetOthers(byName map[string][]store.Operator) {
	clear(d.whose)
	for name := range d.named {
		if byName[name] == nil {
			delete(d.named, name)
		}
	}
	for name, list := range byName {
		for _, op := range list {
			d.whose[string(op.Key)] = name
		}
	}
}
