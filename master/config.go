package master

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/master/notify"
	"brine/master/signin"
	"brine/proto/config"
)

// Config is master.toml.
type Config struct {
	Name   string `toml:"name"` // of this master, unique in the site
	Listen struct {
		Bus   string `toml:"bus"`   // minions and operators
		Route string `toml:"route"` // other masters
		Files string `toml:"files"` // file content and joining, HTTPS
	} `toml:"listen"`
	Advertise struct {
		Bus   string `toml:"bus"` // how others reach this master, where that differs from listen
		Route string `toml:"route"`
		Files string `toml:"files"`
	} `toml:"advertise"`
	// Peers overrides how this master reaches another one, by name.
	Peers       map[string]Peer     `toml:"peers"`
	FileRoots   map[string][]string `toml:"file_roots"`   // environment -> directories, the first that has a file wins
	PillarRoots map[string][]string `toml:"pillar_roots"` // likewise, of pillar
	Gitfs       Gitfs               `toml:"gitfs"`        // files in git, beside file_roots
	GitPillar   []GitPillar         `toml:"git_pillar"`   // pillar in git, over pillar_roots
	Backends    []string            `toml:"fileserver_backend"`
	// Whether files that minions send are kept, and how many MiB of one file and of one minion at most.
	FileRecv         bool   `toml:"file_recv"`
	FileRecvMaxSize  int    `toml:"file_recv_max_size"`
	FileRecvMaxTotal int    `toml:"file_recv_max_total"`
	Pillar           Pillar `toml:"pillar"`
	Mine             struct {
		PillarKeys []string `toml:"pillar_keys"` // that minions may ask of others' pillar in targets of the mine
	} `toml:"mine"`
	// ExternalAuth says who may sign in with a password, and Auth who knows it.
	ExternalAuth signin.ExternalAuth `toml:"external_auth"`
	Auth         signin.Auth         `toml:"auth"`
	// Nodegroups are named targets: each a compound, or a list of its words.
	Nodegroups map[string]any `toml:"nodegroups"`
	Log        struct {
		Level  string `toml:"level"`  // trace, debug, info, warn, error
		Format string `toml:"format"` // auto, text, json
	} `toml:"log"`
	Store struct {
		RetentionDays int    `toml:"retention_days"`
		MaxSize       string `toml:"max_size"` // "": only the days count
	} `toml:"store"`
	Returner Returner `toml:"returner"`
	// Reactor are reactors as Salt has them; Rules bounds all that rules do.
	Reactor []SaltReactor `toml:"reactor"`
	Rules   struct {
		PerMinute int `toml:"actions_per_minute"` // of all rules together
	} `toml:"rules"`
	// Hooks are who may tell what happens (hooks.NAME), and where.
	Hooks map[string]any `toml:"hooks"`
	// Notify are the channels by which others are told, by name.
	Notify map[string]notify.Channel `toml:"notify"`
	// Schedule is what masters run at certain times, once for the site, by name.
	Schedule map[string]any `toml:"schedule"`
	Events   struct {
		MinionRate  int `toml:"minion_rate"`  // of one minion that are kept, a second
		MinionBytes int `toml:"minion_bytes"` // likewise
	} `toml:"events"`
}

// Peer is how to reach another master.
type Peer struct {
	Route string `toml:"route"`
	Files string `toml:"files"`
}

// The ports that init writes into a new configuration.
const defaultPort = 4511

// LoadConfig reads the configuration under root; every mistake is reported.
func LoadConfig(root string, environ []string) (*Config, error) {
	l := Layout{root}
	c := &Config{}
	c.Listen.Bus, c.Listen.Route, c.Listen.Files = listenOn("0.0.0.0", defaultPort)
	c.Log.Level, c.Log.Format = "info", "auto"
	c.Store.RetentionDays = 90
	c.FileRecvMaxSize, c.FileRecvMaxTotal = 100, 1000
	c.Pillar.WarnOfGrains = true
	c.Events.MinionRate, c.Events.MinionBytes = 10, 64<<10
	c.Rules.PerMinute = 600
	if err := config.Load(c, l.Config(), l.ConfigDir(), environ); err != nil {
		return nil, err
	}
	return c, c.check(l.Config(), l.ConfigDir(), environ)
}

func (c *Config) check(path, dropins string, environ []string) error {
	var errs []error // each begins with its key
	if c.Name == "" {
		errs = append(errs, errors.New("name is missing (brine-master init or join writes it)"))
	}
	for key, addr := range map[string]string{
		"listen.bus": c.Listen.Bus, "listen.route": c.Listen.Route, "listen.files": c.Listen.Files,
	} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("%s = %q: want host:port", key, addr))
		}
	}
	for key, roots := range map[string]map[string][]string{"file_roots": c.FileRoots, "pillar_roots": c.PillarRoots} {
		for env, dirs := range roots {
			if key == "pillar_roots" && env == everyBranch {
				continue // each environment may have such a directory
			}
			for _, dir := range dirs {
				if st, err := os.Stat(dir); err != nil || !st.IsDir() {
					errs = append(errs, fmt.Errorf("%s.%s: %s is not a directory", key, env, dir))
				}
			}
		}
	}
	errs = append(errs, c.gitProblems()...)
	errs = append(errs, c.pillarProblems()...)
	errs = append(errs, c.returnerProblems()...)
	errs = append(errs, c.signInProblems()...)
	if c.Store.RetentionDays < 1 {
		errs = append(errs, fmt.Errorf("store.retention_days = %d: want at least 1", c.Store.RetentionDays))
	}
	for key, n := range map[string]int{"file_recv_max_size": c.FileRecvMaxSize, "file_recv_max_total": c.FileRecvMaxTotal} {
		if n < 1 {
			errs = append(errs, fmt.Errorf("%s = %d: want at least 1 (MiB)", key, n))
		}
	}
	if _, err := readSize(c.Store.MaxSize); err != nil {
		errs = append(errs, fmt.Errorf("store.max_size = %q: %w", c.Store.MaxSize, err))
	}
	if c.Events.MinionRate < 1 {
		errs = append(errs, fmt.Errorf("events.minion_rate = %d: want at least 1", c.Events.MinionRate))
	}
	if least := maxEvent / int(quotaBurst.Seconds()); c.Events.MinionBytes <= least {
		errs = append(errs, fmt.Errorf("events.minion_bytes = %d: want more than %d, so that the largest event passes", c.Events.MinionBytes, least))
	}
	if c.Rules.PerMinute < 0 {
		errs = append(errs, fmt.Errorf("rules.actions_per_minute = %d: want 1 or more, or 0 for any number", c.Rules.PerMinute))
	}
	for i, err := range errs {
		errs[i] = placed(path, dropins, environ, err)
	}
	errs = append(errs, c.nodegroupProblems(path, dropins)...)
	errs = append(errs, c.reactorProblems(path, dropins)...)
	errs = append(errs, c.hookProblems(path, dropins)...)
	errs = append(errs, c.notifyProblems(path, dropins)...)
	errs = append(errs, c.scheduleProblems(path, dropins)...)
	return sorted(errs)
}

// placed puts before a mistake that begins with its key, such as "gitfs.remotes[2].url: ...", where that was set last.
func placed(path, dropins string, environ []string, err error) error {
	text := err.Error()
	end := strings.IndexFunc(text, func(r rune) bool { return r == ' ' || r == ':' || r == ',' })
	key := strings.Split(text[:max(end, 0)], ".")
	where := config.Where(path, dropins, key...)
	variable := "BRINE_" + strings.ToUpper(strings.Join(key, "_"))
	if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, variable+"=") }) {
		where = "environment variable " + variable
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Retention is how long jobs and events are kept.
func (c *Config) Retention() time.Duration {
	return time.Duration(c.Store.RetentionDays) * 24 * time.Hour
}

// listenOn gives the three listeners of a host: port, the next and the one
// after; port 0 lets the system choose each.
func listenOn(host string, port int) (bus, route, files string) {
	next := func(n int) string {
		if port == 0 {
			n = 0
		}
		return net.JoinHostPort(host, strconv.Itoa(port+n))
	}
	return next(0), next(1), next(2)
}

// Layout names the files of a master under its root directory.
type Layout struct{ Root string }

// Config is the configuration file.
func (l Layout) Config() string { return filepath.Join(l.Root, "etc/brine/master.toml") }

// ConfigDir holds further configuration files.
func (l Layout) ConfigDir() string { return filepath.Join(l.Root, "etc/brine/master.d") }

// OperatorConfig is the configuration of the first operator.
func (l Layout) OperatorConfig() string { return filepath.Join(l.Root, "etc/brine/operator.toml") }

// State is the directory of everything that the master must not lose.
func (l Layout) State() string { return filepath.Join(l.Root, "var/lib/brine/master") }

// SiteKey is the site key, encrypted.
func (l Layout) SiteKey() string { return filepath.Join(l.State(), "site.key") }

// Bundle is the newest trust bundle.
func (l Layout) Bundle() string { return filepath.Join(l.State(), "bundle") }

// Store is the database.
func (l Layout) Store() string { return filepath.Join(l.State(), "store.db") }

// Blobs holds file content by its sha256.
func (l Layout) Blobs() string { return filepath.Join(l.State(), "blobs") }

// Pushed holds the files that minions sent, those of each below its id.
func (l Layout) Pushed() string { return filepath.Join(l.State(), "pushed") }

// Returner keeps how far returns were given to the program of the site.
func (l Layout) Returner() string { return filepath.Join(l.State(), "returner.json") }

// Reactor keeps how far the log was looked at by the rules.
func (l Layout) Reactor() string { return filepath.Join(l.State(), "reactor.json") }

// Git holds the copies of repositories with files for minions.
func (l Layout) Git() string { return filepath.Join(l.State(), "gitfs") }

// GitPillar holds the copies of repositories with pillar.
func (l Layout) GitPillar() string { return filepath.Join(l.State(), "git_pillar") }

// Run is the file in which a running master tells its addresses.
func (l Layout) Run() string { return filepath.Join(l.Root, "run/brine/master.json") }

// Lock is held by a running master, and by commands that need it stopped.
func (l Layout) Lock() string { return filepath.Join(l.State(), "lock") }

// mistakeAt is the file that a mistake begins with, and the line in it; what else it begins with has line 0.
func mistakeAt(err error) (file string, line int) {
	file, rest, _ := strings.Cut(err.Error(), ".toml:")
	number, _, _ := strings.Cut(rest, ":")
	line, _ = strconv.Atoi(number)
	return file, line
}

// sorted joins mistakes in the order of their files and lines.
func sorted(errs []error) error {
	slices.SortStableFunc(errs, func(a, b error) int {
		fileA, lineA := mistakeAt(a)
		fileB, lineB := mistakeAt(b)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB), cmp.Compare(a.Error(), b.Error()))
	})
	return errors.Join(errs...)
}
