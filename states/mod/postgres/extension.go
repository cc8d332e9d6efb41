package postgres

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

const (
	extensions = `SELECT e.extname, e.extversion, n.nspname AS schema_name, e.extrelocatable FROM pg_extension e LEFT JOIN pg_namespace n ON n.oid = e.extnamespace`
	available  = `SELECT name, default_version, installed_version, comment FROM pg_available_extensions`
)

type extensionArgs struct {
	Name    string `arg:"name,required" doc:"the extension"`
	Unless  *bool  `arg:"if_not_exists" default:"true" doc:"one that is there meanwhile is no mistake"`
	Schema  string `arg:"schema" doc:"the schema that its objects are in"`
	Version string `arg:"ext_version" doc:"its version, or a newer one"`
	From    string `arg:"from_version" doc:"the version of loose objects that it takes over (PostgreSQL before 13)"`
	stateArgs
}

// create is the SQL that installs an extension.
func (a *extensionArgs) create() string {
	sql := "CREATE EXTENSION "
	if a.Unless == nil || *a.Unless {
		sql += "IF NOT EXISTS "
	}
	sql += ident(a.Name)
	if a.Schema != "" {
		sql += " SCHEMA " + ident(a.Schema)
	}
	if a.Version != "" {
		sql += " VERSION " + ident(a.Version)
	}
	if a.From != "" {
		sql += " FROM " + ident(a.From)
	}
	return sql + ";\n"
}

// alter is the SQL that moves and upgrades one that is there; "" when it is as wanted.
func (a *extensionArgs) alter(have map[string]string) (sql string) {
	if a.Schema != "" && have["extrelocatable"] == "t" && have["schema_name"] != a.Schema {
		sql = "ALTER EXTENSION " + ident(a.Name) + " SET SCHEMA " + ident(a.Schema) + ";\n"
	}
	if a.Version != "" && older(have["extversion"], a.Version) {
		sql += "ALTER EXTENSION " + ident(a.Name) + " UPDATE TO " + ident(a.Version) + ";\n"
	}
	return sql
}

// older compares versions number by number.
func older(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if x == y {
			continue
		}
		if digit(x[0]) && digit(y[0]) && len(strings.TrimLeft(x, "0")) != len(strings.TrimLeft(y, "0")) {
			return len(strings.TrimLeft(x, "0")) < len(strings.TrimLeft(y, "0"))
		}
		return x < y
	}
	return b != ""
}

// part splits off the digits, or what is none, at the start of a version.
func part(v string) (first, rest string) {
	n := 1
	for n < len(v) && digit(v[n]) == digit(v[0]) {
		n++
	}
	return v[:n], v[n:]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func planExtension(ctx context.Context, h *host.Host, a extensionArgs) (module.Plan, error) {
	c := a.conn()
	p := module.Plan{Same: fmt.Sprintf("Extension %s is already present", a.Name)}
	have, err := c.one(ctx, h, extensions, "extname", a.Name)
	if err != nil {
		return p, err
	}
	sql, did, now := a.create(), "installed", "Installed"
	if have != nil {
		sql, did, now = a.alter(have), "upgraded", "Upgraded"
	}
	if sql == "" {
		return p, nil
	}
	p.Would = fmt.Sprintf("Extension %s is set to be %s", a.Name, did)
	p.Did = fmt.Sprintf("The extension %s has been %s", a.Name, did)
	p.Steps = []module.Step{module.Change(a.Name, now, func(ctx context.Context) error {
		err := c.exec(ctx, h, sql)
		return named(err, "cannot install extension", a.Name)
	})}
	return p, nil
}

type extensionGoneArgs struct {
	Name     string `arg:"name,required" doc:"the extension"`
	IfExists *bool  `arg:"if_exists" doc:"accepted for old trees: one that is not there is no mistake"`
	Restrict bool   `arg:"restrict" doc:"fail when anything depends on it"`
	Cascade  *bool  `arg:"cascade" doc:"remove what depends on it too; absent: unless restrict is set"`
	stateArgs
}

func planExtensionGone(ctx context.Context, h *host.Host, a extensionGoneArgs) (module.Plan, error) {
	c := a.conn()
	have, err := c.one(ctx, h, extensions, "extname", a.Name)
	return gone(h, c, "Extension", a.Name, have != nil, dropExtension(a.Name, a.Restrict, a.Cascade), err)
}

func dropExtension(name string, restrict bool, cascade *bool) string {
	sql := "DROP EXTENSION " + ident(name)
	if cascade == nil && !restrict || cascade != nil && *cascade {
		sql += " CASCADE"
	}
	return sql + ";\n"
}
