package ssh_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/ssh"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what the states do into testdata")

// pub is the public key of a kind, without its comment.
func pub(t testing.TB, kind string) (enc, blob string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + kind + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(data))
	return f[0], f[1]
}

// newHost has accounts that the test may give files to, and a host example.com on its network.
func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/etc/passwd", fmt.Sprintf("root:x:%[1]d:%[2]d::/root:/bin/sh\napp:x:%[1]d:%[2]d::/home/app:/bin/sh\nhomeless:x:%[1]d:%[2]d::/none:/bin/sh\n",
		os.Getuid(), os.Getgid()))
	h.Write("/root/x", "")
	h.Write("/home/app/x", "")
	enc, blob := pub(t, "ed25519")
	rsa, rsaBlob := pub(t, "rsa")
	scanned := host.Output{Stdout: fmt.Appendf(nil, "# example.com:22 SSH-2.0-OpenSSH\nexample.com %s %s\nexample.com %s %s\n", rsa, rsaBlob, enc, blob)}
	h.Answer("ssh-keyscan -T 5 -- example.com", scanned)
	h.Answer("ssh-keyscan -T 5 -p 2222 -- example.com", scanned)
	h.Answer("ssh-keyscan -T 9 -t ssh-ed25519 -- example.com", host.Output{Stdout: fmt.Appendf(nil, "example.com %s %s\n", enc, blob)})
	h.Answer("ssh-keyscan -T 5 -- down", host.Output{Code: 1, Stderr: []byte("# down:22\ngetaddrinfo down: Name or service not known\n")})
	return h
}

func TestModules(t *testing.T) {
	withKeys := func(t testing.TB) *hosttest.Host {
		h := newHost(t)
		enc, blob := pub(t, "ed25519")
		rsa, rsaBlob := pub(t, "rsa")
		h.Files.Serve("salt://keys/ops", rsa+" "+rsaBlob+" ops\n", 0o644)
		h.Write("/root/.ssh/authorized_keys", "# kept\n"+rsa+" "+rsaBlob+" old\n"+enc+" "+blob+" other\n")
		_, ecdsa := pub(t, "ecdsa")
		h.Write("/root/.ssh/known_hosts", "example.com ecdsa-sha2-nistp256 "+ecdsa+"\n")
		return h
	}
	for _, m := range []module.Module{ssh.Module, ssh.AuthModule, ssh.KnownHostsModule} {
		moduletest.Run(t, m, moduletest.Options{Host: withKeys})
	}
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

// TestStates runs the states of testdata/states.txt in test mode, for real, and again. ED, RSA and EC stand for keys.
func TestStates(t *testing.T) {
	const name = "testdata/states.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var short, long []string
	for word, kind := range map[string]string{"RSA": "rsa", "ED": "ed25519", "EC": "ecdsa"} {
		_, blob := pub(t, kind)
		short, long = append(short, "{"+word+"}", blob), append(long, blob, "{"+word+"}")
	}
	head, rest, _ := strings.Cut(string(text), "\n\n")
	out := []string{head}
	for block := range strings.SplitSeq(strings.TrimRight(rest, "\n"), "\n\n") {
		in, _, _ := strings.Cut(block, "\n->")
		got := in + strings.NewReplacer(long...).Replace(play(t, strings.NewReplacer(short...).Replace(in)))
		if got != block {
			t.Errorf("got\n%s\nwant\n%s", got, block)
		}
		out = append(out, got)
	}
	if *update {
		if err := os.WriteFile(name, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play returns what came of a block's state.
func play(t *testing.T, in string) string {
	h := newHost(t)
	files := map[string]string{"/home/app/.ssh/authorized_keys": "", "/home/app/.ssh/known_hosts": "", "/etc/ssh/ssh_known_hosts": ""}
	state := ""
	for line := range strings.SplitSeq(in, "\n") {
		what, arg, _ := strings.Cut(line, ": ")
		name, text, _ := strings.Cut(arg, " ")
		switch what {
		case "file":
			files[name] += text + "\n"
			h.Write(name, files[name])
		case "serve":
			h.Files.Serve(name, strings.ReplaceAll(text, `\n`, "\n"), 0o644)
		case "state":
			state = arg
		}
	}
	words := strings.Split(state, "; ")
	s, err := module.NewIndex(ssh.AuthModule, ssh.KnownHostsModule).State(words[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words[1:]...))
	if err != nil {
		return "\n-> refused " + err.Error()
	}
	before := fmt.Sprint(h.Snapshot())
	test := b.Run(t.Context(), h.Host, true)
	if fmt.Sprint(h.Snapshot()) != before {
		t.Errorf("%s: test mode changed something", in)
	}
	done := b.Run(t.Context(), h.Host, false)
	var out strings.Builder
	fmt.Fprintf(&out, "\n-> test %s\n-> done %s", told(test), told(done))
	if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 || again.Result == nil {
		fmt.Fprintf(&out, "\n-> again %s", told(again))
	}
	for _, name := range []string{"/home/app/.ssh/authorized_keys", "/home/app/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts", "/home/app/k"} {
		if now := h.Read(name); now != files[name] {
			st, err := os.Stat(h.Path(name))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "\n-> %s %s", name, st.Mode())
			for line := range strings.Lines(now) {
				fmt.Fprintf(&out, "\n-> | %s", strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return out.String()
}
