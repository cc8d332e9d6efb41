package file_test

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
)

// kept is files of the masters of which those that were fetched are kept.
type kept struct{ *hosttest.Files }

func (k kept) Cached(ctx context.Context, url string) (string, error) {
	if _, err := k.Stat(ctx, url); err != nil {
		return "", err
	}
	if slices.Contains(k.Fetched, url) {
		return "/cache" + strings.TrimPrefix(url, "salt:/"), nil
	}
	return "", nil
}

func (k kept) Forget(_ context.Context, url string) error {
	k.Fetched = slices.DeleteFunc(k.Fetched, func(u string) bool { return u == url })
	return nil
}

const (
	sumOfA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" // a
	sumOfB = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d" // b
	md5OfA = "0cc175b9c0f1b6a831c399e269772661"
)

// TestCached applies states in turn, each in test mode, for real and again. WEB is a server; HOST is where it listens.
func TestCached(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a", "a", 0o644)
	h.Files.Serve("salt://a?saltenv=dev", "b", 0o644)
	copied, err := h.Files.Fetch(t.Context(), "salt://a")
	if err != nil {
		t.Fatal(err)
	}
	copies := filepath.Dir(copied)
	h.Files.Fetched = nil
	h.Host.Files = kept{h.Files}
	h.Write("/srv/a", "a")
	content, asked := "a", 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/sums":
			_, _ = w.Write([]byte(md5OfA + "  f.tar\n"))
		case r.URL.Path == "/none":
			http.NotFound(w, r)
		case r.Header.Get("If-None-Match") == `"`+content+`"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			asked++
			w.Header().Set("ETag", `"`+content+`"`)
			_, _ = w.Write([]byte(content))
		}
	}))
	defer web.Close()
	h.HTTP = web.Client()
	const cache = "/var/cache/brine/minion/extrn_files/base/HOST"
	for _, tt := range []struct {
		line, content, want string
		asked               int // how often the content was sent
	}{
		{"cached name=salt://a", "a", `true {"hash":{"old":null,"new":"` + sumOfA + `"}} File is cached to COPY/` + sumOfA, 0},
		{"cached name=salt://a", "a", `true {} File is cached to /cache/a`, 0},
		{"cached name=salt://a source_hash=md5=" + md5OfA, "a", `true {} File is cached to /cache/a`, 0},
		{"cached name=salt://a source_hash=" + sumOfB, "a", `false {} cannot take the source salt://a: its sha256 is ` + sumOfA + `, source_hash says sha256 ` + sumOfB, 0},
		{"cached name=salt://a saltenv=dev", "a", `true {"hash":{"old":null,"new":"` + sumOfB + `"}} File is cached to COPY/` + sumOfB, 0},
		{"cached name=salt://none", "a", `false {} cannot find the source salt://none`, 0},
		{"not_cached name=salt://a", "a", `true {"deleted":true} /cache/a was deleted`, 0},
		{"not_cached name=salt://a", "a", `true {} salt://a is not cached`, 0},
		{"not_cached name=salt://none", "a", `true {} salt://none is not cached`, 0},
		{"cached name=/srv/a", "a", `true {} File /srv/a is present on the minion`, 0},
		{"cached name=/srv/a source_hash=" + md5OfA, "a", `true {} File /srv/a is present on the minion and has hash ` + md5OfA, 0},
		{"cached name=/srv/a source_hash=" + sumOfB, "a", `false {} cannot take the source /srv/a: its sha256 is ` + sumOfA + `, source_hash says sha256 ` + sumOfB, 0},
		{"cached name=/srv/none", "a", `false {} File /srv/none is not present on the minion`, 0},
		{"not_cached name=/srv/a", "a", `true {} File /srv/a is a local path, no action taken`, 0},
		{"cached name=WEB/f source_hash=" + sumOfA, "a", `true {"hash":{"old":null,"new":"` + sumOfA + `"}} File is cached to ` + cache + `/f`, 1},
		{"cached name=WEB/f source_hash=" + sumOfA, "b", `true {} File is cached to ` + cache + `/f with hash ` + sumOfA, 0},
		{"cached name=WEB/f source_hash=" + sumOfB, "b", `true {"hash":{"old":"` + sumOfA + `","new":"` + sumOfB + `"}} File is cached to ` + cache + `/f`, 1},
		{"cached name=WEB/f source_hash=WEB/sums source_hash_name=f.tar", "b",
			`false {} cannot keep WEB/f: cannot take the source WEB/f: its md5 is 92eb5ffee6ae2fec3ad71c777531578f, source_hash says md5 ` + md5OfA, 2},
		{"cached name=WEB/f skip_verify=true", "b", `true {} File is cached to ` + cache + `/f with hash ` + sumOfB, 3},
		{"cached name=WEB/f?token=geheim skip_verify=true", "a", `true {"hash":{"old":null,"new":"` + sumOfA + `"}} File is cached to ` + cache + `/f-00e1218b3cb20510`, 3},
		{"cached name=WEB/g use_etag=true", "a", `true {"hash":{"old":null,"new":"` + sumOfA + `"}} File is cached to ` + cache + `/g`, 2},
		{"cached name=WEB/g use_etag=true", "a", `true {} File is cached to ` + cache + `/g`, 0},
		{"cached name=WEB/g use_etag=true", "b", `true {"hash":{"old":"` + sumOfA + `","new":"` + sumOfB + `"}} File is cached to ` + cache + `/g`, 2},
		{"cached name=WEB/none skip_verify=true", "a", `false {} cannot fetch WEB/none: the server answered 404 Not Found (file does not exist)`, 0},
		{"not_cached name=WEB/g", "a", `true {"deleted":true} ` + cache + `/g was deleted`, 0},
		{"not_cached name=WEB/g", "a", `true {} WEB/g is not cached`, 0},
	} {
		content, asked = tt.content, 0
		said := strings.NewReplacer(web.URL, "WEB", web.Listener.Addr().String(), "HOST", copies, "COPY")
		b := bind(t, strings.ReplaceAll(tt.line, "WEB", web.URL))
		before := h.Snapshot()
		foretold := b.Run(t.Context(), h.Host, true)
		if !slices.Equal(before, h.Snapshot()) {
			t.Errorf("%s: test mode changed something", tt.line)
		}
		got := b.Run(t.Context(), h.Host, false)
		if text := said.Replace(show(got)); text != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.line, text, tt.want)
		}
		if a, b := show(foretold), show(got); *got.Result && strings.Fields(a)[1] != strings.Fields(b)[1] {
			t.Errorf("%s: foretold %s, did %s", tt.line, a, b)
		}
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s: second run: %s", tt.line, show(again))
		}
		if asked != tt.asked {
			t.Errorf("%s: the content was sent %d times, want %d", tt.line, asked, tt.asked)
		}
	}
	if left, err := os.ReadDir(h.Path(strings.ReplaceAll(cache, "HOST", web.Listener.Addr().String()))); len(left) != 2 || err != nil {
		t.Errorf("the cache holds %v, %v", left, err)
	}
	if st, err := fs.Stat(os.DirFS(h.Path(cache[:len(cache)-5])), web.Listener.Addr().String()+"/f"); err != nil || st.Mode() != 0o600 {
		t.Errorf("a copy has mode %v, %v", st, err)
	}
}

func TestCachedIsRefusedUnverified(t *testing.T) {
	for line, want := range map[string]string{
		"cached name=https://u:p@there/f?x": `cannot verify https://u@there/f: set source_hash, or skip_verify or use_etag to take whatever comes`,
		"cached name=f source_hash=xyz": "\n" + `    argument "name": want salt://PATH, https://HOST/PATH or an absolute path, got "f"` + "\n" +
			`    argument "source_hash": want a hash such as sha256=DIGITS, or where a file of hashes is, got "xyz"`,
		"not_cached name=ftp://a/b": `argument "name": want salt://PATH, https://HOST/PATH or an absolute path, got "ftp://a/b"`,
	} {
		if got := refusal(t, line); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", line, got, want)
		}
	}
}

// refusal is how the arguments of a state are refused.
func refusal(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	s, err := module.NewIndex(file.Module).State("file." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Bind(module.Words(words[1:]...))
	if err == nil {
		return "nothing"
	}
	return err.Error()
}
