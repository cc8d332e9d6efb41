package postgres

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/value"
)

func version(ctx context.Context, h *host.Host, a connArgs) (string, error) {
	rows, err := a.conn().query(ctx, h, "SELECT setting FROM pg_settings WHERE name = 'server_version'")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0]["setting"], nil
}

type queryArgs struct {
	Query string `arg:"query,required" doc:"a SELECT"`
	connArgs
	Write bool `arg:"write" doc:"in a transaction that may write"`
}

func psqlQuery(ctx context.Context, h *host.Host, a queryArgs) (*value.List, error) {
	columns, rows, err := a.conn().table(ctx, h, a.Query, a.Write)
	l := &value.List{Items: []any{}}
	for _, row := range rows {
		l.Items = append(l.Items, entry(columns, row))
	}
	return l, err
}

func entry(columns []string, row map[string]string) *value.Dict {
	d := &value.Dict{}
	for _, c := range columns {
		d.Put(c, row[c])
	}
	return d
}

// listing makes the function that returns all rows of a SELECT by their first column.
func listing(sql string) func(context.Context, *host.Host, connArgs) (*value.Dict, error) {
	return func(ctx context.Context, h *host.Host, a connArgs) (*value.Dict, error) {
		return a.conn().listed(ctx, h, sql)
	}
}

func (c conn) listed(ctx context.Context, h *host.Host, sql string) (*value.Dict, error) {
	columns, rows, err := c.table(ctx, h, sql, false)
	d := &value.Dict{}
	for _, row := range rows {
		d.Put(row[columns[0]], entry(columns[1:], row))
	}
	return d, err
}

type nameArgs struct {
	Name string `arg:"name,required,alias=username,alias=groupname" doc:"its name"`
	connArgs
}

// exists makes the function that says whether a SELECT has a row with a name in its first column.
func exists(sql string) func(context.Context, *host.Host, nameArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
		d, err := a.conn().listed(ctx, h, sql)
		_, ok := d.Get(a.Name)
		return ok, err
	}
}

// does makes the function that has psql do something with a name.
func does(sql func(name string) string) func(context.Context, *host.Host, nameArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
		return a.conn().did(ctx, h, sql(a.Name))
	}
}

// drop makes the function that drops a thing.
func drop(what string) func(context.Context, *host.Host, nameArgs) (bool, error) {
	return does(func(name string) string { return "DROP " + what + " " + ident(name) + ";\n" })
}

func (c conn) did(ctx context.Context, h *host.Host, sql string) (bool, error) {
	err := c.exec(ctx, h, sql)
	if err != nil {
		err = fmt.Errorf("cannot change PostgreSQL: %w", err)
	}
	return err == nil, err
}

type listArgs struct {
	connArgs
	Password bool `arg:"return_password" doc:"also what the server keeps of passwords"`
}

func userList(ctx context.Context, h *host.Host, a listArgs) (*value.Dict, error) {
	all, err := a.conn().roles(ctx, h, "", a.Password)
	d := &value.Dict{}
	for _, name := range sorted(all) {
		d.Put(name, all[name].dict(a.Password))
	}
	return d, err
}

type roleArgs struct {
	Name string `arg:"name,required" doc:"the role"`
	listArgs
}

func roleGet(ctx context.Context, h *host.Host, a roleArgs) (any, error) {
	all, err := a.conn().roles(ctx, h, a.Name, a.Password)
	if r := all[a.Name]; r != nil {
		return r.dict(a.Password), nil
	}
	return nil, err
}

func userExists(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	all, err := a.conn().roles(ctx, h, a.Name, false)
	return all[a.Name] != nil, err
}

// dict is a role as Salt tells of it.
func (r *role) dict(password bool) *value.Dict {
	d := &value.Dict{}
	for i, f := range flags {
		d.Put(f.title, r.flags[i])
	}
	d.Put("connections", int64(r.limit))
	var until any
	if r.until != "" {
		until = r.until
	}
	d.Put("expiry time", until)
	d.Put("defaults variables", r.settings)
	if password {
		d.Put("password", r.password)
	}
	d.Put("groups", list(r.groups))
	return d
}

type makeArgs struct {
	Name string `arg:"username,required,alias=name,alias=groupname" doc:"the role"`
	connArgs
	flagArgs
	Limit    *int   `arg:"connlimit" doc:"how many sessions it may have at once; -1: any number"`
	Password string `arg:"rolepassword" doc:"its password, or what the server keeps of it"`
	Until    string `arg:"valid_until" doc:"when the password ends, as the server takes it"`
	Groups   names  `arg:"groups" doc:"roles that it is to be in"`
}

// makes is the function that makes a user or a group, or changes one.
func makes(group, there bool) func(context.Context, *host.Host, makeArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a makeArgs) (bool, error) {
		c := a.conn()
		s := &spec{flagArgs: a.flagArgs, name: a.Name, group: group, password: a.Password, until: a.Until, limit: a.Limit, groups: a.Groups}
		all, err := c.roles(ctx, h, a.Name, false)
		have := all[a.Name]
		if err != nil || (have != nil) != there { // as in Salt nothing is done then
			return false, err
		}
		err = s.change(ctx, h, c, have)
		return err == nil, err
	}
}

type createArgs struct {
	Name string `arg:"name,required" doc:"the database"`
	connArgs
	dbArgs
	Template string `arg:"template" doc:"the database that it is a copy of"`
}

func dbCreate(ctx context.Context, h *host.Host, a createArgs) (bool, error) {
	return a.conn().did(ctx, h, a.create(a.Name, a.Template))
}

type alterArgs struct {
	Name string `arg:"name,required" doc:"the database"`
	connArgs
	Tablespace string `arg:"tablespace" doc:"where it is to lie"`
	Owner      string `arg:"owner" doc:"the role that it is to belong to"`
	Recurse    bool   `arg:"owner_recurse" doc:"everything in it is to, too"`
}

func dbAlter(ctx context.Context, h *host.Host, a alterArgs) (bool, error) {
	change := dbArgs{Tablespace: a.Tablespace, Owner: a.Owner}
	err := change.alter(ctx, h, a.conn(), a.Name, a.Recurse)
	return err == nil, err
}

type ownerArgs struct {
	DB    string `arg:"dbname,required" doc:"the database"`
	Owner string `arg:"ownername,required" doc:"the role that everything in it is to belong to"`
	connArgs
}

func ownerTo(ctx context.Context, h *host.Host, a ownerArgs) (bool, error) {
	c := a.conn()
	change := dbArgs{Owner: a.Owner}
	err := change.alter(ctx, h, c, a.DB, true)
	return err == nil, err
}

type spaceArgs struct {
	Name     string      `arg:"name,required" doc:"the tablespace"`
	Location string      `arg:"location,required" doc:"where it lies: an empty directory that the server owns"`
	Options  *value.Dict `arg:"options" doc:"its options, such as seq_page_cost"`
	Owner    string      `arg:"owner" doc:"the role that it belongs to"`
	connArgs
}

// CheckArgs implements module.Checker.
func (a *spaceArgs) CheckArgs() error { return checkOptions(a.Options) }

func tablespaceCreate(ctx context.Context, h *host.Host, a spaceArgs) (bool, error) {
	return a.conn().did(ctx, h, createTablespace(a.Name, a.Location, a.Owner, a.Options))
}

type schemaFuncArgs struct {
	DB    string `arg:"dbname,required" doc:"the database that it is in"`
	Name  string `arg:"name" doc:"the schema; not of schema_list"`
	Owner string `arg:"owner" doc:"the role that a new one belongs to"`
	signArgs
}

func schemaList(ctx context.Context, h *host.Host, a schemaFuncArgs) (*value.Dict, error) {
	return a.to(a.DB).listed(ctx, h, schemas)
}

func schemaGet(ctx context.Context, h *host.Host, a schemaFuncArgs) (any, error) {
	d, err := schemaList(ctx, h, a)
	v, _ := d.Get(a.Name)
	return v, err
}

func schemaExists(ctx context.Context, h *host.Host, a schemaFuncArgs) (bool, error) {
	v, err := schemaGet(ctx, h, a)
	return v != nil, err
}

func schemaCreate(ctx context.Context, h *host.Host, a schemaFuncArgs) (bool, error) {
	if there, err := schemaExists(ctx, h, a); err != nil || there {
		return false, err
	}
	return a.to(a.DB).did(ctx, h, createSchema(a.Name, a.Owner))
}

func schemaRemove(ctx context.Context, h *host.Host, a schemaFuncArgs) (bool, error) {
	if there, err := schemaExists(ctx, h, a); err != nil || !there {
		return false, err
	}
	return a.to(a.DB).did(ctx, h, "DROP SCHEMA "+ident(a.Name)+";\n")
}

type extendArgs struct {
	Name    string `arg:"name,required" doc:"the extension"`
	Unless  *bool  `arg:"if_not_exists" default:"true" doc:"one that is there is no mistake"`
	Schema  string `arg:"schema" doc:"the schema that its objects are in"`
	Version string `arg:"ext_version" doc:"its version"`
	From    string `arg:"from_version" doc:"the version of loose objects that it takes over (PostgreSQL before 13)"`
	connArgs
}

func createExtension(ctx context.Context, h *host.Host, a extendArgs) (bool, error) {
	c := a.conn()
	want := extensionArgs{Name: a.Name, Unless: a.Unless, Schema: a.Schema, Version: a.Version, From: a.From}
	have, err := c.one(ctx, h, extensions, "extname", a.Name)
	if err != nil {
		return false, err
	}
	sql := want.create()
	if have != nil {
		sql = want.alter(have)
	}
	if sql == "" {
		return true, nil
	}
	return c.did(ctx, h, sql)
}

type listPrivilegesArgs struct {
	Name    string `arg:"name,required" doc:"what the privileges are on"`
	Type    string `arg:"object_type,required" doc:"table, sequence, schema, tablespace, language, database, function or group"`
	Prepend string `arg:"prepend" default:"public" doc:"the schema of tables, sequences and functions"`
	connArgs
}

func privilegesList(ctx context.Context, h *host.Host, a listPrivilegesArgs) (*value.Dict, error) {
	s, err := sortOf(a.Type)
	if err != nil {
		return nil, err
	}
	g := grantArgs{Object: a.Name, Type: a.Type, Prepend: a.Prepend}
	all, err := g.accesses(ctx, h, a.conn(), s)
	for _, o := range all {
		return o.dict(s.name == "group"), nil
	}
	return &value.Dict{}, err
}

type privilegeArgs struct {
	Name       string `arg:"name,required" doc:"the role; public is everyone"`
	Object     string `arg:"object_name,required" doc:"what the privileges are on; ALL stands for all tables or sequences of a schema"`
	Type       string `arg:"object_type,required" doc:"table, sequence, schema, tablespace, language, database, function or group"`
	Privileges names  `arg:"privileges" doc:"the privileges, such as SELECT, or ALL; none with group"`
	Grantable  bool   `arg:"grant_option" doc:"the role may grant them in turn; not of privileges_revoke"`
	Prepend    string `arg:"prepend" default:"public" doc:"the schema of tables, sequences and functions"`
	connArgs
}

func (a *privilegeArgs) grant() *grantArgs {
	return &grantArgs{Name: a.Name, Object: a.Object, Type: a.Type, Privileges: a.Privileges, Prepend: a.Prepend}
}

// CheckArgs implements module.Checker.
func (a *privilegeArgs) CheckArgs() error { return a.grant().CheckArgs() }

func hasPrivileges(ctx context.Context, h *host.Host, a privilegeArgs) (bool, error) {
	s, err := sortOf(a.Type)
	if err != nil {
		return false, err
	}
	g := a.grant()
	all, err := g.accesses(ctx, h, a.conn(), s)
	return err == nil && g.has(all, s, a.Grantable), err
}

// changes makes the function that grants or revokes.
func changes(revoke bool) func(context.Context, *host.Host, privilegeArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a privilegeArgs) (bool, error) {
		s, err := sortOf(a.Type)
		if err != nil {
			return false, err
		}
		if revoke {
			return a.conn().did(ctx, h, a.grant().revoke(s))
		}
		return a.conn().did(ctx, h, a.grant().grant(s, a.Grantable))
	}
}

type verboseArgs struct {
	Verbose bool `arg:"verbose" doc:"return what is known of each"`
}

func clusterList(ctx context.Context, h *host.Host, a verboseArgs) (any, error) {
	all, err := clusters(ctx, h)
	if !a.Verbose {
		return sorted(all), err
	}
	d := &value.Dict{}
	for _, id := range sorted(all) {
		c := all[id]
		d.Put(id, value.NewDict("port", c.port, "status", c.status, "user", c.user, "datadir", c.datadir, "log", c.log))
	}
	return d, err
}

func clusterExists(ctx context.Context, h *host.Host, a clusterGoneArgs) (bool, error) {
	all, err := clusters(ctx, h)
	_, ok := all[a.Version+"/"+a.Name]
	return ok, err
}

type clusterRemoveArgs struct {
	clusterGoneArgs
	Stop bool `arg:"stop" doc:"stop it first"`
}

// CheckArgs implements module.Checker.
func (a *clusterRemoveArgs) CheckArgs() error { return a.clusterGoneArgs.CheckArgs() }

func clusterRemove(ctx context.Context, h *host.Host, a clusterRemoveArgs) (bool, error) {
	argv := []string{"pg_dropcluster"}
	if a.Stop {
		argv = append(argv, "--stop")
	}
	_, err := h.Run(ctx, append(argv, a.Version, a.Name)...)
	return err == nil, named(err, "cannot remove cluster", a.Version+"/"+a.Name)
}
