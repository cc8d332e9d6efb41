package grains

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unique"

	"brine/master/store"
	"brine/proto/target"
)

// Facts returns the grains of a minion as targets ask for them; nil when it told none. No one may change them. They
// are kept in memory from the first time on, so that a whole fleet can be asked in milliseconds.
func (db *DB) Facts(ctx context.Context, minion string) (target.Map, error) {
	db.mu.Lock()
	facts, ok := db.facts[minion]
	heard := db.heard
	db.mu.Unlock()
	if ok {
		return facts, nil
	}
	facts, err := db.readFacts(ctx, minion)
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if heard == db.heard { // else they may be old already
		db.facts[minion] = facts
	}
	return facts, nil
}

func (db *DB) readFacts(ctx context.Context, minion string) (target.Map, error) {
	g, err := db.store.Grains(ctx, minion)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var facts map[string]any
	d := json.NewDecoder(bytes.NewReader(g.Data))
	d.UseNumber() // 4 is no 4.0
	if err := d.Decode(&facts); err != nil {
		return nil, fmt.Errorf("cannot read the grains of minion %q: %w", minion, err)
	}
	return target.JSON(shared(facts).(map[string]any)), nil
}

// shared has equal texts of all minions once in memory: most grains have few values in a fleet.
func shared(v any) any {
	switch v := v.(type) {
	case string:
		return unique.Make(v).Value()
	case json.Number:
		return unique.Make(v).Value()
	case []any:
		for i := range v {
			v[i] = shared(v[i])
		}
	case map[string]any:
		same := make(map[string]any, len(v))
		for k, item := range v {
			same[unique.Make(k).Value()] = shared(item)
		}
		return same
	}
	return v
}
