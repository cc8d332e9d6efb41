package store_test

import (
	"database/sql"
	"errors"
	"testing"

	"brine/master/store"
)

// alter runs statements on the database of a store that is closed.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	check(t, err)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// What an older version has folded in its own way, with other tables, is folded anew, and nothing of the log is lost.
func TestAStoreWithTheProjectionsOfAnotherVersionIsFoldedAnew(t *testing.T) {
	w := &watch{now: start}
	path, sum := filled(t, w)
	alter(t, path, "DROP INDEX events_tag", "DROP TABLE tags", "CREATE TABLE older (x TEXT) STRICT", "UPDATE self SET fold = 7")
	s := at(t, path, "m1", w)
	if got := digest(t, s); got != sum {
		t.Errorf("the log is another one: %s, want %s", got, sum)
	}
	if got := eventsOf(t, s, store.EventFilter{Tags: []string{"*"}}); got == "" {
		t.Error("there are no events any more")
	}
}

func TestAStoreIsNotTakenWithSomethingAdded(t *testing.T) {
	for name, added := range map[string][]string{
		"a table":                      {"CREATE TABLE more (x INTEGER) STRICT"},
		"a trigger of another version": {"CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END", "UPDATE self SET fold = 7"},
		"a view of another version":    {"CREATE VIEW v AS SELECT 1", "UPDATE self SET fold = 7"},
		"a column of the log":          {"ALTER TABLE log ADD COLUMN x TEXT", "UPDATE self SET fold = 7"},
	} {
		path, _ := filled(t, &watch{now: start})
		alter(t, path, added...)
		s, err := store.Open(path, store.Options{Master: "m1"})
		if corrupt := (*store.CorruptError)(nil); !errors.As(err, &corrupt) {
			t.Errorf("%s: got %v, want that it is corrupt", name, err)
		}
		if s != nil {
			s.Close()
		}
	}
}
