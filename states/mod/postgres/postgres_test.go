package postgres_test

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/postgres"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// A server answers as psql does: what a SELECT from a catalogue has is the content of a file of the host, and a statement
// that changes something writes one.
type server struct {
	*hosttest.Host
	t     testing.TB
	argvs []string
	env   []string
	sql   []string
	down  bool
}

const catalogues = "/server/"

// of says which file a SELECT reads: the one whose name is in it.
func (s *server) of(sql string) string {
	for _, name := range []string{"pg_settings", "acldefault", "a.admin_option", "FROM pg_roles r", "FROM pg_database", "pg_available_extensions",
		"pg_extension", "FROM pg_tablespace", "UNION ALL", "pg_namespace", "FROM pg_language", "AS until", "SELECT 1"} {
		if strings.Contains(sql, name) {
			return catalogues + name
		}
	}
	s.t.Errorf("no file answers %s", sql)
	return ""
}

func (s *server) exec(_ context.Context, c host.Command) (host.Output, error) {
	sql := string(c.Stdin)
	s.argvs, s.env = append(s.argvs, strings.Join(c.Argv, " ")), append(s.env, c.Env...)
	switch path.Base(c.Argv[0]) {
	case "pg_lsclusters":
		return host.Output{Stdout: []byte(s.Read(catalogues + "clusters"))}, nil
	case "pg_createcluster", "pg_dropcluster":
		s.Write(catalogues+"clusters", map[bool]string{true: "15 main 5432 online postgres /var/lib/postgresql/15/main /log\n"}[path.Base(c.Argv[0]) == "pg_createcluster"])
		return host.Output{}, nil
	case "initdb":
		return host.Output{}, os.MkdirAll(s.Path("/var/lib/pgsql/data/PG_VERSION"), 0o755)
	}
	switch {
	case s.down:
		return host.Output{Code: 2, Stderr: []byte("psql: error: connection to server failed: Connection refused\n")}, nil
	case strings.Contains(sql, "COPY ("):
		return host.Output{Stdout: []byte(s.Read(s.of(sql)))}, nil
	case strings.Contains(sql, "refused"):
		return host.Output{Code: 3, Stderr: []byte("psql:<stdin>:1: ERROR:  role \"refused\" can't be\n")}, nil
	}
	s.sql = append(s.sql, sql)
	for _, c := range changes {
		if c[0] == sql {
			s.Write(catalogues+c[1], c[2])
			return host.Output{}, nil
		}
	}
	s.Write(catalogues+"did", sql) // seen by those who look whether anything changed
	return host.Output{}, nil
}

const (
	roleColumns = "name,rolconnlimit,until,settings,groups,rolsuper,rolinherit,rolcreaterole,rolcreatedb,rolcanlogin,rolreplication,rolpassword\n"
	aRole       = "app,-1,,,staff,f,t,f,f,t,f,md5ea0b3a5a9b4ad8dd2b8fa4c2b3c8b5a1\n"
	dbColumns   = "Name,Owner,Encoding,Collate,Ctype,Access privileges,Tablespace\npostgres,postgres,UTF8,en_US.utf8,en_US.utf8,,pg_default\n"
	extColumns  = "extname,extversion,schema_name,extrelocatable\nplpgsql,1.0,pg_catalog,f\n"
	aclColumns  = "object,owner,grantee,privilege,is_grantable\n"
)

// changes are what statements make of the server's catalogues.
var changes = [][3]string{
	{"CREATE ROLE \"web\" WITH INHERIT CREATEDB LOGIN;\n", "FROM pg_roles r", roleColumns + aRole + "web,-1,,,,f,t,f,t,t,f,\n"},
	{"CREATE ROLE \"staff\" WITH INHERIT CREATEDB NOLOGIN;\n", "FROM pg_roles r", roleColumns + aRole + "staff,-1,,,,f,t,f,t,f,f,\n"},
	{"CREATE DATABASE \"shop\" OWNER = \"web\";\n", "FROM pg_database", dbColumns + "shop,web,UTF8,C,C,,pg_default\n"},
	{"CREATE EXTENSION IF NOT EXISTS \"hstore\";\n", "pg_extension", extColumns + "hstore,1.8,public,t\n"},
	{"CREATE LANGUAGE \"plperl\";\n", "FROM pg_language", "name\nplpgsql\nplperl\n"},
	{"GRANT SELECT, INSERT ON TABLE \"public\".\"orders\" TO \"web\";\n", "acldefault",
		aclColumns + "orders,app,app,SELECT,f\norders,app,web,SELECT,f\norders,app,web,INSERT,f\n"},
	{"CREATE SCHEMA \"sales\";\n", "pg_namespace", "name,acl,owner\npublic,,app\nsales,,app\n"},
	{"CREATE TABLESPACE \"fast\" LOCATION '/mnt/ssd';\n", "FROM pg_tablespace", "Name,Owner,ACL,Opts,Location\nfast,app,,,/mnt/ssd\n"},
}

func newServer(t testing.TB) *server {
	s := &server{Host: hosttest.New(t), t: t}
	s.Exec = s.exec
	s.Write("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\npostgres:x:%d:%d::/var/lib/postgresql:/bin/sh\n", os.Getuid(), os.Getgid()))
	for _, p := range []string{"psql", "pg_lsclusters"} {
		s.Write("/usr/bin/"+p, "")
	}
	s.Write("/usr/lib/postgresql/9/bin/initdb", "")
	s.Write("/usr/lib/postgresql/15/bin/initdb", "")
	if err := os.MkdirAll(s.Path("/tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, csv := range map[string]string{
		"FROM pg_roles r": roleColumns + aRole, "FROM pg_database": dbColumns, "pg_extension": extColumns, "FROM pg_language": "name\nplpgsql\n",
		"pg_available_extensions": "name,default_version,installed_version,comment\nhstore,1.8,,\"a map, of text\"\n", "acldefault": aclColumns + "orders,app,app,SELECT,f\n",
		"a.admin_option": aclColumns + "staff,,app,MEMBER,t\n", "pg_namespace": "name,acl,owner\npublic,,app\n", "FROM pg_tablespace": "Name,Owner,ACL,Opts,Location\npg_default,app,,,\nslow,app,,seq_page_cost=1.5,/mnt/hd\n",
		"pg_settings": "setting\nscram-sha-256\n", "AS until": "until\n2030-01-01 00:00:00\n", "SELECT 1": "one,two\n1,\"a, \"\"b\"\"\"\n", "UNION ALL": "what\nSCHEMA public\n",
	} {
		s.Write(catalogues+name, csv)
	}
	return s
}

func newHost(t testing.TB) *hosttest.Host { return newServer(t).Host }

func TestModules(t *testing.T) {
	for _, m := range append(postgres.StateModules(), postgres.Module) {
		o := moduletest.Options{Host: newHost}
		if m.Name == "postgres_initdb" {
			o.Host = func(t testing.TB) *hosttest.Host { return newHost(t) }
		}
		moduletest.Run(t, m, o)
	}
}

func run(t *testing.T, s *server, state string, words []string, test bool) module.Result {
	t.Helper()
	b, err := module.NewIndex(postgres.StateModules()...).State(state)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := b.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return bound.Run(t.Context(), s.Host.Host, test)
}

func told(r module.Result) string {
	json, _ := value.MarshalJSON(r.Changes)
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, test, sql string }{
		{"postgres_user.present|name=app|login=True", "true {} User app is already present", ""},
		{"postgres_user.present|name=app|superuser=True|createdb=False|groups=staff,ops", `would {"app":{"superuser":true,"groups":["ops"]}} User app is set to be updated`,
			"ALTER ROLE \"app\" WITH SUPERUSER;\nGRANT \"ops\" TO \"app\";\n"},
		{"postgres_user.present|name=app|valid_until=2030-01-01", `would {"app":{"valid_until":"2030-01-01"}} User app is set to be updated`,
			"ALTER ROLE \"app\" WITH VALID UNTIL '2030-01-01';\n"},
		{"postgres_user.absent|name=app", `would {"app":"Absent"} User app is set to be removed`, "DROP ROLE \"app\";\n"},
		{"postgres_user.absent|name=none", "true {} User none is not present, so it cannot be removed", ""},
		{`postgres_user.present|name=o"b`, `would {"o\"b":"Present"} User o"b is set to be created`, "CREATE ROLE \"o\"\"b\" WITH INHERIT LOGIN;\n"},
		{"postgres_group.absent|name=app", `would {"app":"Absent"} Group app is set to be removed`, "DROP ROLE \"app\";\n"},
		{"postgres_database.present|name=postgres|encoding=utf-8|lc_ctype=en_US.UTF-8", "true {} Database postgres is already present", ""},
		{"postgres_database.present|name=postgres|owner=app", `would {"postgres":"Parameters changed"} Database postgres exists, but parameters need to be changed`,
			"ALTER DATABASE \"postgres\" OWNER TO \"app\";\n"},
		{"postgres_database.present|name=postgres|owner=app|owner_recurse=True", `would {"postgres":"Parameters changed"} Database postgres exists, but parameters need to be changed`,
			"ALTER DATABASE \"postgres\" OWNER TO \"app\";\n+BEGIN;\nALTER SCHEMA public OWNER TO \"app\";\nCOMMIT;\n"},
		{"postgres_database.present|name=postgres|lc_collate=de_DE.UTF-8",
			"false {} cannot change database postgres: it was made with encoding UTF8, lc_collate en_US.utf8 and lc_ctype en_US.utf8, which stay", ""},
		{"postgres_database.present|name=new|template=template0|lc_ctype=C.UTF-8|encoding=UTF8|tablespace=fast", `would {"new":"Present"} Database new is set to be created`,
			"CREATE DATABASE \"new\" TABLESPACE = \"fast\" TEMPLATE = \"template0\" ENCODING = 'UTF8' LC_CTYPE = 'C.UTF-8';\n"},
		{"postgres_extension.present|name=plpgsql|ext_version=1.10", `would {"plpgsql":"Upgraded"} Extension plpgsql is set to be upgraded`,
			"ALTER EXTENSION \"plpgsql\" UPDATE TO \"1.10\";\n"},
		{"postgres_extension.present|name=plpgsql|ext_version=0.9|schema=public", "true {} Extension plpgsql is already present", ""},
		{"postgres_extension.absent|name=plpgsql|restrict=True", `would {"plpgsql":"Absent"} Extension plpgsql is set to be removed`, "DROP EXTENSION \"plpgsql\";\n"},
		{"postgres_tablespace.present|name=slow|directory=/mnt/hd|owner=web|options={seq_page_cost: 1.5, random_page_cost: 3}",
			`would {"slow":{"owner":"web","options":{"random_page_cost":3}}} Tablespace slow is to be altered`,
			"ALTER TABLESPACE \"slow\" OWNER TO \"web\";\nALTER TABLESPACE \"slow\" SET (random_page_cost = 3);\n"},
		{"postgres_tablespace.present|name=slow|directory=/mnt/ssd", "false {} cannot move tablespace slow from /mnt/hd to /mnt/ssd: it would have to be dropped and made again", ""},
		{"postgres_privileges.present|name=app|object_name=orders|object_type=table|privileges=[ALL]", "true {} The requested privilege(s) are already set", ""},
		{"postgres_privileges.absent|name=web|object_name=orders|object_type=table|privileges=[SELECT]", "true {} The requested privilege(s) are not set so cannot be revoked", ""},
		{"postgres_privileges.present|name=web|object_name=ALL|object_type=table|privileges=[SELECT]|grant_option=True", `would {"web":"Present"} The privilege(s): SELECT are set to be granted to web`,
			"GRANT SELECT ON ALL TABLES IN SCHEMA \"public\" TO \"web\" WITH GRANT OPTION;\n"},
		{"postgres_privileges.present|name=web|object_name=staff|object_type=group", `would {"web":"Present"} The privilege(s): staff are set to be granted to web`,
			"GRANT \"staff\" TO \"web\";\n"},
		{"postgres_privileges.absent|name=app|object_name=staff|object_type=group", `would {"app":"Absent"} The privilege(s): staff are set to be revoked from app`,
			"REVOKE \"staff\" FROM \"app\";\n"},
		{"postgres_schema.absent|name=public|dbname=shop", `would {"public":"Absent"} Schema public is set to be removed`, "DROP SCHEMA \"public\";\n"},
		{"postgres_cluster.present|name=main|version=15|port=5433", `would {"15/main":"Present"} Cluster 15/main is set to be created`, ""},
	} {
		s := newServer(t)
		words := strings.Split(c.state, "|")
		if got := told(run(t, s, words[0], words[1:], true)); got != c.test {
			t.Errorf("%s: got %s, want %s", c.state, got, c.test)
		}
		if len(s.sql) > 0 {
			t.Errorf("%s: test mode did %q", c.state, s.sql)
		}
		r := run(t, s, words[0], words[1:], false)
		if got := strings.Join(s.sql, "+"); got != c.sql {
			t.Errorf("%s: did %s, want %s", c.state, got, c.sql)
		}
		if want := !strings.HasPrefix(c.test, "false"); *r.Result != want {
			t.Errorf("%s: got %s", c.state, told(r))
		}
	}
}

func TestPasswords(t *testing.T) {
	s := newServer(t)
	stored := ""
	for _, c := range []struct{ name, args, starts string }{
		{"server's way", "", "SCRAM-SHA-256$4096:"},
		{"md5", "encrypted=md5", "md5"},
		{"as before", "encrypted=True", "md5"},
		{"scram", "encrypted=scram-sha-256", "SCRAM-SHA-256$4096:"},
		{"hashed", "password=md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	} {
		s.sql = nil
		words := []string{"name=new", "password=s'ecret\\word", "db_password=door", "db_host=/run/x"}
		if c.args != "" {
			words = append(words, c.args)
		}
		if strings.HasPrefix(c.args, "password") {
			words = slices.Delete(words, 1, 2)
		}
		r := run(t, s, "postgres_user.present", words, false)
		_, after, _ := strings.Cut(strings.Join(s.sql, ""), "PASSWORD '")
		hash, _, _ := strings.Cut(after, "'")
		if !*r.Result || !strings.HasPrefix(hash, c.starts) {
			t.Errorf("%s: got %s, and %q", c.name, told(r), s.sql)
		}
		for _, text := range append(s.argvs, s.sql...) {
			if strings.Contains(text, "ecret") || strings.Contains(text, "door") {
				t.Errorf("%s: a password is in %s", c.name, text)
			}
		}
		if !slices.Contains(s.env, "PGPASSWORD=door") {
			t.Errorf("%s: psql was not told the password", c.name)
		}
		stored = hash
		s.Write(catalogues+"FROM pg_roles r", roleColumns+"new,-1,,,,f,t,f,f,t,f,"+stored+"\n")
		if again := run(t, s, "postgres_user.present", words, false); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.name, told(again))
		}
		s.Write(catalogues+"FROM pg_roles r", roleColumns)
	}
	s.Write(catalogues+"FROM pg_roles r", roleColumns+aRole)
	if got := told(run(t, s, "postgres_user.present", []string{"name=app", "password=other"}, true)); got != `would {"app":{"password":true}} User app is set to be updated` {
		t.Errorf("another password: got %s", got)
	}
	if got := told(run(t, s, "postgres_user.present", []string{"name=new", "password=é"}, false)); !strings.Contains(got, "more than ASCII") {
		t.Errorf("got %s", got)
	}
}

// The value is that of RFC 7677's example, made by PostgreSQL itself.
func TestStoredPasswordsAreUnderstood(t *testing.T) {
	s := newServer(t)
	s.Write(catalogues+"FROM pg_roles r", roleColumns+
		"user,-1,,,,f,t,f,f,t,f,SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n")
	for password, want := range map[string]string{"pencil": "true {} User user is already present", "pencils": `would {"user":{"password":true}} User user is set to be updated`} {
		if got := told(run(t, s, "postgres_user.present", []string{"name=user", "password=" + password}, true)); got != want {
			t.Errorf("%s: got %s, want %s", password, got, want)
		}
	}
}

func TestWhatIsNotThereYet(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*server)
		want  string
	}{
		"no psql":   {func(s *server) { s.remove("/usr/bin/psql") }, "cannot ask PostgreSQL: cannot find psql: "},
		"no server": {func(s *server) { s.down = true }, "cannot ask PostgreSQL: the server can't be reached: connection to server failed: Connection refused"},
		"no user":   {func(s *server) { s.Write("/etc/passwd", "root:x:0:0::/:/bin/sh\n") }, `cannot ask PostgreSQL: cannot find user "postgres"`},
	} {
		s := newServer(t)
		c.spoil(s)
		r := run(t, s, "postgres_user.present", []string{"name=x"}, true)
		if !r.Unknown || !strings.HasPrefix(r.Comment, c.want) {
			t.Errorf("%s: got %v, %s", name, r.Unknown, told(r))
		}
	}
	s := newServer(t)
	r := run(t, s, "postgres_user.present", []string{"name=refused"}, false)
	if got := told(r); r.Unknown || got != `false {} cannot create user refused: the server refuses: role "refused" can't be` {
		t.Errorf("got %s", got)
	}
}

func (s *server) remove(name string) {
	if err := os.Remove(s.Path(name)); err != nil {
		s.t.Fatal(err)
	}
}

func TestFunctions(t *testing.T) {
	s := newServer(t)
	s.Pillar = value.NewDict("postgres.port", "5433", "postgres.host", "db1")
	for _, c := range [][2]string{
		{"psql_query|SELECT 1", `[{"one":"1","two":"a, \"b\""}]`},
		{"db_exists|postgres", "true"}, {"db_exists|none", "false"},
		{"role_get|app", `{"superuser":false,"inherits privileges":true,"can create roles":false,"can create databases":false,"can login":true,"replication":false,"connections":-1,"expiry time":null,"defaults variables":"","groups":["staff"]}`},
		{"user_exists|none", "false"}, {"role_get|none", "null"},
		{"user_create|app", "false"}, {"user_create|new|createdb=True|connlimit=3", "true"}, {"user_update|none", "false"},
		{"has_privileges|web|orders|table|SELECT", "false"}, {"privileges_list|orders|table", `{"app":{"SELECT":false}}`}, {"privileges_list|staff|group", `{"app":true}`},
		{"schema_get|shop|public", `{"acl":"","owner":"app"}`}, {"schema_create|shop|public", "false"}, {"installed_extensions", `{"plpgsql":{"extversion":"1.0","schema_name":"pg_catalog","extrelocatable":"f"}}`},
		{"is_available_extension|hstore", "true"}, {"language_list", `{"plpgsql":{}}`}, {"cluster_list", "[]"}, {"version", `"scram-sha-256"`},
		{"has_privileges|web|orders|view|SELECT", `cannot call postgres.has_privileges: argument "object_type": want table, sequence, schema, tablespace, language, database, function or group, got "view"`},
		{"privileges_grant|web|f; DROP|function|EXECUTE", `cannot call postgres.privileges_grant: argument "object_name": want a function with its types, such as sum(integer, integer), got "f; DROP"`},
		{"privileges_grant|web|orders|table|FLY", `cannot call postgres.privileges_grant: argument "privileges": want ALL or some of SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER for a table, got "FLY"`},
	} {
		words := strings.Split(c[0], "|")
		f, err := module.NewIndex(postgres.Module).Func("postgres." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), s.Host.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	if want := "psql --no-align --no-readline --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse --host=db1 --port=5433 --dbname=postgres"; s.argvs[0] != want {
		t.Errorf("got %s, want %s", s.argvs[0], want)
	}
	if want := "CREATE ROLE \"new\" WITH INHERIT CREATEDB LOGIN CONNECTION LIMIT 3;\n"; !slices.Contains(s.sql, want) {
		t.Errorf("got %q, want %s", s.sql, want)
	}
}
