package custom_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"brine/states/custom"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

// A dir is the files of a tree on disk.
type dir string

func (d dir) Stat(ctx context.Context, url string) (host.File, error) {
	local, err := d.Fetch(ctx, url)
	if err != nil {
		return host.File{}, err
	}
	data, err := os.ReadFile(local)
	if err != nil {
		return host.File{}, err
	}
	st, err := os.Stat(local)
	if err != nil {
		return host.File{}, err
	}
	sum := sha256.Sum256(data)
	return host.File{SHA256: hex.EncodeToString(sum[:]), Size: st.Size(), Mode: st.Mode()}, nil
}

func (d dir) Fetch(_ context.Context, url string) (string, error) {
	return filepath.Join(string(d), strings.TrimPrefix(url, "salt://")), nil
}

func (d dir) List(_ context.Context, url string) ([]string, error) {
	var below []string
	root := os.DirFS(filepath.Join(string(d), strings.TrimPrefix(url, "salt://")))
	err := fs.WalkDir(root, ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			below = append(below, p)
		}
		return nil
	})
	return below, err
}

// A bench is a host with a tree of executables.
type bench struct {
	t     *testing.T
	tree  dir
	local *host.Local
	store *custom.Store
	host  *host.Host

	stored string // the store's directory
	log    string // what was logged last
	ran    func() // before each command
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, tree: dir(t.TempDir()), local: &host.Local{}}
	t.Cleanup(b.local.Close)
	b.stored, b.ran = filepath.Join(t.TempDir(), "custom"), func() {}
	b.store = custom.NewStore(b.stored, func(ctx context.Context, c host.Command) (host.Output, error) {
		b.ran()
		return b.local.Run(ctx, c)
	})
	b.store.Limit = 700 * time.Millisecond
	b.host = &host.Host{Root: t.TempDir(), Exec: b.local.Run, Files: b.tree,
		Grains: value.NewDict("id", "web1", "os", "Debian"), Pillar: value.NewDict("key", "secret"),
		Config: value.NewDict("id", "web1", "saltenv", "base", "test", false)}
	b.host.Log = func(level, message string) { b.log = level + ": " + message }
	return b
}

// write writes a file of the tree. One whose text begins with "-x" is not executable.
func (b *bench) write(name, text string) {
	b.t.Helper()
	mode := fs.FileMode(0o755)
	if rest, ok := strings.CutPrefix(text, "-x\n"); ok {
		mode, text = 0o644, rest
	}
	full := filepath.Join(string(b.tree), name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), mode), os.Chmod(full, mode)); err != nil {
		b.t.Fatal(err)
	}
}

// hello is a module that is built in.
func builtin() *module.Index {
	f := func(context.Context, *host.Host, struct{}) (string, error) { return "built in", nil }
	return module.NewIndex(module.Module{Name: "hello", Funcs: []module.Func{{Name: "greet", Do: module.Call(f)}}})
}

func (b *bench) index() *module.Index {
	b.t.Helper()
	late, err := b.store.Late(b.t.Context(), b.tree, builtin(), func(error) {})
	if err != nil {
		b.t.Fatal(err)
	}
	return builtin().With(late...)
}

// do carries out one line: call FUNC ARG..., apply STATE ARG..., test STATE ARG..., watch STATE ARG..., sync KIND,
// functions, states, doc FUNC, argspec FUNC, remove FILE, cat FILE.
func (b *bench) do(line string) string {
	words := strings.Fields(line)
	args := module.Words(words[min(2, len(words)):]...)
	switch x := b.index(); words[0] {
	case "call":
		f, err := x.Func(words[1])
		if err != nil {
			return "error: " + err.Error()
		}
		r, err := f.Call(b.t.Context(), b.host, args)
		text := answer(r.Value, err)
		if b.log != "" {
			text += "\nlog " + b.log
			b.log = ""
		}
		return text
	case "apply", "test", "watch":
		s, err := x.State(words[1])
		if err != nil {
			return "error: " + err.Error()
		}
		bound, err := s.Bind(args)
		if err != nil {
			return "error: " + err.Error()
		}
		if words[0] == "watch" {
			return shown(bound.RunWatch(b.t.Context(), b.host, []string{"pkg: nginx"}, false))
		}
		return shown(bound.Run(b.t.Context(), b.host, words[0] == "test"))
	case "sync":
		changed, errs := b.store.Sync(b.t.Context(), b.tree, builtin(), custom.Kind(words[1]), "", func(string) bool { return true })
		text := strings.Join(changed, " ")
		for _, err := range errs {
			text += "\nerror: " + err.Error()
		}
		return text
	case "functions":
		return strings.Join(x.Functions(), " ")
	case "states":
		return strings.Join(x.States(), " ")
	case "doc":
		doc, _ := x.FunctionDocs(words[1]).Get(words[1])
		return fmt.Sprint(doc)
	case "argspec":
		spec, _ := x.FunctionArgs(words[1]).Get(words[1])
		return answer(spec, nil)
	case "remove":
		return answer(nil, os.Remove(filepath.Join(string(b.tree), words[1])))
	case "cat":
		text, err := os.ReadFile(b.host.Path(words[1]))
		if err != nil {
			return "not there"
		}
		return string(text)
	}
	b.t.Fatalf("unknown line %q", line)
	return ""
}

func answer(v any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	data, err := value.MarshalJSON(v)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(data)
}

func shown(r module.Result) string {
	result := "null"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	text := fmt.Sprintf("%s %s %s", result, answer(r.Changes, nil), r.Comment)
	for _, w := range r.Warnings {
		text += "\nwarning: " + w
	}
	if r.Unknown {
		text += " (unknown)"
	}
	return text
}

// TestTrees carries out the lines of the comments of testdata, and compares with what is wanted: the last file.
func TestTrees(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t)
			last := &a.Files[len(a.Files)-1]
			for _, f := range a.Files[:len(a.Files)-1] {
				b.write(f.Name, string(f.Data))
			}
			var got strings.Builder
			for line := range strings.Lines(string(a.Comment)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					fmt.Fprintf(&got, "%s\n    %s\n", line, b.steady(strings.ReplaceAll(b.do(line), "\n", "\n    ")))
				}
			}
			if *update {
				last.Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got.String() != string(last.Data) {
				t.Errorf("got\n%swant\n%s", got.String(), last.Data)
			}
		})
	}
}

// steady takes from a text what is another one each time.
func (b *bench) steady(text string) string {
	text = strings.ReplaceAll(text, b.host.Root, "ROOT")
	text = regexp.MustCompile(`/tmp/\S*?/custom\b`).ReplaceAllString(text, "STORE")
	return regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(text, "SUM")
}
