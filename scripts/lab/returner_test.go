package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/proto"
	"brine/scripts/lab"
)

// TestReturner has a program take what minions return: each once while all is well, whichever masters are there, and what it
// did not take later.
func TestReturner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken, away := filepath.Join(dir, "taken"), filepath.Join(dir, "away")
	program := filepath.Join(dir, "program")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\n[ ! -e "+away+" ] || { echo the database is away >&2; exit 3; }\ncat >> "+taken+"\n"), 0o700))
	s := lab.Start(t, lab.SiteOptions{
		Minions: []string{"web1", "web2"},
		Config:  fmt.Sprintf("[[returner]]\ncommand = [%q]\nfunctions = [\"test.*\"]\n", program),
	})
	var want []string
	echo := func(text string) {
		t.Helper()
		s.Run("*", "grains.get", "id") // of another function
		r := s.Run("*", "test.echo", text)
		if r.Counts()["ok"] != 2 {
			t.Fatalf("got %v", r.Counts())
		}
		want = append(want, "web1 "+text, "web2 "+text)
	}
	gets := func() {
		t.Helper()
		var got []string
		eventually(t, fmt.Sprintf("%d returns", len(want)), func() bool {
			got = lines(t, taken)
			return len(got) >= len(want)
		})
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	for i := range 10 {
		echo(fmt.Sprint("n", i))
	}
	gets()

	must(t, os.WriteFile(away, nil, 0o600))
	for i := range 4 { // of each master some
		echo(fmt.Sprint("kept", i))
	}
	eventually(t, "status tells", func() bool {
		list := &proto.MasterListReply{}
		must(t, s.Client.Call(within(t), "master.list", &proto.Empty{}, list))
		return strings.Contains(fmt.Sprint(list.Masters), "takes no returns: it ended with 3: the database is away")
	})
	s.Stop("m1") // what it had not handed on it does once it is back
	must(t, os.Remove(away))
	echo("alone")
	s.StartMaster("m1")
	s.Together()
	eventually(t, "all returns", func() bool {
		got := lines(t, taken)
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) })
	})
}

// lines are who returned what, as a program has taken it.
func lines(t *testing.T, path string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var r struct {
			JID, ID, Fun, Return, Status, User, Tgt, Stamp string
			FunArgs                                        []string `json:"fun_args"`
			Success                                        bool
		}
		must(t, json.Unmarshal([]byte(line), &r))
		if len(r.JID) != 20 || r.Fun != "test.echo" || !r.Success || r.Status != "ok" || r.User != "admin" || r.Tgt != "*" || !slices.Equal(r.FunArgs, []string{r.Return}) {
			t.Fatalf("got %s", line)
		}
		all = append(all, r.ID+" "+r.Return)
	}
	return all
}
