package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A sort is a sort of object that privileges are on.
type sort struct {
	name       string
	privileges []string
	acl        string // what acldefault calls it
	from       string // SELECT's end: o.acl is its list, o.owner the number of its owner, o.object its name
}

// catalogue of sorts; {o} and {s} stand for the names of the object and its schema.
func sortOf(name string) (*sort, error) {
	inSchema := func(table, acl, owner, kind string) string {
		return "(SELECT c.relacl AS acl, c." + owner + " AS owner, c.relname AS object FROM " + table +
			" c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {s} AND ({o} = 'ALL' OR c.relname = {o}) AND c.relkind IN (" + kind + ")) o"
	}
	simple := func(table, prefix, owner string) string {
		return "(SELECT " + prefix + "acl AS acl, " + owner + " AS owner, " + prefix + "name AS object FROM " + table + " WHERE " + prefix + "name = {o}) o"
	}
	for _, s := range []sort{
		{"table", []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}, "r", inSchema("pg_class", "relacl", "relowner", "'r','p','v','m','f'")},
		{"sequence", []string{"USAGE", "SELECT", "UPDATE"}, "s", inSchema("pg_class", "relacl", "relowner", "'S'")},
		{"schema", []string{"USAGE", "CREATE"}, "n", simple("pg_namespace", "nsp", "nspowner")},
		{"tablespace", []string{"CREATE"}, "t", simple("pg_tablespace", "spc", "spcowner")},
		{"language", []string{"USAGE"}, "l", simple("pg_language", "lan", "lanowner")},
		{"database", []string{"CREATE", "CONNECT", "TEMPORARY"}, "d", simple("pg_database", "dat", "datdba")},
		{"function", []string{"EXECUTE"}, "f", "(SELECT p.proacl AS acl, p.proowner AS owner, p.proname AS object FROM pg_proc p " +
			"JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = {s} AND p.oid::regprocedure::text IN ({o}, {s} || '.' || {o})) o"},
		{name: "group"},
	} {
		if s.name == strings.ToLower(name) {
			return &s, nil
		}
	}
	return nil, fmt.Errorf(`argument "object_type": want table, sequence, schema, tablespace, language, database, function or group, got %q`, name)
}

type grantArgs struct {
	Name       string `arg:"name,required" doc:"the role; public is everyone"`
	Object     string `arg:"object_name,required" doc:"what the privileges are on; ALL stands for all tables or sequences of a schema"`
	Type       string `arg:"object_type,required" doc:"table (also of views), sequence, schema, tablespace, language, database, function or group"`
	Privileges names  `arg:"privileges" doc:"the privileges, such as SELECT, or ALL; none with group"`
	Prepend    string `arg:"prepend" default:"public" doc:"the schema of tables, sequences and functions"`
}

// CheckArgs implements module.Checker.
func (a *grantArgs) CheckArgs() error {
	s, err := sortOf(a.Type)
	if err != nil {
		return err
	}
	if s.name == "group" && len(a.Privileges) > 0 {
		return errors.New(`argument "privileges": a group has none, its members are granted it`)
	}
	if s.name != "group" && len(a.Privileges) == 0 {
		return errors.New(`argument "privileges" is missing`)
	}
	for _, p := range a.Privileges {
		if p = privilege(p); p != "ALL" && !slices.Contains(s.privileges, p) {
			return fmt.Errorf(`argument "privileges": want ALL or some of %s for a %s, got %q`, strings.Join(s.privileges, ", "), s.name, p)
		}
	}
	if s.name == "function" && !regexp.MustCompile(`^[\w."$]+\([\w\s,."\[\]]*\)$`).MatchString(a.Object) {
		return fmt.Errorf(`argument "object_name": want a function with its types, such as sum(integer, integer), got %q`, a.Object)
	}
	return nil
}

// privilege is the name of a privilege as the catalogue has it.
func privilege(name string) string {
	switch name = strings.ToUpper(strings.TrimSpace(name)); name {
	case "TEMP":
		return "TEMPORARY"
	case "ALL PRIVILEGES":
		return "ALL"
	}
	return name
}

// wanted are the privileges that are meant.
func (a *grantArgs) wanted(s *sort) (all []string) {
	for _, p := range a.Privileges {
		if p = privilege(p); p == "ALL" {
			return s.privileges
		}
		all = append(all, p)
	}
	return all
}

// on is what GRANT and REVOKE call the object.
func (a *grantArgs) on(s *sort) string {
	switch {
	case s.name == "group":
		return ident(a.Object)
	case a.ofAll(s):
		return "ON ALL " + strings.ToUpper(s.name) + "S IN SCHEMA " + ident(a.Prepend)
	case s.name == "table" || s.name == "sequence":
		return "ON " + strings.ToUpper(s.name) + " " + ident(a.Prepend) + "." + ident(a.Object)
	case s.name == "function":
		return "ON FUNCTION " + ident(a.Prepend) + "." + strings.TrimPrefix(a.Object, a.Prepend+".")
	}
	return "ON " + strings.ToUpper(s.name) + " " + ident(a.Object)
}

func (a *grantArgs) ofAll(s *sort) bool {
	return (s.name == "table" || s.name == "sequence") && strings.EqualFold(a.Object, "all")
}

func (a *grantArgs) fill(s *sort) string {
	object := a.Object
	if a.ofAll(s) {
		object = "ALL"
	}
	return strings.NewReplacer("{o}", text(object), "{s}", text(a.Prepend)).Replace(s.from)
}

// An access is who may do what with one object; grantable says whether they may grant it.
type access struct {
	owner  string
	grants map[string]map[string]bool // by role, then by privilege: grantable
}

// accesses returns who may do what with the objects that are meant, by their names.
func (a *grantArgs) accesses(ctx context.Context, h *host.Host, c conn, s *sort) (map[string]*access, error) {
	sql := "SELECT o.object, w.rolname AS owner, CASE a.grantee WHEN 0 THEN 'public' ELSE g.rolname END AS grantee, a.privilege_type AS privilege, a.is_grantable\n" +
		"FROM " + a.fill(s) + "\nLEFT JOIN LATERAL aclexplode(coalesce(o.acl, acldefault('" + s.acl + "', o.owner))) a ON true\n" +
		"LEFT JOIN pg_roles g ON g.oid = a.grantee LEFT JOIN pg_roles w ON w.oid = o.owner"
	if s.name == "group" {
		sql = "SELECT r.rolname AS object, '' AS owner, m.rolname AS grantee, 'MEMBER' AS privilege, a.admin_option AS is_grantable FROM pg_roles r\n" +
			"LEFT JOIN pg_auth_members a ON a.roleid = r.oid LEFT JOIN pg_roles m ON m.oid = a.member WHERE r.rolname = " + text(a.Object)
	}
	rows, err := c.query(ctx, h, sql)
	all := map[string]*access{}
	for _, row := range rows {
		o := all[row["object"]]
		if o == nil {
			o = &access{owner: row["owner"], grants: map[string]map[string]bool{}}
			all[row["object"]] = o
		}
		if who := row["grantee"]; who != "" {
			if o.grants[who] == nil {
				o.grants[who] = map[string]bool{}
			}
			o.grants[who][row["privilege"]] = o.grants[who][row["privilege"]] || row["is_grantable"] == "t"
		}
	}
	return all, err
}

// has says whether the role may do everything that is wanted with every object that is meant; who owns it may.
func (a *grantArgs) has(all map[string]*access, s *sort, grantable bool) bool {
	wanted := a.wanted(s)
	if s.name == "group" {
		wanted = []string{"MEMBER"}
	}
	for _, o := range all {
		if o.owner == a.Name {
			continue
		}
		for _, p := range wanted {
			if may, ok := o.grants[a.Name][p]; !ok || grantable && !may {
				return false
			}
		}
	}
	return len(all) > 0 || a.ofAll(s)
}

// any says whether the role was granted anything of what is wanted.
func (a *grantArgs) any(all map[string]*access, s *sort) bool {
	for _, o := range all {
		for p := range o.grants[a.Name] {
			if o.owner != a.Name && (s.name == "group" || slices.Contains(a.wanted(s), p)) {
				return true
			}
		}
	}
	return false
}

func (a *grantArgs) grant(s *sort, grantable bool) string {
	what, option := strings.Join(a.wanted(s), ", ")+" ", " WITH GRANT OPTION"
	if s.name == "group" {
		what, option = "", " WITH ADMIN OPTION"
	}
	if !grantable {
		option = ""
	}
	return "GRANT " + what + a.on(s) + " TO " + ident(a.Name) + option + ";\n"
}

func (a *grantArgs) revoke(s *sort) string {
	what := strings.Join(a.wanted(s), ", ") + " "
	if s.name == "group" {
		what = ""
	}
	return "REVOKE " + what + a.on(s) + " FROM " + ident(a.Name) + ";\n"
}

// told are the privileges in comments.
func (a *grantArgs) told() string {
	if len(a.Privileges) == 0 {
		return a.Object
	}
	return strings.Join(a.Privileges, ",")
}

type privilegesArgs struct {
	grantArgs
	Grantable bool `arg:"grant_option" doc:"the role may grant them in turn"`
	stateArgs
}

func planPrivileges(ctx context.Context, h *host.Host, a privilegesArgs) (module.Plan, error) {
	c := a.conn()
	p := module.Plan{
		Same:  "The requested privilege(s) are already set",
		Would: fmt.Sprintf("The privilege(s): %s are set to be granted to %s", a.told(), a.Name),
		Did:   fmt.Sprintf("The privilege(s): %s have been granted to %s", a.told(), a.Name),
	}
	s, err := sortOf(a.Type)
	if err != nil {
		return p, err
	}
	all, err := a.accesses(ctx, h, c, s)
	switch {
	case err != nil:
		return p, err
	case len(all) == 0 && !a.ofAll(s):
		return p, module.Unknown("cannot grant to %s: there is no %s %s", a.Name, s.name, a.Object)
	case a.has(all, s, a.Grantable):
		return p, nil
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		err := c.exec(ctx, h, a.grant(s, a.Grantable))
		return named(err, "cannot grant to", a.Name)
	})}
	return p, nil
}

type privilegesGoneArgs struct {
	grantArgs
	stateArgs
}

func planPrivilegesGone(ctx context.Context, h *host.Host, a privilegesGoneArgs) (module.Plan, error) {
	c := a.conn()
	p := module.Plan{
		Same:  "The requested privilege(s) are not set so cannot be revoked",
		Would: fmt.Sprintf("The privilege(s): %s are set to be revoked from %s", a.told(), a.Name),
		Did:   fmt.Sprintf("The privilege(s): %s have been revoked from %s", a.told(), a.Name),
	}
	s, err := sortOf(a.Type)
	if err != nil {
		return p, err
	}
	all, err := a.accesses(ctx, h, c, s)
	if err != nil || !a.any(all, s) {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Absent", func(ctx context.Context) error {
		err := c.exec(ctx, h, a.revoke(s))
		return named(err, "cannot revoke from", a.Name)
	})}
	return p, nil
}

// dict are the privileges of one object as Salt's privileges_list returns them.
func (o *access) dict(group bool) *value.Dict {
	d := &value.Dict{}
	for _, who := range sorted(o.grants) {
		if group {
			d.Put(who, o.grants[who]["MEMBER"])
			continue
		}
		of := &value.Dict{}
		for _, p := range sorted(o.grants[who]) {
			of.Put(p, o.grants[who][p])
		}
		d.Put(who, of)
	}
	return d
}
