package file

import (
	"os"
	"strings"
	"testing"

	"brine/states/host/hosttest"
)

// planned is a recurse of mode 0700 and 0600 over /d, which holds sub/f, gone and kept, that has looked.
func planned(t *testing.T) (h *hosttest.Host, do func() error) {
	t.Helper()
	h = hosttest.New(t)
	h.Write("/other/f", "")
	h.Write("/d/gone", "")
	h.Write("/d/kept", "")
	h.Write("/d/sub/f", "")
	for _, name := range []string{"/d", "/other"} {
		if err := os.Chmod(h.Path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := planDirectory(t.Context(), h.Host, directoryArgs{
		Name:     "/d",
		FileMode: mode{set: true, bits: 0o600},
		Mode:     mode{set: true, bits: 0o700},
		Recurse:  recurse{mode: true},
		Links:    true,
	})
	if err != nil || len(plan.Steps) != 2 {
		t.Fatalf("got %d steps, %v", len(plan.Steps), err)
	}
	return h, func() error {
		_, first := plan.Steps[0].Do(t.Context())
		_, second := plan.Steps[1].Do(t.Context())
		if first != nil {
			return first
		}
		return second
	}
}

func swap(t *testing.T, h *hosttest.Host, name, to string) {
	t.Helper()
	if err := os.Rename(h.Path(name), h.Path(name+".old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(h.Path(to), h.Path(name)); err != nil {
		t.Fatal(err)
	}
}

func perm(t *testing.T, h *hosttest.Host, name string) os.FileMode {
	t.Helper()
	st, err := os.Lstat(h.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Perm()
}

func TestRecurseIsNotLedElsewhere(t *testing.T) {
	for _, tt := range []struct{ swap, to, want string }{
		{"/d/sub", "/other", "cannot change the rights of /d/sub: it is no file or directory any more (and 1 more)"},
		{"/d/sub/f", "/other/f", "cannot change the rights of /d/sub/f: it is no file or directory any more"},
		{"/d", "/other", "it was replaced meanwhile"},
	} {
		h, do := planned(t)
		before := perm(t, h, "/other/f")
		swap(t, h, tt.swap, tt.to)
		err := do()
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.swap, err, tt.want)
		}
		if got := perm(t, h, "/other/f"); got != before || perm(t, h, "/other") != 0o755 {
			t.Errorf("%s: the file it leads to has got mode %o", tt.swap, got)
		}
		if tt.swap != "/d" && perm(t, h, "/d/kept") != 0o600 {
			t.Errorf("%s: the rest did not get its mode", tt.swap)
		}
	}
}

func TestRecurseRefusesWhatWentAway(t *testing.T) {
	h, do := planned(t)
	if err := os.Remove(h.Path("/d/gone")); err != nil {
		t.Fatal(err)
	}
	const want = "cannot change the rights of /d/gone: it is not there any more"
	if err := do(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if perm(t, h, "/d/kept") != 0o600 || perm(t, h, "/d/sub/f") != 0o600 || perm(t, h, "/d") != 0o700 {
		t.Error("the rest did not get its mode")
	}
}
