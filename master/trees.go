package master

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/job"
	"brine/proto"
)

// trees are the file trees of other masters' jobs that are not whole here. A
// master that was away when a job was committed learns of it later, and must
// be able to serve its files should the issuer die.
type trees struct {
	wake chan struct{}

	mu     sync.Mutex // guards the field below
	wanted map[string]wantedTree
}

type wantedTree struct {
	from     string // the master that has it
	notAfter time.Time
}

const treeRetry = 5 * time.Second

func newTrees() *trees {
	return &trees{wake: make(chan struct{}, 1), wanted: map[string]wantedTree{}}
}

// wantTree notes the trees of a job record that another master has made.
func (m *Master) wantTree(rec *proto.JobRecord) {
	j := &proto.Job{}
	if pb.Unmarshal(rec.GetJob().GetBody(), j) != nil || j.Master == m.id.Name {
		return
	}
	trees := job.Trees(j)
	notAfter := time.UnixMicro(j.NotAfter)
	if len(trees) == 0 || time.Now().After(notAfter) {
		return
	}
	m.trees.mu.Lock()
	for _, tree := range trees {
		m.trees.wanted[tree] = wantedTree{j.Master, notAfter}
	}
	m.trees.mu.Unlock()
	select {
	case m.trees.wake <- struct{}{}:
	default:
	}
}

// keepTrees fetches what is wanted until it is here or its jobs' time is over.
func (m *Master) keepTrees(ctx context.Context) {
	if open, err := m.store.OpenJobs(ctx, time.Now()); err != nil {
		m.log.Error("cannot look up the trees of open jobs", "err", err)
	} else {
		for _, rec := range open {
			m.wantTree(rec)
		}
	}
	tick := time.NewTicker(treeRetry)
	defer tick.Stop()
	for {
		select {
		case <-m.trees.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		m.fetchTrees(ctx)
	}
}

func (m *Master) fetchTrees(ctx context.Context) {
	m.trees.mu.Lock()
	wanted := make(map[string]wantedTree, len(m.trees.wanted))
	for tree, w := range m.trees.wanted {
		wanted[tree] = w
	}
	m.trees.mu.Unlock()
	for tree, w := range wanted {
		if time.Now().Before(w.notAfter) && !m.fetchFromAny(ctx, tree, w.from) {
			continue
		}
		m.trees.mu.Lock()
		delete(m.trees.wanted, tree)
		m.trees.mu.Unlock()
	}
}

// fetchFromAny asks the master that made the tree first, then the others.
func (m *Master) fetchFromAny(ctx context.Context, tree, first string) bool {
	sources := slices.DeleteFunc(m.peers.Live(), func(n string) bool { return n == m.id.Name || n == first })
	for _, from := range append([]string{first}, sources...) {
		within, cancel := context.WithTimeout(ctx, time.Minute)
		err := m.fetchTree(within, tree, from)
		cancel()
		if err == nil {
			return true
		}
		m.log.Debug("file tree not fetched", "tree", tree, "master", from, "err", err)
	}
	return false
}
