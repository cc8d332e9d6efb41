package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"time"
)

// smallest is the size of a database with one page; SQLite takes a smaller
// file for an empty database.
const smallest = 512

// inspect opens the database at path, which must exist, to write, and looks
// for damage for as long as limit allows.
func inspect(path string, limit time.Duration) (*conn, self, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, self{}, err
	}
	if info.Size() < smallest {
		return nil, self{}, fmt.Errorf("%w: it has %d bytes", errDamaged, info.Size())
	}
	db, err := openWriter(path)
	if err != nil {
		return nil, self{}, err
	}
	me, err := examine(db, path, limit)
	if err == nil {
		err = useWAL(db)
	}
	if err != nil {
		db.close()
		return nil, me, err
	}
	return db, me, nil
}

// examine looks at what is cheap to see of a store of any size, then for
// damage inside until limit is over.
func examine(db *conn, path string, limit time.Duration) (me self, err error) {
	if err := identify(db); err != nil {
		return me, err
	}
	if err := checkLength(db, path); err != nil {
		return me, err
	}
	if me, err = readSelf(db); err != nil {
		return me, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := quickCheck(ctx, db); err != nil && ctx.Err() == nil {
		return me, err
	}
	return me, nil
}

// identify makes sure that the database is a store with nothing added: a trigger
// in a restored file would run with the master's rights. One whose projections are
// those of another version is folded anew: of it only the log's tables have to be as here.
func identify(db *conn) error {
	app, err := db.one("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := db.one("PRAGMA user_version")
	if err != nil {
		return err
	}
	if app != applicationID {
		return fmt.Errorf("%w: it is not one of brine", errDamaged)
	}
	if version != schemaVersion {
		return fmt.Errorf("%w: its version is %d, this brine knows %d", errVersion, version, schemaVersion)
	}
	got, err := schema(db, "1")
	if err != nil {
		return err
	}
	if want, err := wantSchema("1"); err != nil || got == want {
		return err
	}
	return identifyLog(db)
}

// onlyLog are the log's own tables and what belongs to them, and all that runs by itself, of which there is nothing.
const onlyLog = "tbl_name IN ('log', 'pieces', 'self', 'cursors', 'accepted') OR type NOT IN ('table', 'index')"

// identifyLog makes sure that the log's tables are as here, and the projections those of another version.
func identifyLog(db *conn) error {
	got, err := schema(db, onlyLog)
	if err != nil {
		return err
	}
	want, err := wantSchema(onlyLog)
	if err != nil {
		return err
	}
	if got == want {
		fold, err := db.one("SELECT fold FROM self")
		if err != nil || fold != foldVersion {
			return err
		}
	}
	return fmt.Errorf("%w: its tables are others", errDamaged)
}

// wantSchema is what schema gives of a new store.
func wantSchema(which string) (string, error) {
	db, err := openConn("file::memory:")
	if err != nil {
		return "", err
	}
	defer db.close()
	if err := db.script(logTables + projections); err != nil {
		return "", err
	}
	return schema(db, which)
}

// schema is the text of the tables and indexes that a condition chooses.
func schema(db *conn, which string) (all string, err error) {
	err = db.query("SELECT type, name, sql FROM sqlite_schema WHERE "+which+" ORDER BY type, name", nil,
		func(row []driver.Value) error {
			all += fmt.Sprintf("%s %s %s\n", text(row[0]), text(row[1]), text(row[2]))
			return nil
		})
	return all, err
}

// checkLength finds a file that was cut short. Only when everything of the
// write-ahead log is in the file does its length tell; the log is emptied, so that no
// part of it counts whose way to the disk had failed.
func checkLength(db *conn, path string) error {
	whole := false
	err := db.query("PRAGMA wal_checkpoint(TRUNCATE)", nil, func(row []driver.Value) error {
		whole = number(row[0]) == 0 && number(row[1]) == number(row[2])
		return nil
	})
	if broken(err) {
		return err
	}
	if err != nil || !whole {
		return nil // a full disk has no room for it, which is no damage
	}
	want, err := db.one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() < want {
		err = fmt.Errorf("%w: it has %d bytes and should have %d", errDamaged, info.Size(), want)
	}
	return err
}

// quickCheck walks all pages of the database.
func quickCheck(ctx context.Context, db *conn) error {
	return db.queryContext(ctx, "PRAGMA quick_check(1)", nil, func(row []driver.Value) error {
		if found := text(row[0]); found != "ok" {
			return fmt.Errorf("%w: %s", errDamaged, found)
		}
		return nil
	})
}
