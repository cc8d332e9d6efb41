package git_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/git"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// A site is a host with git, and a repository elsewhere that it knows as https://example.com/app.git.
type site struct {
	*hosttest.Host
	t      testing.TB
	origin string
	env    []string
}

const source = "https://example.com/app.git"

func newSite(t testing.TB) *site {
	s := &site{Host: hosttest.New(t).Real(), t: t, origin: t.TempDir()}
	config := filepath.Join(t.TempDir(), "gitconfig")
	text := fmt.Sprintf("[user]\nname = x\nemail = x@example.com\n[init]\ndefaultBranch = main\n[protocol \"file\"]\nallow = always\n"+
		"[uploadpack]\nallowAnySHA1InWant = true\n[url %q]\ninsteadOf = %s\n", "file://"+s.origin, source)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"GIT_CONFIG_GLOBAL=" + config, "GIT_CONFIG_NOSYSTEM=1"}
	next := s.Host.Host.Exec
	s.Host.Host.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		c.Env = append(c.Env, s.env...)
		return next(ctx, c)
	}
	s.git(s.origin, "init", "--quiet")
	s.commit("one")
	s.git(s.origin, "tag", "v1")
	return s
}

// git runs git by hand.
func (s *site) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit adds a commit to the repository elsewhere, and returns it.
func (s *site) commit(text string) string {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.origin, "f"), []byte(text+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.git(s.origin, "add", ".")
	s.git(s.origin, "commit", "--quiet", "-m", text)
	return s.git(s.origin, "rev-parse", "HEAD")
}

func (s *site) run(state string, test bool, args ...any) module.Result {
	s.t.Helper()
	found, err := module.NewIndex(git.Module).State("git." + state)
	if err != nil {
		s.t.Fatal(err)
	}
	var in module.Input
	for i := 0; i < len(args); i += 2 {
		in.Args = append(in.Args, module.Arg{Name: args[i].(string), Value: module.Data(args[i+1])})
	}
	b, err := found.Bind(in)
	if err != nil { // found before anything runs
		no := false
		return module.Result{Result: &no, Changes: value.NewDict(), Comment: err.Error()}
	}
	return b.Run(context.Background(), s.Host.Host, test)
}

// expect runs a state: what test mode foretells, a run does, and a second run leaves alone.
func (s *site) expect(state, changes string, args ...any) {
	s.t.Helper()
	for _, test := range []bool{true, false} {
		r := s.run(state, test, args...)
		if got := s.shown(r); got != changes || (r.Result == nil) != (test && changes != "{}") {
			s.t.Errorf("%s %v, test=%v: got %s %s, want %s", state, args, test, got, r.Comment, changes)
		}
	}
	if again := s.run(state, false, args...); again.Changes.Len() > 0 || again.Result == nil || !*again.Result {
		s.t.Errorf("%s %v: the second run changes %s %s", state, args, s.shown(again), again.Comment)
	}
}

// shown are changes with the subjects of commits in place of their hashes.
func (s *site) shown(r module.Result) string {
	data, _ := value.MarshalJSON(r.Changes)
	text := string(data)
	for line := range strings.Lines(s.git(s.origin, "log", "--all", "--reflog", "--format=%H %s")) {
		sum, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
		text = strings.ReplaceAll(text, sum, subject)
	}
	return text
}

func (s *site) fails(want, state string, args ...any) {
	s.t.Helper()
	for _, test := range []bool{true, false} {
		r := s.run(state, test, args...)
		if r.Result == nil || *r.Result || !strings.Contains(r.Comment, want) {
			s.t.Errorf("%s %v, test=%v: got %s %s, want %s", state, args, test, s.shown(r), r.Comment, want)
		}
	}
}

func TestModule(t *testing.T) {
	moduletest.Run(t, git.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		s := newSite(t)
		s.git("/", "init", "--quiet", s.Path("/srv/repo"))
		s.git(s.Path("/srv/repo"), "config", "core.oldvalue", "1")
		return s.Host
	}, Idle: []string{"latest"}})
}

func TestLatest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	app := []any{"name", source, "target", "/srv/app"}
	with := func(more ...any) []any { return append(slices.Clone(app), more...) }
	s.expect("latest", `{"new":"https://example.com/app.git => /srv/app","revision":{"old":null,"new":"one"}}`, app...)
	s.commit("two")
	s.git(s.origin, "tag", "-a", "-m", "x", "v2")
	s.expect("latest", `{"new_tags":["v2"],"revision":{"old":"one","new":"two"}}`, with("rev", "main")...)
	if got := s.Read("/srv/app/f"); got != "two\n" {
		t.Errorf("got %q", got)
	}
	s.git(s.origin, "tag", "-d", "v1")
	s.expect("latest", `{"deleted_tags":["v1"]}`, app...)

	s.Write("/srv/app/f", "changed here\n")
	s.expect("latest", `{}`, app...)
	s.commit("three")
	s.fails("files have changes; set force_reset", "latest", app...)
	s.expect("latest", `{"revision":{"old":"two","new":"three"},"forced update":true}`, with("force_reset", "remote-changes")...)
	s.Write("/srv/app/f", "changed again\n")
	s.expect("latest", `{}`, with("force_reset", "remote-changes")...)
	s.expect("latest", `{"forced update":true}`, with("force_reset", true)...)

	// What is only here is kept, unless it may go.
	s.Write("/srv/app/g", "here\n")
	s.git(s.Path("/srv/app"), "add", "g")
	s.git(s.Path("/srv/app"), "commit", "--quiet", "-m", "local")
	local := s.git(s.Path("/srv/app"), "rev-parse", "HEAD")
	s.fails("no fast-forward", "latest", app...)
	r := s.run("latest", false, with("force_reset", true)...)
	if got, want := s.shown(r), `{"revision":{"old":"`+local+`","new":"three"},"forced update":true}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	s.expect("latest", `{"local branch":{"old":"main","new":"mine"},"revision":{"old":"three","new":"two"}}`, with("rev", "v2", "branch", "mine")...)
	s.commit("four")
	s.expect("latest", `{"fetched":{"old":"three","new":"four"}}`, with("rev", "main", "update_head", false)...)
	s.fails(`cannot find "nosuch" in the remote repository`, "latest", with("rev", "nosuch")...)
	s.fails("begins with '-'", "latest", with("branch", "-x")...)
}

func TestClones(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	two := s.commit("two")
	s.git(s.origin, "branch", "side", "v1")
	clone := func(dir, sum string) string {
		return fmt.Sprintf(`{"new":"%s => %s","revision":{"old":null,"new":"%s"}}`, source, dir, sum)
	}
	for dir, c := range map[string]struct {
		args       []any
		sum, after string // what rev-parse --abbrev-ref HEAD says
	}{
		"/tag":     {[]any{"rev", "v1"}, "one", "HEAD"},
		"/side":    {[]any{"rev", "side"}, "one", "side"},
		"/named":   {[]any{"rev", "side", "branch", "mine"}, "one", "mine"},
		"/commit":  {[]any{"rev", two}, "two", "HEAD"},
		"/shallow": {[]any{"rev", "main", "depth", int64(1)}, "two", "main"},
		"/bare":    {[]any{"bare", true}, "two", "main"},
		"/mirror":  {[]any{"mirror", true}, "two", "main"},
		"/notags":  {[]any{"fetch_tags", false}, "two", "main"},
		"/other":   {[]any{"remote", "up"}, "two", "main"},
	} {
		s.expect("latest", clone(dir, c.sum), append([]any{"name", source, "target", dir}, c.args...)...)
		if got := s.git(s.Path(dir), "rev-parse", "--abbrev-ref", "HEAD"); got != c.after {
			t.Errorf("%s: got %s, want %s", dir, got, c.after)
		}
	}
	s.commit("three")
	s.git(s.origin, "branch", "-D", "side")
	for _, dir := range []string{"bare", "mirror"} {
		s.expect("latest", `{"refs/heads/main":{"old":"two","new":"three"},"refs/heads/side":{"old":"one","new":null}}`,
			"name", source, "target", "/"+dir, dir, true)
	}
	s.Write("/full/f", "x")
	s.fails("set force_clone", "latest", "name", source, "target", "/full")
	s.expect("latest", `{"new":"https://example.com/app.git => /full","revision":{"old":null,"new":"three"},"forced clone":true}`,
		"name", source, "target", "/full", "force_clone", true)
	s.expect("latest", fmt.Sprintf(`{"remotes/origin":{"old":"%s","new":"%s"}}`, source, s.origin), "name", s.origin, "target", "/full")
	s.fails("bare or mirror says otherwise", "latest", "name", source, "target", "/bare")
}

func TestOtherStates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.commit("two")
	s.git(s.origin, "branch", "side", "v1")
	s.expect("cloned", `{"new":"https://example.com/app.git => /c","revision":{"old":null,"new":"two"}}`, "name", source, "target", "/c")
	s.commit("three")
	s.expect("cloned", `{}`, "name", source, "target", "/c")
	s.expect("cloned", `{"branch":{"old":"main","new":"side"}}`, "name", source, "target", "/c", "branch", "side")
	s.expect("detached", `{"new":"https://example.com/app.git => /d","revision":{"old":null,"new":"one"}}`, "name", source, "target", "/d", "rev", "side")
	s.expect("detached", `{"HEAD":{"old":"one","new":"three"}}`, "name", source, "target", "/d", "rev", "main")
	s.Write("/d/f", "x")
	s.fails("set force_checkout", "detached", "name", source, "target", "/d", "rev", "v1")
	s.expect("detached", `{"HEAD":{"old":"three","new":"one"}}`, "name", source, "target", "/d", "rev", "v1", "force_checkout", true)
	s.expect("present", `{"new":"/p"}`, "name", "/p", "bare", false)
	s.expect("config_set", `{"a.b":{"old":null,"new":"x"}}`, "name", "a.b", "value", "x", "repo", "/p")
	s.expect("config_set", `{"a.b":{"old":"x","new":["y","z"]}}`, "name", "a.b", "multivar", value.NewList("y", "z"), "repo", "/p")
	s.fails("set all", "config_unset", "name", "a.*", "repo", "/p")
	s.expect("config_unset", `{"a.b":{"old":"y","new":null}}`, "name", "a.*", "value_regex", "^y", "repo", "/p")
	s.expect("config_set", `{"u.v":{"old":null,"new":"x"}}`, "name", "u.v", "value", "x", "global", true)
	s.fails(`set "repo" or "global"`, "config_set", "name", "u.v", "value", "x")
}

// TestWorkByHand changes a clone by the functions that an operator has, and pushes it.
func TestWorkByHand(t *testing.T) {
	s := newSite(t)
	s.git(s.origin, "config", "receive.denyCurrentBranch", "ignore")
	dir := s.Path("/srv/app")
	s.git("/", "clone", "--quiet", "file://"+s.origin, dir)
	for _, name := range []string{"a", "-b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want string, words ...string) {
		t.Helper()
		f, err := module.NewIndex(git.Module).Func("git." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), s.Host.Host, module.Words(append([]string{"/srv/app"}, words[1:]...)...))
		if got := fmt.Sprint(r.Value, " ", err); !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %s", words, got, want)
		}
	}
	run("add 'a'", "add", "a")
	run(`cannot use "-b": it begins with '-'`, "add", "-b")
	run("1 file changed", "commit", "Add a")
	run("true", "branch", "side")
	run("rm 'a'", "rm", "a")
	run("1 file changed", "commit", "Drop a")
	run("", "tag", "v2", "message=second")
	run("", "push", "origin", "main")
	run("", "push", "origin", "v2")
	if got := s.git(s.origin, "log", "--format=%s", "-2", "v2"); got != "Drop a\nAdd a" {
		t.Errorf("the origin has %q", got)
	}
	run("Already up to date", "merge", "side")
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.git(dir, "add", "-A")
	run("Saved working directory", "stash")
	run("Dropped", "stash", "opts=pop")
}

func TestSubmodules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sub := t.TempDir()
	s.git(sub, "init", "--quiet")
	s.git(sub, "commit", "--quiet", "--allow-empty", "-m", "sub")
	s.git(s.origin, "submodule", "--quiet", "add", sub, "lib")
	s.commit("two")
	s.expect("latest", `{"new":"https://example.com/app.git => /a","revision":{"old":null,"new":"two"}}`, "name", source, "target", "/a")
	s.expect("latest", `{"submodules":["lib"]}`, "name", source, "target", "/a", "submodules", true)
}

// TestPasswordsStayHidden: arguments of commands can be read by all users of a host.
func TestPasswordsStayHidden(t *testing.T) {
	for name, args := range map[string][]any{
		"in the URL":   {"name", "https://me:s3cret@example.com/x.git"},
		"as arguments": {"name", "https://example.com/x.git", "https_user", "me", "https_pass", "s3cret"},
	} {
		h := hosttest.New(t)
		var seen []host.Command
		h.Host.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
			seen = append(seen, c)
			return host.Output{Code: 128, Stderr: []byte("cannot reach https://me:s3cret@example.com with s3cret")}, nil
		}
		s := &site{Host: h, t: t}
		r := s.run("latest", false, append(args, "target", "/a")...)
		if strings.Contains(r.Comment, "s3cret") || len(seen) != 1 || strings.Contains(strings.Join(seen[0].Argv, " "), "s3cret") {
			t.Errorf("%s: the password is shown: %s, %v", name, r.Comment, seen)
		}
		if len(seen) == 1 && (!slices.Contains(seen[0].Env, "BRINE_GIT_PASSWORD=s3cret") || !slices.Contains(seen[0].Env, "GIT_TERMINAL_PROMPT=0")) {
			t.Errorf("%s: git does not get it: %q", name, seen[0].Env)
		}
	}
}

func TestIdentity(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://keys/it's", "KEY", 0o600)
	var key, mode string
	h.Host.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		for _, v := range c.Env {
			if _, ssh, ok := strings.Cut(v, "GIT_SSH_COMMAND="); ok {
				_, file, _ := strings.Cut(ssh, "-i '")
				file = strings.TrimSuffix(file, "'")
				data, err := os.ReadFile(file)
				st, _ := os.Stat(file)
				key, mode = string(data)+fmt.Sprint(err), fmt.Sprint(st.Mode(), " ", file)
			}
		}
		return host.Output{Code: 128, Stderr: []byte("no")}, nil
	}
	s := &site{Host: h, t: t}
	s.run("latest", false, "name", "git@example.com:x", "target", "/a", "identity", "salt://keys/it's")
	rights, file, _ := strings.Cut(mode, " ")
	if key != "KEY<nil>" || rights != "-rw-------" {
		t.Errorf("got %q %q", key, mode)
	}
	if _, err := os.Stat(file); err == nil {
		t.Errorf("%s is left", file)
	}
}
