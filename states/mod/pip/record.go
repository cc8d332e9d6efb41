package pip

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
)

// records are, by name, sums of the lists that pip keeps of a package's files and their hashes. A package without such a
// list, or with one that leaves hashes out, is not among them; neither is any of a pip that doesn't say where they are.
func (t *tool) records(ctx context.Context, options []string) packages {
	items, _ := t.json(ctx, append([]string{"list", "--verbose", "--format=json"}, options...)...)
	all, seen := packages{}, map[string]bool{}
	for _, p := range items {
		dir := p.Location
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(t.h.Path(t.Cwd), dir)
		}
		if dir == "" || seen[dir] {
			continue
		}
		seen[dir] = true
		found, _ := filepath.Glob(filepath.Join(dir, "*.dist-info", "RECORD"))
		for _, file := range found {
			name, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-") // NAME-VERSION.dist-info, no dash in either
			if data, err := os.ReadFile(file); err == nil && complete(string(data)) {
				sum := sha256.Sum256(data)
				all[normal(name)] = string(sum[:])
			}
		}
	}
	return all
}

// complete tells whether a list has hashes of all files but itself and what Python compiles of the others.
func complete(record string) bool {
	for line := range strings.Lines(record) {
		line = strings.TrimSpace(line)
		bare, hashless := strings.CutSuffix(line, ",,")
		if hashless && !strings.HasSuffix(bare, ".pyc") && !strings.HasSuffix(bare, ".dist-info/RECORD") {
			return false
		}
	}
	return record != ""
}

// rebuilt tells whether pip is asked to install what it can't compare with what is installed, as a directory: it builds
// that each time, and whether there is a change is seen by the files that come of it.
func (a *installArgs) rebuilt(wanted []requirement, known bool) bool {
	if a.ForceReinstall || a.IgnoreInstalled || a.Download != "" {
		return false
	}
	for _, r := range wanted {
		if r.reference {
			return true
		}
	}
	return !known
}
