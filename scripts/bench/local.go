package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const localStates = 1000

// local runs the whole command brine-minion call on a tree of many files: a first run, and runs that change
// nothing. What the disk itself needs for as many files is measured beside.
func (b *bench) local(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-local.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var first, again, floor, firstCPU, againCPU []time.Duration
	// Nothing is removed before the end: ext4 without a journal goes out of its way for minutes not to use inodes of
	// files that were just removed.
	for i := range b.runs {
		took, err := onlyDisk(filepath.Join(dir, fmt.Sprint("floor", i)))
		if err != nil {
			return err
		}
		floor = append(floor, took)
		root := filepath.Join(dir, fmt.Sprint("root", i))
		if err := localTree(dir, root); err != nil {
			return err
		}
		for _, into := range []struct{ wall, cpu *[]time.Duration }{{&first, &firstCPU}, {&again, &againCPU}} {
			took, cpu, err := b.applyLocal(ctx, dir, root)
			if err != nil {
				return err
			}
			*into.wall, *into.cpu = append(*into.wall, took), append(*into.cpu, cpu)
		}
	}
	b.say("1,000 files written, each with fsync, and nothing else", ms(median(floor)), "", true)
	took := median(first)
	b.say("brine-minion call state.apply, 1,000 file.managed, first run", ms(took), "400 ms", took <= 400*time.Millisecond)
	took = median(again)
	b.say("the same, unchanged", ms(took), "200 ms", took <= 200*time.Millisecond)
	b.say("processor time of the two", ms(median(firstCPU))+", "+ms(median(againCPU)), "", true)
	return nil
}

// localTree writes state files that manage many files, and an empty host.
func localTree(dir, root string) error {
	var sls strings.Builder
	for i := range localStates {
		fmt.Fprintf(&sls, "/srv/app/%d/file%d.conf:\n  file.managed:\n    - contents: |\n        listen %d\n        server_name host%d\n"+
			"    - user: root\n    - group: root\n    - mode: 0644\n    - makedirs: true\n", i/100, i, i, i)
	}
	return errors.Join(
		os.MkdirAll(filepath.Join(root, "etc"), 0o755),
		os.WriteFile(filepath.Join(root, "etc/passwd"), fmt.Appendf(nil, "root:x:%d:%d::/:/bin/sh\n", os.Getuid(), os.Getgid()), 0o644),
		os.WriteFile(filepath.Join(root, "etc/group"), fmt.Appendf(nil, "root:x:%d:\n", os.Getgid()), 0o644),
		os.MkdirAll(filepath.Join(dir, "tree"), 0o755),
		os.WriteFile(filepath.Join(dir, "tree/many.sls"), []byte(sls.String()), 0o644),
	)
}

func (b *bench) applyLocal(ctx context.Context, dir, root string) (took, cpu time.Duration, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "brine-minion"), "--root", root, "call",
		"--file-root", filepath.Join(dir, "tree"), "state.apply", "many")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took = time.Since(began)
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("Succeeded: %d", localStates)) {
		return 0, 0, fmt.Errorf("state.apply: %v: %.2000s", err, out)
	}
	return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// onlyDisk writes as many files as the states do, each safely.
func onlyDisk(dir string) (time.Duration, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	began := time.Now()
	for i := range localStates {
		name := filepath.Join(dir, fmt.Sprint(i))
		f, err := os.Create(name + ".tmp")
		if err != nil {
			return 0, err
		}
		_, err = f.WriteString("listen 1\nserver_name host1\n")
		if err := errors.Join(err, f.Sync(), f.Close(), os.Rename(name+".tmp", name)); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
