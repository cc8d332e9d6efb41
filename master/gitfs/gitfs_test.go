package gitfs_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/master/gitfs"
)

// repo is a repository that somebody works in.
type repo struct {
	t   testing.TB
	dir string
}

func newRepo(t testing.TB) *repo {
	r := &repo{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=master")
	r.git("config", "user.name", "Somebody")
	r.git("config", "user.email", "somebody@example.com")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files and commits them on the branch that is checked out.
func (r *repo) commit(files map[string]string, flags ...string) string {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "--all")
	r.git(append([]string{"commit", "--quiet", "--allow-empty", "--message=change"}, flags...)...)
	return r.git("rev-parse", "HEAD")
}

// set is a Set that runs, and keeps content.
type set struct {
	*gitfs.Set
	t testing.TB

	mu   sync.Mutex // guards the field below
	kept map[string]string
}

func start(t testing.TB, dir string, remotes ...gitfs.Remote) *set {
	t.Helper()
	s := &set{t: t, kept: map[string]string{}}
	var err error
	s.Set, err = gitfs.New(t.Context(), gitfs.Options{Dir: dir, Interval: time.Hour, Remotes: remotes, Keep: func(r io.Reader) ([]byte, int64, error) {
		data, err := io.ReadAll(r)
		sum := sha256.Sum256(data)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept[string(sum[:])] = string(data)
		return sum[:], int64(len(data)), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// files are those of an environment, with content and what is special about the mode.
func (s *set) files(env string) map[string]string {
	s.t.Helper()
	list, _, err := s.Files(s.t.Context(), env)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range list {
		content, ok := s.kept[string(f.Sha256)]
		if !ok || int64(len(content)) != f.Size {
			s.t.Errorf("%s: its content was not kept, or has another size", f.Path)
		}
		if f.Mode != 0o644 {
			content += fmt.Sprintf(" (%o)", f.Mode)
		}
		out[f.Path] = content
	}
	return out
}

func (s *set) want(env string, want map[string]string) {
	s.t.Helper()
	if got := s.files(env); !maps.Equal(got, want) {
		s.t.Errorf("environment %s: got %v, want %v", env, got, want)
	}
}

func (s *set) refresh() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	s.Refresh(ctx)
	if ctx.Err() != nil {
		s.t.Fatal("nothing was fetched in a minute")
	}
}

func (s *set) problems() string {
	var all []string
	for _, st := range s.Status() {
		all = append(all, st.Problems...)
	}
	return strings.Join(all, "\n")
}

func TestBranchesAndTagsAreEnvironments(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	one := r.commit(map[string]string{"top.sls": "one", "a/b.sls": "b"})
	r.git("tag", "--annotate", "--message=first", "v1")
	r.git("branch", "develop")
	r.git("branch", "hidden/x")
	r.git("branch", "feature/y")
	r.commit(map[string]string{"top.sls": "two"})
	s := start(t, t.TempDir(), gitfs.Remote{
		URL: r.dir, Saltenv: map[string]string{"dev": "develop", "old": one}, Deny: []string{"hidden/.*"},
	})
	s.refresh()
	if got, want := s.Environments(), []string{"base", "dev", "feature/y", "old", "v1"}; !slices.Equal(got, want) {
		t.Errorf("got environments %v, want %v", got, want)
	}
	s.want("base", map[string]string{"top.sls": "two", "a/b.sls": "b"})
	for _, env := range []string{"dev", "old", "v1"} {
		s.want(env, map[string]string{"top.sls": "one", "a/b.sls": "b"})
	}
	if _, _, err := s.Files(t.Context(), "hidden/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an environment that is denied: got %v", err)
	}
	_, from, err := s.Files(t.Context(), "dev")
	if want := one + " branch develop of " + r.dir; err != nil || len(from) != 1 || from[0] != want {
		t.Errorf("got %v %v, want %q", from, err, want)
	}
	r.git("branch", "--delete", "--force", "feature/y")
	r.git("branch", "feature/y/z") // where a branch was, a directory of branches is
	s.refresh()
	if got, want := s.Environments(), []string{"base", "dev", "feature/y/z", "old", "v1"}; !slices.Equal(got, want) {
		t.Errorf("got environments %v, want %v; problems %s", got, want, s.problems())
	}
}

func TestRootMountpointLinksAndOrder(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	for name, to := range map[string]string{
		"salt/link": "sub/real", "salt/up": "../outside", "salt/away": "/etc/passwd", "salt/out": "../../x", "salt/dir": "sub", "salt/loop": "loop",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Join(r.dir, "salt/sub"), 0o755), os.Symlink(to, filepath.Join(r.dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	must(t, os.WriteFile(filepath.Join(r.dir, "salt/run.sh"), []byte("run"), 0o755))
	r.commit(map[string]string{"salt/sub/real": "real", "outside": "outside", "salt/same": "first", "salt/empty": ""})
	other := newRepo(t)
	other.commit(map[string]string{"x/same": "second", "x/more": "more"})
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, Root: "salt", Mount: "salt://x"}, gitfs.Remote{URL: "file://" + other.dir})
	s.refresh()
	s.want("base", map[string]string{
		"x/link": "real", "x/up": "outside", "x/sub/real": "real", "x/run.sh": "run (755)", "x/same": "first", "x/empty": "", "x/more": "more",
	})
}

func TestABrokenRemoteKeepsTheLastGoodTree(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	commit := r.commit(map[string]string{"top.sls": "good"})
	dir := t.TempDir()
	s := start(t, dir, gitfs.Remote{URL: r.dir})
	s.refresh()
	good := map[string]string{"top.sls": "good"}
	s.want("base", good)
	must(t, os.Rename(r.dir, r.dir+".away"))
	s.refresh()
	s.want("base", good)
	if got := s.problems(); !strings.Contains(got, "cannot fetch: git fetch: ") {
		t.Errorf("got problems %q", got)
	}
	again := start(t, dir, gitfs.Remote{URL: r.dir}) // a new process
	again.refresh()
	again.want("base", good)
	if st := again.Status()[0]; st.Commits["base"] != commit || !st.Fetched.IsZero() {
		t.Errorf("got %v", st)
	}
	must(t, os.Rename(r.dir+".away", r.dir))
	r.commit(map[string]string{"top.sls": "better"})
	again.refresh()
	again.want("base", map[string]string{"top.sls": "better"})
	if got := again.problems(); got != "" {
		t.Errorf("got problems %q", got)
	}
	// Nothing was ever fetched: there is no tree that is whole.
	never := start(t, t.TempDir(), gitfs.Remote{URL: r.dir}, gitfs.Remote{URL: filepath.Join(dir, "none")})
	never.refresh()
	if _, _, err := never.Files(t.Context(), "base"); err == nil || !strings.Contains(err.Error(), "never fetched") {
		t.Errorf("got %v", err)
	}
}

func TestTheEndOfTheBaseBranchIsTold(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit(map[string]string{"top.sls": "x"})
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, Base: "main"})
	s.refresh()
	if got := s.problems(); got != "there is no branch or tag main" {
		t.Errorf("got problems %q", got)
	}
}

func TestContentThatIsGoneIsHandedOverAgain(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit(map[string]string{"a": "a", "same": "a"})
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir})
	s.refresh()
	s.want("base", map[string]string{"a": "a", "same": "a"})
	clear(s.kept)
	s.Forget()
	s.want("base", map[string]string{"a": "a", "same": "a"})
}

func TestOnlySignedCommitsAreServed(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	for _, name := range []string{"ann", "eve"} {
		out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", filepath.Join(keys, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	r := newRepo(t)
	r.git("config", "gpg.format", "ssh")
	signed := func(who string, files map[string]string) string {
		r.git("config", "user.signingKey", filepath.Join(keys, who))
		return r.commit(files, "--gpg-sign")
	}
	good := signed("ann", map[string]string{"top.sls": "good"})
	r.git("branch", "other")
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, RequireSign: []string{filepath.Join(keys, "ann.pub")}})
	s.refresh()
	s.want("base", map[string]string{"top.sls": "good"})
	for _, c := range []struct {
		what, want string
		commit     func() string
	}{
		{"no signature", "it is not signed", func() string { return r.commit(map[string]string{"top.sls": "bad"}) }},
		{"another's key", "none of require_signed", func() string { return signed("eve", map[string]string{"top.sls": "bad"}) }},
		{"changed", "its signature is wrong", func() string {
			signed("ann", map[string]string{"top.sls": "bad"})
			raw := r.git("cat-file", "commit", "HEAD")
			path := filepath.Join(t.TempDir(), "commit")
			must(t, os.WriteFile(path, []byte(strings.Replace(raw, "\n\nchange", "\n\nforged", 1)+"\n"), 0o600))
			id := r.git("hash-object", "-t", "commit", "-w", path)
			r.git("update-ref", "refs/heads/master", id)
			return id
		}},
	} {
		bad := c.commit()
		r.git("branch", "--force", "fresh")
		s.refresh()
		s.want("base", map[string]string{"top.sls": "good"})
		want := fmt.Sprintf("branch master at %.12s is refused: ", bad)
		if got := s.problems(); !strings.Contains(got, want) || !strings.Contains(got, c.want) || !strings.Contains(got, good[:12]+" is served") {
			t.Errorf("%s: got %q, want %q and %q", c.what, got, want, c.want)
		}
		if _, _, err := s.Files(t.Context(), "fresh"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, and nothing before it: got %v", c.what, err)
		}
	}
	r.git("reset", "--hard", "--quiet", good)
	signed("ann", map[string]string{"top.sls": "better"})
	r.git("branch", "--delete", "--force", "fresh")
	s.refresh()
	s.want("base", map[string]string{"top.sls": "better"})
	if got := s.problems(); got != "" {
		t.Errorf("got problems %q", got)
	}
}

func TestNoTreeIsMixedWhileSomebodyPushes(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	names := []string{"a", "b/c", "d"}
	content := func(n int) map[string]string {
		out := map[string]string{}
		for _, name := range names {
			out[name] = fmt.Sprint(n)
		}
		return out
	}
	r.commit(content(0))
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir})
	s.refresh()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 20 {
			r.commit(content(n + 1))
			s.Poke()
		}
	}()
	for more := true; more; {
		select {
		case <-done:
			more = false
			s.refresh()
		default:
		}
		files := s.files("base")
		if files["a"] != files["b/c"] || files["a"] != files["d"] {
			t.Fatalf("got a mix: %v", files)
		}
	}
	s.want("base", content(20))
}

func TestSources(t *testing.T) {
	t.Parallel()
	one, two := newRepo(t), newRepo(t)
	one.commit(map[string]string{"top.sls": "top of one", "one.sls": "1"})
	two.commit(map[string]string{"top.sls": "top of two", "two.sls": "2"})
	s, err := gitfs.New(t.Context(), gitfs.Options{Dir: t.TempDir(), Remotes: []gitfs.Remote{{URL: one.dir}, {URL: two.dir}}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer cancel()
	s.Refresh(ctx)
	ids := map[string]bool{}
	for i, want := range []string{"top of one", "top of two"} {
		id, source, err := s.Source(ctx, "base", i)
		must(t, err)
		ids[id] = true
		data, err := source.Open(ctx, "top.sls")
		if err != nil || string(data) != want {
			t.Errorf("got %q %v, want %q", data, err, want)
		}
		if len(source.Paths()) != 3 {
			t.Errorf("got %v", source.Paths())
		}
		if _, again, err := s.Source(ctx, "base", i); err != nil || again != source {
			t.Errorf("of the same commits: made anew, %v", err)
		}
	}
	if len(ids) != 2 {
		t.Errorf("the sources have the same name: %v", ids)
	}
	if _, _, err := s.Source(ctx, "dev", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an environment that none has: got %v", err)
	}
}

func TestReachNamesTheRemotesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	none := filepath.Join(r.dir, "none")
	errs := gitfs.Reach(t.Context(), []gitfs.Remote{{URL: r.dir}, {URL: none}})
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "cannot reach git remote "+none+": git ls-remote: ") {
		t.Errorf("got %v", errs)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheConfigurationNamesEnvironments: a branch takes no environment over that base or saltenv gives to another one.
func TestTheConfigurationNamesEnvironments(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{"f": "master"})
	for _, branch := range []string{"base", "dev", "develop", "other"} {
		r.git("checkout", "--quiet", "-b", branch)
		r.commit(map[string]string{"f": branch})
	}
	r.git("tag", "dev")
	const told = `branch base makes no environment: environment base is "master" by the configuration
branch dev makes no environment: environment dev is "develop" by the configuration
tag dev makes no environment: environment dev is "develop" by the configuration`
	for range 8 { // what depends on the order of a map differs soon
		s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, Saltenv: map[string]string{"dev": "develop"}})
		s.refresh()
		if got, want := s.Environments(), []string{"base", "dev", "other"}; !slices.Equal(got, want) {
			t.Fatalf("got environments %v, want %v", got, want)
		}
		s.want("base", map[string]string{"f": "master"})
		s.want("dev", map[string]string{"f": "develop"})
		if got := s.problems(); got != told {
			t.Fatalf("got problems\n%s\nwant\n%s", got, told)
		}
	}
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, Base: "gone"})
	s.refresh()
	if got, want := s.Environments(), []string{"dev", "develop", "master", "other"}; !slices.Equal(got, want) {
		t.Errorf("without the branch of base: got environments %v, want %v", got, want)
	}
}

// TestBranchesWithOddNames: what stands as an environment can be asked for, and other branches are none.
func TestBranchesWithOddNames(t *testing.T) {
	r := newRepo(t)
	r.commit(map[string]string{"f": "master"})
	for _, branch := range []string{"feature/x", "ünï", "a,b", "50%", "v1+2"} {
		r.git("checkout", "--quiet", "-b", branch)
		r.commit(map[string]string{"f": branch})
	}
	s := start(t, t.TempDir(), gitfs.Remote{URL: r.dir, Deny: []string{"50%"}})
	s.refresh()
	if got, want := s.Environments(), []string{"base", "feature/x", "ünï"}; !slices.Equal(got, want) {
		t.Errorf("got environments %v, want %v", got, want)
	}
	s.want("feature/x", map[string]string{"f": "feature/x"})
	s.want("ünï", map[string]string{"f": "ünï"})
	const told = `branch a,b makes no environment: cannot use environment "a,b": want letters, digits, '_', '-', '.', '/' and '@'
branch v1+2 makes no environment: cannot use environment "v1+2": want letters, digits, '_', '-', '.', '/' and '@'`
	if got := s.problems(); got != told {
		t.Errorf("got problems\n%s\nwant\n%s", got, told)
	}
}
