package pillar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/tools/txtar"

	"brine/states/host"
	"brine/states/pillar"
	"brine/states/value"
)

// encrypted returns a block of age that is indented as a value of YAML is.
func encrypted(t *testing.T, to age.Recipient, text string) string {
	t.Helper()
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, to)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err := errors.Join(err, w.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return "  " + strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\n  ") + "\n"
}

func identity(t *testing.T) (key *age.X25519Identity, file string) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# made for a test\n"+key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return key, file
}

func files(sls string) []txtar.File {
	return []txtar.File{{Name: "top.sls", Data: []byte("base: {'*': [a]}")}, {Name: "a.sls", Data: []byte(sls)}}
}

func TestAgeIsDecrypted(t *testing.T) {
	key, file := identity(t)
	block := func(text string) string { return encrypted(t, key.Recipient(), text) }
	secrets := pillar.NewSecrets(pillar.SecretOptions{AgeIdentities: []string{file}})
	if err := secrets.Check(); err != nil {
		t.Error(err)
	}
	o := pillar.Options{Match: match, Decrypt: secrets.Decrypt}
	lines := block("x\ny\n")
	for sls, want := range map[string]string{
		"a: |\n" + block("s3cret"):                                 `{"a":"s3cret"}`,
		"a: |\n" + block("s3cret\n\n"):                             `{"a":"s3cret"}`,
		"a: |\n" + block("{{ x }}: [1"):                            `{"a":"{{ x }}: [1"}`,
		"l:\n- |\n" + lines + "- |\n  pw=\n" + lines + "  end\n":   `{"l":["x\ny","pw=\nx\ny\n\nend"]}`,
		"a: &a |\n" + block("s") + "b: *a\n":                       `{"a":"s","b":"s"}`,
		"{% if true %}\na: |\n" + block("s") + "{% endif %}\n":     `{"a":"s"}`,
		"#!json\n" + string(asJSON(t, map[string]any{"a": lines})): `{"a":"  x\ny"}`,
	} {
		if got := compile(t, files(sls), o); got != want+"\n" {
			t.Errorf("%s: got %s", sls, got)
		}
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatCannotBeDecryptedIsAMistakeWithItsLine(t *testing.T) {
	key, file := identity(t)
	other, _ := identity(t)
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte(key.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	block := encrypted(t, key.Recipient(), "s3cret")
	for _, c := range []struct {
		sls, want string
		keys      []string
	}{
		{"a: 1\nb: |\n" + encrypted(t, other.Recipient(), "s3cret"), "a.sls:2: cannot decrypt a value: it is for none of the keys in " + file, []string{file}},
		{"a: 1\nb: |\n" + block, "a.sls:2: cannot decrypt a value: there is no key for it here: set age_identities of me", nil},
		{"a: |\n" + block, "a.sls:1: cannot decrypt a value: cannot read keys of age: " + open + " can be read by others (mode 0644): chmod 600 it", []string{open}},
		{"a: |\n" + strings.Replace(block, "END AGE", "END", 1), `a.sls:1: cannot decrypt a value: after "-----BEGIN AGE ENCRYPTED FILE-----" there is no "-----END AGE ENCRYPTED FILE-----"`, []string{file}},
		{"a: |\n" + block[:200] + block[210:], "a.sls:1: cannot decrypt a value: it is damaged: ", []string{file}},
		{"a: |\n" + encrypted(t, key.Recipient(), "\xff\x00"), "a.sls:1: cannot decrypt a value: what it holds is no text in UTF-8", []string{file}},
		{"a: |\n" + block, "a.sls:1: cannot decrypt a value: cannot read keys of age: open /nowhere: ", []string{"/nowhere"}},
	} {
		secrets := pillar.NewSecrets(pillar.SecretOptions{AgeIdentities: c.keys, Setting: func(what string) string { return what + " of me" }})
		for range 2 { // once more of what is known
			got := compile(t, files(c.sls), pillar.Options{Match: match, Decrypt: secrets.Decrypt})
			if !strings.HasPrefix(got, c.want) || strings.Contains(got, "s3cret") || strings.Contains(got, "AGE-SECRET") {
				t.Errorf("got %s, want %s", got, c.want)
			}
		}
	}
	if got := compile(t, files("a: |\n"+block), pillar.Options{Match: match}); !strings.HasPrefix(got, "a.sls:1: cannot decrypt a value: there are no keys here") {
		t.Errorf("without keys: got %s", got)
	}
}

// TestNoMinionGetsABlockDecryptedThatItTells has a minion tell, as a grain, an encrypted block that it has seen in git.
func TestNoMinionGetsABlockDecryptedThatItTells(t *testing.T) {
	key, file := identity(t)
	secrets := pillar.NewSecrets(pillar.SecretOptions{AgeIdentities: []string{file}})
	block := encrypted(t, key.Recipient(), "s3cret")
	told := strings.TrimSpace(strings.ReplaceAll(block, "\n  ", "\n"))
	sls := "a: {{ grains.fqdn | json }}\n"
	for _, grain := range []string{told, strings.ReplaceAll(told, "\n", `\n`), "x" + told + "y"} {
		o := pillar.Options{Match: match, Decrypt: secrets.Decrypt, Host: &host.Host{Grains: value.NewDict("id", "web1", "fqdn", grain)}}
		tree := append(files(sls), txtar.File{Name: "db.sls", Data: []byte("password: |\n" + block)})
		if got := compile(t, tree, o); !strings.Contains(got, "a.sls:1: cannot decrypt a value: it stands in none of the files") {
			t.Errorf("got %s", got)
		}
	}
	imported := []txtar.File{
		{Name: "top.sls", Data: []byte("base: {'*': [a]}")},
		{Name: "a.sls", Data: []byte("{% import_yaml 'keys.yaml' as k %}\na: {{ k.b | json }}\n")},
		{Name: "keys.yaml", Data: []byte("b: |\n" + block)},
	}
	if got := compile(t, imported, pillar.Options{Match: match, Decrypt: secrets.Decrypt}); got != `{"a":"s3cret"}`+"\n" {
		t.Errorf("of a file that a template reads: got %s", got)
	}
}

const pgp = "  -----BEGIN PGP MESSAGE-----\n\n  aGVsbG8=\n  =abcd\n  -----END PGP MESSAGE-----\n"

func TestGPG(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	const ok = "gpg: encrypted with a key\n[GNUPG:] DECRYPTION_OKAY\n"
	for _, c := range []struct {
		pipe, want string
		out        host.Output
		err        error
	}{
		{"#!yaml|gpg", `{"a":"s3cret"}`, host.Output{Stdout: []byte("s3cret\n"), Stderr: []byte(ok)}, nil},
		{"#!jinja | yaml | gpg", `{"a":"s3cret"}`, host.Output{Stdout: []byte("s3cret"), Stderr: []byte(ok), Code: 2}, nil},
		{"#!yaml", `{"a":"-----BEGIN PGP MESSAGE-----\n\naGVsbG8=\n=abcd\n-----END PGP MESSAGE-----\n"}`, host.Output{}, nil},
		{"#!yaml|gpg", "a.sls:2: cannot decrypt a value: gpg with the keys in " + home + ": decryption failed: No secret key",
			host.Output{Code: 2, Stderr: []byte("[GNUPG:] NO_SECKEY AB\ngpg: decryption failed: No secret key\n")}, nil},
		{"#!yaml|gpg", "a.sls:2: cannot decrypt a value: gpg with the keys in " + home + ": it ended with 0", host.Output{Stdout: []byte("not encrypted")}, nil},
		{"#!yaml|gpg", "a.sls:2: cannot decrypt a value: the program gpg is not there: install the package gnupg (gnupg2)", host.Output{},
			&exec.Error{Name: "gpg", Err: exec.ErrNotFound}},
		{"#!gpg|yaml", `a.sls:1: cannot render: the renderer "gpg" is not supported: it stands last`, host.Output{}, nil},
	} {
		ran := func(_ context.Context, cmd host.Command) (host.Output, error) {
			if !strings.HasPrefix(string(cmd.Stdin), "-----BEGIN PGP MESSAGE-----\n\naGVsbG8=\n") || cmd.Argv[2] != home {
				return host.Output{}, fmt.Errorf("got %q and %q", cmd.Argv, cmd.Stdin)
			}
			return c.out, c.err
		}
		secrets := pillar.NewSecrets(pillar.SecretOptions{GPGHome: home, Exec: ran})
		got := compile(t, files(c.pipe+"\na: |\n"+pgp), pillar.Options{Match: match, Decrypt: secrets.Decrypt})
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.pipe, got, c.want)
		}
	}
}

func TestARealGPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not on this machine")
	}
	home, err := os.MkdirTemp("", "gpg") // the path of the agent's socket must be short
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(stdin string, args ...string) string {
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--trust-model", "always"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("gpg %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	gpg("", "--passphrase", "", "--quick-generate-key", "test@example.com", "default", "default", "never")
	block := strings.ReplaceAll(strings.TrimSpace(gpg("s3cret\n", "--armor", "--encrypt", "-r", "test@example.com")), "\n", "\n  ")
	signed := strings.ReplaceAll(strings.TrimSpace(gpg("s3cret\n", "--armor", "--sign", "--output", "-")), "\n", "\n  ")
	secrets := pillar.NewSecrets(pillar.SecretOptions{GPGHome: home, Exec: new(host.Local).Run})
	o := pillar.Options{Match: match, Decrypt: secrets.Decrypt}
	if got := compile(t, files("#!yaml|gpg\na: |\n  "+block+"\n"), o); got != `{"a":"s3cret"}`+"\n" {
		t.Errorf("got %s", got)
	}
	if got := compile(t, files("#!yaml|gpg\na: |\n  "+signed+"\n"), o); !strings.HasPrefix(got, "a.sls:2: cannot decrypt a value: gpg with") {
		t.Errorf("what is signed alone: got %s", got)
	}
}

func TestSecretsThatAreGivenByGrainsAreTold(t *testing.T) {
	key, file := identity(t)
	secrets := pillar.NewSecrets(pillar.SecretOptions{AgeIdentities: []string{file}})
	tree := []txtar.File{
		{Name: "top.sls", Data: []byte("base:\n  '*': [plain, named]\n  by grain: [plain, named, {match: grain}, sealed, inc]\n")},
		{Name: "plain.sls", Data: []byte("port: 80\npassword:\n")},
		{Name: "named.sls", Data: []byte("db: [{user: x, db-password: s}]\n")},
		{Name: "sealed.sls", Data: []byte("x: {y: |\n" + strings.TrimRight(encrypted(t, key.Recipient(), "s"), "\n") + "\n  }\n")},
		{Name: "inc.sls", Data: []byte("include: [named]\n")},
	}
	tree[3].Data = []byte("x:\n  y: |\n" + strings.ReplaceAll(encrypted(t, key.Recipient(), "s"), "  ", "    "))
	var told []string
	got := compile(t, tree, pillar.Options{
		Match:   func(string, string) (bool, error) { return true, nil },
		Decrypt: secrets.Decrypt,
		Grains: func(_, target string) []string {
			if target == "by grain" {
				return []string{"G@a:b"}
			}
			return nil
		},
		Exposed: func(x pillar.Exposure) { told = append(told, fmt.Sprint(x.At, " ", x.SLS, " ", x.Key, " ", x.Grains)) },
	})
	if !strings.HasPrefix(got, "{") {
		t.Fatal(got)
	}
	const want = "top.sls:3 named db:0:db-password [G@a:b]|top.sls:3 sealed x:y [G@a:b]|top.sls:3 inc db:0:db-password [G@a:b]"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
