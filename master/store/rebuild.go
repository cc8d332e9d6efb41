package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
)

// rebuildBatch is how many records one transaction of a rebuild takes.
const rebuildBatch = 2000

// Rebuild makes the store at path anew out of its log, which must be readable:
// every record is checked and every projection folded again. It tells how many
// records there are. Should some not pass they are logged and left out, the old
// database is kept beside the new one, and the log begins a new life, so that
// peers fill the gaps. The store must not be open.
func Rebuild(ctx context.Context, path string, log hclog.Logger) (records int, err error) {
	lock, err := lockStore(path)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	if log == nil {
		log = hclog.NewNullLogger()
	}
	records, err = rebuild(ctx, path, time.Now, log)
	if err != nil {
		return records, fmt.Errorf("cannot rebuild the store %q: %w", path, err)
	}
	return records, removeMark(path)
}

func rebuild(
	ctx context.Context, path string, now func() time.Time, log hclog.Logger,
) (records int, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	old, err := openWriter(path)
	if err != nil {
		return 0, err
	}
	fresh := path + ".new"
	records, skipped, err := refold(ctx, old, fresh, now, log)
	if closed := old.close(); err == nil && skipped == 0 {
		err = closed // so that nothing is left in its write-ahead log
	}
	if err != nil {
		_ = removeStore(fresh) // half a copy is of no use; the next rebuild removes it too
		return records, err
	}
	aside := fmt.Sprintf("%s.before-rebuild-%s", path, now().UTC().Format("20060102T150405.000"))
	if err := install(path, fresh, aside); err != nil {
		return records, err
	}
	if skipped > 0 {
		log.Warn("records left out of the rebuilt store; the old one is kept", "records", skipped, "aside", aside)
		return records, nil
	}
	return records, removeStore(aside)
}

// refold copies the log of old to a new database and folds it.
func refold(
	ctx context.Context, old *conn, fresh string, now func() time.Time, log hclog.Logger,
) (records, skipped int, err error) {
	me, err := readSelf(old)
	if err != nil {
		return 0, 0, err
	}
	me.set = set{}
	db, err := begin(fresh, me)
	if err != nil {
		return 0, 0, err
	}
	c := copier{folder: newFolder(db, me, now), old: old, log: log}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			err = db.inTx(func() (err error) {
				if more, err = c.copyLog(); err == nil {
					err = c.settle(c.after)
				}
				return err
			})
		}
	}
	if err == nil {
		err = c.copyRest(c.skipped > 0)
	}
	if err == nil {
		err = db.inTx(func() error { return c.recent.save(db, c.after) })
	}
	if closed := db.close(); err == nil {
		err = closed
	}
	return c.copied, c.skipped, err
}

// copier copies the log of old, folding it.
type copier struct {
	*folder
	old             *conn
	log             hclog.Logger
	after           int64 // the sequence it came to
	copied, skipped int
}

// copyLog copies the next records. It tells whether there were any.
func (c *copier) copyLog() (more bool, err error) {
	err = c.old.query(`SELECT seq, id, kind, stamp, origin, size, body FROM log
		WHERE seq > ? ORDER BY seq LIMIT ?`, []driver.Value{c.after, int64(rebuildBatch)}, func(row []driver.Value) error {
		more, c.after = true, number(row[0])
		rec := &proto.Record{Id: text(row[1]), Kind: proto.RecordKind(number(row[2])), Stamp: number(row[3]),
			Origin: text(row[4]), Body: bytesOf(row[6])}
		if number(row[5]) > pieceSize {
			if err := readPieces(c.old, c.after, rec); err != nil {
				return err
			}
		}
		e, err := decode(rec)
		if err != nil {
			c.log.Error("record left out of the rebuilt store", "seq", c.after, "err", err)
			c.skipped++
			return nil
		}
		added, err := c.add(e, c.after)
		if added {
			c.copied++
		}
		return err
	})
	return more, err
}

func readPieces(old *conn, seq int64, rec *proto.Record) error {
	return old.query("SELECT data FROM pieces WHERE key BETWEEN ? AND ? ORDER BY key",
		[]driver.Value{seq << pieceBits, (seq+1)<<pieceBits - 1}, func(row []driver.Value) error {
			rec.Body = append(rec.Body, bytesOf(row[0])...)
			return nil
		})
}

// copyRest copies what is not in the log. With gaps the cursors are left out
// and the log begins a new life, so that peers fill the gaps.
func (c *copier) copyRest(gaps bool) error {
	old, db := c.old, c.db
	return db.inTx(func() error {
		if err := c.set.save(db); err != nil {
			return err
		}
		err := old.query("SELECT jid, minion, request FROM accepted", nil, func(row []driver.Value) error {
			_, err := db.exec("INSERT INTO accepted VALUES (?, ?, ?)", row...)
			return err
		})
		if err != nil {
			return err
		}
		if gaps {
			_, err := db.exec("UPDATE self SET incarnation = ?", newIncarnation())
			return err
		}
		return old.query("SELECT master, incarnation, seq FROM cursors", nil, func(row []driver.Value) error {
			_, err := db.exec("INSERT INTO cursors VALUES (?, ?, ?)", row...)
			return err
		})
	})
}
