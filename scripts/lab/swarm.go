package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"

	"brine/minion"
	"brine/minion/files"
	"brine/minion/grains"
	"brine/minion/job"
	"brine/pki"
	"brine/proto/token"
	"brine/states/all"
)

// enrolling is how many minions of a swarm enrol at once: masters turn away
// more than twenty unaccepted connections of one address.
const enrolling = 16

// RunSwarm runs minions swarm1 ... swarmN in this process until ctx ends, each
// with a link, a key and a journal of its own kind; the file of the journals
// and the cache of files are shared. They enrol with the token in root.
func RunSwarm(ctx context.Context, root string, count int) error {
	text, err := os.ReadFile(filepath.Join(root, "token"))
	if err != nil {
		return err
	}
	t, err := token.ParseEnrol(string(text))
	if err != nil {
		return err
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "swarm", Level: hclog.Warn, Output: os.Stderr})
	journal, err := job.Open(filepath.Join(root, "journal"), job.JournalOptions{Log: log})
	if err != nil {
		return err
	}
	cache, err := files.OpenCache(filepath.Join(root, "files"))
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	s := &swarm{
		root: root, slots: make(chan struct{}, enrolling),
		shared: minion.Options{
			Root: root, Log: log, Index: all.Index(), Journal: journal, Cache: cache,
			Trust: pki.NewTrust(pki.Fingerprint(t.CaFingerprint)), Token: t.Secret, Stateless: true,
		},
		masters: t.Masters,
	}
	s.shared.Machine = grains.NewMachine(grains.MachineOptions{Root: root})
	defer s.shared.Machine.Close()
	var wait sync.WaitGroup
	for i := range count {
		m, isNew, err := s.member(fmt.Sprintf("swarm%d", i+1))
		if err != nil {
			return errors.Join(err, journal.Close())
		}
		wait.Go(func() { s.run(ctx, m, isNew, log) })
	}
	wait.Wait()
	return journal.Close()
}

type swarm struct {
	root    string
	shared  minion.Options
	masters []string
	slots   chan struct{}
}

// member makes one minion of the swarm; its key is kept for the next start.
func (s *swarm) member(id string) (m *minion.Minion, isNew bool, err error) {
	path := filepath.Join(s.root, "keys", id)
	key, err := pki.LoadMinionKey(path)
	if errors.Is(err, os.ErrNotExist) {
		isNew = true
		if key, err = pki.NewMinionKey(); err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), key.Save(path))
		}
	}
	if err != nil {
		return nil, false, err
	}
	o := s.shared
	o.Key, o.Config = key, &minion.Config{ID: id, Masters: s.masters}
	o.Config.Link.Ping = "500ms"
	m, err = minion.New(o)
	return m, isNew, err
}

func (s *swarm) run(ctx context.Context, m *minion.Minion, isNew bool, log hclog.Logger) {
	if isNew {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		go func() {
			defer func() { <-s.slots }()
			_ = m.WaitLinked(ctx) // the end of ctx frees the slot just as well
		}()
	}
	if err := m.Run(ctx); err != nil {
		log.Error("minion ended", "id", m.ID(), "err", err)
	}
}
