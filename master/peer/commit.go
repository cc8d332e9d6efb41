package peer

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// defaultConfirm is how long Commit waits for other masters: one that has
// fallen silent must not hold a job up until it is known to be dead.
const defaultConfirm = 200 * time.Millisecond

// Commit sends records, which must be in our own store already, to the live
// masters, and waits at most Options.Confirm for them to store the records and, when
// trees are named, what they lack of those file trees. It returns who confirmed
// and who did not, both sorted; the latter get the records by pulling.
func (p *Peers) Commit(
	ctx context.Context, recs []*proto.Record, trees ...string,
) (confirmed, unconfirmed []string) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Confirm)
	defer cancel()
	requests := commitRequests(recs, trees)
	var mu sync.Mutex // guards confirmed and unconfirmed
	var wait sync.WaitGroup
	for _, name := range p.Live() {
		if name == p.o.Name {
			continue
		}
		wait.Go(func() {
			err := p.commitTo(ctx, name, requests)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				confirmed = append(confirmed, name)
				return
			}
			unconfirmed = append(unconfirmed, name)
			p.log.Warn("records not confirmed in time", "master", name, "err", err)
		})
	}
	wait.Wait()
	slices.Sort(confirmed)
	slices.Sort(unconfirmed)
	return confirmed, unconfirmed
}

// commitTo sends each request even when one fails, so that the other side has
// what it can have. They go one after the other: what comes first is not to be
// missing where what follows from it is.
func (p *Peers) commitTo(ctx context.Context, name string, requests []*proto.CommitRequest) (first error) {
	for _, req := range requests {
		if err := p.Call(ctx, name, "repl", "commit", req, nil); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// commitRequests packs records into as few messages as they fit in.
func commitRequests(recs []*proto.Record, trees []string) []*proto.CommitRequest {
	req := &proto.CommitRequest{}
	if len(trees) > 0 {
		req.Tree, req.Trees = trees[0], trees[1:]
	}
	requests := []*proto.CommitRequest{req}
	room := pageBytes
	for _, r := range recs {
		size := pb.Size(r) + 8
		if len(r.Body) > largeBody {
			head := &proto.Record{Id: r.Id, Kind: r.Kind, Stamp: r.Stamp, Origin: r.Origin}
			req.Large = append(req.Large, &proto.LogEntry{Record: head, Size: int64(len(r.Body))})
			room -= pb.Size(head)
			continue
		}
		if size > room {
			req, room = &proto.CommitRequest{}, pageBytes
			requests = append(requests, req)
		}
		req.Records = append(req.Records, r)
		room -= size
	}
	return requests
}
