package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// missingBatch is how many ids one query compares.
const missingBatch = 500

// Missing tells which of the ids are not in the store, in their order. An id
// that the store would pass over because it is older than what was pruned may
// be among them.
func (s *Store) Missing(ctx context.Context, ids []string) ([]string, error) {
	var missing []string
	for batch := range slices.Chunk(ids, missingBatch) {
		lacking, err := s.missing(ctx, batch)
		if err != nil {
			return nil, err
		}
		for i, id := range batch {
			if lacking[i] {
				missing = append(missing, id)
			}
		}
	}
	return missing, nil
}

// missing tells of each id whether it is not in the store.
func (s *Store) missing(ctx context.Context, ids []string) ([]bool, error) {
	lacking := make([]bool, len(ids))
	var others, returns question
	for i, id := range ids {
		k, err := splitReturn(id)
		switch {
		case err != nil || len(id) > maxID || !printable(id):
			lacking[i] = true
		case k != nil:
			returns.ask(i, fmt.Sprintf("%020d%x%s", k.jid, k.hash, k.minion))
		default:
			others.ask(i, id)
		}
	}
	err := s.compare(ctx, &others, lacking, `SELECT key FROM json_each(?) WHERE NOT EXISTS (
		SELECT 1 FROM ids WHERE id = value)`)
	if err == nil {
		err = s.compare(ctx, &returns, lacking, `SELECT key FROM json_each(?) WHERE NOT EXISTS (
			SELECT 1 FROM returns WHERE jid = CAST(substr(value, 1, 20) AS INTEGER)
			AND minion = substr(value, 53) AND hash = unhex(substr(value, 21, 32)))`)
	}
	return lacking, err
}

// question is a list of keys that are looked up together, and of each whose it is.
type question struct {
	keys []string
	of   []int
}

func (q *question) ask(of int, key string) {
	q.keys, q.of = append(q.keys, key), append(q.of, of)
}

// compare marks what a query over the keys finds missing.
func (s *Store) compare(ctx context.Context, q *question, lacking []bool, query string) error {
	if len(q.keys) == 0 {
		return nil
	}
	list, err := json.Marshal(q.keys)
	if err != nil {
		return err
	}
	return s.rows(ctx, query, []any{string(list)}, func(r *sql.Rows) error {
		var i int
		err := r.Scan(&i)
		if err == nil {
			lacking[q.of[i]] = true
		}
		return err
	})
}

// returnKey is the key of a return in its projection.
type returnKey struct {
	jid    int64
	minion string
	hash   []byte
}

// splitReturn takes the id of a return apart; nil for another id.
func splitReturn(id string) (*returnKey, error) {
	f := strings.Split(id, "/")
	if len(f) != 4 || f[0] != wordReturn {
		return nil, nil
	}
	jid, err := jidMicro(f[1])
	if err != nil {
		return nil, err
	}
	sum, err := base64.RawURLEncoding.DecodeString(f[3])
	if err != nil || len(sum) != len(entry{}.hash) || encode(sum) != f[3] {
		return nil, errors.New("it has no hash")
	}
	return &returnKey{jid: jid, minion: f[2], hash: sum}, nil
}
