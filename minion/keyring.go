package minion

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/link"
	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
)

const (
	keepOldKey   = 24 * time.Hour // what was sealed for it is opened for so long
	keptChanges  = 6              // of the key: masters that were away for more must have heard of them from others
	changesLimit = 3 << 10        // bytes of them, of the 4 KiB of an enrolment
	rekeyLimit   = time.Minute
	rekeyPause   = time.Second // before masters that are busy are asked again
)

// A keyring is the minion's key. To change it, the minion makes another one, keeps it beside
// the one in use, and asks the masters to accept it in its place; once one has, or refuses the
// old one, the other is in use. Whenever the minion ends in between, one of the two is
// accepted, and it has both.
type keyring struct {
	l    Layout
	kept bool // in files

	mu      sync.Mutex     // guards the fields below
	key     *pki.MinionKey // in use
	old     *pki.MinionKey // before; nil: none
	next    *pki.MinionKey // that is to take its place; nil: none
	changes []*pb.KeyChange
}

// loadKeys reads the keys, and makes one at the first start.
func loadKeys(l Layout) (*keyring, error) {
	r := &keyring{l: l, kept: true}
	var err error
	if r.key, err = loadKey(l); err != nil {
		return nil, err
	}
	for path, key := range map[string]**pki.MinionKey{l.NextKey(): &r.next, l.OldKey(): &r.old} {
		if *key, err = pki.LoadMinionKey(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if r.next != nil && r.next.Fingerprint() == r.key.Fingerprint() { // it is in use already
		r.next = nil
		if err := removeFile(l.NextKey()); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(l.KeyChanges())
	if err == nil {
		all := &pb.KeyChanges{}
		err = proto.Unmarshal(data, all)
		r.changes = all.Changes
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", l.KeyChanges(), err)
	}
	r.changes = r.led()
	return r, r.prune()
}

// prune removes the old key when nothing can be sealed for it any more.
func (r *keyring) prune() error {
	info, err := os.Stat(r.l.OldKey())
	if err != nil || time.Since(info.ModTime()) < keepOldKey {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.old = nil
	return removeFile(r.l.OldKey())
}

// Now is the key in use.
func (r *keyring) Now() *pki.MinionKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.key
}

// Open decrypts what was sealed to the minion, also just before or after a change of its key.
func (r *keyring) Open(sealed []byte) (data []byte, err error) {
	r.mu.Lock()
	keys := []*pki.MinionKey{r.key, r.next, r.old}
	r.mu.Unlock()
	for _, k := range keys {
		if k == nil {
			continue
		}
		opened, e := k.Open(sealed)
		if e == nil {
			return opened, nil
		}
		if err == nil {
			err = e
		}
	}
	return nil, err
}

// begin makes the next key, or returns one that is not in use yet, with the proof that it is this minion's.
func (r *keyring) begin(site pki.Fingerprint, id string) (*pb.KeyChange, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		next, err := pki.NewMinionKey()
		if err == nil {
			err = next.Save(r.l.NextKey())
		}
		if err != nil {
			return nil, err
		}
		r.next = next
	}
	return r.change(site, id)
}

// change is the proof of the next key. Call it with mu held.
func (r *keyring) change(site pki.Fingerprint, id string) (*pb.KeyChange, error) {
	return pki.NewKeyChange(site, pb.Kind_KIND_MINION_KEY, id, r.key.Signing, r.next.Signing, r.next.SealingPublic())
}

// drop forgets the next key: the masters refuse it.
func (r *keyring) drop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = nil
	return removeFile(r.l.NextKey())
}

// waits tells that there is a next key.
func (r *keyring) waits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next != nil
}

// use puts the next key in use, and returns nil when there is none. The files are written in an order in which each of them serves
// without those that follow.
func (r *keyring) use(site pki.Fingerprint, id string) (*pki.MinionKey, []*pb.KeyChange, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		return nil, nil, nil
	}
	c, err := r.change(site, id)
	if err != nil {
		return nil, nil, err
	}
	all := &pb.KeyChanges{Changes: r.led()}
	all.Changes = append(all.Changes, c)
	for len(all.Changes) > keptChanges || proto.Size(all) > changesLimit && len(all.Changes) > 1 {
		all.Changes = all.Changes[1:]
	}
	data, err := proto.Marshal(all)
	if err == nil {
		err = writeFile(r.l.KeyChanges(), data)
	}
	if err == nil {
		err = r.key.Save(r.l.OldKey())
	}
	if err == nil {
		err = r.next.Save(r.l.Key())
	}
	if err != nil {
		return nil, nil, err
	}
	r.old, r.key, r.next, r.changes = r.key, r.next, nil, all.Changes
	return r.key, r.changes, removeFile(r.l.NextKey())
}

// led are the changes that led to the key in use. Of one that was cut short the file has one more.
func (r *keyring) led() []*pb.KeyChange {
	n := len(r.changes)
	for n > 0 && !bytes.Equal(r.changes[n-1].GetByNew().GetKey(), r.key.Public()) {
		n--
	}
	return slices.Clone(r.changes[:n])
}

// keepKey goes on with a change of the key that was cut short, whenever a master is there.
func (m *Minion) keepKey(ctx context.Context) {
	for {
		select {
		case <-m.rekey:
		case <-ctx.Done():
			return
		}
		if !m.state.keys.waits() {
			continue
		}
		if _, _, err := m.Rekey(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("key not changed yet", "err", err)
		}
	}
}

// Rekey makes a new key and has the masters accept it in the place of the one in use, which
// nobody accepts any more then. It returns the fingerprints of both. After an error that does not
// say that the new key is refused the change goes on by itself.
func (m *Minion) Rekey(ctx context.Context) (from, to string, err error) {
	if !m.state.keys.kept {
		return "", "", errors.New("cannot change the key: this minion keeps no files")
	}
	m.rekeying.Lock() // one at a time
	defer m.rekeying.Unlock()
	before := m.state.keys.Now()
	change, err := m.state.keys.begin(m.state.trust.Pin(), m.state.id)
	if err == nil {
		err = m.askRekey(ctx, change)
	}
	if err == nil {
		err = m.useKey()
	}
	now := m.state.keys.Now()
	if err != nil && now == before { // else the masters refused the old one meanwhile
		return "", "", fmt.Errorf("cannot change the key: %w", err)
	}
	return before.Fingerprint().String(), now.Fingerprint().String(), nil
}

// askRekey asks until a master has stored the change, or refuses it.
func (m *Minion) askRekey(ctx context.Context, change *pb.KeyChange) error {
	ctx, cancel := context.WithTimeout(ctx, rekeyLimit)
	defer cancel()
	body, err := proto.Marshal(change)
	if err != nil {
		return err
	}
	for {
		reply := &pb.KeyChangeReply{}
		answer, err := m.link.Request(ctx, subject.Rotate, body)
		if err == nil {
			err = proto.Unmarshal(answer, reply)
		}
		switch {
		case err != nil:
			return fmt.Errorf("%w: whether one has stored it is not known; the minion goes on with the key that they accept", err)
		case reply.Error != "":
			return errors.Join(fmt.Errorf("refused: %.300q", reply.Error), m.state.keys.drop())
		case reply.Busy == "":
			return nil
		}
		timer := time.NewTimer(rekeyPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %.300q", ctx.Err(), reply.Busy)
		}
	}
}

// useKey goes on with the next key, if there is one.
func (m *Minion) useKey() error {
	key, changes, err := m.state.keys.use(m.state.trust.Pin(), m.state.id)
	if key == nil {
		return err
	}
	m.log.Info("new key in use", "fingerprint", key.Fingerprint().String())
	m.link.SetKey(key, changes)
	m.files.SetKey(key)
	signal(m.mine.wake) // what is told for others is good with its key alone
	m.writeRunFile(m.link.Status())
	return err
}

// keyRefused tries the next key, if there is one, when a master refuses the one in use: it may have stored the
// change, and its answer was lost.
func (m *Minion) keyRefused() {
	if err := m.useKey(); err != nil {
		m.log.Error("next key not put in use", "err", err)
	}
}

// keyLinked has a change of the key go on that was cut short.
func (m *Minion) keyLinked(s link.Status) {
	if s.State == link.Linked && m.state.keys.waits() {
		signal(m.rekey)
	}
}
