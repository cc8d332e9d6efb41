package master

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/gitfs"
	"brine/master/pillar"
	"brine/proto"
	"brine/states/sls"
)

// Gitfs is where files for minions lie in git. What stands here holds for
// each remote that has nothing of its own.
type Gitfs struct {
	UpdateInterval string   `toml:"update_interval"`
	WebhookSecret  string   `toml:"webhook_secret"` // file; "": no webhook
	Base           string   `toml:"base"`
	User           string   `toml:"user"`
	PasswordFile   string   `toml:"password_file"`
	Privkey        string   `toml:"privkey"`
	KnownHosts     string   `toml:"known_hosts"`
	CAFile         string   `toml:"ca_file"`
	RequireSigned  []string `toml:"require_signed"`
	Allow          []string `toml:"saltenv_allow"`
	Deny           []string `toml:"saltenv_deny"`

	Remotes []gitfs.Remote `toml:"remotes"`
}

// GitPillar is a repository with pillar: one branch that is one environment,
// or, with the branch "__env__", branches and tags as in gitfs.
type GitPillar struct {
	gitfs.Remote
	Branch string `toml:"branch"`
	Env    string `toml:"env"` // that the branch is; "" is base for the branch of base, else its name
}

const (
	everyBranch = "__env__"
	gitRoots    = "roots"
	gitBackend  = "gitfs"
	maxHook     = 32 << 20 // bytes of a webhook's message
)

// gitRemotes are the remotes of gitfs with what holds for all of them.
func (c *Config) gitRemotes() []gitfs.Remote {
	g := c.Gitfs
	out := slices.Clone(g.Remotes)
	for i := range out {
		r := &out[i]
		r.Base = cmp.Or(r.Base, g.Base)
		ssh, web := sshOrWeb(r.URL)
		if ssh {
			r.Privkey, r.KnownHosts = cmp.Or(r.Privkey, g.Privkey), cmp.Or(r.KnownHosts, g.KnownHosts)
		}
		if web {
			r.CAFile = cmp.Or(r.CAFile, g.CAFile)
			if r.User == "" && r.PasswordFile == "" {
				r.User, r.PasswordFile = g.User, g.PasswordFile
			}
		}
		if len(r.RequireSign) == 0 {
			r.RequireSign = g.RequireSigned
		}
		if len(r.Allow) == 0 && len(r.Deny) == 0 {
			r.Allow, r.Deny = g.Allow, g.Deny
		}
	}
	return out
}

// sshOrWeb tells how a URL is reached; neither is a local path.
func sshOrWeb(url string) (ssh, web bool) {
	scheme, _, ok := strings.Cut(url, "://")
	return scheme == "ssh" || !ok && !strings.HasPrefix(url, "/"), ok && (scheme == "https" || scheme == "http")
}

func (p GitPillar) branch() string { return cmp.Or(p.Branch, p.Base, "master") }

// environment is the one that its branch is; "" for a remote whose every branch is one.
func (p GitPillar) environment() string {
	switch branch := p.branch(); {
	case branch == everyBranch:
		return ""
	case p.Env == "" && branch == cmp.Or(p.Base, "master"):
		return "base"
	default:
		return cmp.Or(p.Env, branch)
	}
}

// pillarRemotes are the remotes of pillar.
func (c *Config) pillarRemotes() []gitfs.Remote {
	var out []gitfs.Remote
	for _, p := range c.GitPillar {
		r := p.Remote
		if env := p.environment(); env != "" {
			r.Unmapped, r.Saltenv, r.Allow = true, map[string]string{env: p.branch()}, []string{env}
		}
		out = append(out, r)
	}
	return out
}

// gitProblems are the mistakes in what the configuration says of git.
func (c *Config) gitProblems() []error {
	errs := append(gitfs.CheckRemotes("gitfs.remotes", c.gitRemotes()), gitfs.CheckRemotes("git_pillar", c.pillarRemotes())...)
	if d := c.Gitfs.UpdateInterval; d != "" {
		if every, err := time.ParseDuration(d); err != nil || every < time.Second {
			errs = append(errs, fmt.Errorf("gitfs.update_interval = %q: want a duration of 1s or more, such as 60s", d))
		}
	}
	if c.Gitfs.WebhookSecret != "" {
		if _, err := secretFile(c.Gitfs.WebhookSecret); err != nil {
			errs = append(errs, fmt.Errorf("gitfs.webhook_secret: %w", err))
		}
	}
	for i, p := range c.GitPillar {
		if p.Branch == everyBranch && p.Env != "" {
			errs = append(errs, fmt.Errorf("git_pillar[%d].env = %q: with branch = %q each branch is an environment of its own", i+1, p.Env, everyBranch))
		}
	}
	for i, b := range c.Backends {
		if b != gitRoots && b != gitBackend && b != "git" {
			errs = append(errs, fmt.Errorf("fileserver_backend: %q is none of roots, gitfs", b))
		} else if slices.Contains(c.Backends[:i], b) {
			errs = append(errs, fmt.Errorf("fileserver_backend: %q stands there twice", b))
		}
	}
	if len(c.Backends) > 0 {
		if !slices.Contains(c.Backends, gitRoots) && len(c.FileRoots) > 0 {
			errs = append(errs, fmt.Errorf("fileserver_backend: roots is missing, and there are file_roots"))
		}
		if !slices.Contains(c.Backends, gitBackend) && !slices.Contains(c.Backends, "git") && len(c.Gitfs.Remotes) > 0 {
			errs = append(errs, fmt.Errorf("fileserver_backend: gitfs is missing, and there are gitfs.remotes"))
		}
	}
	if len(c.Gitfs.Remotes)+len(c.GitPillar) > 0 {
		if _, err := gitfs.FindGit(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// gitFirst tells whether files in git win over those in file_roots.
func (c *Config) gitFirst() bool { return len(c.Backends) > 0 && c.Backends[0] != gitRoots }

// startGit opens the copies of repositories. They are fetched by startChores.
func (m *Master) startGit(ctx context.Context) (func(), error) {
	c := m.o.Config
	every, _ := time.ParseDuration(c.Gitfs.UpdateInterval) // 0: the default
	var err error
	m.gitfs, err = gitfs.New(ctx, gitfs.Options{
		Dir: m.layout.Git(), Interval: every, Remotes: c.gitRemotes(), Log: m.log.Named("gitfs"),
		Keep: func(r io.Reader) ([]byte, int64, error) { return m.files.Keep(r) },
		Changed: func(ctx context.Context) { // the others are told which tree this master has
			if _, err := m.files.Tree(ctx, ""); err != nil && ctx.Err() == nil {
				m.log.Warn("cannot read the files that were fetched", "err", err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	m.gitPillar, err = gitfs.New(ctx, gitfs.Options{
		Dir: m.layout.GitPillar(), Interval: every, Remotes: c.pillarRemotes(), Log: m.log.Named("git_pillar"),
	})
	return nil, err
}

// keepGit fetches until ctx ends.
func (m *Master) keepGit(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { m.gitfs.Run(ctx) })
	both.Go(func() { m.gitPillar.Run(ctx) })
	both.Wait()
}

// gitWarnings are what an operator should look at.
func (m *Master) gitWarnings() []string {
	var out []string
	for _, set := range []struct {
		use string
		*gitfs.Set
	}{{"gitfs", m.gitfs}, {"git_pillar", m.gitPillar}} {
		for _, st := range set.Status() {
			if len(st.Problems) == 0 {
				continue
			}
			since := "nothing was fetched since the start"
			if !st.Fetched.IsZero() {
				since = "last fetched " + st.Fetched.UTC().Format(time.RFC3339)
			}
			text := fmt.Sprintf("%s %s: %s", set.use, st.Remote, st.Problems[0])
			if n := len(st.Problems) - 1; n > 0 {
				text += fmt.Sprintf(" (and %d more)", n)
			}
			serves := "nothing is served of it"
			if len(st.Commits) > 0 {
				serves = "the last good files are served"
			}
			out = append(out, text+"; "+serves+", "+since)
		}
	}
	return out
}

// gitTrees is pillar in git, of one remote.
type gitTrees struct {
	set    *gitfs.Set
	remote int
	env    string // that it is; "" for one that has many
}

var _ pillar.Trees = gitTrees{}

// Environments is the one that its branch is; of many that of base.
func (t gitTrees) Environments() []string { return []string{cmp.Or(t.env, "base")} }

// Tree is the files that were fetched last.
func (t gitTrees) Tree(ctx context.Context, env string, _ time.Time) (string, sls.Source, error) {
	id, src, err := t.set.Source(ctx, env, t.remote)
	if err != nil {
		return "", nil, err
	}
	return id, src, nil
}

// masterRefresh has all masters fetch, and tells what they have then.
func (m *Master) masterRefresh(ctx context.Context, c *call) (pb.Message, error) {
	req := &proto.RefreshRequest{}
	if err := c.decode(req); err != nil {
		return nil, err
	}
	reply := m.refreshAll(ctx, req.Show)
	if !req.Show {
		m.audit(c, "master.refresh", "")
	}
	return reply, nil
}

// refreshAll has every live master fetch, or only tell.
func (m *Master) refreshAll(ctx context.Context, show bool) *proto.RefreshReply {
	reply := &proto.RefreshReply{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, name := range m.peers.Live() {
		if name == m.id.Name {
			continue
		}
		wait.Go(func() {
			theirs := &proto.RefreshReply{}
			err := m.peers.Call(ctx, name, "sys", "refresh", &proto.RefreshRequest{Show: show}, theirs)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				reply.Unheard = append(reply.Unheard, name)
				m.log.Warn("a master did not tell about git", "master", name, "err", err)
			}
			reply.Remotes = append(reply.Remotes, theirs.Remotes...)
		})
	}
	own := m.refresh(ctx, show)
	wait.Wait()
	reply.Remotes = append(reply.Remotes, own.Remotes...)
	slices.SortStableFunc(reply.Remotes, func(a, b *proto.GitRemote) int { return strings.Compare(a.Master, b.Master) })
	return reply
}

// refreshTime is how long one answer may take: the fetch goes on beyond it.
const refreshTime = 8 * time.Second

func (m *Master) refresh(ctx context.Context, show bool) *proto.RefreshReply {
	if !show {
		m.gitfs.Poke() // should the time not suffice
		m.gitPillar.Poke()
		within, cancel := context.WithTimeout(ctx, refreshTime)
		defer cancel()
		var both sync.WaitGroup
		both.Go(func() { m.gitfs.Refresh(within) })
		both.Go(func() { m.gitPillar.Refresh(within) })
		both.Wait()
	}
	reply := &proto.RefreshReply{}
	for use, set := range map[string]*gitfs.Set{"gitfs": m.gitfs, "git_pillar": m.gitPillar} {
		for _, st := range set.Status() {
			g := &proto.GitRemote{Master: m.id.Name, Use: use, Remote: st.Remote, Commits: st.Commits, Problems: st.Problems}
			if !st.Fetched.IsZero() {
				g.Fetched = st.Fetched.UnixMicro()
			}
			reply.Remotes = append(reply.Remotes, g)
		}
	}
	return reply
}

// peerRefresh is refresh for another master.
func (m *Master) peerRefresh(ctx context.Context, _ string, payload []byte) (pb.Message, error) {
	req := &proto.RefreshRequest{}
	if err := pb.Unmarshal(payload, req); err != nil {
		return nil, err
	}
	return m.refresh(ctx, req.Show), nil
}

// hook has all masters fetch when a forge says that somebody has pushed. The
// secret is proven as GitHub, Gitea (HMAC) or GitLab (token) do it.
func (m *Master) hook(w http.ResponseWriter, r *http.Request) {
	secret, err := secretFile(m.o.Config.Gitfs.WebhookSecret)
	if m.o.Config.Gitfs.WebhookSecret == "" || err != nil {
		if err != nil && m.o.Config.Gitfs.WebhookSecret != "" {
			m.log.Error("webhook of git refused", "err", err)
		}
		http.NotFound(w, r)
		return
	}
	if err := proven(w, r, secret); err != nil {
		m.complain("", "webhook of git refused", "address", r.RemoteAddr, "err", err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	m.gitfs.Poke()
	m.gitPillar.Poke()
	for _, name := range m.peers.Live() {
		if name != m.id.Name {
			m.later(func() { m.pokePeer(name) })
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// pokePeer has another master fetch. One that does not hear it fetches at its interval.
func (m *Master) pokePeer(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := m.peers.Call(ctx, name, "sys", "poke", &proto.Empty{}, &proto.Empty{}); err != nil {
		m.log.Debug("a master was not told of a push", "master", name, "err", err)
	}
}

func (m *Master) poked(context.Context, string, []byte) (pb.Message, error) {
	m.gitfs.Poke()
	m.gitPillar.Poke()
	return &proto.Empty{}, nil
}

// proven tells why a webhook's message does not show the secret.
func proven(w http.ResponseWriter, r *http.Request, secret []byte) error {
	if token := r.Header.Get("X-Gitlab-Token"); token != "" {
		if subtle.ConstantTimeCompare([]byte(token), secret) == 1 {
			return nil
		}
		return errors.New("the token is wrong")
	}
	text, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	sum, err := hex.DecodeString(text)
	if !ok || err != nil {
		return errors.New("want X-Hub-Signature-256 or X-Gitlab-Token")
	}
	h := hmac.New(sha256.New, secret)
	if _, err := io.Copy(h, http.MaxBytesReader(w, r.Body, maxHook)); err != nil {
		return fmt.Errorf("cannot read the message: %w", err)
	}
	if !hmac.Equal(sum, h.Sum(nil)) {
		return errors.New("the signature is wrong")
	}
	return nil
}
