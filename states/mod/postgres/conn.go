package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/config"
	"brine/states/module"
)

// A conn says how a server is reached.
type conn struct{ user, host, port, db, password, runAs string }

type connArgs struct {
	ConnUser     string `arg:"user" doc:"who signs in; absent: the setting postgres.user"`
	ConnHost     string `arg:"host" doc:"the server's name, or the directory of its socket; absent: the setting postgres.host"`
	ConnPort     string `arg:"port" doc:"the server's port; absent: the setting postgres.port"`
	ConnDB       string `arg:"maintenance_db" doc:"the database to connect to; absent: the setting postgres.maintenance_db, or postgres"`
	ConnPassword string `arg:"password" doc:"the password of who signs in; absent: the setting postgres.pass"`
	ConnRunAs    string `arg:"runas" doc:"the account of the host that connects; absent: postgres, unless host names another machine"`
}

func (a *connArgs) conn() conn {
	return conn{a.ConnUser, a.ConnHost, a.ConnPort, a.ConnDB, a.ConnPassword, a.ConnRunAs}
}

type signArgs struct {
	ConnRunAs    string `arg:"user" doc:"the account of the host that connects; absent: postgres, unless db_host names another machine"`
	ConnUser     string `arg:"db_user" doc:"who signs in; absent: the setting postgres.user"`
	ConnPassword string `arg:"db_password" doc:"the password of who signs in; absent: the setting postgres.pass"`
	ConnHost     string `arg:"db_host" doc:"the server's name, or the directory of its socket; absent: the setting postgres.host"`
	ConnPort     string `arg:"db_port" doc:"the server's port; absent: the setting postgres.port"`
}

func (a *signArgs) to(db string) conn {
	return conn{a.ConnUser, a.ConnHost, a.ConnPort, db, a.ConnPassword, a.ConnRunAs}
}

type stateArgs struct {
	signArgs
	ConnDB string `arg:"maintenance_db" doc:"the database to connect to; absent: the setting postgres.maintenance_db, or postgres"`
}

func (a *stateArgs) conn() conn { return a.to(a.ConnDB) }

// resolved has the settings of the host where nothing is said.
func (c conn) resolved(ctx context.Context, h *host.Host) conn {
	for _, s := range []struct {
		field         *string
		name, builtin string
	}{
		{&c.user, "user", ""}, {&c.host, "host", ""}, {&c.port, "port", ""},
		{&c.db, "maintenance_db", "postgres"}, {&c.password, "pass", ""},
	} {
		if *s.field == "" {
			*s.field = config.Option(ctx, h, "postgres."+s.name)
		}
		if *s.field == "" {
			*s.field = s.builtin
		}
	}
	if c.runAs == "" && (c.host == "" || c.host[0] == '/') {
		c.runAs = "postgres"
	}
	return c
}

// program returns where a program of PostgreSQL is: in PATH, in the setting postgres.bins_dir, or where packages put it.
func program(ctx context.Context, h *host.Host, name string) (string, error) {
	for _, dir := range filepath.SplitList(host.DefaultPath) {
		if is(h, dir+"/"+name) {
			return name, nil
		}
	}
	if dir := config.Option(ctx, h, "postgres.bins_dir"); dir != "" && is(h, dir+"/"+name) {
		return dir + "/" + name, nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/pgsql-*/bin/"} {
		found, _ := filepath.Glob(h.Path(pattern + name)) // the pattern is one
		slices.SortFunc(found, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) })
		if n := len(found); n > 0 {
			return "/" + strings.TrimPrefix(found[n-1], h.Path("/")), nil
		}
	}
	return "", module.Unknown("cannot find %s: PostgreSQL's client is not installed, nor does the setting postgres.bins_dir name its directory", name)
}

func is(h *host.Host, file string) bool {
	st, err := os.Stat(h.Path(file))
	return err == nil && st.Mode().IsRegular()
}

// exec has psql change what sql says, statement by statement until one fails.
func (c conn) exec(ctx context.Context, h *host.Host, sql string) error {
	_, err := c.psql(ctx, h, sql, "--output=/dev/null")
	return err
}

// psql runs psql. The text goes by standard input and the password by the environment, so that neither is in any list of
// processes, nor in what is told of a failure.
func (c conn) psql(ctx context.Context, h *host.Host, sql string, args ...string) (string, error) {
	if strings.ContainsRune(sql, 0) {
		return "", errors.New("a zero byte is in the text")
	}
	c = c.resolved(ctx, h)
	psql, err := program(ctx, h, "psql")
	if err != nil {
		return "", err
	}
	cmd := host.Command{
		Argv:  []string{psql, "--no-align", "--no-readline", "--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"},
		Env:   []string{"LC_ALL=C", "PGCLIENTENCODING=UTF8", "PGDATESTYLE=ISO,MDY"},
		Clean: true, Stdin: []byte(sql),
	}
	for _, o := range [][2]string{{"--username=", c.user}, {"--host=", c.host}, {"--port=", c.port}, {"--dbname=", c.db}} {
		if o[1] != "" {
			cmd.Argv = append(cmd.Argv, o[0]+o[1])
		}
	}
	cmd.Argv = append(cmd.Argv, args...)
	if c.password != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+c.password)
	}
	if c.runAs != "" {
		if cmd.User, err = h.User(ctx, c.runAs); err != nil {
			return "", module.Unmade(err)
		}
	}
	out, err := h.Exec(ctx, cmd)
	if err != nil {
		return "", err
	}
	return string(out.Stdout), failure(out)
}

// failure is what psql complained of. That the server or the database can't be reached may change before the state runs.
func failure(out host.Output) error {
	const unreachable = 2
	text := strings.TrimSpace(string(out.Stderr))
	switch out.Code {
	case 0:
		return nil
	case unreachable:
		return module.Unknown("the server can't be reached: %s", strings.TrimPrefix(text, "psql: error: "))
	}
	_, told, ok := strings.Cut(text, "ERROR:  ")
	if !ok {
		told = text
	}
	return fmt.Errorf("the server refuses: %s", told)
}

// query returns the rows that a SELECT has, by their columns.
func (c conn) query(ctx context.Context, h *host.Host, sql string) ([]map[string]string, error) {
	_, rows, err := c.table(ctx, h, sql, false)
	return rows, err
}

// table is query with the names of the columns in their order.
func (c conn) table(ctx context.Context, h *host.Host, sql string, write bool) ([]string, []map[string]string, error) {
	sql = "COPY (" + strings.TrimRight(strings.TrimSpace(sql), ";") + "\n) TO STDOUT WITH CSV HEADER;\n"
	if write {
		sql = "START TRANSACTION READ WRITE;\n" + sql + "COMMIT TRANSACTION;\n"
	}
	out, err := c.psql(ctx, h, sql)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot ask PostgreSQL: %w", err)
	}
	lines := parse(out)
	if len(lines) == 0 {
		return nil, nil, errors.New("cannot read what psql answered")
	}
	var rows []map[string]string
	for _, l := range lines[1:] {
		row := make(map[string]string, len(l))
		for i, v := range l[:min(len(l), len(lines[0]))] {
			row[lines[0][i]] = v
		}
		rows = append(rows, row)
	}
	return lines[0], rows, nil
}

// parse reads CSV as the server writes it: fields with commas, quotes or line ends in quotes.
func parse(text string) (lines [][]string) {
	var line []string
	for text != "" {
		var field string
		if strings.HasPrefix(text, `"`) {
			text = text[1:]
			for {
				part, rest, _ := strings.Cut(text, `"`)
				field, text = field+part, rest
				if !strings.HasPrefix(text, `"`) {
					break
				}
				field, text = field+`"`, text[1:]
			}
		} else {
			end := strings.IndexAny(text, ",\n")
			if end < 0 {
				end = len(text)
			}
			field, text = text[:end], text[end:]
		}
		line = append(line, field)
		if strings.HasPrefix(text, ",") && !strings.HasPrefix(text, ",\n") && text != "," {
			text = text[1:]
			continue
		}
		if strings.HasPrefix(text, ",") { // an empty field at the end
			line, text = append(line, ""), text[1:]
		}
		text = strings.TrimPrefix(text, "\n")
		lines, line = append(lines, line), nil
	}
	return lines
}

// ident quotes a name for SQL, text any other text.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func text(s string) string {
	if strings.Contains(s, `\`) {
		return `E'` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `'`, `''`) + `'`
	}
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}
