package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

type initArgs struct {
	Name      string `arg:"name,required" doc:"the directory"`
	User      string `arg:"user" doc:"the first superuser; absent: runas"`
	Password  string `arg:"password" doc:"its password"`
	Auth      string `arg:"auth" default:"password" doc:"how those of this host prove who they are"`
	Encoding  string `arg:"encoding" default:"UTF8" doc:"the encoding of new databases"`
	Locale    string `arg:"locale" doc:"the locale of new databases; absent: that of the system"`
	RunAs     string `arg:"runas" default:"postgres" doc:"the account that the directory belongs to"`
	WALDir    string `arg:"waldir" doc:"another directory for the log of transactions"`
	Checksums bool   `arg:"checksums" doc:"have checksums on pages"`
}

// CheckArgs implements module.Checker.
func (a *initArgs) CheckArgs() error {
	if !filepath.IsAbs(a.Name) || strings.ContainsAny(a.Password, "\n\x00") {
		return fmt.Errorf("want an absolute path and a password of one line, got the directory %q", a.Name)
	}
	return nil
}

type dirArgs struct {
	Name string `arg:"name,required" doc:"the directory"`
}

func dataExists(_ context.Context, h *host.Host, a dirArgs) (bool, error) {
	_, err := os.Stat(h.Path(a.Name + "/PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func initData(ctx context.Context, h *host.Host, a initArgs) (bool, error) {
	initdb, err := program(ctx, h, "initdb")
	if err != nil {
		return false, err
	}
	u, err := h.User(ctx, a.RunAs)
	if err != nil {
		return false, err
	}
	if a.User == "" {
		a.User = a.RunAs
	}
	argv := []string{initdb, "--pgdata=" + a.Name, "--username=" + a.User, "--auth=" + a.Auth, "--encoding=" + a.Encoding}
	if a.Locale != "" {
		argv = append(argv, "--locale="+a.Locale)
	}
	if a.WALDir != "" {
		argv = append(argv, "-X", a.WALDir)
	}
	if a.Checksums {
		argv = append(argv, "--data-checksums")
	}
	if a.Password != "" {
		file, done, err := secret(h, u, a.Password)
		if err != nil {
			return false, err
		}
		defer done()
		argv = append(argv, "--pwfile="+file)
	}
	out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C"}, Clean: true, User: u})
	if err == nil {
		err = out.Failed(argv)
	}
	return err == nil, named(err, "cannot make the data directory", a.Name)
}

// secret is a file that only u can read, until done.
func secret(h *host.Host, u *host.User, text string) (name string, done func(), err error) {
	f, err := os.CreateTemp(h.Path("/tmp"), ".brine-")
	if err != nil {
		return "", nil, err
	}
	done = func() { os.Remove(f.Name()) }
	err = errors.Join(f.Chown(int(u.UID), int(u.GID)), write(f, text))
	if err != nil {
		done()
	}
	return "/tmp/" + filepath.Base(f.Name()), done, err
}

func write(f *os.File, text string) error {
	_, err := f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

func planInit(ctx context.Context, h *host.Host, a initArgs) (module.Plan, error) {
	p := module.Plan{
		Same:  fmt.Sprintf("Postgres data directory %s is already present", a.Name),
		Would: fmt.Sprintf("Postgres data directory %s is set to be initialized", a.Name),
		Did:   fmt.Sprintf("Postgres data directory %s has been initialized", a.Name),
	}
	there, err := dataExists(ctx, h, dirArgs{a.Name})
	if err != nil || there {
		return p, err
	}
	if _, err := program(ctx, h, "initdb"); err != nil {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		_, err := initData(ctx, h, a)
		return err
	})}
	return p, nil
}

// A cluster is one of Debian's.
type cluster struct {
	port                       int64
	status, user, datadir, log string
}

// clusters returns Debian's clusters by VERSION/NAME.
func clusters(ctx context.Context, h *host.Host) (map[string]cluster, error) {
	if _, err := program(ctx, h, "pg_lsclusters"); err != nil {
		return nil, module.Unknown("cannot look for clusters: this host does not have Debian's pg_lsclusters")
	}
	out, err := h.Run(ctx, "pg_lsclusters", "--no-header")
	if err != nil {
		return nil, err
	}
	all := map[string]cluster{}
	for line := range strings.Lines(out) {
		w := strings.Fields(line)
		if len(w) < 6 {
			continue
		}
		port, _ := strconv.ParseInt(w[2], 10, 64)
		c := cluster{port: port, status: w[3], user: w[4], datadir: w[5]}
		if len(w) > 6 {
			c.log = w[6]
		}
		all[w[0]+"/"+w[1]] = c
	}
	return all, nil
}

type clusterArgs struct {
	Version     string `arg:"version,required" doc:"PostgreSQL's version, such as 15"`
	Name        string `arg:"name" default:"main" doc:"the cluster"`
	Port        int    `arg:"port" doc:"its port; absent: the next that is free"`
	Encoding    string `arg:"encoding" doc:"the encoding of its databases"`
	Locale      string `arg:"locale" doc:"the locale of its databases"`
	DataDir     string `arg:"datadir" doc:"where it lies; absent: where Debian puts it"`
	GroupAccess bool   `arg:"allow_group_access" doc:"the group may read its files"`
	Checksums   bool   `arg:"data_checksums" doc:"have checksums on pages"`
	Segment     string `arg:"wal_segsize" doc:"size of the segments of the log of transactions, in MB"`
}

// CheckArgs implements module.Checker.
func (a *clusterArgs) CheckArgs() error { return checkCluster(a.Version, a.Name) }

func checkCluster(version, name string) error {
	if strings.Trim(version, "0123456789.") != "" || version == "" || name == "" || strings.ContainsAny(name, "/ \t\n") || name[0] == '-' {
		return fmt.Errorf("%s/%s can't be the version and the name of a cluster", version, name)
	}
	return nil
}

func createCluster(ctx context.Context, h *host.Host, a clusterArgs) (bool, error) {
	argv := []string{"pg_createcluster"}
	for _, o := range [][2]string{{"--locale", a.Locale}, {"--encoding", a.Encoding}, {"--datadir", a.DataDir}} {
		if o[1] != "" {
			argv = append(argv, o[0], o[1])
		}
	}
	if a.Port != 0 {
		argv = append(argv, "--port", strconv.Itoa(a.Port))
	}
	argv = append(argv, a.Version, a.Name, "--")
	if a.GroupAccess {
		argv = append(argv, "--allow-group-access")
	}
	if a.Checksums {
		argv = append(argv, "--data-checksums")
	}
	if a.Segment != "" {
		argv = append(argv, "--wal-segsize", a.Segment)
	}
	if argv[len(argv)-1] == "--" {
		argv = argv[:len(argv)-1]
	}
	_, err := h.Run(ctx, argv...)
	return err == nil, named(err, "cannot create cluster", a.Version+"/"+a.Name)
}

func planCluster(ctx context.Context, h *host.Host, a clusterArgs) (module.Plan, error) {
	id := a.Version + "/" + a.Name
	p := module.Plan{
		Same:  fmt.Sprintf("Cluster %s is already present", id),
		Would: fmt.Sprintf("Cluster %s is set to be created", id),
		Did:   fmt.Sprintf("The cluster %s has been created", id),
	}
	all, err := clusters(ctx, h)
	if err != nil {
		return p, err
	}
	if have, ok := all[id]; ok {
		if a.Port != 0 && int64(a.Port) != have.port || a.DataDir != "" && a.DataDir != have.datadir {
			err = fmt.Errorf("cannot change cluster %s: it has port %d and lies in %s, which stays", id, have.port, have.datadir)
		}
		return p, err
	}
	p.Steps = []module.Step{module.Change(id, "Present", func(ctx context.Context) error {
		_, err := createCluster(ctx, h, a)
		return err
	})}
	return p, nil
}

type clusterGoneArgs struct {
	Version string `arg:"version,required" doc:"PostgreSQL's version, such as 15"`
	Name    string `arg:"name" default:"main" doc:"the cluster"`
}

// CheckArgs implements module.Checker.
func (a *clusterGoneArgs) CheckArgs() error { return checkCluster(a.Version, a.Name) }

func planClusterGone(ctx context.Context, h *host.Host, a clusterGoneArgs) (module.Plan, error) {
	id := a.Version + "/" + a.Name
	p := module.Plan{
		Same:  fmt.Sprintf("Cluster %s is not present, so it cannot be removed", id),
		Would: fmt.Sprintf("Cluster %s is set to be removed", id),
		Did:   fmt.Sprintf("Cluster %s has been removed", id),
	}
	all, err := clusters(ctx, h)
	if _, there := all[id]; err != nil || !there {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Absent", func(ctx context.Context) error {
		_, err := h.Run(ctx, "pg_dropcluster", "--stop", a.Version, a.Name)
		return named(err, "cannot remove cluster", id)
	})}
	return p, nil
}
