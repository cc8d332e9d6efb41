package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host/hosttest"
)

func TestLinksStayUnderTheRoot(t *testing.T) {
	h := hosttest.New(t)
	outside := t.TempDir()
	up := strings.Repeat("../", 40)
	h.Write("/a/b/x", "")
	h.Write("/c/d/e/x", "")
	h.Write(outside+"/f", "inside\n")
	if err := os.WriteFile(filepath.Join(outside, "f"), []byte("outside\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{
		"/a/climbs":   up + outside[1:] + "/f",
		"/a/dir":      up + outside[1:],
		"/a/absolute": outside,
		"/a/b/deep":   "/c/d/e",
		"/c/d/e/near": "../near", // /c/d/near by whatever name it is reached
	} {
		if err := os.Symlink(to, h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ line, file, want string }{
		{"managed name=/a/climbs contents=1", outside + "/f", "1\n"},
		{"managed name=/a/dir/f contents=2", outside + "/f", "2\n"},
		{"managed name=/a/absolute/f contents=3 follow_symlinks=False", outside + "/f", "3\n"},
		{"managed name=/a/b/deep/near contents=4", "/c/d/near", "4\n"},
		{"managed name=/copy source=/a/climbs", "/copy", "3\n"},
		{"directory name=/a/dir mode=0711", outside + "/f", "3\n"},
		{"absent name=/a/dir/f", outside + "/f", ""},
	} {
		r := bind(t, tt.line).Run(t.Context(), h.Host, false)
		if r.Result == nil || !*r.Result || r.Changes.Len() == 0 {
			t.Errorf("%s: got %s", tt.line, show(r))
		}
		got, err := os.ReadFile(h.Path(tt.file))
		if string(got) != tt.want || err != nil && tt.want != "" {
			t.Errorf("%s: %s holds %q, want %q", tt.line, tt.file, got, tt.want)
		}
		got, err = os.ReadFile(filepath.Join(outside, "f"))
		st, _ := os.Stat(outside)
		if string(got) != "outside\n" || st.Mode().Perm() == 0o711 {
			t.Errorf("%s: went out of the root: %q, %v", tt.line, got, err)
		}
	}
}

func TestBackupStaysInItsDirectory(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/f", "old\n")
	r := bind(t, "managed name=/../../../../../../etc/f contents=new backup=minion").Run(t.Context(), h.Host, false)
	kept, err := filepath.Glob(h.Path("/var/cache/brine/minion/file_backup/etc/f_*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("got %v, %v: %s", kept, err, show(r))
	}
}
