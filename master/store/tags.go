package store

import (
	"context"
	"database/sql"
	"strings"
)

const (
	maxTags     = 100_000 // tags that are looked through for a glob
	maxRareTags = 500     // that a glob matches, for it to be rare
	knownTags   = 10_000  // tags of which a folder remembers that they are there
)

// addTag notes that there is an event with a tag.
func (f *folder) addTag(tag string) error {
	if f.tags[tag] {
		return nil
	}
	if _, err := f.db.exec("INSERT OR IGNORE INTO tags VALUES (?)", tag); err != nil {
		return err
	}
	if len(f.tags) >= knownTags {
		clear(f.tags)
	}
	f.tags[tag] = true
	return nil
}

// removeTag forgets a tag when no event has it any more.
func (f *folder) removeTag(tag string) error {
	_, err := f.db.exec("DELETE FROM tags WHERE tag = ? AND NOT EXISTS (SELECT 1 FROM events WHERE tag = ?)", tag, tag)
	delete(f.tags, tag)
	return err
}

// rareTags are the tags that globs mean, where those are few and few events have them. Else ok is false: then a look from the
// newest event back soon finds enough, or there are too many tags to tell.
func (s *Store) rareTags(ctx context.Context, globs []string) (tags []any, ok bool, err error) {
	for _, g := range globs {
		some, few, err := s.tagsOf(ctx, g)
		if err != nil || !few {
			return nil, false, err
		}
		tags = append(tags, some...)
	}
	if len(globs) == 0 || len(tags) > maxRareTags {
		return nil, false, nil
	}
	if len(tags) == 0 {
		return nil, true, nil
	}
	n, err := s.sequences(ctx, "SELECT count(*) FROM (SELECT 1 FROM events INDEXED BY events_tag WHERE tag IN ("+places(len(tags))+") LIMIT ?)",
		append(tags[:len(tags):len(tags)], sparse+1)...)
	return tags, err == nil && n[0] <= sparse, err
}

// tagsOf are the tags that a glob matches, unless those, or those with its beginning, are many.
func (s *Store) tagsOf(ctx context.Context, pattern string) (tags []any, few bool, err error) {
	begin := pattern
	if i := strings.IndexAny(begin, "*?["); i >= 0 {
		begin = begin[:i]
	}
	end := begin + "\U0010ffff" // no tag has more behind it
	n, err := s.sequences(ctx, "SELECT count(*) FROM (SELECT 1 FROM tags WHERE tag BETWEEN ? AND ? LIMIT ?)", begin, end, maxTags+1)
	if err != nil || n[0] > maxTags {
		return nil, false, err
	}
	err = s.each(ctx, "SELECT tag FROM tags WHERE tag BETWEEN ? AND ? AND tag GLOB ? LIMIT ?", []any{begin, end, glob(pattern), maxRareTags + 1}, func(r *sql.Rows) error {
		var tag string
		err := r.Scan(&tag)
		tags = append(tags, tag)
		return err
	})
	return tags, len(tags) <= maxRareTags, err
}

// places are the marks of n arguments.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
