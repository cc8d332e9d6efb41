package client

import (
	"os"
	"slices"
	"strings"
)

// Masters tell in each answer where the others are. What was told is kept
// beside operator.toml, so that the loss of the one master that it names does
// not keep an operator from the others.

func mastersPath(config string) string { return config + ".masters" }

// LoadMasters reads the addresses kept beside a configuration; none when there
// is no such file.
func LoadMasters(config string) []string {
	data, err := os.ReadFile(mastersPath(config))
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// SaveMasters keeps addresses beside a configuration, one a line.
func SaveMasters(config string, addresses []string) error {
	tmp := mastersPath(config) + ".new"
	if err := os.WriteFile(tmp, []byte(strings.Join(addresses, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, mastersPath(config))
}

// known are the addresses of the configuration and those that masters told. A
// port 0 stands for one that was not known when the configuration was made.
// The caller holds c.mu.
func (c *Client) known() []string {
	var all []string
	for _, a := range append(slices.Clone(c.config.Masters), c.learnt...) {
		if !strings.HasSuffix(a, ":0") && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// learn keeps what a master told. Masters that are away now stay known: they
// may be all that is left another time.
func (c *Client) learn(told []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.only {
		return
	}
	known := c.known()
	added := false
	for _, a := range told {
		if !slices.Contains(known, a) && len(c.learnt) < maxLearnt {
			c.learnt, added = append(c.learnt, a), true
		}
	}
	if added {
		_ = SaveMasters(c.config.state(), c.learnt) // a directory that can't be written: the next run learns them again
	}
}

const maxLearnt = 64
