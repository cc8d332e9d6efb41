package master

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/master/store"
)

const (
	warnEvery   = 10 * time.Second
	differEvery = time.Second
	differFor   = 5 * time.Second // masters that are restarted one by one to be changed are not told of
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

// keepWarnings looks now and then what an operator should look at, and more often in what masters differ: that ends with a
// restart of one.
func (m *Master) keepWarnings(ctx context.Context) {
	tick := time.NewTicker(differEvery)
	defer tick.Stop()
	var texts []string
	var looked time.Time
	differences := standing{}
	for {
		now := time.Now()
		if now.Sub(looked) >= warnEvery {
			texts, looked = m.look(now), now
		}
		differ := differences.long(append(m.noReturnerWarnings(), m.nodegroupWarnings()...), now)
		m.warnings.set(slices.Concat(texts, differ))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Master) look(now time.Time) []string {
	texts := m.setAside()
	for _, q := range []*quotas{&m.quotas, &m.tellings} {
		if text := q.warning(now); text != "" {
			texts = append(texts, text)
		}
	}
	texts = append(texts, m.gitWarnings()...)
	texts = append(texts, m.pillarWarnings()...)
	texts = append(texts, m.returnerWarnings(now)...)
	texts = append(texts, m.retentionWarnings()...)
	texts = append(texts, m.reactorWarnings()...)
	return append(texts, m.notifyWarnings(now)...)
}

// standing remembers since when texts are told.
type standing map[string]time.Time

// long returns those that were told at each call for differFor, and forgets those that are not told now.
func (s standing) long(texts []string, now time.Time) (told []string) {
	maps.DeleteFunc(s, func(text string, _ time.Time) bool { return !slices.Contains(texts, text) })
	for _, text := range texts {
		if since, ok := s[text]; !ok {
			s[text] = now
		} else if now.Sub(since) >= differFor {
			told = append(told, text)
		}
	}
	return told
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
