package lab_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"brine/master/client"
	"brine/proto"
	"brine/scripts/lab"
)

// pushed is a repository of states into which somebody pushes: branches master
// and develop, each checked out. Every commit has one number in all its files.
type pushed struct {
	t     *testing.T
	trees map[string]string // branch -> where it is checked out
}

func newPushed(t *testing.T) *pushed {
	dir := t.TempDir()
	p := &pushed{t, map[string]string{"master": filepath.Join(dir, "master"), "develop": filepath.Join(dir, "develop")}}
	must(t, os.MkdirAll(p.trees["master"], 0o755))
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=master"}, {"config", "user.name", "Somebody"}, {"config", "user.email", "somebody@example.com"},
		{"commit", "--quiet", "--allow-empty", "--message=first"}, {"worktree", "add", "--quiet", "-b", "develop", p.trees["develop"]},
	} {
		_, err := p.git("master", args...)
		must(t, err)
	}
	for branch := range p.trees {
		must(t, p.push(branch, 0))
	}
	return p
}

func (p *pushed) git(branch string, args ...string) (string, error) {
	cmd := exec.CommandContext(p.t.Context(), "git", args...)
	cmd.Dir = p.trees[branch]
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %v: %w: %s", args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// mixed is a state that shows what of a tree a minion sees: a part of the
// state file itself, two files that it imports, and what it puts on the host.
const mixed = `{%% import_text 'mix/a.txt' as a %%}{%% import_text 'mix/b/c.txt' as c %%}
seen:
  test.show_notification:
    - text: "seen [%[1]s] [{{ a }}] [{{ c }}]"
/srv/mix:
  file.recurse:
    - source: salt://mix/b
/srv/mix.txt:
  file.managed:
    - source: salt://mix/a.txt
`

func (p *pushed) push(branch string, n int) error {
	mark := fmt.Sprintf("%s %d", branch, n)
	for name, content := range map[string]string{
		"mix/init.sls": fmt.Sprintf(mixed, mark), "mix/a.txt": mark, "mix/b/c.txt": mark,
	} {
		path := filepath.Join(p.trees[branch], name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			return err
		}
	}
	_, err := p.git(branch, "add", "--all")
	if err == nil {
		_, err = p.git(branch, "commit", "--quiet", "--message="+mark)
	}
	return err
}

// pushing pushes to both branches and has the masters fetch, until ctx ends.
func (p *pushed) pushing(ctx context.Context, c *client.Client) error {
	for n := 1; ctx.Err() == nil; n++ {
		for branch := range p.trees {
			if err := p.push(branch, n); err != nil {
				return err
			}
		}
		if err := c.Call(ctx, "master.refresh", &proto.RefreshRequest{}, &proto.RefreshReply{}); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// TestNoMinionSeesAMix applies a tree of two branches on fifty minions in a
// loop, at both masters in turn, while somebody pushes to both branches. One
// of the masters is away for a third of the time.
func TestNoMinionSeesAMix(t *testing.T) {
	t.Parallel()
	const minions, rounds = 50, 12
	p := newPushed(t)
	s := lab.Start(t, lab.SiteOptions{Config: fmt.Sprintf(
		"[gitfs]\nupdate_interval = \"1s\"\n[[gitfs.remotes]]\nurl = %q\nsaltenv = {dev = \"develop\"}\n", p.trees["master"])})
	for i := 0; i < minions; i += 10 { // more at once than enrol from one address wait
		var ids []string
		for n := range 10 {
			ids = append(ids, fmt.Sprintf("web%d", i+n+1))
			s.AddMinion(ids[n])
		}
		s.Accept(ids...)
	}
	ctx, stop := context.WithCancel(t.Context())
	pusher := s.At("m2")
	defer pusher.Close()
	var pushing sync.WaitGroup
	pushing.Go(func() {
		if err := p.pushing(ctx, pusher); err != nil {
			t.Error(err)
		}
	})
	defer pushing.Wait()
	defer stop()
	commits := map[string]bool{}
	for round := range rounds {
		at := []string{"m1", "m2"}[round%2]
		switch {
		case round == rounds/3:
			s.Stop("m1")
		case round == 2*rounds/3:
			s.StartMaster("m1")
			s.Together()
		}
		if round/(rounds/3) == 1 {
			at = "m2"
		}
		c := s.At(at)
		env, branch := "base", "master"
		if round/2%2 == 1 {
			env, branch = "dev", "develop"
		}
		req := c.NewJob(glob("*"), "state.apply", []*proto.Argument{text("mix")})
		req.Environment = env
		req.WaitOffline, req.Window = true, patience.Microseconds() // so many in one process lose a master now and then
		r, err := c.Run(within(t), req, func(*client.Result, []string) {})
		c.Close()
		must(t, err)
		if len(r.Job.Commits) != 1 || !strings.Contains(r.Job.Commits[0], " branch "+branch+" of ") {
			t.Fatalf("environment %s: the job names %q", env, r.Job.Commits)
		}
		commit, _, _ := strings.Cut(r.Job.Commits[0], " ")
		commits[commit] = true
		mark, err := p.git(branch, "show", commit+":mix/a.txt")
		must(t, err)
		if r.Counts()["ok"] != minions {
			t.Fatalf("round %d: got %v: %s", round, r.Counts(), r.Minions["web1"].Value)
		}
		want := fmt.Sprintf("seen [%[1]s] [%[1]s] [%[1]s]", mark)
		for id, m := range r.Minions {
			if !strings.Contains(string(m.Value), want) {
				t.Errorf("%s: commit %s: got %s, want %s", id, commit, m.Value, want)
			}
			for _, name := range []string{"srv/mix.txt", "srv/mix/c.txt"} {
				wantFile(t, filepath.Join(s.HostRoot(id), name), []byte(mark))
			}
		}
	}
	t.Logf("%d jobs saw %d commits", rounds, len(commits))
	if len(commits) < 4 {
		t.Errorf("only %d commits were seen in %d rounds: nothing was pushed meanwhile", len(commits), rounds)
	}
}
