package file_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write what is into testdata as what is wanted")

// TestScripts runs the files in testdata. Each section is a host of its own and lists lines to carry out, each followed
// by what came of it behind tabs. In a word in double quotes \n is a newline.
//
//	write /f "a\n" [MODE]    make a file, with the directories above it
//	link /f TO [UID]         make a symbolic link, of the user with this number
//	own UID /f ...           give files to a user
//	fifo /f                  make a named pipe
//	serve salt://a "a\n"     let the masters serve a file
//	cat /f                   show a file
//	ls /d                    show all below a directory with modes
//	call FUNCTION ARG ...    call an execution function
//	STATE ARG ...            apply a state: in test mode, which must change nothing and foretell the same; for real; and
//	                         again, which must change nothing
//
// Sections named (root) need root. A state with + before it does something at every run. With ? before it only its arguments are read.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, name := range paths {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range a.Files {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar")+"/"+f.Name, func(t *testing.T) {
				if strings.HasSuffix(f.Name, "(root)") && os.Getuid() != 0 {
					t.Skip("only root can give files away")
				}
				got := newScript(t).run(string(f.Data))
				if got != string(f.Data) && !*update {
					t.Errorf("got\n%s\nwant\n%s", got, f.Data)
				}
				a.Files[i].Data = []byte(got)
			})
		}
		if *update {
			writeArchive(t, name, a)
		}
	}
}

func writeArchive(t *testing.T, name string, a *txtar.Archive) {
	t.Helper()
	if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

type script struct {
	t     *testing.T
	h     *hosttest.Host
	index *module.Index
	out   strings.Builder
}

func newScript(t *testing.T) *script {
	h := hosttest.New(t).Real()
	h.Grains = value.NewDict("motd", "Welcome", "app", value.NewDict("keys", value.NewList("k1", "k2")))
	h.Pillar = value.NewDict("secret", "s3cret", "empty", "")
	if err := os.Mkdir(h.Path("/tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	return &script{t: t, h: h, index: module.NewIndex(file.Module)}
}

func (s *script) run(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		s.out.WriteString(line + "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			s.line(split(s.t, line))
		}
	}
	return s.out.String()
}

var (
	stamps = regexp.MustCompile(`_[A-Z][a-z]{2}_[A-Z][a-z]{2}_\d\d_\d\d:\d\d:\d\d_\d{6}_\d{4}`)
	temps  = regexp.MustCompile(`\.brine-[A-Z2-7]+\.tmp`)
	times  = regexp.MustCompile(`"((?:st_)?[acm]time|inode|Start Time|f_\w+|pid)":("[^"]*"|[0-9.]+)`)
)

// say adds what came of a line.
func (s *script) say(text string) {
	text = strings.ReplaceAll(text, s.h.Root, "ROOT")
	text = temps.ReplaceAllString(stamps.ReplaceAllString(text, "_STAMP"), "TEMP")
	text = times.ReplaceAllString(text, `"$1":N`)
	for line := range strings.Lines(strings.TrimSuffix(text, "\n")) {
		s.out.WriteString("\t" + strings.TrimRight(line, " \n") + "\n")
	}
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) line(w []string) {
	switch w[0] {
	case "write":
		s.h.Write(w[1], w[2])
		if len(w) > 3 {
			mode, err := strconv.ParseUint(w[3], 8, 32)
			s.must(err)
			s.must(syscall.Chmod(s.h.Path(w[1]), uint32(mode)))
		}
	case "link":
		s.must(os.Symlink(w[2], s.h.Path(w[1])))
		if len(w) > 3 {
			s.line([]string{"own", w[3], w[1]})
		}
	case "own":
		uid, err := strconv.Atoi(w[1])
		s.must(err)
		for _, name := range w[2:] {
			s.must(os.Lchown(s.h.Path(name), uid, uid))
		}
	case "fifo":
		s.must(syscall.Mkfifo(s.h.Path(w[1]), 0o600))
	case "serve":
		s.h.Files.Serve(w[1], w[2], 0o640)
	case "cat":
		s.say(strconv.Quote(s.h.Read(w[1])))
	case "ls":
		s.ls(w[1])
	case "call":
		s.call(w[1:])
	case "?":
		s.bind(w[1:])
	case "+":
		s.state(w[1:], true)
	default:
		s.state(w, false)
	}
}

func (s *script) ls(dir string) {
	root := s.h.Path(dir)
	s.must(filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s", i.Mode(), strings.TrimPrefix(name, s.h.Root))
		if to, err := os.Readlink(name); err == nil {
			line = fmt.Sprintf("link %s -> %s", strings.TrimPrefix(name, s.h.Root), to)
		}
		s.say(line)
		return nil
	}))
}

func (s *script) call(w []string) {
	f, err := s.index.Func("file." + w[0])
	s.must(err)
	r, err := f.Call(s.t.Context(), s.h.Host, module.Words(w[1:]...))
	if err != nil {
		s.say("error: " + err.Error())
		return
	}
	json, err := value.MarshalJSON(r.Value)
	s.must(err)
	s.say(string(json))
}

func (s *script) bind(w []string) *module.Bound {
	st, err := s.index.State("file." + w[0])
	s.must(err)
	b, err := st.Bind(module.Words(w[1:]...))
	if err != nil {
		s.say("refused: " + err.Error())
		return nil
	}
	return b
}

func (s *script) state(w []string, repeats bool) {
	b := s.bind(w)
	if b == nil {
		return
	}
	before := s.h.Snapshot()
	foretold := b.Run(s.t.Context(), s.h.Host, true)
	if !slices.Equal(before, s.h.Snapshot()) {
		s.say("test mode changed something")
	}
	r := b.Run(s.t.Context(), s.h.Host, false)
	text := show(r)
	if r.Unknown {
		text += " (unknown)"
	}
	for _, warning := range r.Warnings {
		text += "\nwarning: " + warning
	}
	s.say(text)
	if failed := r.Result != nil && !*r.Result; !value.Equal(foretold.Changes, r.Changes) && !failed {
		s.say("foretold " + show(foretold))
	} else if failed {
		return
	}
	before = s.h.Snapshot()
	if again := b.Run(s.t.Context(), s.h.Host, false); again.Changes.Len() > 0 && !repeats {
		s.say("again " + show(again))
	}
	if !slices.Equal(before, s.h.Snapshot()) && !repeats {
		s.say("the second run changed something")
	}
}

// split splits a line into words; what stands in double quotes, also in the middle of a word, is read as Go reads it.
func split(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		var word strings.Builder
		for line != "" && line[0] != ' ' {
			if line[0] != '"' {
				word.WriteByte(line[0])
				line = line[1:]
				continue
			}
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			text, _ := strconv.Unquote(quoted) // it is quoted
			word.WriteString(text)
			line = line[len(quoted):]
		}
		words = append(words, word.String())
	}
	return words
}
