package gitfs_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"brine/master/gitfs"
)

// TestHTTPS fetches from git's own server behind TLS and a password.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit(map[string]string{"top.sls": "by https"})
	where, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	must(t, err)
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(where)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + r.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, password, _ := q.BasicAuth(); user != "ann" || password != "s3cret '$x" {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca, password, wrong := filepath.Join(dir, "ca"), filepath.Join(dir, "password"), filepath.Join(dir, "wrong")
	must(t, errors.Join(
		os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600),
		os.WriteFile(password, []byte("s3cret '$x\n"), 0o600), os.WriteFile(wrong, []byte("s3cret"), 0o600)))
	for _, c := range []struct {
		what, want string
		remote     gitfs.Remote
	}{
		{"all is well", "", gitfs.Remote{CAFile: ca, User: "ann", PasswordFile: password}},
		{"a wrong password", "cannot fetch: git fetch: remote: who are you? fatal: Authentication failed", gitfs.Remote{CAFile: ca, User: "ann", PasswordFile: wrong}},
		{"no password", "could not read Username", gitfs.Remote{CAFile: ca}},
		{"a certificate that nobody knows", "certificate", gitfs.Remote{User: "ann", PasswordFile: password}},
	} {
		c.remote.URL = server.URL + "/.git"
		reaches(t, c.what, c.remote, c.want, "by https")
	}
}

// reaches fetches a remote, which works or is a problem.
func reaches(t *testing.T, what string, c gitfs.Remote, problem, content string) {
	t.Helper()
	s := start(t, t.TempDir(), c)
	s.refresh()
	got := s.problems()
	if problem == "" && got != "" || !strings.Contains(got, problem) {
		t.Errorf("%s: got problems %q, want %q", what, got, problem)
	}
	if strings.Contains(got, "s3cret") {
		t.Errorf("%s: the password is told: %s", what, got)
	}
	if problem == "" {
		s.want("base", map[string]string{"top.sls": content})
	}
}

// TestSSH fetches by OpenSSH's client from a server that lets one key in.
func TestSSH(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.commit(map[string]string{"top.sls": "by ssh"})
	dir := t.TempDir()
	key := func(name string) ssh.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		block, err := ssh.MarshalPrivateKey(private, "")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
		signer, err := ssh.NewSignerFromKey(private)
		must(t, err)
		return signer
	}
	host, ann, _ := key("host"), key("it's ann"), key("eve")
	address := serveSSH(t, host, ann.PublicKey())
	where, port, _ := strings.Cut(address, ":")
	known, unknown := filepath.Join(dir, "known hosts"), filepath.Join(dir, "unknown")
	line := fmt.Sprintf("[%s]:%s %s", where, port, ssh.MarshalAuthorizedKey(host.PublicKey()))
	must(t, errors.Join(os.WriteFile(known, []byte(line), 0o600), os.WriteFile(unknown, nil, 0o600)))
	for _, c := range []struct{ what, key, known, want string }{
		{"all is well", "it's ann", known, ""},
		{"another's key", "eve", known, "Permission denied"},
		{"a host that nobody knows", "it's ann", unknown, "Host key verification failed"},
	} {
		reaches(t, c.what, gitfs.Remote{URL: "ssh://ann@" + address + r.dir, Privkey: filepath.Join(dir, c.key), KnownHosts: c.known}, c.want, "by ssh")
	}
}

// serveSSH serves git-upload-pack to one key.
func serveSSH(t *testing.T, host ssh.Signer, who ssh.PublicKey) string {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(who.Marshal()) {
			return nil, errors.New("who is this?")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for c := range channels {
					session(t, c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

func session(t *testing.T, c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer channel.Close()
	for req := range requests {
		if req.Type != "exec" {
			if req.WantReply {
				_ = req.Reply(req.Type == "env", nil)
			}
			continue
		}
		_ = req.Reply(true, nil)
		line := string(req.Payload[4:])
		if !strings.HasPrefix(line, "git-upload-pack ") {
			t.Errorf("got the command %q", line)
			return
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Error(err)
			return
		}
		go func() { _, _ = io.Copy(in, channel); in.Close() }()
		status := uint32(0)
		if err := cmd.Run(); err != nil {
			status = 1
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
		return
	}
}
