package lab_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master"
	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

// The secrets of web1, by the way in which it gets them.
var secretsOf = map[string]string{
	"pillar":   "plAin-s3cret-1of6",
	"age":      `s3aled "by" age\2of6`,
	"external": "pr0gram-s3cret-3of6",
	"override": "0verride-s3cret-4of6",
	"argument": "argum3nt-s3cret-5of6",
	"before":   "an-0lder-s3cret-6of6", // that of the pillar before
}

// TestSecretsStayWithTheirMinion has one minion of three use secrets in all ways there are, and looks for them in whatever
// is not that minion's own: files, stores and backups of masters and other minions, all logs, and every message of the bus.
func TestSecretsStayWithTheirMinion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nobody, log := newKey(t), &logged{}
	s := lab.Start(t, lab.SiteOptions{
		Minions: []string{"web1", "web2", "db1"}, FileRoot: filepath.Join(dir, "states"), Log: log,
		Config:    secretPillar(t, dir),
		Operators: []*proto.OperatorRecord{{Name: "nobody", Key: publicOf(nobody)}},
	})
	var ears []chan *nats.Msg
	for name := range s.Masters {
		p := mustSignIn(t, s, name, s.Minions["web2"].Key().Signing)
		ears = append(ears, p.hears(subject.JobAll, subject.Job("web2"), subject.Inbox("web2")+".>"))
		p = mustSignIn(t, s, name, nobody)
		ears = append(ears, p.hears(subject.Inbox(subject.OperatorToken("nobody"))+".>"))
		p = mustSignIn(t, s, name, newKey(t))
		ears = append(ears, p.hears(subject.EnrolReply(p.nkey)))
	}
	useSecrets(t, s)
	works(t, s, 3) // something that all hear comes after it

	needles := map[string][]byte{}
	for kind, secret := range secretsOf {
		for form, text := range forms(secret) {
			needles[kind+" "+form] = []byte(text)
		}
	}
	for name, r := range s.Masters {
		must(t, master.Backup(t.Context(), r.Root, filepath.Join(r.Root, "backup-of-"+name)))
	}
	for _, name := range []string{"m1", "m2", "web2", "db1"} {
		nowhereBelow(t, s.HostRoot(name), needles)
	}
	if !bytes.Contains(log.all(), []byte("MSG_PAYLOAD")) {
		t.Error("the log shows no messages of the bus")
	}
	nowhereIn(t, "log, with all messages of the bus", log.all(), needles)
	for i, heard := range ears {
		for len(heard) > 0 {
			m := <-heard
			nowhereIn(t, fmt.Sprintf("ear %d on %s", i, m.Subject), m.Data, needles)
		}
	}
	t.Run("stolen key", func(t *testing.T) { stolenKeyGetsNoSecret(t, s, needles) })
}

// forms are a text as others may write it.
func forms(secret string) map[string]string {
	all := map[string]string{"plain": secret, "hex": hex.EncodeToString([]byte(secret))}
	for i, text := 1, secret; i <= 3; i++ { // the log quotes messages that have JSON in them
		text = strings.Trim(strconv.Quote(text), `"`)
		all[fmt.Sprintf("quoted %d", i)] = text
	}
	for i := range 3 { // wherever it stands in what was encoded
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + secret))
		all[fmt.Sprintf("base64 %d", i)] = text[4 : len(text)-4]
	}
	return all
}

func secretPillar(t *testing.T, dir string) string {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	must(t, err)
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, key.Recipient())
	must(t, err)
	_, err = io.WriteString(w, secretsOf["age"])
	must(t, err)
	must(t, w.Close())
	must(t, a.Close())
	block := "  " + strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\n  ")
	for name, text := range map[string]string{
		"pillar/top.sls":    "base:\n  '*': [common]\n  web1: [secret]\n",
		"pillar/common.sls": "motd: hello\n",
		"pillar/secret.sls": "db:\n  password: " + secretsOf["pillar"] + "\nlicence: |\n" + block + "\n",
		"keys":              key.String() + "\n",
		"program":           "#!/bin/sh\ncase $(cat) in\n'{\"id\":\"web1\"'*) echo '{\"cmdb\": {\"auth_token\": \"" + secretsOf["external"] + "\"}}' ;;\n*) echo '{}' ;;\nesac\n",
		"states/use.sls": `
/tmp/conf:
  file.managed:
    - mode: '0644'
    - makedirs: true
    - contents: |
        password = {{ pillar.db.password }}
        licence = {{ pillar.licence | json }}
        token = {{ pillar.cmdb.auth_token }}
        given = {{ pillar.get('given_secret', '') }}
/tmp/shown:
  file.managed:
    - contents_pillar: licence
    - show_changes: true
env:
  cmd.run:
    - name: printf '%s\n' "$PW" {{ pillar.db.password }}
    - env:
      - PW: {{ pillar.licence | json }}
    - fire_event: true
decoded:
  test.configurable_test_state:
    - name: {{ pillar.cmdb.auth_token }}
    - changes: true
    - result: true
    - comment: {{ pillar.db.password | base64_encode }}
`,
		"states/bad.sls": "{{ pillar.db.password }}:\n  file.managd:\n    - contents: {{ pillar.licence | json }}\n",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	must(t, os.Chmod(filepath.Join(dir, "program"), 0o700))
	return fmt.Sprintf("[pillar_roots]\nbase = [%q]\n[pillar]\nage_identities = [%q]\n[[pillar.external]]\ncommand = [%q]\n",
		filepath.Join(dir, "pillar"), filepath.Join(dir, "keys"), filepath.Join(dir, "program"))
}

// useSecrets has web1 do what makes results, progress, events and mistakes of its secrets.
func useSecrets(t *testing.T, s *lab.Site) {
	t.Helper()
	conf := filepath.Join(s.HostRoot("web1"), "tmp/conf")
	must(t, os.MkdirAll(filepath.Dir(conf), 0o755))
	must(t, os.WriteFile(conf, []byte("password = "+secretsOf["before"]+"\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(conf), "shown"), []byte(secretsOf["before"]), 0o644))
	given := &proto.Argument{Name: "pillar", Value: &proto.Argument_Text{Text: `{"given_secret": "` + secretsOf["override"] + `"}`}}
	r := sealedRun(t, s, "state.apply", []*proto.Argument{text("use")}, given)
	if r.Status != "ok" || !bytes.Contains(r.Value, []byte("+password = ********")) {
		t.Fatalf("got %s %s", r.Status, r.Value)
	}
	data, err := os.ReadFile(conf)
	must(t, err)
	for _, kind := range []string{"pillar", "external", "override"} {
		if !bytes.Contains(data, []byte(secretsOf[kind])) {
			t.Errorf("the secret of %s did not reach web1: %s", kind, data)
		}
	}
	for _, step := range [][]string{
		{"state.apply", "use", "test=True"}, {"state.show_sls", "use"}, {"state.show_low_sls", "use"}, {"state.apply", "bad"},
		{"state.single", "file.managed", "name=/tmp/one", "contents_pillar=db:password", "show_changes=true"},
		{"saltutil.refresh_pillar"}, {"mine.update"}, {"pillar.obfuscate"}, {"pillar.ls"}, {"pillar.keys", "db"}, {"saltutil.running"},
	} {
		s.Run("web1", step[0], step[1:]...)
	}
	must(t, os.WriteFile(filepath.Join(filepath.Dir(conf), "two"), []byte(secretsOf["before"]), 0o644))
	argument := &proto.Argument{Name: "contents", Value: &proto.Argument_Text{Text: secretsOf["argument"]}}
	r = sealedRun(t, s, "state.single", []*proto.Argument{text("file.managed"), {Name: "name", Value: &proto.Argument_Text{Text: "/tmp/two"}}}, argument)
	if r.Status != "ok" || !bytes.Contains(r.Value, []byte(`+********`)) {
		t.Fatalf("got %s %s", r.Status, r.Value)
	}
	s.Run("*", "pillar.get", "motd")
}

func sealedRun(t *testing.T, s *lab.Site, function string, open []*proto.Argument, sealed ...*proto.Argument) *client.Minion {
	t.Helper()
	req := s.Client.NewJob(glob("web1"), function, open)
	keys, err := s.Client.Seal(within(t), req, sealed)
	must(t, err)
	r, err := s.Client.Run(within(t), req, func(*client.Result, []string) {}, keys...)
	must(t, err)
	return r.Minions["web1"]
}

func nowhereBelow(t *testing.T, dir string, needles map[string][]byte) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		nowhereIn(t, path, data, needles)
		files++
		return err
	}))
	if files == 0 {
		t.Errorf("there are no files below %s", dir)
	}
}

// nowhereIn looks also into what gzip has compressed.
func nowhereIn(t *testing.T, where string, data []byte, needles map[string][]byte) {
	t.Helper()
	for what, text := range needles {
		if i := bytes.Index(data, text); i >= 0 {
			t.Errorf("the secret of %s is found in %s: %q", what, where, data[max(0, i-200):min(len(data), i+40)])
		}
	}
	magic := []byte{0x1f, 0x8b, 8}
	for at := bytes.Index(data, magic); at >= 0; {
		if z, err := gzip.NewReader(bytes.NewReader(data[at:])); err == nil {
			z.Multistream(false)
			plain, _ := io.ReadAll(io.LimitReader(z, 64<<20)) // what is no gzip after all ends with an error
			for what, text := range needles {
				if bytes.Contains(plain, text) {
					t.Errorf("the secret of %s is found, compressed, in %s", what, where)
				}
			}
		}
		next := bytes.Index(data[at+1:], magic)
		if next < 0 {
			break
		}
		at += 1 + next
	}
}

// logged keeps what all parts of a site log.
type logged struct {
	mu   sync.Mutex // guards data
	data bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.Write(p)
}

func (l *logged) all() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.data.Bytes())
}

// stolenKeyGetsNoSecret: who has web2's key asks for what web1 may know, on every subject and path there is.
func stolenKeyGetsNoSecret(t *testing.T, s *lab.Site, needles map[string][]byte) {
	run := s.Run("web1", "mine.send", "told", secretsOf["pillar"], "mine_function=test.echo", "allow_tgt=db1")
	if run.Counts()["ok"] != 1 {
		t.Fatalf("got %v", run.Minions["web1"])
	}
	key := s.Minions["web2"].Key()
	inbox := subject.Inbox("web2") + ".stolen"
	grains := []byte(`{"id": "web1", "nodename": "web1", "host": "web1", "fqdn": "web1"}`)
	for _, name := range []string{"m1", "m2"} {
		p := mustSignIn(t, s, name, key.Signing)
		heard := p.hears(subject.Inbox("web2")+".>", subject.JobAll, subject.Job("web2"))
		for _, id := range []string{"web1", "web2"} {
			for verb, data := range map[string][]byte{
				subject.Pillar: marshal(t, &proto.PillarRequest{Id: make([]byte, 16), Grains: grains}),
				subject.Mined:  marshal(t, &proto.MineRequest{Id: make([]byte, 16), Target: "*", Functions: []string{"told"}}),
				subject.File:   marshal(t, &proto.FileRequest{}),
				subject.Tree:   nil, subject.Seen: nil, subject.Bundle: nil, "job": nil, "return": nil,
			} {
				for _, reply := range []string{inbox, subject.Inbox("web1") + ".x"} {
					must(t, p.conn.PublishMsg(&nats.Msg{Subject: subject.Request(id, verb), Reply: reply, Data: data}))
				}
			}
		}
		opens := answersTo(t, key, name, p, heard, needles)
		if opens == 0 {
			t.Errorf("%s answered web2 nothing: this looked at nothing", name)
		}
	}
	web := webClient(s)
	for _, r := range s.Masters {
		for _, id := range []string{"web1", "web2"} {
			token, err := pki.NewFileToken(key, s.Client.Trust().Pin(), id, time.Now())
			must(t, err)
			for _, path := range []string{"/", "/blob/", "/pillar", "/pillar/web1", "/mine", "/job", "/join", "/bundle", "/hook/git", "/blob/../pillar.age"} {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					req, err := http.NewRequestWithContext(within(t), method, "https://"+r.Addresses.Files+path, strings.NewReader("{}"))
					must(t, err)
					req.Header.Set("Authorization", "Bearer "+token)
					resp, err := web.Do(req)
					must(t, err)
					data, err := io.ReadAll(resp.Body)
					must(t, err)
					must(t, resp.Body.Close())
					nowhereIn(t, method+" "+path, data, needles)
				}
			}
		}
	}
}

// answersTo opens whatever comes with the stolen key, and returns how much of it there was.
func answersTo(t *testing.T, key *pki.MinionKey, master string, p *party, heard chan *nats.Msg, needles map[string][]byte) (opened int) {
	t.Helper()
	refused := p.refused()
	for _, id := range []string{subject.Request("web1", subject.Pillar), subject.Request("web1", subject.Mined)} {
		if !refused[id] {
			t.Errorf("web2 may publish %s at %s", id, master)
		}
	}
	eventually(t, "answers of "+master, func() bool {
		for len(heard) > 0 {
			m := <-heard
			nowhereIn(t, "an answer on "+m.Subject, m.Data, needles)
			if plain := openAnswer(key, m.Data); plain != nil {
				nowhereIn(t, "what is sealed in an answer on "+m.Subject, plain, needles)
				opened++
			}
		}
		return opened >= 2 // its own pillar, and its mine
	})
	return opened
}

// openAnswer opens the pillar or mine that a message brings; nil when it brings none that the key opens.
func openAnswer(key *pki.MinionKey, data []byte) []byte {
	env, reply := &proto.Envelope{}, &proto.PillarReply{} // a MineAnswer has the same fields
	if pb.Unmarshal(data, env) != nil || pb.Unmarshal(env.Body, reply) != nil {
		return nil
	}
	plain, err := key.Open(reply.Sealed)
	if err != nil {
		return nil
	}
	return plain
}
