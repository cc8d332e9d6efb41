package ssh_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/ssh"
	"brine/states/module"
	"brine/states/value"
)

// call returns what a function returns as JSON, or its error.
func call(t *testing.T, h *hosttest.Host, line string) string {
	t.Helper()
	words := strings.Split(line, "; ")
	f, err := module.NewIndex(ssh.Module).Func("ssh." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

const (
	edPrint  = "d0:81:a3:e9:a5:82:8e:05:fd:79:5f:75:0e:d1:d8:37:4c:49:15:2d:dc:c9:85:3d:0c:d7:d5:75:e4:7e:a1:73"
	rsaPrint = "2e:4a:fc:39:24:a3:e2:30:a1:a7:94:65:ec:6b:c8:1a:7f:b2:7f:1f:a7:3e:fe:39:36:8c:89:a5:4e:17:32:1d"
)

func TestFunctions(t *testing.T) {
	h := newHost(t)
	_, ed := pub(t, "ed25519")
	_, rsa := pub(t, "rsa")
	h.Files.Serve("salt://team", "ssh-ed25519 "+ed+" a b\n", 0o644)
	h.Write("/root/.ssh/id_rsa.pub", "public\n")
	h.Write("/root/.ssh/id_rsa", "private\n")
	h.Write("/root/.ssh/own", "own\n")
	h.Write("/etc/ssh/ssh_host_rsa_key", "private\n")
	h.Write("/etc/ssh/ssh_host_rsa_key.pub", "public\n")
	h.Write("/etc/ssh/ssh_host_rsa_key-cert.pub", "certificate\n")
	h.Write("/etc/ssh/sshd_config", "")
	keyED := `{"hostname":"example.com","key":"` + ed + `","enc":"ssh-ed25519","fingerprint":"` + edPrint + `"}`
	keyRSA := `{"hostname":"example.com","key":"` + rsa + `","enc":"ssh-rsa","fingerprint":"` + rsaPrint + `"}`
	for _, c := range []struct{ call, want string }{
		{"auth_keys; app", "{}"},
		{"auth_keys; nobody_here", "{}"},
		{"check_key; app; " + ed + "; ed25519; c; [no-pty]", `"add"`},
		{"set_auth_key; app; " + ed + "; ed25519; c; ['no-pty', 'from=\"h\"']", `"new"`},
		{"set_auth_key; app; " + ed + "; ed25519; c; ['no-pty', 'from=\"h\"']", `"no change"`},
		{"check_key; app; " + ed, `"update"`},
		{"auth_keys; app", `{"` + ed + `":{"enc":"ssh-ed25519","comment":"c","options":["no-pty","from=\"h\""],"fingerprint":"` + edPrint + `"}}`},
		{"auth_keys; [app, root]; fingerprint_hash_type=md5", `{"app":{"` + ed + `":{"enc":"ssh-ed25519","comment":"c","options":["no-pty","from=\"h\""],` +
			`"fingerprint":"db:ab:2d:40:e8:52:4b:22:a5:6e:d4:7e:f4:94:ba:09"}}}`},
		{"check_key_file; app; salt://team", `{"` + ed + `":"update"}`},
		{"set_auth_key_from_file; app; salt://team", `"replace"`},
		{"rm_auth_key; app; " + ed, `"Key removed"`},
		{"rm_auth_key; app; " + ed, `"Key not present"`},
		{"rm_auth_key_from_file; app; salt://team", `"Key not present"`},
		{"set_auth_key; nobody_here; " + ed, `cannot find user "nobody_here": no such account`},
		{"set_auth_key; app; " + ed + "; ssh-rsa", `cannot use the key "` + ed[:40] + `...": the key is of the type ssh-ed25519, not ssh-rsa`},
		{"check_known_host; app; example.com", `"add"`},
		{"recv_known_host_entries; example.com; hash_known_hosts=false", "[" + keyRSA + "," + keyED + "]"},
		{"set_known_host; app; example.com; hash_known_hosts=false; fingerprint=" + edPrint, `{"status":"updated","old":null,"new":[` + keyED + `]}`},
		{"set_known_host; app; example.com", `{"status":"exists","keys":["` + ed + `"]}`},
		{"get_known_host_entries; app; example.com", "[" + keyED + "]"},
		{"get_known_host_entries; app; example.org", "null"},
		{"check_known_host; app; example.com; key=" + ed, `"exists"`},
		{"check_known_host; app; example.com; fingerprint=" + rsaPrint, `"update"`},
		{"check_known_host; hostname=example.com", `"add"`},
		{"hash_known_hosts; app", `{"status":"updated","comment":"/home/app/.ssh/known_hosts is hashed"}`},
		{"check_known_host; app; example.com; key=" + ed, `"exists"`},
		{"rm_known_host; app; example.com", `{"status":"removed","comment":"1 keys of example.com removed"}`},
		{"check_known_host; app; example.com", `"add"`},
		{"hash_known_hosts", "cannot hide names in /etc/ssh/ssh_known_hosts: there is no such file, or nothing in it"},
		{"host_keys", `{"rsa-cert.pub":"certificate","rsa.pub":"public"}`},
		{"host_keys; private=true", `{"rsa":"private","rsa-cert.pub":"certificate","rsa.pub":"public"}`},
		{"host_keys; private=false; certs=false", `{"rsa.pub":"public"}`},
		{"user_keys", `{"root":{"id_rsa.pub":"public"}}`},
		{"user_keys; prvfile=true", `{"root":{"id_rsa.pub":"public","id_rsa":"private"}}`},
		{"user_keys; [root, app]; prvfile=false", `{"root":{"id_rsa.pub":"public"}}`},
		{"user_keys; root; pubfile=false; prvfile=/root/.ssh/own", `{"root":{"own":"own"}}`},
	} {
		if got := call(t, h, c.call); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.call, got, c.want)
		}
	}
}

// Where SELinux is in use, sshd reads only files with its label.
func TestLabel(t *testing.T) {
	h := newHost(t)
	_, ed := pub(t, "ed25519")
	h.Write("/sys/fs/selinux/enforce", "1")
	h.Change("restorecon /home/app/.ssh /home/app/.ssh/authorized_keys", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	for _, c := range []string{"set_auth_key; app; " + ed, "set_auth_key; app; " + ed + "; comment=c"} {
		if got := call(t, h, c); got[0] != '"' {
			t.Errorf("%s: got %s", c, got)
		}
	}
	if got := h.Ran(); len(got) != 1 {
		t.Errorf("got %q, want it once", got)
	}
}

// TestAgainstOpenSSH makes keys and files with the programs of OpenSSH, where they are there.
func TestAgainstOpenSSH(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("no ssh-keygen here")
	}
	run := func(args ...string) string {
		out, err := exec.Command(keygen, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	h := newHost(t)
	dir := h.Path("/home/app/keys")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"open": {"-t", "ed25519", "-N", ""}, "locked": {"-t", "ed25519", "-N", "secret"}, "old": {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""},
		"oldlocked": {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"}, "curve": {"-t", "ecdsa", "-b", "521", "-N", ""},
	} {
		run(append(args, "-q", "-f", filepath.Join(dir, name))...)
		want := map[bool]string{true: "true", false: "false"}[strings.HasSuffix(name, "locked")]
		if got := call(t, h, "key_is_encrypted; /home/app/keys/"+name); got != want {
			t.Errorf("%s: got encrypted %s, want %s", name, got, want)
		}
		line := strings.TrimSpace(h.Read("/home/app/keys/" + name + ".pub"))
		if got := call(t, h, "set_auth_key; app; "+line); got != `"new"` {
			t.Errorf("%s: got %s", name, got)
		}
		sum := strings.Fields(run("-lf", filepath.Join(dir, name)))[1]
		if got := call(t, h, "set_known_host; app; "+name+".example; key="+line); !strings.Contains(got, `"updated"`) {
			t.Errorf("%s: got %s", name, got)
		}
		if got := call(t, h, "check_known_host; app; "+name+".example; fingerprint="+sum); got != `"exists"` {
			t.Errorf("%s: got %s for %s", name, got, sum)
		}
		// what is hashed here is found there, and the other way round
		if got := run("-F", name+".example", "-f", h.Path("/home/app/.ssh/known_hosts")); !strings.Contains(got, strings.Fields(line)[1]) {
			t.Errorf("%s: ssh-keygen found %q", name, got)
		}
	}
	h.Write("/home/app/.ssh/known_hosts", "A.example,10.0.0.1 "+strings.TrimSpace(h.Read("/home/app/keys/open.pub"))+"\n")
	run("-H", "-f", h.Path("/home/app/.ssh/known_hosts"))
	for name, want := range map[string]string{"a.example": `"exists"`, "10.0.0.1": `"exists"`, "b.example": `"add"`} {
		if got := call(t, h, "check_known_host; app; "+name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := call(t, h, "key_is_encrypted; /home/app/keys/open.pub"); got != "cannot tell whether /home/app/keys/open.pub is encrypted: it is no private key" {
		t.Error(got)
	}
}

// FuzzAuthorizedKeys has a key in files of any kind: once it is there nothing changes again, and no other line ever does.
func FuzzAuthorizedKeys(f *testing.F) {
	_, ed := pub(f, "ed25519")
	for _, text := range []string{"", "# x\n\n", "ssh-ed25519 " + ed, `command="a \" b" ssh-ed25519 ` + ed + " c\nx", "a\r\n\"\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := newHost(t)
		h.Write("/home/app/.ssh/authorized_keys", text)
		s, err := module.NewIndex(ssh.AuthModule).State("ssh_auth.present")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words("name="+ed, "user=app"))
		if err != nil {
			t.Fatal(err)
		}
		first := b.Run(t.Context(), h.Host, false)
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 || !*again.Result {
			t.Errorf("after %s the second run did %s", told(first), told(again))
		}
		now := "\n" + h.Read("/home/app/.ssh/authorized_keys")
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); !strings.Contains(line, ed) && !strings.Contains(now, "\n"+line+"\n") {
				t.Errorf("the line %q is lost in %q", line, now)
			}
		}
	})
}

// FuzzKnownHosts forgets a host in files of any kind: then it is forgotten.
func FuzzKnownHosts(f *testing.F) {
	_, ed := pub(f, "ed25519")
	for _, hosts := range []string{"example.com", "*", "a,!b,ex*.c?m", "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=", "|1||", "@revoked x", ",,"} {
		f.Add(hosts)
	}
	f.Fuzz(func(t *testing.T, hosts string) {
		h := newHost(t)
		h.Write("/home/app/.ssh/known_hosts", hosts+" ssh-ed25519 "+ed+"\n")
		call(t, h, "rm_known_host; app; example.com")
		if got := call(t, h, "get_known_host_entries; app; example.com"); got != "null" {
			t.Errorf("%q: it is still known: %s", hosts, got)
		}
		call(t, h, "hash_known_hosts; app")
	})
}
