package master

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/master/store"
)

const (
	warnEvery   = 10 * time.Second
	maxWarnings = 20
	maxWarning  = 600 // bytes
)

// warnings are what an operator should look at on this master. Each heartbeat
// carries them, so that every master can show them.
type warnings struct {
	mu    sync.Mutex // guards the field below
	texts []string
}

func (w *warnings) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.texts
}

func (w *warnings) set(texts []string) {
	for i, t := range texts {
		texts[i] = strings.ToValidUTF8(t[:min(len(t), maxWarning)], "")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = texts[:min(len(texts), maxWarnings)]
}

// keepWarnings looks now and then what an operator should look at.
func (m *Master) keepWarnings(ctx context.Context) {
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		texts := m.setAside()
		for _, q := range []*quotas{&m.quotas, &m.tellings} {
			if text := q.warning(time.Now()); text != "" {
				texts = append(texts, text)
			}
		}
		texts = append(texts, m.gitWarnings()...)
		texts = append(texts, m.pillarWarnings()...)
		texts = append(texts, m.returnerWarnings(time.Now())...)
		texts = append(texts, m.retentionWarnings()...)
		texts = append(texts, m.reactorWarnings()...)
		texts = append(texts, m.notifyWarnings(time.Now())...)
		m.warnings.set(texts)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// setAside tells of damaged databases that are kept, the newest first: until
// somebody removes them.
func (m *Master) setAside() []string {
	kept, err := store.ListKept(m.layout.Store())
	if err != nil {
		m.log.Warn("cannot list databases that were set aside", "err", err)
	}
	var texts []string
	for _, k := range slices.Backward(kept) {
		texts = append(texts, k.Text()+": remove it when nobody needs it")
	}
	return texts
}
