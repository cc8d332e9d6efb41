package postgres

import (
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

const schemas = `SELECT n.nspname AS name, n.nspacl AS acl, r.rolname AS owner FROM pg_namespace n LEFT JOIN pg_roles r ON r.oid = n.nspowner`

func createSchema(name, owner string) string {
	sql := "CREATE SCHEMA " + ident(name)
	if owner != "" {
		sql += " AUTHORIZATION " + ident(owner)
	}
	return sql + ";\n"
}

type schemaArgs struct {
	DBName string `arg:"dbname,required" doc:"the database that it is in"`
	Name   string `arg:"name,required" doc:"the schema"`
	Owner  string `arg:"owner" doc:"the role that a new one belongs to"`
	signArgs
}

func planSchema(ctx context.Context, h *host.Host, a schemaArgs) (module.Plan, error) {
	c := a.to(a.DBName)
	p := module.Plan{
		Same:  fmt.Sprintf("Schema %s already exists in database %s", a.Name, a.DBName),
		Would: fmt.Sprintf("Schema %s is set to be created in database %s.", a.Name, a.DBName),
		Did:   fmt.Sprintf("Schema %s has been created in database %s", a.Name, a.DBName),
	}
	have, err := c.one(ctx, h, schemas, "name", a.Name)
	if err != nil || have != nil {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		_, err := c.exec(ctx, h, createSchema(a.Name, a.Owner))
		return named(err, "cannot create schema", a.Name)
	})}
	return p, nil
}

type schemaGoneArgs struct {
	DBName string `arg:"dbname,required" doc:"the database that it is in"`
	Name   string `arg:"name,required" doc:"the schema"`
	signArgs
}

func planSchemaGone(ctx context.Context, h *host.Host, a schemaGoneArgs) (module.Plan, error) {
	c := a.to(a.DBName)
	have, err := c.one(ctx, h, schemas, "name", a.Name)
	p, err := gone(h, c, "Schema", a.Name, have != nil, "DROP SCHEMA "+ident(a.Name)+";\n", err)
	p.Same = fmt.Sprintf("Schema %s is not present in database %s, so it cannot be removed", a.Name, a.DBName)
	p.Did = fmt.Sprintf("Schema %s has been removed from database %s", a.Name, a.DBName)
	return p, err
}

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
		_, err := c.exec(ctx, h, sql)
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
		_, err := c.exec(ctx, h, sql)
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

type languageArgs struct {
	Name string `arg:"name,required" doc:"the language, such as plpgsql"`
	DB   string `arg:"maintenance_db,required" doc:"the database that it is in"`
	signArgs
}

const languages = "SELECT lanname AS name FROM pg_language"

func planLanguage(ctx context.Context, h *host.Host, a languageArgs) (module.Plan, error) {
	c := a.to(a.DB)
	p := module.Plan{
		Same:  fmt.Sprintf("Language %s is already installed", a.Name),
		Would: fmt.Sprintf("Language %s is set to be installed", a.Name),
		Did:   fmt.Sprintf("Language %s has been installed", a.Name),
	}
	have, err := c.one(ctx, h, languages, "name", a.Name)
	if err != nil || have != nil {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		_, err := c.exec(ctx, h, "CREATE LANGUAGE "+ident(a.Name)+";\n")
		return named(err, "cannot install language", a.Name)
	})}
	return p, nil
}

func planLanguageGone(ctx context.Context, h *host.Host, a languageArgs) (module.Plan, error) {
	c := a.to(a.DB)
	have, err := c.one(ctx, h, languages, "name", a.Name)
	return gone(h, c, "Language", a.Name, have != nil, "DROP LANGUAGE "+ident(a.Name)+";\n", err)
}
