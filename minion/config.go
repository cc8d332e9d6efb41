package minion

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"brine/pki"
	"brine/proto/config"
	"brine/proto/subject"
	"brine/states/sls"
	"brine/states/value"
)

// Config is minion.toml.
type Config struct {
	ID            string   `toml:"id"`             // "": the host's name, kept from the first start on
	Masters       []string `toml:"masters"`        // host:port of masters' buses; further ones are learnt
	CAFingerprint string   `toml:"ca_fingerprint"` // of the site; "": the first one met is kept

	// What is applied at each start, once a master is there; its results go to the masters.
	StartupStates string   `toml:"startup_states"` // "": nothing, highstate, sls (those of SLSList), top (that of TopFile)
	SLSList       []string `toml:"sls_list"`
	TopFile       string   `toml:"top_file"`

	// MineFunctions are called at the start and each MineInterval; what they return other minions may ask for.
	MineFunctions map[string]any `toml:"mine_functions"`
	MineInterval  string         `toml:"mine_interval"`

	// Beacons are what the minion watches, by name; those of pillar come beside them. StateEvents has each state of a run
	// told as it ends.
	Beacons     map[string]any `toml:"beacons"`
	StateEvents bool           `toml:"state_events"`

	// Schedule is what the minion runs at certain times, by name; that of pillar comes beside it.
	Schedule map[string]any `toml:"schedule"`

	Link struct {
		Ping string `toml:"ping"` // how often a master must give a sign of life
	} `toml:"link"`
	Files struct {
		KeepDays int `toml:"keep_days"` // how long unused file content stays in the cache
		KeepMB   int `toml:"keep_mb"`   // how much of it, in MiB
	} `toml:"files"`
	States struct {
		Lenient    bool   `toml:"lenient"`     // an argument that a state doesn't have is a warning, not an error
		TopMerging string `toml:"top_merging"` // how top files of several environments are brought together

		ShowSecrets bool `toml:"show_secrets"` // results of states show secrets of the pillar
	} `toml:"states"`
	Templates struct {
		TrimBlocks     string `toml:"trim_blocks"`     // where the line end after a tag goes too: none, sls, files, all
		LstripBlocks   string `toml:"lstrip_blocks"`   // where the blanks before a tag go too
		AllowUndefined bool   `toml:"allow_undefined"` // what is not defined prints as nothing, and is no error
	} `toml:"templates"`
	// Grains are the minion's own grains, which count more than any found otherwise.
	Grains map[string]any `toml:"grains"`
	Log    struct {
		Level  string `toml:"level"`  // trace, debug, info, warn, error
		Format string `toml:"format"` // auto, text, json
	} `toml:"log"`
}

// defaultPort is that of a master's bus.
const defaultPort = "4511"

// LoadConfig reads the configuration under root, with the variables of environ; every mistake is reported.
func LoadConfig(root string, environ []string) (*Config, error) {
	l := Layout{root}
	c := &Config{}
	c.MineInterval = "60m"
	c.Link.Ping, c.Files.KeepDays, c.Files.KeepMB = "500ms", 30, 2000
	c.States.TopMerging = sls.TopMerge
	c.Templates.TrimBlocks, c.Templates.LstripBlocks = "none", "none"
	c.Log.Level, c.Log.Format = "info", "auto"
	if err := config.Load(c, l.Config(), l.ConfigDir(), environ); err != nil {
		return nil, err
	}
	return c, c.check(l.Config())
}

// settings are what modules may see of the configuration, by Salt's names.
func (c *Config) settings(id string) *value.Dict {
	masters := value.NewList()
	for _, m := range c.Masters {
		masters.Items = append(masters.Items, m)
	}
	l := Layout{"/"} // paths as the host has them, whatever lies above its root
	d := value.NewDict("id", id, "master", masters, "log_level", c.Log.Level, "allow_undefined", c.Templates.AllowUndefined,
		"jinja_sls_env", c.jinjaEnv("sls"), "jinja_env", c.jinjaEnv("files"),
		"root_dir", l.Root, "config_dir", filepath.Dir(l.Config()), "conf_file", l.Config(), "cachedir", filepath.Dir(l.Cache()))
	if f, err := value.Of(dated(c.MineFunctions)); err == nil && len(c.MineFunctions) > 0 {
		d.Put(mineFunctions, f)
	}
	if b, err := value.Of(dated(c.Beacons)); err == nil && len(c.Beacons) > 0 {
		d.Put(beacons, b)
	}
	if s, err := value.Of(dated(c.Schedule)); err == nil && len(c.Schedule) > 0 {
		d.Put(scheduled, s)
	}
	return d
}

// jinjaEnv is how the templates of SLS or of files are read.
func (c *Config) jinjaEnv(of string) *value.Dict {
	in := func(where string) bool { return where == of || where == "all" }
	return value.NewDict("trim_blocks", in(c.Templates.TrimBlocks), "lstrip_blocks", in(c.Templates.LstripBlocks))
}

func (c *Config) check(path string) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	if c.ID != "" {
		if err := subject.CheckID(c.ID); err != nil {
			wrong("id: %v", err)
		}
	}
	for i, addr := range c.Masters {
		full, err := address(addr)
		if err != nil {
			wrong("masters: %v", err)
		}
		c.Masters[i] = full
	}
	if c.CAFingerprint != "" {
		if _, err := pki.ParseFingerprint(c.CAFingerprint); err != nil {
			wrong("ca_fingerprint: %v", err)
		}
	}
	for _, problem := range c.startupProblems() {
		wrong("%s", problem)
	}
	if d, err := time.ParseDuration(c.Link.Ping); err != nil || d < 100*time.Millisecond || d > time.Minute {
		wrong("link.ping = %q: want a duration between 100ms and 1m", c.Link.Ping)
	}
	for _, problem := range c.mineProblems() {
		wrong("%s", problem)
	}
	if c.Files.KeepDays < 1 {
		wrong("files.keep_days = %d: want at least 1", c.Files.KeepDays)
	}
	if c.Files.KeepMB < 1 {
		wrong("files.keep_mb = %d: want at least 1", c.Files.KeepMB)
	}
	switch c.States.TopMerging {
	case sls.TopMerge, sls.TopSame, sls.TopMergeAll:
	default:
		wrong("states.top_merging = %q: want merge, same or merge_all", c.States.TopMerging)
	}
	for _, o := range []struct{ key, where string }{{"trim_blocks", c.Templates.TrimBlocks}, {"lstrip_blocks", c.Templates.LstripBlocks}} {
		switch o.where {
		case "none", "sls", "files", "all":
		default:
			wrong("templates.%s = %q: want none, sls, files or all", o.key, o.where)
		}
	}
	if _, err := c.static(); err != nil {
		wrong("grains: %v", err)
	}
	if hclog.LevelFromString(c.Log.Level) == hclog.NoLevel {
		wrong("log.level = %q: want trace, debug, info, warn or error", c.Log.Level)
	}
	switch c.Log.Format {
	case "auto", "text", "json":
	default:
		wrong("log.format = %q: want auto, text or json", c.Log.Format)
	}
	return errors.Join(errs...)
}

// address adds the default port to a host that comes without.
func address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if host, port, err = net.SplitHostPort(net.JoinHostPort(s, defaultPort)); err != nil {
			return s, fmt.Errorf("cannot use %q: want HOST or HOST:PORT", s)
		}
	}
	if host == "" || port == "" || port == "0" {
		return s, fmt.Errorf("cannot use %q: want HOST or HOST:PORT", s)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return s, fmt.Errorf("cannot use %q: %q is not a port", s, port)
	}
	return net.JoinHostPort(host, port), nil
}

func (c *Config) ping() time.Duration {
	d, _ := time.ParseDuration(c.Link.Ping) // checked; a Config made by hand has the default
	return d
}

// Layout names the files of a minion under its root directory.
type Layout struct{ Root string }

// Config is the configuration file.
func (l Layout) Config() string { return filepath.Join(l.Root, "etc/brine/minion.toml") }

// ConfigDir holds further configuration files.
func (l Layout) ConfigDir() string { return filepath.Join(l.Root, "etc/brine/minion.d") }

// State is the directory of what the minion must not lose.
func (l Layout) State() string { return filepath.Join(l.Root, "var/lib/brine/minion") }

// ID holds the minion's id when the configuration names none.
func (l Layout) ID() string { return filepath.Join(l.State(), "id") }

// Key holds the minion's private keys.
func (l Layout) Key() string { return filepath.Join(l.State(), "minion.key") }

// NextKey holds the keys that are to take the place of those in use.
func (l Layout) NextKey() string { return l.Key() + ".next" }

// OldKey holds the keys that were in use before, for a day.
func (l Layout) OldKey() string { return l.Key() + ".old" }

// KeyChanges is how the key came to be what it is, for masters that were away.
func (l Layout) KeyChanges() string { return l.Key() + ".changes" }

// Fingerprint holds the fingerprint of the site.
func (l Layout) Fingerprint() string { return filepath.Join(l.State(), "ca.fingerprint") }

// Bundle is the newest trust bundle.
func (l Layout) Bundle() string { return filepath.Join(l.State(), "bundle") }

// Masters holds the addresses of masters that were learnt.
func (l Layout) Masters() string { return filepath.Join(l.State(), "masters") }

// Token holds the secret of an enrolment token until it has served.
func (l Layout) Token() string { return filepath.Join(l.State(), "enrol.token") }

// Journal is what the minion remembers of its jobs.
func (l Layout) Journal() string { return filepath.Join(l.State(), "journal") }

// Cache holds file content.
func (l Layout) Cache() string { return filepath.Join(l.Root, "var/cache/brine/minion/files") }

// Grains is the file of custom grains.
func (l Layout) Grains() string { return filepath.Join(l.Root, "etc/brine/grains") }

// GrainPrograms are the directories of this host's own programs that tell further grains.
func (l Layout) GrainPrograms() []string {
	return []string{filepath.Join(l.Root, "etc/brine/grains.d")}
}

// Custom holds the executables that state trees bring along.
func (l Layout) Custom() string { return filepath.Join(l.State(), "custom") }

// Names keeps what name servers told of this host.
func (l Layout) Names() string { return filepath.Join(l.Root, "var/cache/brine/minion/names.json") }

// Mine is what this minion tells others.
func (l Layout) Mine() string { return filepath.Join(l.State(), "mine") }

// Beacons is what beacons.save keeps.
func (l Layout) Beacons() string { return filepath.Join(l.State(), "beacons") }

// Schedule is what schedule functions changed.
func (l Layout) Schedule() string { return filepath.Join(l.State(), "schedule") }

// ScheduleRuns tells when jobs of the schedule have run.
func (l Layout) ScheduleRuns() string { return filepath.Join(l.State(), "schedule.runs") }

// Events is where events wait for the masters.
func (l Layout) Events() string { return filepath.Join(l.State(), "events") }

// Run is the file in which a running minion tells how it is linked.
func (l Layout) Run() string { return filepath.Join(l.Root, "run/brine/minion.json") }

// hostRoot is the root directory of the host that the minion manages, as
// modules want it: what relocates the minion's own files relocates those too.
func (l Layout) hostRoot() string {
	if abs, err := filepath.Abs(l.Root); err == nil && abs != "/" {
		return abs
	}
	return ""
}

// hostname is the id of a minion that has no other.
func hostname() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("cannot choose an id: %w (set id in minion.toml)", err)
	}
	if err := subject.CheckID(name); err != nil {
		return "", fmt.Errorf("%w (set id in minion.toml)", err)
	}
	return name, nil
}
