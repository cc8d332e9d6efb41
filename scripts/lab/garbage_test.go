package lab_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
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

func TestBadMessagesToMasters(t *testing.T) {
	t.Parallel()
	nobody := newKey(t)
	s := lab.Start(t, lab.SiteOptions{
		Minions:   []string{"web1", "web2"},
		Operators: []*proto.OperatorRecord{{Name: "nobody", Key: publicOf(nobody)}},
	})
	t.Run("garbage", func(t *testing.T) { garbageEverywhere(t, s, nobody) })
	t.Run("raw", func(t *testing.T) { rawBytes(t, s) })
	t.Run("returns", func(t *testing.T) { badReturns(t, s) })
	t.Run("requests", func(t *testing.T) { badRequests(t, s) })
	t.Run("jobs", func(t *testing.T) { badJobRequests(t, s, nobody) })
	works(t, s, 2)
}

// garbage is bytes that are no message, or one cut short or blown up.
func garbage(t *testing.T) [][]byte {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mrand.New(mrand.NewPCG(seed, 0))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	ret := marshal(t, &proto.Return{
		Jid: "20300101000000000000", RequestId: make([]byte, 16), Minion: "web1", Outcome: proto.Outcome_OK,
		Value: []byte(`{"a": [1, 2, 3]}`), Function: "test.ping",
	})
	deep := ret
	for range 200 {
		deep = marshal(t, &proto.Envelope{Body: deep, Key: deep[:min(len(deep), 32)]})
		if len(deep) > 100_000 {
			break
		}
	}
	all := [][]byte{
		nil, {0}, {0xff}, bytes.Repeat([]byte{0xff}, 1000), bytes.Repeat([]byte{0x0a}, 5000),
		random(100), random(5000), random(1 << 20),
		{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, {0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
		deep, []byte(strings.Repeat("[", 100_000)), []byte(`{"jid": "1"}`), append(bytes.Clone(ret), random(20)...),
	}
	for range 20 {
		cut := bytes.Clone(ret[:1+r.IntN(len(ret)-1)])
		cut[r.IntN(len(cut))] ^= byte(1 << r.IntN(8))
		all = append(all, cut)
	}
	return all
}

// garbageEverywhere: each role sends it on each subject that it may use.
func garbageEverywhere(t *testing.T, s *lab.Site, nobody ed25519.PrivateKey) {
	const id = "20300101000000000000"
	all := garbage(t)
	for _, master := range []string{"m1", "m2"} {
		stranger := mustSignIn(t, s, master, newKey(t))
		for p, subjects := range map[*party][]string{
			mustSignIn(t, s, master, s.Minions["web1"].Key().Signing): {
				subject.Accepted("web1", id), subject.Progress("web1", id),
				subject.Part("web1", id, 0), subject.Final("web1", id),
				subject.Relay("m1", subject.Accepted("web1", id)), subject.Relay("m2", subject.Part("web1", id, 0)),
				subject.Relay("m1", subject.Final("web1", id)), subject.Relay("m9", subject.Final("web1", id)), "relay.m2.web1.x.y.z",
				"ret.web1.x", "ret.web1.x.fin", "ret.web1.x.y.z", "ret.web1." + id + ".part.99999999999999999999",
				subject.Request("web1", subject.Bundle), subject.Request("web1", subject.Seen),
				subject.Request("web1", subject.File), subject.Request("web1", "other"), "req.web1.x.y",
				subject.Event("web1", "load"), subject.Event("web1", "salt/job/1/new"),
			},
			mustSignIn(t, s, master, nobody): {
				subject.API(master, "job.run"), subject.API(master, "key.decide"), subject.API(master, "no.verb"),
				"api." + master + ".x.y.z", subject.API("m9", "job.run"),
			},
			stranger: {subject.EnrolRequest(stranger.nkey)},
		} {
			for _, data := range all {
				for _, on := range subjects {
					must(t, p.conn.PublishMsg(&nats.Msg{Subject: on, Data: data, Reply: subject.Inbox("web1") + ".x"}))
				}
			}
			if refused := p.refused(); len(refused) > 0 {
				t.Errorf("refused: %v", refused)
			}
		}
	}
	works(t, s, 2)
}

// rawBytes: what is no NATS, TLS or HTTP, and a message larger than any may be.
func rawBytes(t *testing.T, s *lab.Site) {
	noise := make([]byte, 64<<10)
	rand.Read(noise)
	for _, master := range []string{"m1", "m2"} {
		a := s.Masters[master].Addresses
		for _, address := range []string{a.Bus, a.Route, a.Files} {
			for _, data := range []string{
				string(noise), "GET / HTTP/1.1\r\n\r\n", "CONNECT {}\r\nPUB job.all 1\r\nx\r\n",
				"INFO {\"server_id\":\"x\"}\r\n", "PUB x 9999999999999\r\n", "",
			} {
				conn, err := net.Dial("tcp", address)
				must(t, err)
				_, _ = io.WriteString(conn, data)    // refused half way is well too
				_ = conn.(*net.TCPConn).CloseWrite() // likewise
				must(t, conn.SetDeadline(time.Now().Add(patience)))
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}
		}
		for _, line := range []string{
			"PUB ret.web1.1.fin 4000000\r\n", "HPUB ret.web1.1.fin 4000000 4000000\r\n",
			"PUB ret.web1.1.fin 99999999999999999999\r\n", "PUB " + strings.Repeat("x", 10_000) + "\r\n",
			"MSG job.all 1 1\r\nx\r\n", "RMSG SITE job.all 1\r\nx\r\n", "SUB > 1\r\n\r\n\r\nFOO\r\n",
			"CONNECT {\"nkey\":\"" + pki.NKey(publicOf(operatorKey(t, s))) + "\"}\r\nPUB api.m1.x 1\r\nx\r\n",
		} {
			rawParty(t, s, master, line)
		}
		join, err := http.NewRequestWithContext(within(t), http.MethodPost, "https://"+a.Files+"/join", bytes.NewReader(noise))
		must(t, err)
		if resp, err := webClient(s).Do(join); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("joined with noise: %d", resp.StatusCode)
			}
		}
	}
	works(t, s, 2)
}

// rawParty signs in as web1 and says what no client library would. The
// server must end the connection.
func rawParty(t *testing.T, s *lab.Site, master, line string) {
	t.Helper()
	plain, err := net.Dial("tcp", s.Masters[master].Addresses.Bus)
	must(t, err)
	defer plain.Close()
	must(t, plain.SetDeadline(time.Now().Add(patience)))
	text, err := bufio.NewReaderSize(plain, 64<<10).ReadString('\n')
	must(t, err)
	var info struct{ Nonce string }
	must(t, json.Unmarshal([]byte(strings.TrimPrefix(text, "INFO ")), &info))
	conn := tls.Client(plain, pki.ClientTLS(s.Client.Trust()))
	key := s.Minions["web1"].Key().Signing
	sig, err := pki.SignNonce(key, []byte(info.Nonce))
	must(t, err)
	_, err = fmt.Fprintf(conn, "CONNECT {\"nkey\":%q,\"sig\":%q,\"verbose\":false,\"protocol\":1,\"headers\":true}\r\nPING\r\n",
		pki.NKey(publicOf(key)), base64.RawURLEncoding.EncodeToString(sig))
	must(t, err)
	in := bufio.NewReader(conn)
	for text != "PONG\r\n" {
		text, err = in.ReadString('\n')
		must(t, err)
	}
	_, _ = io.WriteString(conn, line)
	answer, err := io.ReadAll(in)
	if err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%.40q: the connection is still open, answer %.200q", line, answer)
	}
}

// badReturns: web1's key lies about jobs of others, and about its own again.
func badReturns(t *testing.T, s *lab.Site) {
	c := s.At("m1")
	defer c.Close()
	target := &proto.Target{Syntax: proto.Target_LIST, Expression: "web2"}
	echo := []*proto.Argument{text("right")}
	r, err := c.Run(within(t), c.NewJob(target, "test.echo", echo), func(*client.Result, []string) {})
	must(t, err)
	own, err := c.Run(within(t), c.NewJob(glob("web1"), "test.echo", echo), func(*client.Result, []string) {})
	must(t, err)
	for _, master := range []string{"m1", "m2"} {
		thief := mustSignIn(t, s, master, s.Minions["web1"].Key().Signing)
		for _, job := range []*proto.JobInfo{r.Job, own.Job} {
			lie := &proto.Return{
				Jid: job.Jid, RequestId: job.RequestId, Minion: "web2", Outcome: proto.Outcome_OK, Value: []byte(`"wrong"`),
				Function: "test.echo",
			}
			for _, id := range []string{"web2", "web1", "", "../x"} {
				for _, name := range []string{job.Jid, "20300101000000000000", "x"} {
					for range 10 {
						lie.Minion = id
						must(t, thief.conn.Publish(subject.Final("web1", name), marshal(t, lie)))
					}
				}
			}
			lie.Minion = "web1"
			for _, change := range []func(){
				func() { lie.RequestId = make([]byte, 16) }, func() { lie.RequestId = nil },
				func() { lie.Value = []byte(`{`) }, func() { lie.Outcome = 99 }, func() { lie.Parts = 1 << 31 }, func() { lie.Duration = -1 },
			} {
				change()
				must(t, thief.conn.Publish(subject.Final("web1", job.Jid), marshal(t, lie)))
			}
			for i := range 10 {
				must(t, thief.conn.Publish(subject.Part("web1", job.Jid, i), marshal(t, &proto.Part{
					Jid: job.Jid, RequestId: job.RequestId, Index: uint32(i * 1e8), Count: 4e9, Data: make([]byte, 1000),
				})))
			}
		}
		must(t, thief.conn.FlushTimeout(patience))
	}
	works(t, s, 2)
	for _, master := range []string{"m1", "m2"} {
		c := s.At(master)
		for id, job := range map[string]*proto.JobInfo{"web2": r.Job, "web1": own.Job} {
			shown, err := c.Show(within(t), job.Jid)
			must(t, err)
			if got := string(shown.Minions[id].Value); got != `"right"` {
				t.Errorf("%s at %s: got %s", id, master, got)
			}
			if shown.Job.Targeted != 1 {
				t.Errorf("targeted at %s: got %d", master, shown.Job.Targeted)
			}
		}
		c.Close()
	}
}

// A wrongRequest is a request that is signed well and yet not to be served.
type wrongRequest struct {
	name, verb string // verb of the subject
	change     func(*proto.ApiRequest)
	code       proto.ApiError_Code
	text       string
}

func wrongRequests(master string, used []byte) []wrongRequest {
	const (
		invalid = proto.ApiError_INVALID
		denied  = proto.ApiError_NOT_PERMITTED
		verb    = "key.list"
	)
	late := "clock differs by 600 s from " + master + ": check NTP"
	return []wrongRequest{
		{"again", verb, func(r *proto.ApiRequest) { r.Id = used }, invalid, "answered already"},
		{"old", verb, func(r *proto.ApiRequest) { r.IssuedAt -= 600e6 }, proto.ApiError_UNAVAILABLE, late},
		{"of the future", verb, func(r *proto.ApiRequest) { r.IssuedAt += 601e6 }, proto.ApiError_UNAVAILABLE, "check NTP"},
		{"other operator", verb, func(r *proto.ApiRequest) { r.Operator = "nobody" }, denied, `not of "nobody"`},
		{"other master", verb, func(r *proto.ApiRequest) { r.Master = "m9" }, invalid, "m9"},
		{"earlier start", verb, func(r *proto.ApiRequest) { r.Instance = "N" + r.Instance }, proto.ApiError_UNAVAILABLE, "earlier start of " + master},
		{"no start", verb, func(r *proto.ApiRequest) { r.Instance = "" }, proto.ApiError_UNAVAILABLE, "earlier start of " + master},
		{"other verb", verb, func(r *proto.ApiRequest) { r.Verb = "key.decide" }, invalid, "came on"},
		{"short id", verb, func(r *proto.ApiRequest) { r.Id = r.Id[1:] }, invalid, "15 bytes"},
		{"garbage payload", verb, func(r *proto.ApiRequest) { r.Payload = []byte{0xff} }, invalid, "cannot read"},
		{"unknown verb", "x", func(r *proto.ApiRequest) { r.Verb = "x" }, invalid, "newer than the master"},
	}
}

// badRequests: requests of operators that are forged, old or repeated.
func badRequests(t *testing.T, s *lab.Site) {
	admin, kind := operatorKey(t, s), proto.Kind_KIND_API_REQUEST
	for _, master := range []string{"m1", "m2"} {
		p := mustSignIn(t, s, master, admin)
		inbox := subject.Inbox(subject.OperatorToken("admin")) + ".bad"
		heard := p.hears(inbox)
		send := func(on string, data []byte) {
			must(t, p.conn.PublishRequest(on, inbox, data))
		}
		answer := func(what string) *proto.ApiError {
			reply := &proto.ApiReply{}
			m := await(t, "an answer: "+what, heard, func(*nats.Msg) bool { return true })
			must(t, pb.Unmarshal(m.Data, reply))
			return reply.Error
		}
		on, good := subject.API(master, "key.list"), p.apiRequest("admin", "key.list")
		body := marshal(t, good)
		for _, env := range []*proto.Envelope{
			{}, {Kind: kind, Body: body}, {Kind: kind, Body: body, Key: publicOf(admin)},
			{Kind: kind, Body: body, Key: publicOf(admin), Signature: make([]byte, 64)},
			pki.Sign(newKey(t), s.Client.Trust().Pin(), kind, body),
			pki.Sign(admin, pki.Fingerprint{7}, kind, body),
			relabel(pki.Sign(admin, s.Client.Trust().Pin(), proto.Kind_KIND_JOB_REQUEST, body), kind),
			pki.Sign(admin, s.Client.Trust().Pin(), proto.Kind_KIND_JOB_REQUEST, body),
			pki.Sign(s.Minions["web1"].Key().Signing, s.Client.Trust().Pin(), kind, body),
			pki.Sign(admin, s.Client.Trust().Pin(), kind, body[:len(body)-3]),
		} {
			send(on, marshal(t, env))
		}
		if e := askOnce(t, send, answer, on, signed(t, s, admin, kind, good)); e != nil {
			t.Errorf("the first that is right at %s: got %v", master, e) // and nothing before it was answered
		}
		for _, c := range wrongRequests(master, good.Id) {
			req := p.apiRequest("admin", "key.list")
			c.change(req)
			e := askOnce(t, send, answer, subject.API(master, c.verb), signed(t, s, admin, kind, req))
			if e.GetCode() != c.code || !strings.Contains(e.GetMessage(), c.text) {
				t.Errorf("%s at %s: got %v, want %v ... %s", c.name, master, e, c.code, c.text)
			}
		}
		p.conn.Close()
	}
}

func relabel(env *proto.Envelope, kind proto.Kind) *proto.Envelope {
	env.Kind = kind
	return env
}

func askOnce(
	t *testing.T, send func(string, []byte), answer func(string) *proto.ApiError, on string, data []byte,
) *proto.ApiError {
	t.Helper()
	send(on, data)
	return answer(on)
}

// badJobRequests: the request within a request is another's, changed or late.
func badJobRequests(t *testing.T, s *lab.Site, nobody ed25519.PrivateKey) {
	admin, site := operatorKey(t, s), s.Client.Trust().Pin()
	for _, master := range []string{"m1", "m2"} {
		c := s.At(master)
		defer c.Close()
		newest := func() string {
			list := &proto.JobListReply{}
			must(t, c.Call(within(t), "job.list", &proto.JobListRequest{Limit: 1}, list))
			return list.Jobs[0].Jid
		}
		before := newest()
		kind := proto.Kind_KIND_JOB_REQUEST
		body := func(change func(*proto.JobRequest)) []byte {
			req := c.NewJob(glob("*"), "test.ping", nil)
			if change != nil {
				change(req)
			}
			return marshal(t, req)
		}
		sign := func(change func(*proto.JobRequest)) *proto.Envelope { return pki.Sign(admin, site, kind, body(change)) }
		changed := sign(nil)
		changed.Body = body(func(r *proto.JobRequest) { r.Function = "cmd.run" })
		for name, env := range map[string]*proto.Envelope{
			"none": nil, "empty": {}, "changed": changed,
			"stranger":       pki.Sign(newKey(t), site, kind, body(nil)),
			"other site":     pki.Sign(admin, pki.Fingerprint{7}, kind, body(nil)),
			"other label":    relabel(pki.Sign(admin, site, proto.Kind_KIND_API_REQUEST, body(nil)), kind),
			"without rights": pki.Sign(nobody, site, kind, body(func(r *proto.JobRequest) { r.Operator = "nobody" })),
			"other's name":   sign(func(r *proto.JobRequest) { r.Operator = "nobody" }),
			"truncated":      pki.Sign(admin, site, kind, body(nil)[:30]),
			"garbage":        pki.Sign(admin, site, kind, []byte{0xff}),
			"jid":            sign(func(r *proto.JobRequest) { r.Jid = "../../x" }),
			"request id":     sign(func(r *proto.JobRequest) { r.RequestId = []byte{1} }),
			"old":            sign(func(r *proto.JobRequest) { r.IssuedAt -= 600e6 }),
			"future":         sign(func(r *proto.JobRequest) { r.IssuedAt += 600e6 }),
			"window":         sign(func(r *proto.JobRequest) { r.Window = -5 }),
			"long window":    sign(func(r *proto.JobRequest) { r.Window = 1 << 62 }),
			"function":       sign(func(r *proto.JobRequest) { r.Function = "" }),
			"target":         sign(func(r *proto.JobRequest) { r.Target = nil }),
			"target syntax":  sign(func(r *proto.JobRequest) { r.Target.Syntax = 77 }),
			"bad glob":       sign(func(r *proto.JobRequest) { r.Target.Expression = "web[" }),
			"long target":    sign(func(r *proto.JobRequest) { r.Target.Expression = strings.Repeat("*?", 100_000) }),
			"environment":    sign(func(r *proto.JobRequest) { r.Function, r.Environment = "state.apply", "../../etc" }),
		} {
			err := c.Call(within(t), "job.run", &proto.RunRequest{Request: env}, &proto.WatchFrame{})
			if err == nil || client.IsCode(err, proto.ApiError_INTERNAL) {
				t.Errorf("%s at %s: got %v", name, master, err)
			}
			if name == "old" && !strings.Contains(err.Error(), "check NTP") {
				t.Errorf("an old request at %s: got %v", master, err)
			}
		}
		if after := newest(); after != before {
			t.Errorf("job %s was made at %s", after, master)
		}
	}
}
