// Package hashutil makes and checks hashes, signatures and base64.
package hashutil

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
)

// Module is the hashutil module.
var Module = module.Module{
	Name: "hashutil",
	Doc:  "Make and check hashes, signatures and base64.",
	Funcs: []module.Func{
		{
			Name: "base64_b64decode", Doc: "Return the text that base64 stands for; bytes when it is no UTF-8.",
			Example: "Z2V0IHNhbHRlZA==", Do: module.Call(decode),
		},
		{
			Name: "base64_b64encode", Doc: "Return text as base64 on one line.",
			Example: "'some text'", Do: module.Call(encode),
		},
		{
			Name: "base64_decodefile", Doc: "Write what base64 stands for into a file.",
			Example: "instr=Z2V0IHNhbHRlZA== outfile=/srv/data.bin", Do: module.Call(decodeFile),
		},
		{
			Name: "base64_decodestring", Doc: "Return the text that base64 stands for; bytes when it is no UTF-8.",
			Example: "Z2V0IHNhbHRlZA==", Do: module.Call(decode),
		},
		{
			Name: "base64_encodefile", Doc: "Return a file as base64 in lines of 76 letters.",
			Example: "/srv/data.bin", Do: module.Call(encodeFile),
		},
		{
			Name: "base64_encodestring", Doc: "Return text as base64 in lines of 76 letters.",
			Example: "'some text'", Do: module.Call(encodeLines),
		},
		{
			Name: "digest", Doc: "Return the checksum of text in hexadecimal.",
			Example: "'some text' sha256", Do: module.Call(digest),
		},
		{
			Name: "digest_file", Doc: "Return the checksum of a file in hexadecimal.",
			Example: "/etc/passwd sha256", Do: module.Call(digestFile),
		},
		{
			Name: "github_signature", Doc: "Say whether a signature of GitHub's kind is that of text and a shared secret.",
			Example: "'{}' secret challenge_hmac=sha1=5d61605c3feea9799210ddcb71307d4ba264225f", Do: module.Call(githubSignature),
		},
		{
			Name: "hmac_compute", Doc: "Return the HMAC with SHA-256 of text and a shared secret in hexadecimal.",
			Example: "'some text' secret", Do: module.Call(hmacCompute),
		},
		{
			Name: "hmac_signature", Doc: "Say whether base64 is the HMAC with SHA-256 of text and a shared secret.",
			Example: "'some text' secret eBWf9bstXg+NiP5AOwppB5HMvZiYMPzEM9W5YMm/AmQ=", Do: module.Call(hmacSignature),
		},
		{Name: "md5_digest", Doc: "Return the MD5 of text in hexadecimal.", Example: "'some text'", Do: module.Call(sum(md5.New))},
		{
			Name: "sha256_digest", Doc: "Return the SHA-256 of text in hexadecimal.",
			Example: "'some text'", Do: module.Call(sum(sha256.New)),
		},
		{
			Name: "sha512_digest", Doc: "Return the SHA-512 of text in hexadecimal.",
			Example: "'some text'", Do: module.Call(sum(sha512.New)),
		},
	},
}

type textArgs struct {
	Text string `arg:"instr,required" doc:"the text"`
}

func encode(_ context.Context, _ *host.Host, a textArgs) (string, error) {
	return base64.StdEncoding.EncodeToString([]byte(a.Text)), nil
}

func encodeLines(_ context.Context, _ *host.Host, a textArgs) (string, error) {
	return inLines([]byte(a.Text)), nil
}

// inLines is base64 as Python's old interface writes it, with a newline at the end of all but the empty text.
func inLines(data []byte) string {
	text := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String()
}

func decode(_ context.Context, _ *host.Host, a textArgs) (any, error) {
	data, err := read(a.Text)
	if err != nil || !utf8.Valid(data) {
		return data, err
	}
	return string(data), nil
}

// read decodes base64. As in Python what is not of its alphabet, such as line ends, does not count.
func read(text string) ([]byte, error) {
	letters := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/', r == '=':
			return r
		}
		return -1
	}, text)
	data, err := base64.StdEncoding.DecodeString(letters)
	if err != nil {
		return nil, fmt.Errorf("cannot decode base64: %v", err)
	}
	return data, nil
}

type fileArgs struct {
	File string `arg:"fname,required" doc:"the path of a file"`
}

func encodeFile(_ context.Context, h *host.Host, a fileArgs) (string, error) {
	data, err := os.ReadFile(h.Path(a.File))
	if err != nil {
		return "", fmt.Errorf("cannot encode %q: %w", a.File, err)
	}
	return inLines(data), nil
}

type decodeFileArgs struct {
	textArgs
	File string `arg:"outfile,required" doc:"the path of the file; what is there is replaced"`
}

func decodeFile(_ context.Context, h *host.Host, a decodeFileArgs) (bool, error) {
	data, err := read(a.Text)
	if err != nil {
		return false, err
	}
	if err := file.Write(h, a.File, file.As{}, file.Bytes(data)); err != nil {
		return false, fmt.Errorf("cannot write %q: %w", a.File, err)
	}
	return true, nil
}

func sum(make func() hash.Hash) func(context.Context, *host.Host, textArgs) (string, error) {
	return func(_ context.Context, _ *host.Host, a textArgs) (string, error) {
		h := make()
		h.Write([]byte(a.Text))
		return hex.EncodeToString(h.Sum(nil)), nil
	}
}

type checksum struct {
	Checksum string `arg:"checksum" default:"md5" doc:"md5, sha256 or sha512"`
}

func (c checksum) hash() (hash.Hash, error) {
	switch c.Checksum {
	case "md5":
		return md5.New(), nil
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("cannot make a checksum with %q: known are md5, sha256 and sha512", c.Checksum)
}

type digestArgs struct {
	textArgs
	checksum
}

func digest(_ context.Context, _ *host.Host, a digestArgs) (string, error) {
	h, err := a.hash()
	if err != nil {
		return "", err
	}
	h.Write([]byte(a.Text))
	return hex.EncodeToString(h.Sum(nil)), nil
}

type digestFileArgs struct {
	File string `arg:"infile,required" doc:"the path of a file"`
	checksum
}

func digestFile(_ context.Context, h *host.Host, a digestFileArgs) (string, error) {
	into, err := a.hash()
	if err != nil {
		return "", err
	}
	f, err := os.Open(h.Path(a.File))
	if err != nil {
		return "", fmt.Errorf("cannot make the checksum of %q: %w", a.File, err)
	}
	defer f.Close()
	if _, err := io.Copy(into, f); err != nil {
		return "", fmt.Errorf("cannot make the checksum of %q: %w", a.File, err)
	}
	return hex.EncodeToString(into.Sum(nil)), nil
}

type secretArgs struct {
	Text   string `arg:"string,required" doc:"the text"`
	Secret string `arg:"shared_secret,required" doc:"the shared secret"`
}

func (a secretArgs) sign(make func() hash.Hash) []byte {
	m := hmac.New(make, []byte(a.Secret))
	m.Write([]byte(a.Text))
	return m.Sum(nil)
}

func hmacCompute(_ context.Context, _ *host.Host, a secretArgs) (string, error) {
	return hex.EncodeToString(a.sign(sha256.New)), nil
}

type challengeArgs struct {
	secretArgs
	Challenge string `arg:"challenge_hmac,required" doc:"the signature that came with the text"`
}

func hmacSignature(_ context.Context, _ *host.Host, a challengeArgs) (bool, error) {
	want := base64.StdEncoding.EncodeToString(a.sign(sha256.New))
	return hmac.Equal([]byte(want), []byte(a.Challenge)), nil
}

func githubSignature(_ context.Context, _ *host.Host, a challengeArgs) (bool, error) {
	kind, text, ok := strings.Cut(a.Challenge, "=")
	make := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[kind]
	if !ok || make == nil {
		return false, fmt.Errorf("cannot check the signature: it must begin with sha1=, sha256= or sha512=")
	}
	return hmac.Equal([]byte(hex.EncodeToString(a.sign(make))), []byte(text)), nil
}
