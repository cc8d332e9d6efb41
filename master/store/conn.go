package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// conn is one connection to the database, used by one goroutine at a time. It
// speaks to the driver itself: database/sql would double the cost of a small
// insert.
type conn struct {
	db    driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// exec runs one statement, which is prepared once, and tells how many rows it changed.
func (c *conn) exec(query string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := st.(driver.StmtExecContext).ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs one statement and calls f with each row, whose values are valid
// until f returns.
func (c *conn) query(query string, args []driver.Value, f func([]driver.Value) error) error {
	return c.queryContext(context.Background(), query, args, f)
}

// queryContext is query for one that may take long: it ends with ctx.
func (c *conn) queryContext(
	ctx context.Context, query string, args []driver.Value, f func([]driver.Value) error,
) (err error) {
	st, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(ctx, c.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// one is query for a statement that gives one number, or none: 0.
func (c *conn) one(query string, args ...driver.Value) (n int64, err error) {
	err = c.query(query, args, func(row []driver.Value) error {
		n = number(row[0])
		return nil
	})
	return n, err
}

// script runs several statements, without arguments.
func (c *conn) script(query string) error {
	_, err := c.db.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
	return err
}

// inTx runs f in a transaction of its own.
func (c *conn) inTx(f func() error) error {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		// A transaction whose roll back failed may still stand.
		if _, again := c.exec("ROLLBACK"); again != nil {
			return err
		}
		if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
			return err
		}
	}
	err := f()
	if err == nil {
		if _, err = c.exec("COMMIT"); err == nil {
			return nil
		}
	}
	// A full disk may have ended the transaction already; then there is
	// nothing to roll back, which is no error.
	_, _ = c.exec("ROLLBACK")
	return err
}

func (c *conn) prepare(query string) (driver.Stmt, error) {
	if st := c.stmts[query]; st != nil {
		return st, nil
	}
	st, err := c.db.Prepare(query)
	if err == nil {
		c.stmts[query] = st
	}
	return st, err
}

func (c *conn) named(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// ignore is for a statement whose rows tell nothing.
func ignore([]driver.Value) error { return nil }

// number, text and bytesOf read a column; the tables are strict, so a value of
// another type is NULL.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func bytesOf(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}

// errDamaged is what is found wrong with a database that SQLite itself can read.
var errDamaged = errors.New("the database is damaged")

// errVersion is wrapped when a store was made by another version.
var errVersion = errors.New("another version of brine made it")

// Result codes of SQLite that call for a remedy of their own.
const (
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26

	// Of reading: the disk does not give back what it took.
	codeReadFailed    = 266
	codeShortRead     = 522
	codeFilesystem    = 8458
	codeChecksum      = 8202
	codeSyncFailed    = 1034
	codeDirSyncFailed = 1290
)

// broken tells whether err means that the database cannot be read.
func broken(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() {
	case codeReadFailed, codeShortRead, codeFilesystem, codeChecksum:
		return true
	}
	return e.Code()&0xff == codeCorrupt || e.Code()&0xff == codeNotADB
}

// unsure tells whether err leaves open what is on the disk: the system forgets
// what it could not write back, so that the next sync would succeed without it.
// A store that is opened anew writes all of it again.
func unsure(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == codeSyncFailed || e.Code() == codeDirSyncFailed)
}

// explain names the store and, where it can be told, the remedy.
func (s *Store) explain(what string, err error) error {
	var e *sqlite.Error
	switch {
	case err == nil:
		return nil
	case broken(err):
		return s.corrupt(err)
	case errors.As(err, &e) && e.Code()&0xff == codeFull:
		return fmt.Errorf("cannot %s the store %q: %w", what, s.path, ErrFull)
	}
	return fmt.Errorf("cannot %s the store %q: %w", what, s.path, err)
}
