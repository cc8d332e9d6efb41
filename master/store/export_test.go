package store

import (
	"context"
	"fmt"
)

// LimitPages lets the database grow by no more than n pages, as a full disk
// does; 0 takes the limit away.
func (s *Store) LimitPages(n int64) error {
	return s.do(context.Background(), func(f *folder) error {
		limit := int64(1) << 31
		if n > 0 {
			pages, err := f.db.one("SELECT page_count FROM pragma_page_count")
			if err != nil {
				return err
			}
			limit = pages + n
		}
		return f.db.query(fmt.Sprintf("PRAGMA max_page_count = %d", limit), nil, ignore)
	})
}
