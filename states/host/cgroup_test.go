package host

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOwnGroup(t *testing.T) {
	const v1 = "36 25 0:31 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
	for name, c := range map[string]struct{ cgroup, mounts, want string }{
		"unified": {"0::/system.slice/brine-minion.service\n", "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
			"/sys/fs/cgroup/system.slice/brine-minion.service"},
		"hybrid":               {"4:memory:/x\n0::/\n", v1 + "30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified"},
		"version 1 alone":      {"4:memory:/x\n", v1, ""},
		"a mount of a part":    {"0::/a/b\n", "30 25 0:26 /a /mnt rw - cgroup2 none rw\n", "/mnt/b"},
		"a mount of another":   {"0::/ab/c\n", "30 25 0:26 /a /mnt rw - cgroup2 none rw\n", ""},
		"out of the namespace": {"0::/../x\n", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n", ""},
		"nothing":              {"", "", ""},
	} {
		dir := t.TempDir()
		cgroup, mounts := filepath.Join(dir, "cgroup"), filepath.Join(dir, "mountinfo")
		for path, text := range map[string]string{cgroup: c.cgroup, mounts: c.mounts} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := ownGroup(cgroup, mounts); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOtherDaemonsGroupsAreLeftAlone(t *testing.T) {
	var one, two groups
	a := one.begin()
	if a == nil {
		t.Skip("this process may not make a cgroup below its own")
	}
	defer one.end(a)
	stale := filepath.Join(one.base, groupPrefix+"2147483646-1-STALE")
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	b := two.begin() // it begins while the first has made its group, and nothing is in that
	two.end(b)
	if _, err := os.Stat(a.path); err != nil {
		t.Errorf("the group of another is gone: %v", err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the group of one that has ended is left")
		_ = os.Remove(stale)
	}
}

// GroupOf tells tests whether commands have cgroups of their own here.
func GroupOf(l *Local) string {
	l.groups.end(l.groups.begin())
	return l.groups.base
}
