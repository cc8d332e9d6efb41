package service

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
)

// list returns what has a unit file, and what runs without.
func (s systemd) list(ctx context.Context) ([]listed, error) {
	files, err := s.h.Run(ctx, "systemctl", "list-unit-files", "--full", "--plain", "--no-legend", "--no-pager")
	if err != nil {
		return nil, fmt.Errorf("cannot list unit files: %w", cause(err))
	}
	units, err := s.h.Run(ctx, "systemctl", "list-units", "--full", "--plain", "--no-legend", "--no-pager")
	if err != nil {
		return nil, fmt.Errorf("cannot list units: %w", cause(err))
	}
	running := map[string]bool{}
	for line := range strings.Lines(units) {
		if w := strings.Fields(line); len(w) >= 4 && shown(w[0]) {
			running[w[0]] = w[3] == "running"
		}
	}
	var all []listed
	for line := range strings.Lines(files) {
		w := strings.Fields(line)
		if len(w) < 2 || !shown(w[0]) {
			continue
		}
		all = append(all, listed{short(w[0]), w[1], running[w[0]]})
		delete(running, w[0])
	}
	for unit, runs := range running { // instances, and units without a file
		if runs {
			all = append(all, listed{short(unit), "", true})
		}
	}
	sort.Slice(all, func(i, k int) bool { return all[i].name < all[k].name })
	return all, nil
}

func (s systemd) names() []string {
	var names []string
	for _, dir := range unitDirs() {
		entries, _ := os.ReadDir(s.h.Path(dir)) // most are not there
		for _, e := range entries {
			if shown(e.Name()) {
				names = append(names, short(e.Name()))
			}
		}
	}
	return unique(names)
}

// shown says whether a unit is of a kind that lists of services have.
func shown(unit string) bool {
	switch path.Ext(unit) {
	case ".scope", ".slice", "":
		return false
	}
	return slices.Contains(unitTypes(), strings.TrimPrefix(path.Ext(unit), "."))
}
