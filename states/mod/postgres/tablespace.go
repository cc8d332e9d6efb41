package postgres

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

const tablespaces = `SELECT spcname AS "Name", pga.rolname AS "Owner", spcacl AS "ACL", array_to_string(spcoptions, ',') AS "Opts",
pg_tablespace_location(pgts.oid) AS "Location" FROM pg_tablespace pgts, pg_roles pga WHERE pga.oid = pgts.spcowner`

type tablespaceArgs struct {
	Name      string      `arg:"name,required" doc:"the tablespace"`
	Directory string      `arg:"directory,required" doc:"where it lies: an empty directory that the server owns"`
	Options   *value.Dict `arg:"options" doc:"its options, such as seq_page_cost"`
	Owner     string      `arg:"owner" doc:"the role that it belongs to"`
	stateArgs
}

// CheckArgs implements module.Checker.
func (a *tablespaceArgs) CheckArgs() error { return checkOptions(a.Options) }

func checkOptions(options *value.Dict) error {
	for k, v := range options.All() {
		for _, s := range []string{value.KeyText(k), value.KeyText(v)} {
			if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_.-0123456789") != "" {
				return fmt.Errorf("argument \"options\": %q is neither the name of an option nor its value", s)
			}
		}
	}
	return nil
}

func optionList(options *value.Dict) string {
	var all []string
	for k, v := range options.All() {
		all = append(all, value.KeyText(k)+" = "+value.KeyText(v))
	}
	return strings.Join(all, ", ")
}

func createTablespace(name, directory, owner string, options *value.Dict) string {
	sql := "CREATE TABLESPACE " + ident(name)
	if owner != "" {
		sql += " OWNER " + ident(owner)
	}
	sql += " LOCATION " + text(directory)
	if options.Len() > 0 {
		sql += " WITH (" + optionList(options) + ")"
	}
	return sql + ";\n"
}

func planTablespace(ctx context.Context, h *host.Host, a tablespaceArgs) (module.Plan, error) {
	c := a.conn()
	p := module.Plan{Same: fmt.Sprintf("Tablespace %s is already present", a.Name)}
	have, err := c.one(ctx, h, tablespaces, "Name", a.Name)
	var sql string
	var changes any = "Present"
	switch {
	case err != nil:
		return p, err
	case have == nil:
		sql = createTablespace(a.Name, a.Directory, a.Owner, a.Options)
		p.Would = fmt.Sprintf("Tablespace %s is set to be created", a.Name)
		p.Did = fmt.Sprintf("The tablespace %s has been created", a.Name)
	case strings.TrimRight(have["Location"], "/") != strings.TrimRight(a.Directory, "/"):
		return p, fmt.Errorf("cannot move tablespace %s from %s to %s: it would have to be dropped and made again", a.Name, have["Location"], a.Directory)
	default:
		if sql, changes = a.alter(have); sql == "" {
			return p, nil
		}
		p.Would = fmt.Sprintf("Tablespace %s is to be altered", a.Name)
		p.Did = fmt.Sprintf("Tablespace %s changed", a.Name)
	}
	p.Steps = []module.Step{module.Change(a.Name, changes, func(ctx context.Context) error {
		err := c.exec(ctx, h, sql)
		return named(err, "cannot make or change tablespace", a.Name)
	})}
	return p, nil
}

// alter is the SQL that makes owner and options of a tablespace as wanted, and what it changes.
func (a *tablespaceArgs) alter(have map[string]string) (sql string, changes *value.Dict) {
	changes = &value.Dict{}
	if a.Owner != "" && a.Owner != have["Owner"] {
		sql = "ALTER TABLESPACE " + ident(a.Name) + " OWNER TO " + ident(a.Owner) + ";\n"
		changes.Put("owner", a.Owner)
	}
	set := &value.Dict{}
	for k, v := range a.Options.All() {
		if !strings.Contains(","+have["Opts"]+",", ","+value.KeyText(k)+"="+value.KeyText(v)+",") {
			set.Put(value.KeyText(k), v)
		}
	}
	if set.Len() > 0 {
		sql += "ALTER TABLESPACE " + ident(a.Name) + " SET (" + optionList(set) + ");\n"
		changes.Put("options", set)
	}
	return sql, changes
}

func planTablespaceGone(ctx context.Context, h *host.Host, a goneArgs) (module.Plan, error) {
	c := a.conn()
	have, err := c.one(ctx, h, tablespaces, "Name", a.Name)
	return gone(h, c, "Tablespace", a.Name, have != nil, "DROP TABLESPACE "+ident(a.Name)+";\n", err)
}
