package minion

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"brine/minion/link/linktest"
	pb "brine/proto"
)

// What a job changed is on the disk before its return is in the journal: else, after a power cut, the return
// would tell of files that are not there.
func TestChangesAreOnTheDiskBeforeTheReturnIsJournalled(t *testing.T) {
	site := linktest.NewSite(t, testID)
	m1 := site.Master("m1")
	m1.Start(site.Bundle())
	root := t.TempDir()
	journalled := func() bool {
		files, err := filepath.Glob(Layout{root}.Journal() + "*")
		if err != nil || len(files) == 0 {
			t.Errorf("no journal: %v", err)
		}
		return slices.ContainsFunc(files, func(name string) bool {
			data, err := os.ReadFile(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			return bytes.Contains(data, []byte("Wrote 2 lines"))
		})
	}
	var mu sync.Mutex
	var log []string
	fail := false
	min, _ := start(t, Options{Root: root, Config: testConfig(m1.Addr), Timings: quick, Flush: func(int) error {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, "flushed")
		if fail {
			return errors.New("input/output error")
		}
		data, err := os.ReadFile(filepath.Join(root, "f"))
		if err != nil || string(data) != "a\nb\n" || journalled() {
			t.Errorf("flushed when the file holds %q, %v, and the return is journalled: %v", data, err, journalled())
		}
		return nil
	}})
	m1.Set(func(b *linktest.Behaviour) { b.Pillar = givesPillar(t, min, "{}") })
	waitLinked(t, min)
	write := []*pb.Argument{text("/f"), text("a"), text("b")}
	r := returned(t, m1, send(t, m1, "file.write", write...))
	mu.Lock()
	if r.Outcome != pb.Outcome_OK || len(log) != 1 || !journalled() {
		t.Errorf("got %v %s after %v, journalled: %v", r.Outcome, r.Value, log, journalled())
	}
	mu.Unlock()

	if r := returned(t, m1, send(t, m1, "file.read", text("/f"))); r.Outcome != pb.Outcome_OK || len(log) != 1 {
		t.Errorf("reading: got %v %s, %v", r.Outcome, r.Value, log)
	}
	mu.Lock()
	fail = true
	mu.Unlock()
	r = returned(t, m1, send(t, m1, "file.remove", text("/f")))
	if r.Outcome != pb.Outcome_FAILED || !strings.Contains(string(r.Value), "to the disk: input/output error") {
		t.Errorf("a flush that fails: got %v %s", r.Outcome, r.Value)
	}
}
