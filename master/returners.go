package master

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"brine/master/returner"
	"brine/states/host"
)

// ReturnerConfig is a program that gets what jobs return.
type ReturnerConfig struct {
	Command   []string `toml:"command"`
	Timeout   string   `toml:"timeout"`
	Functions []string `toml:"functions"` // globs; none is all functions
}

// returnerProblems are the mistakes in what the configuration says of returners.
func (c *Config) returnerProblems(path string) (errs []error) {
	for i, x := range c.Returner {
		if d, err := time.ParseDuration(x.Timeout); x.Timeout != "" && (err != nil || d <= 0) {
			errs = append(errs, fmt.Errorf("%s: returner[%d].timeout = %q: want a duration, such as 1m", path, i+1, x.Timeout))
		}
		if err := runnable(x.Command); err != nil {
			errs = append(errs, fmt.Errorf("%s: returner[%d].command: %w", path, i+1, err))
		}
	}
	return errs
}

func (m *Master) startReturners(context.Context) (func(), error) {
	var programs []returner.Program
	for _, x := range m.o.Config.Returner {
		limit, _ := time.ParseDuration(x.Timeout) // it was checked; none is the default
		programs = append(programs, returner.Program{Command: x.Command, Timeout: limit, Functions: x.Functions})
	}
	m.returner = returner.New(returner.Options{
		Name: m.id.Name, Live: m.peers.Live, Store: m.store, Programs: programs, Exec: new(host.Local).Run,
		Dir: filepath.Join(m.layout.State(), "returners"), Log: m.log.Named("returner"),
	})
	return nil, nil
}
