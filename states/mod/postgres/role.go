package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// flagArgs are what a role may do. What is absent stays as it is.
type flagArgs struct {
	CreateDB    *bool `arg:"createdb" doc:"it may create databases"`
	CreateRoles *bool `arg:"createroles" doc:"it may create roles"`
	Encrypted   way   `arg:"encrypted" doc:"how the server keeps the password; absent: as it is, or as the server prefers"`
	Superuser   *bool `arg:"superuser" doc:"it may do everything"`
	Replication *bool `arg:"replication" doc:"it may replicate"`
	Inherit     *bool `arg:"inherit" doc:"it has the rights of the roles that it is in; a new one does"`
	Login       *bool `arg:"login" doc:"it may sign in; a new user may, a new group may not"`
}

// names are those that a role is to be in.
type names []string

func (n *names) ArgType() string { return "list of names, or text with commas" }

func (n *names) ParseArg(v module.Value) error {
	all, err := v.Split("a list of names")
	for _, name := range all {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	return err
}

// A spec is what is wanted of a role.
type spec struct {
	flagArgs
	name     string
	group    bool
	password string // "" for none
	until    string
	limit    *int
	groups   names
	refresh  bool // the password is set without a look at the one that is there
}

// flags are the columns of the catalogue, the names that Salt gives them, and the words of SQL.
var flags = [...]struct{ column, title, arg, word string }{
	{"rolsuper", "superuser", "superuser", "SUPERUSER"},
	{"rolinherit", "inherits privileges", "inherit", "INHERIT"},
	{"rolcreaterole", "can create roles", "createroles", "CREATEROLE"},
	{"rolcreatedb", "can create databases", "createdb", "CREATEDB"},
	{"rolcanlogin", "can login", "login", "LOGIN"},
	{"rolreplication", "replication", "replication", "REPLICATION"},
}

// wanted returns the flags in the order of flags.
func (a *flagArgs) wanted() [len(flags)]*bool {
	return [...]*bool{a.Superuser, a.Inherit, a.CreateRoles, a.CreateDB, a.Login, a.Replication}
}

// A role is one that the server has.
type role struct {
	flags    [len(flags)]bool
	limit    int
	until    string
	settings string
	groups   []string
	password string
}

// roles returns one role, or with "" all, by their names.
func (c conn) roles(ctx context.Context, h *host.Host, name string, password bool) (map[string]*role, error) {
	sql := "SELECT r.rolname AS name, r.rolconnlimit, r.rolvaliduntil::timestamp(0) AS until, array_to_string(r.rolconfig, ', ') AS settings,\n" +
		"array_to_string(ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON m.roleid = g.oid WHERE m.member = r.oid), E'\\n') AS groups"
	for _, f := range flags {
		sql += ", r." + f.column
	}
	from := " FROM pg_roles r"
	if password {
		sql += ", a.rolpassword"
		from += " LEFT JOIN pg_authid a ON a.oid = r.oid"
	}
	if name != "" {
		from += " WHERE r.rolname = " + text(name)
	}
	rows, err := c.query(ctx, h, sql+"\n"+from)
	all := make(map[string]*role, len(rows))
	for _, row := range rows {
		r := &role{until: row["until"], settings: row["settings"], password: row["rolpassword"]}
		for i, f := range flags {
			r.flags[i] = row[f.column] == "t"
		}
		r.limit, _ = strconv.Atoi(row["rolconnlimit"])
		if row["groups"] != "" {
			r.groups = strings.Split(row["groups"], "\n")
		}
		all[row["name"]] = r
	}
	return all, err
}

// create is the SQL that makes a role.
func (s *spec) create(ctx context.Context, h *host.Host, c conn) (string, error) {
	yes := true
	login := !s.group
	if s.Inherit == nil {
		s.Inherit = &yes
	}
	if s.Login == nil {
		s.Login = &login
	}
	options, err := s.options(ctx, h, c, nil)
	return "CREATE ROLE " + ident(s.name) + " WITH" + options + ";\n" + s.join(s.groups), err
}

// options are those of CREATE ROLE and ALTER ROLE; of a role that is there, what differs.
func (s *spec) options(ctx context.Context, h *host.Host, c conn, have *role) (string, error) {
	sql := ""
	for i, want := range s.wanted() {
		if want == nil || have != nil && have.flags[i] == *want {
			continue
		}
		word := flags[i].word
		if !*want {
			word = "NO" + word
		}
		sql += " " + word
	}
	if s.limit != nil {
		sql += fmt.Sprintf(" CONNECTION LIMIT %d", *s.limit)
	}
	if s.password != "" {
		hash, err := s.hash(ctx, h, c)
		if err != nil {
			return "", err
		}
		sql += " PASSWORD " + text(hash)
	}
	if s.until != "" {
		sql += " VALID UNTIL " + text(s.until)
	}
	return sql, nil
}

// hash is what the server is to keep of the password: in the way that was said, or that the server prefers.
func (s *spec) hash(ctx context.Context, h *host.Host, c conn) (string, error) {
	w := s.Encrypted
	if w == "" && !hashed(s.password) {
		rows, err := c.query(ctx, h, "SELECT setting FROM pg_settings WHERE name = 'password_encryption'")
		if err != nil {
			return "", err
		}
		w = md5Way
		if len(rows) == 1 && rows[0]["setting"] == scramWay {
			w = scramWay
		}
	}
	return w.hash(s.name, s.password)
}

func (s *spec) join(groups []string) (sql string) {
	for _, g := range groups {
		sql += "GRANT " + ident(g) + " TO " + ident(s.name) + ";\n"
	}
	return sql
}

// differs is what of a role that is there is not as wanted, as Salt names it; the spec then has only that.
func (s *spec) differs(ctx context.Context, h *host.Host, c conn, have *role) (*value.Dict, error) {
	changes := &value.Dict{}
	for i, want := range s.wanted() {
		if want != nil && have.flags[i] != *want {
			changes.Put(flags[i].arg, *want)
		}
	}
	if s.password != "" && (s.refresh || !s.Encrypted.keeps(s.name, s.password, have.password)) {
		changes.Put("password", true)
	} else {
		s.password = ""
	}
	if s.until != "" {
		rows, err := c.query(ctx, h, "SELECT "+text(s.until)+"::timestamptz(0)::timestamp(0) AS until")
		if err != nil {
			return nil, err
		}
		if len(rows) == 1 && rows[0]["until"] == have.until {
			s.until = ""
		} else {
			changes.Put("valid_until", s.until)
		}
	}
	s.groups = slices.DeleteFunc(slices.Clone(s.groups), func(g string) bool { return slices.Contains(have.groups, g) })
	if len(s.groups) > 0 {
		changes.Put("groups", list(s.groups))
	}
	return changes, nil
}

// change makes a role what is wanted.
func (s *spec) change(ctx context.Context, h *host.Host, c conn, have *role) error {
	sql, err := "", error(nil)
	if have == nil {
		sql, err = s.create(ctx, h, c)
	} else if sql, err = s.options(ctx, h, c, have); sql != "" {
		sql = "ALTER ROLE " + ident(s.name) + " WITH" + sql + ";\n"
	}
	if have != nil {
		sql += s.join(s.groups)
	}
	if err != nil || sql == "" {
		return err
	}
	err = c.exec(ctx, h, sql)
	return err
}

func (s *spec) what() string {
	if s.group {
		return "group"
	}
	return "user"
}

func (s *spec) plan(ctx context.Context, h *host.Host, c conn, first string) (module.Plan, error) {
	what := strings.ToUpper(s.what()[:1]) + s.what()[1:]
	p := module.Plan{Same: fmt.Sprintf("%s %s is already present", what, s.name)}
	all, err := c.roles(ctx, h, s.name, !s.refresh && s.password+first != "")
	if err != nil {
		return p, err
	}
	have, mode := all[s.name], "update"
	var changes any = "Present"
	if have == nil {
		mode = "create"
		if s.password == "" {
			s.password = first
		}
	} else {
		d, err := s.differs(ctx, h, c, have)
		if err != nil || d.Len() == 0 {
			return p, err
		}
		changes = d
	}
	p.Would = fmt.Sprintf("%s %s is set to be %sd", what, s.name, mode)
	p.Did = fmt.Sprintf("The %s %s has been %sd", s.what(), s.name, mode)
	p.Steps = []module.Step{module.Change(s.name, changes, func(ctx context.Context) error {
		if err := s.change(ctx, h, c, have); err != nil {
			return fmt.Errorf("cannot %s %s %s: %w", mode, s.what(), s.name, err)
		}
		return nil
	})}
	return p, nil
}

type userArgs struct {
	Name string `arg:"name,required" doc:"the role"`
	flagArgs
	Password string `arg:"password" doc:"its password, or what the server keeps of it"`
	Default  string `arg:"default_password" doc:"the password of a new role, where password is absent"`
	Refresh  bool   `arg:"refresh_password" doc:"set the password at every run, without a look at the one that is there"`
	Until    string `arg:"valid_until" doc:"when the password ends, as the server takes it"`
	Groups   names  `arg:"groups" doc:"roles that it is in at least"`
	stateArgs
}

func planUser(ctx context.Context, h *host.Host, a userArgs) (module.Plan, error) {
	s := &spec{flagArgs: a.flagArgs, name: a.Name, password: a.Password, until: a.Until, groups: a.Groups, refresh: a.Refresh}
	return s.plan(ctx, h, a.conn(), a.Default)
}

type groupArgs struct {
	Name string `arg:"name,required" doc:"the role"`
	flagArgs
	Password string `arg:"password" doc:"its password, or what the server keeps of it"`
	Refresh  bool   `arg:"refresh_password" doc:"set the password at every run, without a look at the one that is there"`
	Groups   names  `arg:"groups" doc:"roles that it is in at least"`
	stateArgs
}

func planGroup(ctx context.Context, h *host.Host, a groupArgs) (module.Plan, error) {
	s := &spec{flagArgs: a.flagArgs, name: a.Name, group: true, password: a.Password, groups: a.Groups, refresh: a.Refresh}
	return s.plan(ctx, h, a.conn(), "")
}

type goneArgs struct {
	Name string `arg:"name,required" doc:"its name"`
	stateArgs
}

func planUserGone(ctx context.Context, h *host.Host, a goneArgs) (module.Plan, error) {
	return planRoleGone(ctx, h, a, "User")
}

func planGroupGone(ctx context.Context, h *host.Host, a goneArgs) (module.Plan, error) {
	return planRoleGone(ctx, h, a, "Group")
}

func planRoleGone(ctx context.Context, h *host.Host, a goneArgs, what string) (module.Plan, error) {
	c := a.conn()
	all, err := c.roles(ctx, h, a.Name, false)
	return gone(h, c, what, a.Name, all[a.Name] != nil, "DROP ROLE "+ident(a.Name)+";\n", err)
}

// gone is the plan that takes something away, when it is there.
func gone(h *host.Host, c conn, what, name string, there bool, sql string, err error) (module.Plan, error) {
	p := module.Plan{
		Same:  fmt.Sprintf("%s %s is not present, so it cannot be removed", what, name),
		Would: fmt.Sprintf("%s %s is set to be removed", what, name),
		Did:   fmt.Sprintf("%s %s has been removed", what, name),
	}
	if err != nil || !there {
		return p, err
	}
	p.Steps = []module.Step{module.Change(name, "Absent", func(ctx context.Context) error {
		if err := c.exec(ctx, h, sql); err != nil {
			return fmt.Errorf("cannot remove %s %s: %w", strings.ToLower(what), name, err)
		}
		return nil
	})}
	return p, nil
}

func list(all []string) *value.List {
	l := &value.List{Items: []any{}}
	for _, s := range all {
		l.Items = append(l.Items, s)
	}
	return l
}
