package scripts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestBuiltinHosts keeps the hosts that a tree is checked for what the minion finds on them: the recordings of its own test.
func TestBuiltinHosts(t *testing.T) {
	paths, err := filepath.Glob("../states/lint/hosts/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		recorded := filepath.Join("../minion/grains/testdata", filepath.Base(path))
		want, err := os.ReadFile(recorded)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not what %s is: copy it", path, recorded)
		}
	}
}
