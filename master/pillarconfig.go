package master

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	makers "brine/master/pillar"
	"brine/states/host"
	"brine/states/pillar"
)

// Pillar says how the pillar of minions is made.
type Pillar struct {
	Merging       string     `toml:"merging"`        // how several SLS are brought together
	MergeLists    bool       `toml:"merge_lists"`    // lists of several SLS are joined
	AgeIdentities []string   `toml:"age_identities"` // files with keys of age
	GPGHome       string     `toml:"gpg_home"`       // home directory of gpg
	External      []External `toml:"external"`       // programs that give pillar
	ExternalFirst bool       `toml:"external_first"` // they, and pillar in git, lie beneath the files
	WarnOfGrains  bool       `toml:"warn_of_grains"` // tell of secrets that are given by grains
}

// External is a program that gives pillar.
type External struct {
	Command []string `toml:"command"`
	Timeout string   `toml:"timeout"`
}

const maxExternal = 50 * time.Second // for a program, within the minute that a pillar may take

func (c *Config) merging() pillar.Merging {
	return pillar.Merging{Strategy: c.Pillar.Merging, Lists: c.Pillar.MergeLists}
}

// secrets are what decrypts pillar.
func (c *Config) secrets() *pillar.Secrets {
	return pillar.NewSecrets(pillar.SecretOptions{
		AgeIdentities: c.Pillar.AgeIdentities, GPGHome: c.Pillar.GPGHome, Exec: new(host.Local).Run,
		Setting: func(what string) string { return what + " of [pillar] in master.toml" },
	})
}

// externals are the programs that give pillar.
func (c *Config) externals() []makers.External {
	var all []makers.External
	for _, x := range c.Pillar.External {
		limit, _ := time.ParseDuration(x.Timeout) // it was checked; none is the default
		all = append(all, makers.External{Command: x.Command, Timeout: limit})
	}
	return all
}

// pillarProblems are the mistakes in what the configuration says of pillar.
func (c *Config) pillarProblems() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("pillar."+format, args...)) }
	if err := c.merging().Check(); err != nil {
		wrong("merging: %w", err)
	}
	if err := c.secrets().Check(); err != nil {
		wrong("age_identities, gpg_home: %w", err)
	}
	if c.Pillar.GPGHome != "" {
		if _, err := exec.LookPath("gpg"); err != nil {
			wrong("gpg_home: the program gpg is not there: install the package gnupg (gnupg2)")
		}
	}
	for i, x := range c.Pillar.External {
		if d, err := time.ParseDuration(x.Timeout); x.Timeout != "" && (err != nil || d <= 0 || d > maxExternal) {
			wrong("external[%d].timeout = %q: want a duration of up to %v, such as 10s", i+1, x.Timeout, maxExternal)
		}
		if err := runnable(x.Command); err != nil {
			wrong("external[%d].command: %w", i+1, err)
		}
	}
	return errs
}

// runnable refuses a program that can't be run, or that others than its owner could change.
func runnable(command []string) error {
	if len(command) == 0 || !filepath.IsAbs(command[0]) {
		return fmt.Errorf("want a program by its whole path, then its arguments, got %q", command)
	}
	st, err := os.Stat(command[0])
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular() || st.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable", command[0])
	case st.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be changed by others (mode %04o): chmod go-w it", command[0], st.Mode().Perm())
	}
	return nil
}
