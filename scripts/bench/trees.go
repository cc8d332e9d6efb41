package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"brine/scripts/lab"
)

const treeFiles = 10_000

// bigTree writes state files with one file.recurse of many files below dir, and returns how many bytes these are.
func bigTree(dir string) (size int64, err error) {
	for i := range treeFiles {
		text := strings.Repeat(fmt.Sprintf("a line of file %d\n", i), 50)
		size += int64(len(text))
		name := filepath.Join(dir, fmt.Sprintf("big/%d/%d", i/100, i))
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644))
	}
	return size, errors.Join(err, os.WriteFile(filepath.Join(dir, "big.sls"), []byte("/srv/big:\n  file.recurse:\n    - source: salt://big\n"), 0o644))
}

// trees is file.recurse of many files without a master.
func (b *bench) trees(ctx context.Context) error {
	s, err := b.newStage()
	defer os.RemoveAll(s.dir)
	if err != nil {
		return err
	}
	if _, err := bigTree(s.path("tree")); err != nil {
		return err
	}
	first, err := s.apply(ctx, "big", true)
	if err != nil {
		return err
	}
	again, err := b.several(ctx, s, "big")
	if err != nil {
		return err
	}
	b.say("file.recurse of 10,000 files, first run, the whole command", ms(first.whole), "5000 ms", first.whole <= 5*time.Second)
	b.say("the same, unchanged", ms(again.whole), "1000 ms", again.whole <= time.Second)
	return nil
}

// treesOfMasters is the same on a minion of a site, which fetches the files from its masters.
func (b *bench) treesOfMasters(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-trees.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	size, err := bigTree(filepath.Join(dir, "tree"))
	if err != nil {
		return err
	}
	l, err := lab.Up(ctx, lab.UpOptions{Dir: filepath.Join(dir, "lab"), Bin: b.bin, Masters: 2, Minions: 1, FileRoot: filepath.Join(dir, "tree")})
	if err != nil {
		return err
	}
	defer func() { _ = l.Down() }() // what it says of processes that are gone helps nobody
	began := time.Now()
	if out, err := l.Brine(ctx, "run", "*", "state.show_sls", "big", "--timeout", "5m"); err != nil {
		return fmt.Errorf("%w: %.2000s", err, out)
	}
	b.say("two masters take in a tree of 10,000 files, and a minion shows its SLS", ms(time.Since(began)), "", true)
	var walls, ofMasters, ofMinion []time.Duration
	var sent []int64
	for i := range 3 {
		before, err := written(pids(l)...)
		if err != nil {
			return err
		}
		masters, err1 := cpu(pids(l)...)
		minion, err2 := cpu(l.Minions[0].PID)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		began := time.Now()
		out, err := l.Brine(ctx, "run", "*", "state.apply", "big", "--out", "json", "--timeout", "5m")
		walls = append(walls, time.Since(began))
		if err != nil {
			return fmt.Errorf("%w: %.2000s", err, out)
		}
		if _, err := durations([]byte(out), l.Minions[0].ID, i == 0); err != nil {
			return err
		}
		after, err := written(pids(l)...)
		if err != nil {
			return err
		}
		mastersAfter, err1 := cpu(pids(l)...)
		minionAfter, err2 := cpu(l.Minions[0].PID)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		sent = append(sent, after-before)
		ofMasters, ofMinion = append(ofMasters, mastersAfter-masters), append(ofMinion, minionAfter-minion)
	}
	b.say("file.recurse of 10,000 files of a minion with two masters, first run", ms(walls[0]), "5000 ms", walls[0] <= 5*time.Second)
	b.say("the same, unchanged", ms(walls[2]), "1000 ms", walls[2] <= time.Second)
	b.say("processor time of the minion in the two", ms(ofMinion[0])+", "+ms(ofMinion[2]), "", true)
	b.say("processor time of the masters in the two", ms(ofMasters[0])+", "+ms(ofMasters[2]), "", true)
	b.say(fmt.Sprintf("all that masters wrote meanwhile, of %s of files, first run", mb(size)), mb(sent[0]), "", true)
	b.say("the same, unchanged", mb(sent[2]), mb(size/10), sent[2] <= size/10)
	return nil
}

// written is how many bytes processes wrote so far, to connections and files.
func written(pids ...int) (sum int64, err error) {
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(data), "wchar: ")
		text, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
