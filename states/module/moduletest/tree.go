package moduletest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"brine/states/host/hosttest"
)

// A tree is what lies below the root of a host: each path with what it is.
type tree map[string]entry

// An entry is one path, without its times: two runs of one state make equal ones.
type entry struct {
	mode     fs.FileMode
	uid, gid uint32
	content  string // the sum of a file's content, or where a link leads
}

func treeOf(t testing.TB, h *hosttest.Host) tree {
	all := tree{}
	err := filepath.WalkDir(h.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		e := entry{mode: info.Mode(), uid: st.Uid, gid: st.Gid}
		switch {
		case info.Mode().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			e.content = fmt.Sprintf("%x", sha256.Sum256(data))
		case info.Mode()&fs.ModeSymlink != 0:
			e.content, err = os.Readlink(path)
		}
		all[cmp.Or(strings.TrimPrefix(path, h.Root), "/")] = e
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (a tree) has(path string) bool { _, ok := a[path]; return ok }

// differences names the paths that are not the same in both, in order.
func differences(a, b tree) (paths []string) {
	for path, e := range a {
		if other, ok := b[path]; !ok || other != e {
			paths = append(paths, path)
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// halfWritten names the paths of a tree that are neither as they were before a run nor as a whole run leaves
// them: files with another content, and whatever has a name of its own, but for copies of files that were there.
func halfWritten(now, before, whole tree) (paths []string) {
	kept := map[string]bool{}
	for _, e := range before {
		kept[e.content] = true
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		e := now[path]
		old, was := before[path]
		done, will := whole[path]
		same := func(o entry) bool { return o.mode.Type() == e.mode.Type() && o.content == e.content }
		copied := !was && !will && e.mode.IsRegular() && kept[e.content]
		if !(was && same(old)) && !(will && same(done)) && !copied {
			paths = append(paths, path)
		}
	}
	return paths
}
