package peer

import (
	"context"
	"errors"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/proto"
)

const (
	pageBytes  = 512 << 10 // of one answer
	largeBody  = 256 << 10 // a body above this is read in pieces
	maxBody    = 72 << 20  // above every limit of the store
	batchBytes = 4 << 20   // of records held in memory before they are committed
	batchSize  = 1000
)

type message = pb.Message

// errGone: the master deleted the record since it told us of it.
var errGone = errors.New("deleted meanwhile")

// take stores those of entries that are missing here, in batches, each in one
// transaction with the place it brings us to: end for the last. With end 0 the
// place stays.
func (l *puller) take(ctx context.Context, entries []*proto.LogEntry, end int64) error {
	for {
		batch, missing, err := l.batch(ctx, entries)
		if err != nil {
			return err
		}
		recs, err := l.fetch(ctx, missing)
		if err != nil {
			return err
		}
		place := l.read
		if entries = entries[len(batch):]; end > 0 && len(entries) > 0 {
			place = batch[len(batch)-1].Sequence
		} else if end > 0 {
			place = end
		}
		if len(recs) == 0 && len(entries) > 0 {
			continue // one commit for all that brings nothing
		}
		err = l.p.o.Store.Import(ctx, l.m.name, l.incarnation, l.kept(place), recs)
		if errors.Is(err, store.ErrAhead) {
			l.holdBack(missing, err)
		} else if err != nil {
			return fmt.Errorf("cannot store %d records of %q: %w", len(recs), l.m.name, err)
		}
		l.read = place
		l.tell()
		if len(entries) == 0 {
			return nil
		}
	}
}

// batch is the beginning of entries, and those in it that are not here.
func (l *puller) batch(
	ctx context.Context, entries []*proto.LogEntry,
) (batch, missing []*proto.LogEntry, err error) {
	batch = entries[:min(len(entries), batchSize)]
	if len(batch) == 0 {
		return nil, nil, nil
	}
	ids := make([]string, len(batch))
	for i, e := range batch {
		ids[i] = e.Record.Id
	}
	lacking, err := l.p.o.Store.Missing(ctx, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot compare with the log of %q: %w", l.m.name, err)
	}
	want := make(map[string]bool, len(lacking))
	for _, id := range lacking {
		want[id] = true
	}
	l.whole = 2*len(want) > len(batch)
	var size int64
	for i, e := range batch {
		if !want[e.Record.Id] {
			continue
		}
		if size += e.Size; size > batchBytes && len(missing) > 0 {
			return batch[:i], missing, nil
		}
		delete(want, e.Record.Id)
		missing = append(missing, e)
	}
	return batch, missing, nil
}

// fetch returns the records of entries, without those deleted meanwhile.
func (l *puller) fetch(ctx context.Context, entries []*proto.LogEntry) ([]*proto.Record, error) {
	var recs []*proto.Record
	var small []string
	for _, e := range entries {
		switch {
		case int64(len(e.Record.Body)) == e.Size:
			recs = append(recs, e.Record)
		case e.Size > largeBody:
			body, err := l.p.body(ctx, l.m.name, e)
			if errors.Is(err, errGone) {
				continue
			}
			if err != nil {
				return nil, err
			}
			rec := pb.CloneOf(e.Record)
			rec.Body = body
			recs = append(recs, rec)
		default:
			small = append(small, e.Record.Id)
		}
	}
	for len(small) > 0 {
		reply := &proto.FetchReply{}
		if err := l.call(ctx, "fetch", &proto.FetchRequest{Ids: small}, reply); err != nil {
			return nil, err
		}
		if len(reply.Records) == 0 {
			break // what is left was deleted meanwhile
		}
		var err error
		if small, err = without(small, reply.Records); err != nil {
			return nil, fmt.Errorf("cannot use the answer of %q: %w", l.m.name, err)
		}
		recs = append(recs, reply.Records...)
	}
	return recs, nil
}

// without removes the ids of recs from ids. Each must be among them.
func without(ids []string, recs []*proto.Record) (left []string, err error) {
	got := make(map[string]bool, len(recs))
	for _, r := range recs {
		got[r.GetId()] = true
	}
	for _, id := range ids {
		if got[id] {
			delete(got, id)
		} else {
			left = append(left, id)
		}
	}
	if len(got) > 0 || len(ids)-len(left) != len(recs) {
		return nil, errors.New("it has records that were not asked for")
	}
	return left, nil
}

// holdBack leaves the kept place before the entries of a batch of which one is
// stamped too far ahead: they are asked for again later, and what comes after
// them is not held up.
func (l *puller) holdBack(missing []*proto.LogEntry, err error) {
	l.p.log.Warn("record of a master refused for now", "master", l.m.name, "err", err)
	if at := missing[0].Sequence; l.held == 0 || at < l.held {
		l.hold = min(max(2*l.hold, minHold), maxHold)
		l.held, l.heldUntil = at, l.p.o.Now().Add(l.hold)
	}
}

// body reads a large body from a master, piece by piece.
func (p *Peers) body(ctx context.Context, from string, e *proto.LogEntry) ([]byte, error) {
	var body []byte
	for int64(len(body)) < e.Size {
		ctx, cancel := context.WithTimeout(ctx, pullTimeout)
		reply := &proto.BodyReply{}
		err := p.Call(ctx, from, "repl", "body", &proto.BodyRequest{Id: e.Record.Id, Offset: int64(len(body))}, reply)
		cancel()
		switch {
		case err != nil:
			return nil, err
		case reply.Size == 0:
			return nil, errGone
		case reply.Size != e.Size || len(reply.Data) == 0 || int64(len(body)+len(reply.Data)) > e.Size:
			return nil, fmt.Errorf("cannot use the answer of %q: the body of %q has another size", from, e.Record.Id)
		}
		if body == nil {
			body = make([]byte, 0, e.Size)
		}
		body = append(body, reply.Data...)
	}
	return body, nil
}
