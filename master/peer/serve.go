package peer

import (
	"context"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

const maxIDs = 2 * batchSize // of one request

// checkOwnLog compares our log with what another master has read of it. When
// it has read more than we ever served, ours was put back to an older state:
// the log gets a new incarnation, the others read it from its beginning, and
// what we lost comes back with their logs.
func (p *Peers) checkOwnLog(ctx context.Context, from string, beat *proto.Heartbeat) error {
	for _, c := range beat.Cursors {
		if c.GetMaster() != p.o.Name {
			continue
		}
		p.logMu.Lock()
		defer p.logMu.Unlock()
		if c.Incarnation != p.o.Store.Incarnation() || c.Sequence <= p.served {
			return nil
		}
		p.log.Warn("another master has read more of our log than there is: the store is an older copy; "+
			"what is lost comes back from the others", "master", from, "read", c.Sequence, "have", p.served)
		if err := p.o.Store.NewIncarnation(ctx); err != nil {
			return fmt.Errorf("cannot begin a new incarnation of the log: %w", err)
		}
		p.served = p.o.Store.Last()
		return nil
	}
	return nil
}

// servePull gives a page of our log.
func (p *Peers) servePull(ctx context.Context, _ string, payload []byte) (pb.Message, error) {
	req := &proto.PullRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %v", err)
	}
	// The incarnation must not change between the page and the note of what was served.
	p.logMu.Lock()
	defer p.logMu.Unlock()
	if own := p.o.Store.Incarnation(); req.Incarnation != own {
		return &proto.Page{Incarnation: own, Last: p.o.Store.Last()}, nil
	}
	page, err := p.o.Store.Page(ctx, req.After, pageBytes, req.IdsOnly)
	if err != nil {
		return nil, err
	}
	p.served = max(p.served, page.Last)
	return page, nil
}

// serveNote notes that another master knows our log up to a sequence, of which
// it asks for no page: it has the same records. The answer is a page without entries.
func (p *Peers) serveNote(_ context.Context, _ string, payload []byte) (pb.Message, error) {
	req := &proto.PullRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %v", err)
	}
	p.logMu.Lock()
	defer p.logMu.Unlock()
	page := &proto.Page{Incarnation: p.o.Store.Incarnation(), Last: p.o.Store.Last()}
	if req.Incarnation == page.Incarnation && req.After <= page.Last {
		p.served = max(p.served, req.After)
	}
	return page, nil
}

// serveFetch gives records by id, as many as fit in one answer.
func (p *Peers) serveFetch(ctx context.Context, _ string, payload []byte) (pb.Message, error) {
	req := &proto.FetchRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %v", err)
	}
	if len(req.Ids) > maxIDs {
		return nil, fmt.Errorf("%d ids are asked for, at most %d are allowed", len(req.Ids), maxIDs)
	}
	recs, err := p.o.Store.Records(ctx, req.Ids, pageBytes)
	if err != nil {
		return nil, err
	}
	return &proto.FetchReply{Records: recs}, nil
}

// serveBody gives a piece of a body; an empty one when the record is gone.
func (p *Peers) serveBody(ctx context.Context, _ string, payload []byte) (pb.Message, error) {
	req := &proto.BodyRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %v", err)
	}
	if req.Offset < 0 {
		return nil, fmt.Errorf("the offset is %d", req.Offset)
	}
	missing, err := p.o.Store.Missing(ctx, []string{req.Id})
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return &proto.BodyReply{}, nil
	}
	data, size, err := p.o.Store.Body(ctx, req.Id, req.Offset, pageBytes)
	if err != nil {
		return nil, err
	}
	return &proto.BodyReply{Data: data, Size: size}, nil
}

// serveCommit stores records before they take effect at their origin.
func (p *Peers) serveCommit(ctx context.Context, from string, payload []byte) (pb.Message, error) {
	req := &proto.CommitRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("cannot read the request: %v", err)
	}
	recs, err := p.largeRecords(ctx, from, req.Large)
	if err != nil {
		return nil, err
	}
	recs = append(recs, req.Records...)
	if len(recs) > 0 {
		if err := p.o.Store.Append(ctx, recs...); err != nil {
			return nil, err
		}
	}
	for _, tree := range append([]string{req.Tree}, req.Trees...) {
		if tree == "" || p.o.Tree == nil {
			continue
		}
		if err := p.o.Tree(ctx, tree, from); err != nil {
			return nil, err
		}
	}
	return &proto.CommitReply{}, nil
}

// largeRecords fetches the records whose bodies did not fit into a message, as
// far as they are missing here.
func (p *Peers) largeRecords(
	ctx context.Context, from string, entries []*proto.LogEntry,
) (recs []*proto.Record, err error) {
	for _, e := range entries {
		if e.GetRecord() == nil || e.Size <= 0 || e.Size > maxBody {
			return nil, fmt.Errorf("a record of %d bytes cannot be", e.GetSize())
		}
		missing, err := p.o.Store.Missing(ctx, []string{e.Record.Id})
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			continue
		}
		if e.Record.Body, err = p.body(ctx, from, e); err != nil {
			return nil, err
		}
		recs = append(recs, e.Record)
	}
	return recs, nil
}
