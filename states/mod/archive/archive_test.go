package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/archive"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// entries are NAME CONTENT; a name that ends with / is a directory, content that begins with -> a link, with => a
// hard link.
func tarOf(entries ...string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(entries); i += 2 {
		h := &tar.Header{Name: entries[i], Mode: 0o640, ModTime: time.Unix(1e9, 0), Typeflag: tar.TypeReg}
		content := entries[i+1]
		if to, ok := strings.CutPrefix(content, "->"); ok {
			h.Typeflag, h.Linkname, content = tar.TypeSymlink, to, ""
		} else if to, ok := strings.CutPrefix(content, "=>"); ok {
			h.Typeflag, h.Linkname, content = tar.TypeLink, to, ""
		} else if content == "fifo" {
			h.Typeflag, content = tar.TypeFifo, ""
		} else if strings.HasSuffix(h.Name, "/") {
			h.Typeflag, h.Mode, content = tar.TypeDir, 0o750, ""
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			panic(err)
		}
	}
	w.Close()
	z.Close()
	return b.String()
}

func zipOf(entries ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		h := &zip.FileHeader{Name: entries[i], Method: zip.Deflate}
		h.SetMode(0o755)
		content := entries[i+1]
		if to, ok := strings.CutPrefix(content, "->"); ok {
			h.SetMode(fs.ModeSymlink | 0o777)
			content = to
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			panic(err)
		}
	}
	w.Close()
	return b.String()
}

func TestModule(t *testing.T) {
	moduletest.Run(t, archive.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		h := hosttest.New(t)
		h.Files.Serve("salt://app.tar.gz", tarOf("app-1/", "", "app-1/bin/run", "x", "app-1/link", "->bin/run"), 0o644)
		return h
	}})
}

func run(t *testing.T, h *host.Host, test bool, args ...any) module.Result {
	t.Helper()
	s, err := module.NewIndex(archive.Module).State("archive.extracted")
	if err != nil {
		t.Fatal(err)
	}
	in := module.Input{Args: []module.Arg{{Name: "name", Value: module.Data("/d")}}}
	if args[0] == "name" {
		in.Args = nil
	}
	for i := 0; i < len(args); i += 2 {
		in.Args = append(in.Args, module.Arg{Name: args[i].(string), Value: module.Data(args[i+1])})
	}
	b, err := s.Bind(in)
	if err != nil { // found before anything runs
		no := false
		return module.Result{Result: &no, Changes: value.NewDict(), Comment: err.Error()}
	}
	return b.Run(t.Context(), h, test)
}

func shown(r module.Result) string {
	data, _ := value.MarshalJSON(r.Changes)
	result := "None"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return result + " " + string(data)
}

// expect runs the state: what test mode foretells, a run does, and a second run leaves alone.
func expect(t *testing.T, h *hosttest.Host, changes string, args ...any) {
	t.Helper()
	before := h.Snapshot()
	r := run(t, h.Host, true, args...)
	if want := map[bool]string{true: "true ", false: "None "}[changes == "{}"] + changes; shown(r) != want {
		t.Errorf("%v, in test mode: got %s %s, want %s", args, shown(r), r.Comment, want)
	}
	if after := h.Snapshot(); !slices.Equal(before, after) {
		t.Errorf("%v: test mode changed the host:\n%s\nwas\n%s", args, strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	if r := run(t, h.Host, false, args...); shown(r) != "true "+changes {
		t.Errorf("%v: got %s %s, want %s", args, shown(r), r.Comment, changes)
	}
	if slices.Contains(args, any("overwrite")) || !slices.Contains(args, any("clean")) {
		if r := run(t, h.Host, false, args...); shown(r) != "true {}" {
			t.Errorf("%v: the second run: got %s %s", args, shown(r), r.Comment)
		}
	}
}

// files are what lies in a directory: NAME MODE CONTENT.
func files(t *testing.T, h *hosttest.Host, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(h.Path(dir), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(h.Path(dir), name)
		st, err := d.Info()
		if err != nil || rel == "." {
			return err
		}
		text := ""
		switch {
		case st.Mode().IsRegular():
			data, err := os.ReadFile(name)
			text = string(data) + fmt.Sprint(err)
		case st.Mode()&fs.ModeSymlink != 0:
			text, err = os.Readlink(name)
		}
		all = append(all, strings.TrimSuffix(fmt.Sprintf("%s %o %s", rel, st.Mode().Perm(), strings.TrimSuffix(text, "<nil>")), " "))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return strings.Join(all, "\n")
}

func TestExtracted(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a.tgz", tarOf("./app/", "", "app/conf/a", "one", "app/b", "two", "app/hard", "=>app/b", "app/abs", "->/etc/x"), 0o644)
	src := []any{"source", "salt://a.tgz"}
	with := func(more ...any) []any { return append(slices.Clone(src), more...) }
	expect(t, h, `{"directories_created":["/d"],"extracted_files":["app","app/abs","app/b","app/conf/a","app/hard"]}`, src...)
	want := "app 750\napp/abs 777 /etc/x\napp/b 640 two\napp/conf 755\napp/conf/a 640 one\napp/hard 640 two"
	if got := files(t, h, "/d"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// Files may be changed afterwards, unless overwrite says that they may not.
	h.Write("/d/app/conf/a", "changed")
	expect(t, h, `{}`, src...)
	expect(t, h, `{"extracted_files":["app/conf/a"]}`, with("overwrite", true)...)
	// What is extracted again is the archive as a whole.
	h.Write("/d/app/conf/a", "changed")
	if err := os.Remove(h.Path("/d/app/hard")); err != nil {
		t.Fatal(err)
	}
	expect(t, h, `{"extracted_files":["app/conf/a","app/hard"]}`, src...)
	if got := files(t, h, "/d"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	// A directory in the place of a file.
	if err := os.Remove(h.Path("/d/app/b")); err != nil {
		t.Fatal(err)
	}
	h.Write("/d/app/b/c", "mine")
	if r := run(t, h.Host, false, src...); !strings.Contains(r.Comment, "set force to remove app/b") {
		t.Errorf("got %s %s", shown(r), r.Comment)
	}
	expect(t, h, `{"extracted_files":["app/b","app/hard"]}`, with("force", true)...)

	h.Write("/d/app/old", "x")
	h.Write("/d/other", "x")
	expect(t, h, `{}`, with("clean", true)...)
	if err := os.Remove(h.Path("/d/app/b")); err != nil {
		t.Fatal(err)
	}
	expect(t, h, `{"cleaned":"/d","extracted_files":["app","app/abs"]}`, with("clean", true, "trim_output", int64(2))...)
	if got := files(t, h, "/d"); got != want+"\nother 644 x" {
		t.Errorf("got\n%s", got)
	}
	h.Write("/stamp", "")
	if err := os.RemoveAll(h.Path("/d")); err != nil {
		t.Fatal(err)
	}
	expect(t, h, `{}`, with("if_missing", "/stamp")...)
}

func TestFailureTellsWhatWasExtracted(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/mine", "x")
	long := strings.Repeat("x", 300)
	h.Files.Serve("salt://a.tgz", tarOf("app/a", "one", "app/"+long, "two", "app/z", "three"), 0o644)
	r := run(t, h.Host, false, "source", "salt://a.tgz")
	if want := `false {"extracted_files":["app/a"]}`; shown(r) != want || !strings.Contains(r.Comment, "file name too long") {
		t.Errorf("got %s %s, want %s", shown(r), r.Comment, want)
	}
}

func TestFailureLeavesNoNewDirectory(t *testing.T) {
	h := hosttest.New(t)
	long := strings.Repeat("x", 300)
	h.Files.Serve("salt://a.tgz", tarOf("app/conf/a", "one", "app/"+long, "two", "app/z", "three"), 0o644)
	h.Write("/srv/mine", "x")
	r := run(t, h.Host, false, "name", "/srv/new/d", "source", "salt://a.tgz")
	if want := `false {}`; shown(r) != want || !strings.Contains(r.Comment, "file name too long") {
		t.Errorf("got %s %s, want %s", shown(r), r.Comment, want)
	}
	if got := files(t, h, "/srv"); got != "mine 644 x" {
		t.Errorf("got\n%s", got)
	}
}

func TestOptions(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a.tar", tarOf("app-1/bin/run", "x", "app-1/doc/x.md", "y", "app-1/README", "z"), 0o644)
	expect(t, h, `{"directories_created":["/d"],"extracted_files":["README","bin/run"]}`, "source", "salt://a.tar",
		"options", "xf --strip-components=1 --exclude=*.md", "enforce_toplevel", false)
	for want, args := range map[string][]any{
		"not one directory at its top, but README, bin": {"options", "--strip-components 1 --exclude doc"},
		`cannot use the option "--transform=x"`:         {"options", "--transform=x"},
		"nothing in it to extract":                      {"options", "--strip-components=9"},
		"set archive_format":                            {"source", "salt://b"},
		"rar":                                           {"archive_format", "rar"},
		`want tar or zip`:                               {"archive_format", "7z"},
		"cannot read the archive":                       {"archive_format", "zip"},
		"no such":                                       {"user", "nosuch"},
		"is not below /d":                               {"user", "root", "enforce_ownership_on", "/e"},
		"encrypted archives are not read":               {"password", "x"},
		"cannot find the source salt://none":            {"source", "salt://none"},
	} {
		h.Files.Serve("salt://b", "x", 0o644)
		if !slices.Contains(args, any("source")) {
			args = append([]any{"source", "salt://a.tar"}, args...)
		}
		if r := run(t, h.Host, false, args...); !strings.Contains(r.Comment, want) || r.Result == nil || *r.Result {
			t.Errorf("%v: got %s %s, want %s", args, shown(r), r.Comment, want)
		}
	}
}

// TestNothingIsWrittenElsewhere has archives that would leave the directory.
func TestNothingIsWrittenElsewhere(t *testing.T) {
	for name, entries := range map[string][]string{
		"a name with ..":           {"a/../../x", "bad"},
		"an absolute name":         {"/etc/x", "bad"},
		"through a link":           {"a", "->/", "a/x", "bad"},
		"through a link to above":  {"a", "->..", "a/x", "bad"},
		"a hard link to elsewhere": {"a", "=>../x"},
		"a hard link, absolute":    {"a", "=>/etc/passwd"},
		"a pipe":                   {"a", "fifo"},
	} {
		for format, data := range map[string]string{"tar": tarOf(entries...), "zip": zipOf(entries...)} {
			if format == "zip" && (strings.HasPrefix(entries[1], "=>") || entries[1] == "fifo") {
				continue
			}
			h := hosttest.New(t)
			h.Files.Serve("salt://bad", data, 0o644)
			before := h.Snapshot()
			r := run(t, h.Host, false, "source", "salt://bad", "archive_format", format, "enforce_toplevel", false, "overwrite", true)
			if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "cannot extract") {
				t.Errorf("%s, %s: got %s %s", name, format, shown(r), r.Comment)
			}
			if after := h.Snapshot(); !slices.Equal(before, after) {
				t.Errorf("%s, %s: the host changed: %v", name, format, after)
			}
		}
	}
	// A link that is there already.
	h := hosttest.New(t)
	h.Write("/d/app/x", "")
	h.Write("/elsewhere/x", "good")
	if err := os.Symlink(h.Path("/elsewhere"), h.Path("/d/app/sub")); err != nil {
		t.Fatal(err)
	}
	h.Files.Serve("salt://a.tar", tarOf("app/sub/x", "bad"), 0o644)
	r := run(t, h.Host, false, "source", "salt://a.tar", "overwrite", true)
	if got := h.Read("/elsewhere/x"); got != "good" || *r.Result {
		t.Errorf("got %q: %s %s", got, shown(r), r.Comment)
	}
}

func TestZip(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/a.zip", zipOf("app/", "", "app/run", "x", "app/link", "->run"))
	expect(t, h, `{"directories_created":["/d"],"extracted_files":["app","app/link","app/run"]}`, "source", "/a.zip")
	if got, want := files(t, h, "/d"), "app 755\napp/link 777 run\napp/run 755 x"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOwner(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a.tar", tarOf("app/x", "1"), 0o644)
	expect(t, h, `{"directories_created":["/d"],"extracted_files":["app/x"]}`, "source", "salt://a.tar", "user", "me", "group", "me")
	if os.Geteuid() != 0 {
		return // only root gives files away
	}
	expect(t, h, `{"updated ownership":"app/x"}`, "source", "salt://a.tar", "user", "nobody", "enforce_ownership_on", "/d/app/x")
	expect(t, h, `{"updated ownership":"app"}`, "source", "salt://a.tar", "user", "nobody")
}

// web answers every request with one body, and counts.
type web struct {
	body  string
	asked int
}

func (w *web) Do(*http.Request) (*http.Response, error) {
	w.asked++
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader(w.body))}, nil
}

func TestFromTheWeb(t *testing.T) {
	h := hosttest.New(t)
	w := &web{body: tarOf("app/x", "1")}
	h.HTTP = w
	hash := "sha256=" + fmt.Sprintf("%x", sum(w.body))
	args := []any{"source", "https://me:pw@host/a.tar.gz?token=s", "source_hash", hash}
	for i := range 3 {
		if r := run(t, h.Host, i == 0, args...); i == 0 && r.Result != nil || i > 0 && !*r.Result || strings.Contains(r.Comment, "pw") {
			t.Errorf("run %d: got %s %s", i, shown(r), r.Comment)
		}
	}
	if w.asked != 1 {
		t.Errorf("fetched %d times", w.asked)
	}
	w.body = "other"
	args[1] = "https://host/b.tar.gz"
	if r := run(t, h.Host, false, args...); !strings.Contains(r.Comment, "source_hash says") {
		t.Errorf("got %s %s", shown(r), r.Comment)
	}
	if r := run(t, h.Host, false, args[:2]...); !strings.Contains(r.Comment, "set source_hash") {
		t.Errorf("got %s %s", shown(r), r.Comment)
	}
	w.body = tarOf("app/y", "1")
	r := run(t, h.Host, false, "source", "https://host/c.tar.gz", "skip_verify", true, "keep_source", false)
	if left, _ := filepath.Glob(h.Path("/var/cache/brine/minion/archives/*")); !*r.Result || len(left) != 1 {
		t.Errorf("got %s %s, %v", shown(r), r.Comment, left)
	}
}

// TestProgramsDecompress lets a fake xz do what the real one does.
func TestProgramsDecompress(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a.tar.xz", "\xfd7zXZ\x00...", 0o644)
	plain := tarOf("app/x", "1")
	h.Host.Exec = func(_ context.Context, c host.Command) (host.Output, error) {
		if c.Argv[0] != "xz" {
			return host.Output{}, os.ErrNotExist
		}
		return host.Output{}, os.WriteFile(strings.TrimSuffix(c.Argv[len(c.Argv)-1], ".xz"), []byte(plain), 0o600)
	}
	if r := run(t, h.Host, false, "source", "salt://a.tar.xz"); !*r.Result || h.Read("/d/app/x") != "1" {
		t.Errorf("got %s %s", shown(r), r.Comment)
	}
	h.Files.Serve("salt://a.tar.zst", "\x28\xb5\x2f\xfd...", 0o644)
	if r := run(t, h.Host, false, "source", "salt://a.tar.zst"); !r.Unknown || !strings.Contains(r.Comment, "install zstd") {
		t.Errorf("got %s %s", shown(r), r.Comment)
	}
}

func call(t *testing.T, h *hosttest.Host, name string, words ...string) string {
	t.Helper()
	f, err := module.NewIndex(archive.Module).Func("archive." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words...))
	if err != nil {
		return err.Error()
	}
	data, _ := value.MarshalJSON(r.Value)
	return string(data)
}

func TestFunctions(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/srv/app/x", "1")
	h.Write("/srv/app/y.log", "2")
	h.Write("/a.tar", tarOf("app/", "", "app/x", "1", "app/l", "->x"))
	h.Answer("tar -tf "+h.Path("/a.tar")+" -C "+h.Path("/srv"), host.Output{Stdout: []byte("app/\napp/x\n")})
	h.Answer("gzip -9 -- "+h.Path("/srv/app/x"), host.Output{})
	h.Answer("gunzip -- "+h.Path("/nosuch"), host.Output{Code: 1, Stderr: []byte("no such file")})
	for _, c := range []struct {
		want string
		args []string
	}{
		{`["app/","app/x","app/y.log"]`, []string{"zip", "/a.zip", "/srv/app", "cwd=/srv"}},
		{`["app","app/x"]`, []string{"unzip", "/a.zip", "/u", "excludes=*.log"}},
		{`false`, []string{"is_encrypted", "/a.zip"}},
		{`["app/","app/l","app/x"]`, []string{"list", "/a.tar"}},
		{`{"dirs":[],"files":["x"],"links":["l"],"top_level_dirs":[],"top_level_files":["x"],"top_level_links":["l"]}`,
			[]string{"list", "/a.tar", "verbose=true", "strip_components=1"}},
		{`["app/","app/x"]`, []string{"tar", "tf", "/a.tar", "dest=/srv"}},
		{`[]`, []string{"gzip", "/srv/app/x", "options=-9"}},
	} {
		if got := call(t, h, c.args[0], c.args[1:]...); got != c.want {
			t.Errorf("%v: got %s, want %s", c.args, got, c.want)
		}
	}
	if got := call(t, h, "gunzip", "/nosuch"); !strings.Contains(got, "no such file") {
		t.Errorf("got %s", got)
	}
	if got, want := files(t, h, "/u"), "app 755\napp/x 644 1"; got != want {
		t.Errorf("unzip: got\n%s\nwant\n%s", got, want)
	}
}

// FuzzArchive extracts whatever comes: nothing but the directory may change.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(tarOf("a/", "", "a/b", "x", "l", "->a")), "tar")
	f.Add([]byte(zipOf("a/b", "x", "l", "->a")), "zip")
	f.Fuzz(func(t *testing.T, data []byte, format string) {
		h := hosttest.New(t)
		h.Write("/outside/x", "same")
		h.Write("/a", string(data))
		before := files(t, h, "/outside") + files(t, h, "/etc")
		run(t, h.Host, false, "source", "/a", "archive_format", format, "enforce_toplevel", false)
		if after := files(t, h, "/outside") + files(t, h, "/etc"); after != before {
			t.Errorf("got %s, want %s", after, before)
		}
	})
}

func sum(text string) [32]byte { return sha256.Sum256([]byte(text)) }
