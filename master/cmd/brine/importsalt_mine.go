package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxTreeFile is how large a file of a tree may be that is looked into.
const maxTreeFile = 1 << 20

var (
	mineCall = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)mine\.get['"\]]*\s*\((.{0,400}?)(?:%\}|\}\}|\n\s*\n|$)`)
	})
	byPillar   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[,=]\s*['"]pillar(?:_exact|_pcre)?['"]`) })
	firstText  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*(?:tgt\s*=\s*)?['"]([^'"]*)['"]`) })
	pillarPart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[IJ]@([^\s'")]+)`) })
)

// findMineByPillar names the places in the trees of files and pillar that look into the mine by others' pillar: that is
// refused but for the keys that the masters' configuration opens.
func (s *saltConfig) findMineByPillar() {
	var dirs []string
	for _, config := range []map[string]any{s.master, s.minion} {
		for _, key := range []string{"file_roots", "pillar_roots"} {
			roots, _ := config[key].(map[string]any)
			for _, env := range slices.Sorted(maps.Keys(roots)) {
				dirs = append(dirs, texts(roots[env])...)
			}
		}
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error { // a tree may be elsewhere, or not readable
			if err != nil || seen[file] || !d.Type().IsRegular() {
				return nil
			}
			seen[file] = true
			if st, err := d.Info(); err != nil || st.Size() > maxTreeFile {
				return nil
			}
			if data, err := os.ReadFile(file); err == nil {
				s.items = append(s.items, mineByPillar(file, string(data))...)
			}
			return nil
		})
	}
}

// mineByPillar are the places in one file.
func mineByPillar(file, text string) (items []importedItem) {
	for _, at := range mineCall().FindAllStringSubmatchIndex(text, -1) {
		args := text[at[2]:at[3]]
		var keys []string
		for _, m := range pillarPart().FindAllStringSubmatch(args, -1) {
			keys = append(keys, keyOfTarget(m[1]))
		}
		if len(keys) == 0 && !byPillar().MatchString(args) {
			continue
		}
		if m := firstText().FindStringSubmatch(args); len(keys) == 0 && m != nil {
			keys = append(keys, keyOfTarget(m[1]))
		}
		items = append(items, importedItem{
			File: file, Line: 1 + strings.Count(text[:at[0]], "\n"), Key: "mine.get",
			Note: fmt.Sprintf("by pillar: needs %s in [mine] pillar_keys of master.toml", cmp.Or(strings.Join(keys, ", "), "the key")),
		})
	}
	return items
}

// keyOfTarget is KEY of KEY:VALUE.
func keyOfTarget(text string) string {
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		text = text[:i]
	}
	return fmt.Sprintf("%q", text)
}
