package master

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"brine/proto"
)

// groupSum is the sum of a nodegroup's name and definition.
func (c *Config) groupSum(name string) uint32 {
	definition, _ := json.Marshal(c.Nodegroups[name]) // of TOML: texts, lists and tables of such
	h := fnv.New32a()
	fmt.Fprintf(h, "%q %s", name, definition)
	return h.Sum32()
}

// groupSums tell other masters which nodegroups this one has.
func (c *Config) groupSums() *proto.NodegroupSums {
	sums := &proto.NodegroupSums{}
	for name := range c.Nodegroups {
		sums.Sums = append(sums.Sums, c.groupSum(name))
	}
	slices.Sort(sums.Sums)
	return sums
}

// nodegroupWarnings tell of masters that have other nodegroups: what a job of theirs means differs.
func (m *Master) nodegroupWarnings() (texts []string) {
	for _, name := range m.peers.Live() {
		if name <= m.id.Name {
			continue // one of the two tells
		}
		if theirs := m.peers.Beat(name).GetNodegroups(); theirs != nil {
			if text := m.o.Config.groupsDiffer(theirs); text != "" {
				texts = append(texts, fmt.Sprintf("master %s has other [nodegroups] in its master.toml: %s", name, text))
			}
		}
	}
	return texts
}

// groupsDiffer tells what of another master's nodegroups is not as here; "" when nothing is.
func (c *Config) groupsDiffer(theirs *proto.NodegroupSums) string {
	var here []string
	same := 0
	for _, name := range slices.Sorted(maps.Keys(c.Nodegroups)) {
		if slices.Contains(theirs.Sums, c.groupSum(name)) {
			same++
		} else {
			here = append(here, name)
		}
	}
	more := len(theirs.Sums) - same // that are not here, or not so
	if len(here) == 0 && more == 0 {
		return ""
	}
	const most = 5
	rest := ""
	if len(here) > most {
		here, rest = here[:most], fmt.Sprintf(" and %d more", len(here)-most)
	}
	missing := cmp.Or(strings.Join(here, ", "), "none")
	return fmt.Sprintf("of those here it has not, or not so: %s%s; of its own %d are not here, or not so", missing, rest, more)
}
