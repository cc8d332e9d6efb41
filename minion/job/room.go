package job

import (
	"fmt"
	"time"
)

const (
	// reserve is what accepting a job leaves free of a full disk, for the returns of those that run.
	reserve = 64 << 10
	// retryDelay is how long a disk that failed is left alone.
	retryDelay = time.Second
)

// makeRoom sees to it that n bytes can be written at tail and keep bytes later.
// It compacts when half of the file is waste or the disk is full, or grows the file.
func (f *File) makeRoom(n, keep int64) error {
	if err := f.repair(); err != nil {
		return err
	}
	need := func() int64 { return f.tail + n + keep }
	if need() <= f.size {
		return nil
	}
	if f.tail >= 2*f.base {
		if err := f.tidy(settledBudget); err != nil || need() <= f.size {
			return err
		}
	}
	size := (need() + growth - 1) / growth * growth
	full := f.active.Grow(size)
	if full == nil {
		f.size = size
		return nil
	}
	if err := f.tidy(0); err != nil || need() <= f.size {
		return err
	}
	return full
}

// tidy compacts, unless that has just failed or would gain nothing. It
// fails only when the files cannot be written to at all.
func (f *File) tidy(budget int64) error {
	if f.tail == f.base && (f.lean || budget > 0) || time.Now().Before(f.full) {
		return nil
	}
	if err := f.compact(budget); err != nil {
		f.log.Warn("journal not compacted", "err", err)
		f.full = time.Now().Add(retryDelay)
	}
	return f.repair()
}

// repair brings the files back to a state that can be written to.
func (f *File) repair() error {
	if !f.suspect && !f.doubt {
		return nil
	}
	if time.Now().Before(f.retry) {
		return fmt.Errorf("the disk failed a moment ago")
	}
	err := f.eraseSpare()
	if err == nil && f.suspect {
		err = f.compact(settledBudget)
	}
	if err != nil {
		f.retry = time.Now().Add(retryDelay)
	}
	return err
}

// eraseSpare makes the waiting file look unused, when it may not.
func (f *File) eraseSpare() error {
	if !f.doubt {
		return nil
	}
	if _, err := f.spare.WriteAt(make([]byte, firstFrame), 0); err != nil {
		return err
	}
	if err := f.spare.Sync(); err != nil {
		return err
	}
	f.doubt = false
	return f.spare.Shrink(preallocated)
}
