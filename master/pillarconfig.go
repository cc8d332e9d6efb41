package master

import (
	"fmt"

	"brine/states/pillar"
)

// Pillar says how the pillar of minions is made.
type Pillar struct {
	Merging    string `toml:"merging"`     // how several SLS are brought together
	MergeLists bool   `toml:"merge_lists"` // lists of several SLS are joined
}

func (c *Config) merging() pillar.Merging {
	return pillar.Merging{Strategy: c.Pillar.Merging, Lists: c.Pillar.MergeLists}
}

// pillarProblems are the mistakes in what the configuration says of pillar.
func (c *Config) pillarProblems(path string) []error {
	var errs []error
	if err := c.merging().Check(); err != nil {
		errs = append(errs, fmt.Errorf("%s: pillar.merging: %w", path, err))
	}
	return errs
}
