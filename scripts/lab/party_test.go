package lab_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/scripts/lab"
)

const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if inside := os.Getenv(smallDisk); inside != "" {
		enterSmallDisk(inside)
	}
	status := m.Run()
	if left := leftOver(); left != "" && status == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:\n"+left)
		status = 1
	}
	os.Exit(status)
}

// leftOver waits for goroutines of sites to end, and returns those that don't.
func leftOver() (left string) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		buf := make([]byte, 4<<20)
		left = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			ours := strings.Contains(g, "brine/") || strings.Contains(g, "nats-io/") || strings.Contains(g, "net/http")
			if ours && !strings.Contains(g, "lab_test.TestMain") {
				left += g + "\n\n"
			}
		}
		if left == "" || time.Now().After(deadline) {
			return left
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A party is somebody on the network with a key, who says what they like.
type party struct {
	t      *testing.T
	key    ed25519.PrivateKey
	nkey   string
	conn   *nats.Conn
	denied chan string // subjects that the server refused
	closed chan struct{}
}

// sentinel is a subject that nobody may use: its refusal comes after those of
// everything before.
const sentinel = "sentinel"

var quoted = regexp.MustCompile(`"([^"]+)"`)

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	key, err := pki.NewOperatorKey()
	must(t, err)
	return key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// signIn connects to a master with a key.
func signIn(t *testing.T, s *lab.Site, master string, key ed25519.PrivateKey) (*party, error) {
	t.Helper()
	p := &party{
		t: t, key: key, nkey: pki.NKey(publicOf(key)),
		denied: make(chan string, 10_000), closed: make(chan struct{}),
	}
	var err error
	p.conn, err = nats.Connect("tls://"+s.Masters[master].Addresses.Bus,
		nats.Secure(pki.ClientTLS(s.Client.Trust())), nats.NoReconnect(), nats.IgnoreDiscoveredServers(),
		nats.Nkey(p.nkey, func(nonce []byte) ([]byte, error) { return pki.SignNonce(key, nonce) }),
		nats.Timeout(patience),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if m := quoted.FindStringSubmatch(err.Error()); m != nil && errors.Is(err, nats.ErrPermissionViolation) {
				p.denied <- m[1]
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(p.closed) }))
	if err == nil {
		t.Cleanup(p.conn.Close)
	}
	return p, err
}

func mustSignIn(t *testing.T, s *lab.Site, master string, key ed25519.PrivateKey) *party {
	t.Helper()
	p, err := signIn(t, s, master, key)
	must(t, err)
	return p
}

// refused returns the subjects that the server has refused so far.
func (p *party) refused() map[string]bool {
	p.t.Helper()
	must(p.t, p.conn.Publish(sentinel, nil))
	must(p.t, p.conn.FlushTimeout(patience))
	all := map[string]bool{}
	for {
		select {
		case s := <-p.denied:
			if s == sentinel {
				return all
			}
			all[s] = true
		case <-time.After(patience):
			p.t.Fatal("the server refuses nothing")
		}
	}
}

// maySubscribe returns which of subjects the party can subscribe to.
func (p *party) maySubscribe(subjects []string) (may []string) {
	p.t.Helper()
	var subs []*nats.Subscription
	for _, s := range subjects {
		for _, queue := range []string{"", "q"} {
			sub, err := p.conn.QueueSubscribeSync(s, queue)
			must(p.t, err)
			subs = append(subs, sub)
		}
	}
	refused := p.refused()
	for _, sub := range subs {
		_ = sub.Unsubscribe() // of one that was refused: gone already
	}
	return slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return refused[s] })
}

// mayPublish returns on which of subjects the party can publish data.
func (p *party) mayPublish(subjects []string, data []byte) (may []string) {
	p.t.Helper()
	for _, s := range subjects {
		must(p.t, p.conn.Publish(s, data))
	}
	refused := p.refused()
	return slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return refused[s] })
}

// hears collects what comes on subjects.
func (p *party) hears(subjects ...string) (heard chan *nats.Msg) {
	p.t.Helper()
	heard = make(chan *nats.Msg, 10_000)
	for _, s := range subjects {
		_, err := p.conn.ChanSubscribe(s, heard)
		must(p.t, err)
	}
	must(p.t, p.conn.FlushTimeout(patience))
	return heard
}

// await returns the first message that fits.
func await(t *testing.T, what string, heard <-chan *nats.Msg, fits func(*nats.Msg) bool) *nats.Msg {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-heard:
			if fits(m) {
				return m
			}
		case <-timeout:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// enrol asks for acceptance under an id and returns the answer.
func (p *party) enrol(id string) *proto.EnrolReply {
	p.t.Helper()
	sealing, err := pki.NewMinionKey()
	must(p.t, err)
	heard := p.hears(subject.EnrolReply(p.nkey))
	data, err := pb.Marshal(&proto.EnrolRequest{
		Id: id, SigningKey: publicOf(p.key), SealingKey: sealing.SealingPublic(), Version: "test",
	})
	must(p.t, err)
	must(p.t, p.conn.Publish(subject.EnrolRequest(p.nkey), data))
	reply := &proto.EnrolReply{}
	await(p.t, "an answer to the enrolment", heard, func(m *nats.Msg) bool { return pb.Unmarshal(m.Data, reply) == nil })
	return reply
}

// pends enrols an id at a master, and waits until all know that its key is not decided upon.
func pends(t *testing.T, s *lab.Site, master, id string, key ed25519.PrivateKey) {
	t.Helper()
	p := mustSignIn(t, s, master, key)
	defer p.conn.Close()
	if r := p.enrol(id); r.Status != proto.EnrolReply_PENDING {
		t.Fatalf("%s: got %v", id, r)
	}
	for name := range s.Masters {
		c := s.At(name)
		eventually(t, name+" knows of "+id, func() bool {
			list := &proto.KeyListReply{}
			err := c.Call(within(t), "key.list", &proto.KeyListRequest{Patterns: []string{id}}, list)
			return err == nil && slices.ContainsFunc(list.Keys, func(k *proto.KeyInfo) bool { return k.State == proto.KeyState_KEY_PENDING })
		})
		c.Close()
	}
}

// decide decides about the keys of one id, as the first operator.
func decide(t *testing.T, c *client.Client, id string, state proto.KeyState) error {
	t.Helper()
	req := &proto.KeyDecideRequest{Patterns: []string{id}, State: state}
	return c.Call(within(t), "key.decide", req, &proto.KeyDecideReply{})
}

// operator returns a client of an operator that the site was started with.
func operator(t *testing.T, s *lab.Site, name string, key ed25519.PrivateKey, masters ...string) *client.Client {
	t.Helper()
	dir := t.TempDir()
	must(t, pki.SaveOperatorKey(filepath.Join(dir, "key"), key))
	var buses []string
	for _, m := range masters {
		buses = append(buses, fmt.Sprintf("%q", s.Masters[m].Addresses.Bus))
	}
	text := fmt.Sprintf("name = %q\nkey = \"key\"\nca_fingerprint = %q\nmasters = [%s]\n",
		name, s.Client.Config().CAFingerprint, strings.Join(buses, ", "))
	path := filepath.Join(dir, "operator.toml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	config, err := client.LoadConfig(path)
	must(t, err)
	c, err := client.New(config)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// works fails the test unless minions answer, asked through each master.
func works(t *testing.T, s *lab.Site, minions int) {
	t.Helper()
	for name := range s.Masters {
		c, ctx := s.At(name), within(t)
		r := ping(t, ctx, c)
		for r.Counts()["ok"] != minions && r.Counts()["offline"] > 0 && ctx.Err() == nil { // one is on its way to another master
			r = ping(t, ctx, c)
		}
		c.Close()
		if r.Counts()["ok"] != minions {
			t.Errorf("test.ping through %s: got %v, want %d ok", name, r.Counts(), minions)
		}
	}
}

func ping(t *testing.T, ctx context.Context, c *client.Client) *client.Result {
	t.Helper()
	r, err := c.Run(ctx, c.NewJob(glob("*"), "test.ping", nil), func(*client.Result, []string) {})
	must(t, err)
	return r
}

func glob(expression string) *proto.Target {
	return &proto.Target{Syntax: proto.Target_GLOB, Expression: expression}
}

func text(s string) *proto.Argument {
	return &proto.Argument{Value: &proto.Argument_Text{Text: s}}
}

// operatorKey is the key of the first operator.
func operatorKey(t *testing.T, s *lab.Site) ed25519.PrivateKey {
	t.Helper()
	c := s.Client.Config()
	key, err := pki.LoadOperatorKey(filepath.Join(filepath.Dir(s.Masters["m1"].Layout().OperatorConfig()), c.Key))
	must(t, err)
	return key
}

// apiRequest is for the master that the party is connected to.
func (p *party) apiRequest(operator, verb string) *proto.ApiRequest {
	id := make([]byte, 16)
	rand.Read(id)
	return &proto.ApiRequest{
		Operator: operator, Master: p.conn.ConnectedServerName(), Instance: p.conn.ConnectedServerId(), Verb: verb, Id: id,
		IssuedAt: time.Now().UnixMicro(),
	}
}

// signed is the bytes of an envelope of this site.
func signed(t *testing.T, s *lab.Site, key ed25519.PrivateKey, kind proto.Kind, msg pb.Message) []byte {
	t.Helper()
	return marshal(t, pki.Sign(key, s.Client.Trust().Pin(), kind, marshal(t, msg)))
}

func marshal(t *testing.T, msg pb.Message) []byte {
	t.Helper()
	data, err := pb.Marshal(msg)
	must(t, err)
	return data
}

// webClient speaks HTTPS to masters of the site.
func webClient(s *lab.Site) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: pki.ClientTLS(s.Client.Trust()), DisableKeepAlives: true,
	}}
}
