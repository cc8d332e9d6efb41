package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// maxChain bounds the records of a chain that are looked for.
const maxChain = 50_000

// Chain lists the records of events, jobs and returns that belong to a cause, which is the id of a record or of a job: its
// own, what it led to, what that led to and so on; those stored last first, and those of one origin in the order in which it
// made them, whichever way they came here. Bodies above 256 KiB are left out. Of a chain that is too long what is nearest to
// its cause is told.
func (s *Store) Chain(ctx context.Context, cause string) ([]*proto.LogEntry, error) {
	seen, next := map[int64]*proto.LogEntry{}, links{names: []string{cause}}
	of, _ := jidMicro(jobOf(cause)) // 0 of what is neither a job nor a return
	if jobOf(cause) == cause {
		next.jobs = []int64{of}
	}
	level, err := s.entries(ctx, s.each, "seq IN (SELECT seq FROM ids WHERE id = ? UNION SELECT seq FROM returns WHERE jid = ?) AND id = ?",
		"body", cause, of, cause)
	for err == nil && len(level)+len(next.names) > 0 && len(seen) < maxChain {
		for _, e := range level {
			if seen[e.Sequence] == nil {
				seen[e.Sequence] = e
				next.add(e.Record)
			}
		}
		names, jobs := next.take()
		level, err = s.entries(ctx, s.each, ledTo, "body", names, names, jobs, jobs)
	}
	all := slices.Collect(maps.Values(seen))
	slices.SortFunc(all, func(a, b *proto.LogEntry) int { return cmp.Compare(b.Sequence, a.Sequence) })
	arrange(all)
	return all, err
}

// arrange puts the records of each origin in order of its clock into the places that they have. Clocks of several origins may differ.
func arrange(all []*proto.LogEntry) {
	places := map[string][]int{}
	for i, e := range all {
		clock := clockOf(e.Record)
		places[clock] = append(places[clock], i)
	}
	for _, of := range places {
		own, sequences := make([]*proto.LogEntry, len(of)), make([]int64, len(of))
		for i, place := range of {
			own[i], sequences[i] = all[place], all[place].Sequence
		}
		slices.SortStableFunc(own, func(a, b *proto.LogEntry) int { return cmp.Compare(b.Record.Stamp, a.Record.Stamp) })
		for i, place := range of {
			own[i].Sequence, all[place] = sequences[i], own[i]
		}
	}
}

// clockOf names the clock that a record is stamped by: its origin's, or that of who told of it by a hook.
func clockOf(rec *proto.Record) string {
	var e proto.Event
	if rec.Kind == proto.RecordKind_RECORD_EVENT && pb.Unmarshal(rec.Body, &e) == nil && strings.HasPrefix(e.Actor, "hook ") {
		return e.Actor
	}
	return rec.Origin
}

// ledTo wants a record to have one of some names as its cause, or to be of one of some jobs.
const ledTo = `seq IN (
	SELECT seq FROM events WHERE cause != '' AND cause IN (SELECT value FROM json_each(?))
	UNION SELECT seq FROM jobs WHERE cause != '' AND seq > 0 AND cause IN (SELECT value FROM json_each(?))
	UNION SELECT seq FROM jobs WHERE seq > 0 AND jid IN (SELECT value FROM json_each(?))
	UNION SELECT seq FROM returns WHERE jid IN (SELECT value FROM json_each(?)))`

// links are what is to be followed next.
type links struct {
	names []string // ids of records and of jobs
	jobs  []int64
}

// add follows what has a record as its cause; of a job also what belongs to it.
func (l *links) add(rec *proto.Record) {
	l.names = append(l.names, rec.Id)
	if rec.Kind == proto.RecordKind_RECORD_JOB {
		id := jobOf(rec.Id)
		l.names = append(l.names, id)
		if of, err := jidMicro(id); err == nil {
			l.jobs = append(l.jobs, of)
		}
	}
}

// take gives the links as arrays of JSON, and forgets them.
func (l *links) take() (names, jobs string) {
	n, err := json.Marshal(l.names)
	if err != nil {
		return "[]", "[]" // strings have no such error
	}
	j, err := json.Marshal(l.jobs)
	if err != nil {
		return "[]", "[]"
	}
	*l = links{}
	return string(n), string(j)
}

// jobOf is the id of the job that a record's id tells of, or that of a job itself; "" for others.
func jobOf(id string) string {
	if _, err := jidMicro(id); err == nil {
		return id
	}
	word, rest, _ := strings.Cut(id, "/")
	if word != wordJob && word != wordReturn {
		return ""
	}
	job, _, _ := strings.Cut(rest, "/")
	return job
}
