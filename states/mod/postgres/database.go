package postgres

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

const databases = `SELECT datname AS "Name", pga.rolname AS "Owner", pg_encoding_to_char(encoding) AS "Encoding",
datcollate AS "Collate", datctype AS "Ctype", datacl AS "Access privileges", spcname AS "Tablespace"
FROM pg_database pgd, pg_roles pga, pg_tablespace pgts WHERE pga.oid = pgd.datdba AND pgts.oid = pgd.dattablespace`

type dbArgs struct {
	Tablespace string `arg:"tablespace" doc:"where it lies"`
	Encoding   string `arg:"encoding" doc:"its encoding"`
	Collate    string `arg:"lc_collate" doc:"the locale that it sorts by"`
	Ctype      string `arg:"lc_ctype" doc:"the locale of its letters"`
	Owner      string `arg:"owner" doc:"the role that it belongs to"`
}

// create is the SQL that makes a database.
func (a *dbArgs) create(name, template string) string {
	sql := "CREATE DATABASE " + ident(name)
	for _, o := range []struct {
		word, val string
		quote     func(string) string
	}{
		{"TABLESPACE", a.Tablespace, ident}, {"OWNER", a.Owner, ident}, {"TEMPLATE", template, ident},
		{"ENCODING", a.Encoding, text}, {"LC_COLLATE", a.Collate, text}, {"LC_CTYPE", a.Ctype, text},
	} {
		if o.val != "" {
			sql += " " + o.word + " = " + o.quote(o.val)
		}
	}
	return sql + ";\n"
}

// alter changes what can be changed of a database that is there.
func (a *dbArgs) alter(ctx context.Context, h *host.Host, c conn, name string, recurse bool) error {
	sql := ""
	if a.Owner != "" {
		sql = "ALTER DATABASE " + ident(name) + " OWNER TO " + ident(a.Owner) + ";\n"
	}
	if a.Tablespace != "" {
		sql += "ALTER DATABASE " + ident(name) + " SET TABLESPACE " + ident(a.Tablespace) + ";\n"
	}
	if sql != "" {
		if err := c.exec(ctx, h, sql); err != nil {
			return err
		}
	}
	if a.Owner == "" || !recurse {
		return nil
	}
	c.db = name
	return c.giveAll(ctx, h, a.Owner)
}

// giveAll makes everything in the database of c belong to an owner, in one transaction.
func (c conn) giveAll(ctx context.Context, h *host.Host, owner string) error {
	const user = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`
	queries := []string{
		`SELECT 'SCHEMA ' || quote_ident(n.nspname) AS what FROM pg_namespace n WHERE ` + user,
		`SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE ' ELSE 'TABLE ' END || c.oid::regclass
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','f') AND ` + user,
		`SELECT 'SEQUENCE ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND ` + user +
			` AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a','i') AND d.classid = 'pg_class'::regclass)`,
		`SELECT CASE WHEN EXISTS (SELECT FROM pg_aggregate g WHERE g.aggfnoid = p.oid) THEN 'AGGREGATE ' ELSE 'ROUTINE ' END || p.oid::regprocedure
			FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ` + user,
	}
	rows, err := c.query(ctx, h, strings.Join(queries, "\nUNION ALL\n"))
	if err != nil {
		return err
	}
	sql := "BEGIN;\n"
	for _, row := range rows {
		sql += "ALTER " + row["what"] + " OWNER TO " + ident(owner) + ";\n"
	}
	err = c.exec(ctx, h, sql+"COMMIT;\n")
	return err
}

// one returns the row whose column is name; nil when there is none.
func (c conn) one(ctx context.Context, h *host.Host, sql, column, name string) (map[string]string, error) {
	rows, err := c.query(ctx, h, sql)
	for _, row := range rows {
		if row[column] == name {
			return row, nil
		}
	}
	return nil, err
}

type databaseArgs struct {
	Name string `arg:"name,required" doc:"the database"`
	dbArgs
	Recurse  bool   `arg:"owner_recurse" doc:"when it gets another owner, everything in it does"`
	Template string `arg:"template" doc:"the database that a new one is a copy of"`
	stateArgs
}

// fixed names what is not as wanted and can't be changed.
func (a *dbArgs) fixed(have map[string]string) bool {
	return a.Encoding != "" && plain(a.Encoding) != plain(have["Encoding"]) ||
		a.Collate != "" && plain(a.Collate) != plain(have["Collate"]) || a.Ctype != "" && plain(a.Ctype) != plain(have["Ctype"])
}

// plain is the name of an encoding or locale as the server takes it for the same: en_US.UTF-8 is en_US.utf8.
func plain(name string) string {
	before, codeset, ok := strings.Cut(name, ".")
	if !ok {
		before, codeset = "", name
	}
	return before + "." + strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(codeset))
}

func planDatabase(ctx context.Context, h *host.Host, a databaseArgs) (module.Plan, error) {
	c := a.conn()
	p := module.Plan{Same: fmt.Sprintf("Database %s is already present", a.Name)}
	have, err := c.one(ctx, h, databases, "Name", a.Name)
	switch {
	case err != nil:
		return p, err
	case have == nil:
		p.Would = fmt.Sprintf("Database %s is set to be created", a.Name)
		p.Did = fmt.Sprintf("The database %s has been created", a.Name)
		p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
			err := c.exec(ctx, h, a.create(a.Name, a.Template))
			return named(err, "cannot create database", a.Name)
		})}
		return p, nil
	case a.fixed(have):
		return p, fmt.Errorf("cannot change database %s: it was made with encoding %s, lc_collate %s and lc_ctype %s, which stay",
			a.Name, have["Encoding"], have["Collate"], have["Ctype"])
	}
	change := a.dbArgs
	if change.Owner == have["Owner"] {
		change.Owner = ""
	}
	if change.Tablespace == have["Tablespace"] {
		change.Tablespace = ""
	}
	if change.Owner+change.Tablespace == "" {
		return p, nil
	}
	p.Would = fmt.Sprintf("Database %s exists, but parameters need to be changed", a.Name)
	p.Did = fmt.Sprintf("Parameters for database %s have been changed", a.Name)
	p.Steps = []module.Step{module.Change(a.Name, "Parameters changed", func(ctx context.Context) error {
		return named(change.alter(ctx, h, c, a.Name, a.Recurse), "cannot change database", a.Name)
	})}
	return p, nil
}

func named(err error, what, name string) error {
	if err != nil {
		err = fmt.Errorf("%s %s: %w", what, name, err)
	}
	return err
}

func planDatabaseGone(ctx context.Context, h *host.Host, a goneArgs) (module.Plan, error) {
	c := a.conn()
	have, err := c.one(ctx, h, databases, "Name", a.Name)
	return gone(h, c, "Database", a.Name, have != nil, dropDatabase(a.Name), err)
}

// dropDatabase is the SQL that ends all sessions in a database and takes it away.
func dropDatabase(name string) string {
	return "REVOKE CONNECT ON DATABASE " + ident(name) + " FROM PUBLIC;\n" +
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = " + text(name) + " AND pid <> pg_backend_pid();\n" +
		"DROP DATABASE " + ident(name) + ";\n"
}
