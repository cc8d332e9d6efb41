package lab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/scripts/lab"
)

func TestUpTouchesNoFilesOfAnEarlierLab(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "m1")
	if err := os.Mkdir(old, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := lab.Up(t.Context(), lab.UpOptions{Dir: dir, Masters: 1})
	if err == nil || !strings.Contains(err.Error(), "files of an earlier one are there (rm -r "+dir) {
		t.Errorf("got %v, want what is in the way", err)
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want %s alone", left, err, old)
	}
}
