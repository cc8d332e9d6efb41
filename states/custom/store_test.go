package custom_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/custom"
	"brine/states/host"
)

const one = "#!/bin/sh\ncase \"$1\" in describe) echo '{\"functions\": {\"f\": {}}}' ;; *) echo 1 ;; esac\n"

// kept finds the executable in the store.
func (b *bench) kept(name string) string {
	b.t.Helper()
	all, err := filepath.Glob(filepath.Join(b.stored, "*", name))
	if err != nil || len(all) != 1 {
		b.t.Fatal(all, err)
	}
	return all[0]
}

func TestNobodyElseCanReadOrWriteWhatIsRun(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.do("sync modules")
	path := b.kept("one.sh")
	for _, p := range []string{b.stored, filepath.Dir(path), path} {
		if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v", p, st.Mode(), err)
		}
	}
	if st, err := os.Stat(filepath.Join(b.stored, "synced.json")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the list has mode %v, %v", st.Mode(), err)
	}
}

func TestWhatIsNotWhatWasFetchedIsNotRun(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.write("_grains/rack.sh", "#!/bin/sh\necho '{}'\n")
	b.do("sync modules")
	b.do("sync grains")
	evil := filepath.Join(t.TempDir(), "evil")
	for _, p := range []string{b.kept("one.sh"), b.kept("rack.sh")} {
		if err := os.WriteFile(p, []byte("#!/bin/sh\ntouch "+evil+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// The tree still has it: it is fetched again.
	if got := b.do("call one.f"); got != "1" {
		t.Errorf("got %s", got)
	}
	if got := b.store.GrainPrograms(); len(got) != 1 || got[0].Err == nil ||
		!strings.Contains(got[0].Err.Error(), "salt://_grains/rack.sh") || !strings.Contains(got[0].Err.Error(), "saltutil.sync_all") {
		t.Errorf("got %+v", got)
	}
	if err := os.WriteFile(b.kept("one.sh"), []byte("#!/bin/sh\ntouch "+evil+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.do("remove _modules/one.sh")
	if got := b.do("call one.f"); !strings.Contains(got, "is not what was fetched") {
		t.Errorf("got %s", got)
	}
	if _, err := os.Stat(evil); err == nil {
		t.Error("it was run")
	}
}

func TestDirectoryThatOthersMayWriteToIsRefused(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.do("sync modules")
	if err := os.Chmod(b.stored, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"call one.f", "sync modules"} {
		if got := b.do(line); !strings.Contains(got, "others may write to "+b.stored+": chmod 700 it") {
			t.Errorf("%s: got %s", line, got)
		}
	}
}

func TestLinkIsNotFollowed(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.do("sync modules")
	path, other := b.kept("one.sh"), filepath.Join(t.TempDir(), "other")
	if err := os.Rename(path, other); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, path); err != nil {
		t.Fatal(err)
	}
	b.do("remove _modules/one.sh")
	if got := b.do("call one.f"); !strings.Contains(got, "error: ") {
		t.Errorf("got %s", got)
	}
}

func TestPruneKeepsWhatIsSyncedOrUsed(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.do("sync modules")
	b.write("_modules/two.sh", one+"# two\n")
	b.write("_modules/old.sh", one+"# old\n")
	b.do("call two.f")
	b.do("call old.f")
	long := time.Now().Add(-60 * 24 * time.Hour)
	for _, name := range []string{"one.sh", "old.sh"} {
		if err := os.Chtimes(filepath.Dir(b.kept(name)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.store.Prune(time.Now().Add(-30 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.kept("one.sh")
	b.kept("two.sh")
	if all, _ := filepath.Glob(filepath.Join(b.stored, "*", "old.sh")); len(all) != 0 {
		t.Errorf("%v is still there", all)
	}
}

func TestDamagedListIsToldAndWrittenAnew(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.do("sync modules")
	for _, bad := range []string{"{", `[{"kind":"modules","name":"x","path":"_modules/../../x","sha256":"a"}]`} {
		if err := os.WriteFile(filepath.Join(b.stored, "synced.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := b.store.GrainPrograms(); len(got) != 1 || got[0].Err == nil {
			t.Errorf("%s: got %+v", bad, got)
		}
		if got := b.do("sync modules"); got != "one" {
			t.Errorf("%s: got %s", bad, got)
		}
	}
}

// A description is asked for once for each content.
func TestDescriptionIsKept(t *testing.T) {
	b := newBench(t)
	asked := 0
	b.ran = func() { asked++ }
	b.write("_modules/one.sh", one)
	for range 3 {
		if got := b.do("call one.f"); got != "1" {
			t.Fatalf("got %s", got)
		}
	}
	if asked != 4 {
		t.Errorf("ran %d commands, want 4: describe once, call each time", asked)
	}
}

// TestSyncsAtTheSameTimeKeepBoth syncs grains while a sync of modules has begun.
// An unsteady tree lists its files, and can't give some.
type unsteady struct {
	host.Files
	broken string // the end of the name of what can't be fetched
}

func (u *unsteady) Fetch(ctx context.Context, url string) (string, error) {
	if u.broken != "" && strings.HasSuffix(url, u.broken) {
		return "", errors.New("cannot fetch it: the connection was closed")
	}
	return u.Files.Fetch(ctx, url)
}

func TestWhatCannotBeFetchedStaysAsItWas(t *testing.T) {
	b := newBench(t)
	script := func(n string) string { return strings.Replace(one, "echo 1", "echo "+n, 1) }
	files := &unsteady{Files: b.tree}
	sync := func() ([]string, string) {
		changed, errs := b.store.Sync(t.Context(), files, builtin(), custom.Modules, "", func(string) bool { return true })
		return changed, fmt.Sprint(errs)
	}
	b.write("_modules/one.sh", script("1"))
	b.write("_modules/two.sh", script("1"))
	if changed, errs := sync(); len(changed) != 2 || errs != "[]" {
		t.Fatal(changed, errs)
	}
	b.write("_modules/one.sh", script("2"))
	b.write("_modules/two.sh", script("2"))
	files.broken = "one.sh"
	const want = "[cannot fetch it: the connection was closed; what was synced before stays]"
	if changed, errs := sync(); !slices.Equal(changed, []string{"two"}) || errs != want {
		t.Errorf("got %q and %s, want two and %s", changed, errs, want)
	}
	b.do("remove _modules/one.sh")
	b.do("remove _modules/two.sh")
	if got := b.do("call one.f") + b.do("call two.f"); got != "12" {
		t.Errorf("got %s, want what was synced first of one, and last of two", got)
	}
	files.broken = ""
	if _, errs := sync(); errs != "[]" || b.do("call one.f") == "1" {
		t.Errorf("the next sync keeps what the tree has no more: %s", errs)
	}
}

func TestSyncsAtTheSameTimeKeepBoth(t *testing.T) {
	b := newBench(t)
	b.write("_modules/one.sh", one)
	b.write("_grains/rack.sh", "#!/bin/sh\necho '{}'\n")
	b.ran = func() {
		b.ran = func() {}
		b.do("sync grains")
	}
	b.do("sync modules")
	list, err := os.ReadFile(filepath.Join(b.stored, "synced.json"))
	if err != nil || !strings.Contains(string(list), "_grains/rack.sh") || !strings.Contains(string(list), "_modules/one.sh") {
		t.Errorf("got %s, %v", list, err)
	}
}
