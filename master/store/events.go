package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/event"
)

// EventFilter chooses events. Of several of one list one has to hold, of different ones each.
type EventFilter struct {
	Tags    []string // globs
	Origins []string // globs over minions and masters
	Actors  []string // globs
	Texts   []string // each must stand in the tag or the data, in any case, from the beginning of a word on
	Since   int64    // microseconds of Unix time; 0: any
	Until   int64    // likewise
	Before  int64    // only what was stored before this sequence; 0: all
	Limit   int      // 0: 50
}

// EventEntry is an event and where it stands in the log.
type EventEntry struct {
	Seq   int64
	ID    string // of its record
	Event *proto.Event
}

// addEvent keeps an event and what queries ask of it, unless it is too old. It tells which.
func (f *folder) addEvent(e *entry, seq int64) (bool, error) {
	keep, err := f.addMoment(e.Stamp, seq)
	if err != nil || !keep {
		return keep, err
	}
	ev := e.event
	_, err = f.db.exec("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", seq, ev.At, ev.Tag, ev.Origin, ev.Actor, ev.Cause)
	if err == nil {
		err = f.addTag(ev.Tag)
	}
	if err == nil {
		_, err = f.db.exec("INSERT INTO words (rowid, tag, origin, data) VALUES (?, ?, ?, ?)", seq, ev.Tag, ev.Origin, event.Data(ev))
	}
	return true, err
}

func (f *folder) removeEvent(seq int64) error {
	tag := ""
	err := f.db.query("SELECT tag FROM events WHERE seq = ?", []driver.Value{seq}, func(row []driver.Value) error {
		tag = text(row[0])
		return nil
	})
	if err == nil {
		_, err = f.db.exec("DELETE FROM events WHERE seq = ?", seq)
	}
	if err == nil {
		err = f.removeTag(tag)
	}
	if err == nil {
		_, err = f.db.exec("DELETE FROM words WHERE rowid = ?", seq)
	}
	return err
}

// Events lists events, those stored last first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]EventEntry, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	if f.Before <= 0 {
		f.Before = s.Last() + 1
	}
	q, err := s.eventQuery(ctx, f)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(f.Texts)) // whose words are known to be there, in whatever order
	for i, text := range f.Texts {
		texts[i] = strings.ToLower(text)
	}
	var found []EventEntry
	for before := f.Before; len(found) < f.Limit; {
		lot := max(f.Limit-len(found), 32)
		seqs, err := s.sequences(ctx, q.text(), append(append([]any{before}, q.args...), lot)...)
		if err != nil {
			return nil, err
		}
		some, err := s.eventsAt(ctx, seqs)
		if err != nil {
			return nil, err
		}
		for _, e := range some {
			if event.Has(e.Event, texts) && len(found) < f.Limit {
				found = append(found, e)
			}
		}
		if len(seqs) < lot {
			break
		}
		before = seqs[len(seqs)-1]
	}
	return found, nil
}

// eventsNaming finds the newest events whose data have what is asked of the index, and whose tag a glob matches.
const eventsNaming = "SELECT e.seq FROM words w JOIN events e ON e.seq = w.rowid WHERE words MATCH ? AND e.tag GLOB ? ORDER BY w.rowid DESC LIMIT ?"

// EventsNaming lists events whose tag a glob matches and whose data have a word of letters and digits, those stored last first. Where
// few events have the word it is many times as fast as Events.
func (s *Store) EventsNaming(ctx context.Context, tag, word string, limit int) ([]EventEntry, error) {
	if words := wordsOf(word, func(byte) bool { return false }); len(words) != 1 || words[0] != word {
		return nil, fmt.Errorf("cannot look for %.80q: it is not one word", word)
	}
	seqs, err := s.sequences(ctx, eventsNaming, `data : "`+word+`"`, glob(tag), limit)
	if err != nil {
		return nil, err
	}
	return s.eventsAt(ctx, seqs)
}

// eventsAt are the events that stand at some places, but for those that were pruned meanwhile.
func (s *Store) eventsAt(ctx context.Context, seqs []int64) ([]EventEntry, error) {
	var all []EventEntry
	for _, seq := range seqs {
		e, err := s.eventAt(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// sequences runs a query that gives one number a row.
func (s *Store) sequences(ctx context.Context, query string, args ...any) ([]int64, error) {
	var all []int64
	err := s.each(ctx, query, args, func(r *sql.Rows) error {
		all = append(all, 0)
		return r.Scan(&all[len(all)-1])
	})
	return all, err
}

func (s *Store) eventAt(ctx context.Context, seq int64) (EventEntry, error) {
	e := EventEntry{Seq: seq, Event: new(proto.Event)}
	err := s.read.QueryRowContext(ctx, "SELECT id FROM log WHERE seq = ?", seq).Scan(&e.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return e, ErrNotFound
	} else if err != nil {
		return e, s.unread(err)
	}
	return e, s.message(ctx, seq, e.Event)
}

// An eventQuery is what asks for sequences, of which each is below the first argument; the last is the limit.
type eventQuery struct {
	from  string
	seq   string // the column that it is sorted by
	where []string
	args  []any
}

func (q *eventQuery) text() string {
	return "SELECT e.seq FROM " + q.from + " WHERE " + q.seq + " < ? AND " + strings.Join(q.where, " AND ") + " ORDER BY " + q.seq + " DESC LIMIT ?"
}

func (q *eventQuery) and(condition string, args ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, args...)
}

// globs wants one of some globs to match a column; none of them wants nothing.
func (q *eventQuery) globs(column string, globs []string) {
	if len(globs) == 0 {
		return
	}
	var any []string
	for _, g := range globs {
		any = append(any, column+" GLOB ?")
		q.args = append(q.args, glob(g))
	}
	q.where = append(q.where, "("+strings.Join(any, " OR ")+")")
}

// sparse is how many events since a time may be read and sorted.
const sparse = 20_000

// eventQuery chooses how to search: by tags where few events have those, by words where the filter has some, by time where few
// events are as new as that, and else from the newest back.
func (s *Store) eventQuery(ctx context.Context, f EventFilter) (*eventQuery, error) {
	q, until := &eventQuery{from: "events e", seq: "e.seq"}, cmp.Or(f.Until, math.MaxInt64)
	match, at := matchWords(f), "+e.at" // which no index is used for
	tags, rare, err := s.rareTags(ctx, f.Tags)
	if err != nil {
		return nil, err
	}
	switch {
	case rare && len(tags) == 0:
		q.and("0")
	case rare && len(f.Texts) == 0:
		q.from = "events e INDEXED BY events_tag"
		q.and("e.tag IN ("+places(len(tags))+")", tags...)
	case match != "":
		q.from, q.seq = "words w JOIN events e ON e.seq = w.rowid", "w.rowid"
		q.and("words MATCH ?", match)
	case f.Since > 0 || f.Until > 0:
		n, err := s.sequences(ctx, "SELECT count(*) FROM (SELECT 1 FROM events WHERE at BETWEEN ? AND ? LIMIT ?)", f.Since, until, sparse+1)
		if err != nil {
			return nil, err
		}
		if n[0] <= sparse {
			q.from, at = "events e INDEXED BY events_at", "e.at"
		}
	}
	q.and(at+" BETWEEN ? AND ?", f.Since, until)
	q.globs("e.tag", f.Tags)
	q.globs("e.origin", f.Origins)
	q.globs("e.actor", f.Actors)
	return q, nil
}

// tagOfJob is the tag of a job's or a return's event, of the row of its record.
const tagOfJob = "CASE WHEN id GLOB '" + wordReturn + "/*' THEN 'salt/job/' || substr(id, length('" + wordReturn + "/') + 1, 20) || '/ret/' || origin " +
	"ELSE 'salt/job/' || substr(id, length('" + wordJob + "/') + 1, 20) || '/new' END"

// JobEvents lists the records of jobs and returns whose events a filter chooses, those stored last first, without their
// bodies. Texts and actors are not looked at.
func (s *Store) JobEvents(ctx context.Context, f EventFilter) ([]*proto.LogEntry, error) {
	return s.jobEvents(ctx, f, "NULL")
}

// JobBodies is JobEvents with the records' bodies, but for those above 256 KiB.
func (s *Store) JobBodies(ctx context.Context, f EventFilter) ([]*proto.LogEntry, error) {
	return s.jobEvents(ctx, f, "body")
}

func (s *Store) jobEvents(ctx context.Context, f EventFilter, body string) ([]*proto.LogEntry, error) {
	if len(f.Tags) > 0 && !slices.ContainsFunc(f.Tags, mayBeJob) {
		return nil, nil
	}
	q := &eventQuery{}
	q.globs(tagOfJob, f.Tags)
	q.globs("origin", f.Origins)
	q.and("stamp BETWEEN ? AND ?", f.Since, cmp.Or(f.Until, math.MaxInt64))
	args := append([]any{cmp.Or(f.Before, s.Last()+1), proto.RecordKind_RECORD_JOB, proto.RecordKind_RECORD_RETURN}, q.args...)
	return s.entries(ctx, s.each, "seq < ? AND kind IN (?, ?) AND "+strings.Join(q.where, " AND ")+" ORDER BY seq DESC LIMIT ?", body,
		append(args, cmp.Or(max(f.Limit, 0), 50))...)
}

// mayBeJob tells whether a glob may match the tag of a job's or a return's event.
func mayBeJob(glob string) bool {
	begin := glob
	if i := strings.IndexAny(glob, "*?["); i >= 0 {
		begin = glob[:i]
	}
	const job = "salt/job/"
	n := min(len(begin), len(job))
	return begin[:n] == job[:n]
}

// EventsAfter lists the records of events, jobs and, where they are wanted, returns after a sequence, in order. Bodies above
// 256 KiB are left out.
func (s *Store) EventsAfter(ctx context.Context, after int64, limit int, returns bool) ([]*proto.LogEntry, error) {
	third := proto.RecordKind_RECORD_EVENT
	if returns {
		third = proto.RecordKind_RECORD_RETURN
	}
	return s.entries(ctx, s.rows, someAfter, "body", after,
		proto.RecordKind_RECORD_EVENT, proto.RecordKind_RECORD_JOB, third, limit)
}

// An eachRow is rows, of a store, or each where a query may take long.
type eachRow func(ctx context.Context, query string, args []any, f func(*sql.Rows) error) error

const (
	entryOf     = "SELECT seq, id, kind, stamp, origin, size, "
	logWhere    = " FROM log WHERE "
	someAfter   = "seq > ? AND kind IN (?, ?, ?) ORDER BY seq LIMIT ?"
	eventsAfter = entryOf + "body" + logWhere + someAfter
)

// entries reads those of the log that a condition chooses, with what is asked for as their bodies.
func (s *Store) entries(ctx context.Context, each eachRow, where, body string, args ...any) ([]*proto.LogEntry, error) {
	var all []*proto.LogEntry
	err := each(ctx, entryOf+body+logWhere+where, args, func(r *sql.Rows) error {
		rec := new(proto.Record)
		e := &proto.LogEntry{Record: rec}
		all = append(all, e)
		return r.Scan(&e.Sequence, &rec.Id, &rec.Kind, &rec.Stamp, &rec.Origin, &e.Size, &rec.Body)
	})
	return all, err
}

// EventSince is the sequence of the first event in the log that happened at a time or later; 0 when there is none.
func (s *Store) EventSince(ctx context.Context, at int64) (int64, error) {
	first, err := s.sequences(ctx, "SELECT coalesce(min(seq), 0) FROM events WHERE at >= ?", at)
	if err != nil || len(first) == 0 {
		return 0, err
	}
	return first[0], nil
}

// CountEvents is how many events have a tag that a glob matches.
func (s *Store) CountEvents(ctx context.Context, tag string) (int64, error) {
	q, err := s.eventQuery(ctx, EventFilter{Tags: []string{tag}})
	if err != nil {
		return 0, err
	}
	n, err := s.sequences(ctx, "SELECT count(*) FROM "+q.from+" WHERE "+strings.Join(q.where, " AND "), q.args...)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}
