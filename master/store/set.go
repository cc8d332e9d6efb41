package store

import (
	"crypto/sha256"
	"crypto/subtle"
	"database/sql/driver"
	"fmt"
)

// set sums up which records a log holds, whatever their order: two logs of the
// same records have equal sets.
type set struct {
	digest  [16]byte // of each record's id the beginning of its SHA-256, all joined by XOR
	records int64
}

func (s *set) add(id string) {
	s.toggle(id)
	s.records++
}

func (s *set) remove(id string) {
	s.toggle(id)
	s.records--
}

func (s *set) toggle(id string) {
	sum := sha256.Sum256([]byte(id))
	subtle.XORBytes(s.digest[:], s.digest[:], sum[:])
}

// save writes the set into the row about the store itself.
func (s *set) save(db *conn) error {
	_, err := db.exec("UPDATE self SET digest = ?, records = ?", s.digest[:], s.records)
	return err
}

// loadSet makes a set of its columns.
func loadSet(digest []byte, records int64) (s set, err error) {
	if copy(s.digest[:], digest) != len(digest) || len(digest) != len(s.digest) || records < 0 {
		return s, fmt.Errorf("%w: the digest of its log has %d bytes", errDamaged, len(digest))
	}
	s.records = records
	return s, nil
}

// countSet makes the set anew from the log.
func countSet(db *conn) (s set, err error) {
	err = db.query("SELECT id FROM log", nil, func(row []driver.Value) error {
		s.add(text(row[0]))
		return nil
	})
	return s, err
}

// end is what the log was after one commit.
type end struct {
	last int64
	set  set
}

// Set sums up which records the log holds, after the same commit as last, the
// sequence of its last record: a digest that does not depend on their order, and
// how many there are. Two stores of which both are equal hold the same records.
func (s *Store) Set() (digest []byte, records, last int64) {
	e := s.end.Load()
	return append([]byte(nil), e.set.digest[:]...), e.set.records, e.last
}
