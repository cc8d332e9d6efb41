package file_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// cases are tried as the examples of the states are.
const cases = `
	new file: {file.managed: [{name: /srv/a/b/c}, {contents: "x\n"}, {makedirs: true}, {mode: "0600"}, {dir_mode: "0700"}]}
	content and mode: {file.managed: [{name: /etc/motd.old}, {contents: [a, b]}, {mode: "0600"}]}
	only mode: {file.managed: [{name: /etc/motd.old}, {replace: false}, {mode: "0640"}]}
	a copy first: {file.managed: [{name: /etc/motd.old}, {contents: new}, {backup: minion}]}
	instead of a link: {file.managed: [{name: /srv/block}, {source: salt://app/app.conf}, {follow_symlinks: false}]}
	nothing: {file.managed: [{name: /srv/empty}]}
	many lines: {file.append: [{name: /etc/hosts}, {text: [a, b, "127.0.0.1 localhost"]}]}
	into new directories: {file.append: [{name: /srv/a/b/c}, {text: a}, {makedirs: true}]}
	at the top: {file.prepend: [{name: /etc/hosts}, {text: "# hosts"}]}
	at the end: {file.replace: [{name: /etc/hosts}, {pattern: "^nosuch$"}, {repl: "x y"}, {append_if_not_found: true}, {backup: .old}]}
	every place: {file.replace: [{name: /etc/fstab}, {pattern: /mnt/old}, {repl: /mnt/other}]}
	a block: {file.blockreplace: [{name: /srv/block}, {marker_start: "# START"}, {marker_end: "# END"}, {content: new}]}
	a new block: {file.blockreplace: [{name: /etc/hosts}, {marker_start: "# S"}, {marker_end: "# E"}, {content: c}, {append_if_not_found: true}]}
	comments: {file.comment: [{name: /etc/fstab}, {regex: "^/mnt"}, {backup: false}]}
	a tree of directories: {file.directory: [{name: /srv/a/b}, {makedirs: true}, {mode: "0750"}]}
	all modes: {file.directory: [{name: /srv/www}, {dir_mode: "0750"}, {file_mode: "0640"}, {recurse: [mode]}]}
	cleaned: {file.directory: [{name: /srv/www}, {clean: true}, {exclude_pat: "*.local"}]}
	a link in the way: {file.symlink: [{name: /srv/moved}, {target: /etc/motd.old}, {force: true}]}
	a link in new directories: {file.symlink: [{name: /srv/a/b/link}, {target: ../x}, {makedirs: true}]}
	exactly: {file.recurse: [{name: /srv/www/site}, {source: salt://site}, {clean: true}, {file_mode: "0600"}]}
	only some: {file.recurse: [{name: /srv/css}, {source: salt://site}, {include_pat: "*.css"}]}
	links and empty directories: {file.recurse: [{name: /srv/moved}, {source: salt://site}, {include_empty: true}, {keep_symlinks: true}, {force_symlinks: true}, {clean: true}]}
	a directory: {file.absent: [{name: /srv/www}]}
`

func TestModule(t *testing.T) {
	moduletest.Run(t, file.Module, moduletest.Options{Fails: []string{"accumulated"}, Host: func(t testing.TB) *hosttest.Host {
		h := hosttest.New(t)
		h.Write("/srv/www/x", "")
		h.Write("/etc/motd.old", "old")
		h.Write("/etc/ssh/sshd_config", "#PermitRootLogin yes\n")
		h.Write("/srv/www/conf.d/a.local", "")
		h.Write("/srv/www/conf.d/old", "")
		h.Files.Serve("salt://app/app.conf", "listen 80\n", 0o640)
		h.Files.Serve("salt://site/index.html", "hello\n", 0o644)
		h.Write("/srv/www/site/old", "")
		h.Write("/tmp/x", "")
		h.Write("/etc/hosts", "127.0.0.1 localhost\n")
		h.Write("/opt/app/app.conf", "a\nb\n")
		h.Files.Serve("salt://app/app.patch", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n", 0o644)
		h.Write("/etc/nsswitch.conf", "passwd: files\nhosts: files dns\n")
		h.Write("/etc/fstab", "/dev/sda /mnt/old ext4\n/mnt/old x\n")
		h.Write("/etc/fstab.old", "#/mnt/new x\n")
		h.Files.Serve("salt://site/css/a.css", "a {}\n", 0o644)
		h.Files.Serve("salt://site/alias/a.css", "a {}\n", 0o644)
		h.Files.Empty = []string{"salt://site/var/cache"}
		h.Files.Links = map[string]string{"salt://site/alias": "css"}
		h.Write("/srv/www/site/css/b.css", "b {}\n")
		h.Write("/srv/block", "a\n# START\nold\n# END\nz\n")
		h.Write("/srv/moved/alias/x", "x")
		h.Write("/srv/moved/old", "x")
		h.Write("/etc/app.conf", "listen 80\n")
		h.Write("/var/cache/app/a.tmp", "")
		if err := os.MkdirAll(h.Path("/srv/unused/sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		h.Host.Files = kept{h.Files}
		return h.Real()
	}, Cases: cases})
}

func bind(t testing.TB, line string, args ...module.Arg) *module.Bound {
	t.Helper()
	words := strings.Fields(line)
	s, err := module.NewIndex(file.Module).State("file." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	in := module.Words(words[1:]...)
	in.Args = append(in.Args, args...)
	b, err := s.Bind(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(name, s string) module.Arg { return module.Arg{Name: name, Value: module.Data(s)} }

func show(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "none"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return result + " " + string(json) + " " + r.Comment
}

func TestManaged(t *testing.T) {
	for _, tt := range []struct {
		name, before string // content of /f; "-" for no file
		line         string
		want         string // of the run
		after        string
	}{
		{"new", "-", "managed name=/f contents=a",
			`true {"diff":"New file"} File /f updated`, "a\n"},
		{"new with mode", "-", "managed name=/f contents=a mode=0640",
			`true {"diff":"New file","mode":"0640"} File /f updated`, "a\n"},
		{"new and empty", "-", "managed name=/f",
			`true {"new":"file /f created"} File /f updated`, ""},
		{"new from the masters", "-", "managed name=/f source=salt://a",
			`true {"diff":"New file"} File /f updated`, "from a\n"},
		{"first source that is there", "-", "managed name=/f source=[salt://none,salt://b,salt://a]",
			`true {"diff":"New file"} File /f updated`, "from b\n"},
		{"from another environment", "-", "managed name=/f source=salt://a saltenv=dev",
			`true {"diff":"New file"} File /f updated`, "dev\n"},
		{"from this host", "-", "managed name=/f source=/etc/group mode=keep",
			`true {"diff":"New file","mode":"0644"} File /f updated`, "GROUP"},
		{"changed", "a\nb\nc\n", "managed name=/f contents=[a,B,c]",
			`true {"diff":"--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"} File /f updated`, "a\nB\nc\n"},
		{"changed in secret", "a\n", "managed name=/f contents=b show_changes=False",
			`true {"diff":"<show_changes=False>"} File /f updated`, "b\n"},
		{"same", "a\n", "managed name=/f contents=a",
			`true {} File /f is in the correct state`, "a\n"},
		{"same but for mode", "a\n", "managed name=/f contents=a mode=600",
			`true {"mode":"0600"} File /f updated`, "a\n"},
		{"left alone", "a\n", "managed name=/f",
			`true {} File /f is in the correct state`, "a\n"},
		{"not replaced", "a\n", "managed name=/f contents=b replace=False mode=0600",
			`true {"mode":"0600"} File /f updated`, "a\n"},
		{"not created", "-", "managed name=/f contents=b create=False",
			`true {} File /f is not present and is not set for creation`, "-"},
		{"without newline", "-", "managed name=/f contents=a contents_newline=False",
			`true {"diff":"New file"} File /f updated`, "a"},
		{"octal text stays", "-", "managed name=/f contents=0644",
			`true {"diff":"New file"} File /f updated`, "0644\n"},
		{"plain contents with template", "-", "managed name=/f contents=a template=jinja",
			`true {"diff":"New file"} File /f updated`, "a\n"},
		{"plain template", "-", "managed name=/f source=salt://a template=jinja",
			`true {"diff":"New file"} File /f updated`, "from a\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := hosttest.New(t)
			h.Files.Serve("salt://a", "from a\n", 0o600)
			h.Files.Serve("salt://a?saltenv=dev", "dev\n", 0o600)
			h.Files.Serve("salt://b", "from b\n", 0o600)
			if tt.before != "-" {
				h.Write("/f", tt.before)
			}
			b := bind(t, tt.line)
			before := h.Snapshot()
			foretold := b.Run(t.Context(), h.Host, true)
			if !slices.Equal(before, h.Snapshot()) {
				t.Error("test mode changed something")
			}
			got := b.Run(t.Context(), h.Host, false)
			if show(got) != tt.want {
				t.Errorf("got  %s\nwant %s", show(got), tt.want)
			}
			if a, b := show(foretold), show(got); strings.Fields(a)[1] != strings.Fields(b)[1] {
				t.Errorf("foretold %s\ndid      %s", a, b)
			}
			after := h.Read("/f")
			if _, err := os.Lstat(h.Path("/f")); err != nil {
				after = "-"
			}
			if want := strings.ReplaceAll(tt.after, "GROUP", h.Read("/etc/group")); after != want {
				t.Errorf("file holds %q, want %q", after, want)
			}
			if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
				t.Errorf("second run: %s", show(again))
			}
		})
	}
}

func stat(t *testing.T, h *hosttest.Host, name string) *syscall.Stat_t {
	t.Helper()
	st, err := os.Lstat(h.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t)
}

func TestNewContentKeepsModeOwnerAndAttributes(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "old\n")
	owner := uint32(os.Getuid())
	if owner == 0 {
		owner = 65534
		if err := os.Chown(h.Path("/f"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Chmod(h.Path("/f"), 0o4751); err != nil {
		t.Fatal(err)
	}
	attributes := unix.Setxattr(h.Path("/f"), "user.note", []byte("kept"), 0) == nil
	before := stat(t, h, "/f").Ino
	r := bind(t, "managed name=/f contents=new").Run(t.Context(), h.Host, false)
	st := stat(t, h, "/f")
	if h.Read("/f") != "new\n" || st.Mode&0o7777 != 0o4751 || st.Uid != owner {
		t.Errorf("got %q, mode %o, owner %d: %s", h.Read("/f"), st.Mode&0o7777, st.Uid, show(r))
	}
	if st.Ino == before {
		t.Error("the file was written in place")
	}
	note := make([]byte, 16)
	if n, err := unix.Getxattr(h.Path("/f"), "user.note", note); attributes && (err != nil || string(note[:n]) != "kept") {
		t.Errorf("attribute: got %q, %v", note[:max(n, 0)], err)
	}
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/d/f", "old\n")
	h.Files.Serve("salt://a", "new\n", 0o600)
	b := bind(t, "managed name=/d/f source=salt://a")
	h.Files.Corrupt("salt://a", "other\n")
	r := b.Run(t.Context(), h.Host, false)
	if *r.Result || r.Changes.Len() > 0 || !strings.HasPrefix(r.Comment, "the source changed meanwhile") {
		t.Errorf("got %s", show(r))
	}
	left, err := os.ReadDir(h.Path("/d"))
	if err != nil || len(left) != 1 || h.Read("/d/f") != "old\n" {
		t.Errorf("got %v, %q, %v", left, h.Read("/d/f"), err)
	}
}

func TestUnchangedSourceIsNotFetched(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a", "same\n", 0o600)
	h.Write("/f", "same\n")
	if r := bind(t, "managed name=/f source=salt://a").Run(t.Context(), h.Host, false); !*r.Result {
		t.Fatal(show(r))
	}
	if len(h.Files.Fetched) > 0 {
		t.Errorf("fetched %v", h.Files.Fetched)
	}
}

func TestMakedirs(t *testing.T) {
	h := hosttest.New(t)
	r := bind(t, "managed name=/a/b/f contents=x makedirs=True mode=0640").Run(t.Context(), h.Host, false)
	if !*r.Result || h.Read("/a/b/f") != "x\n" {
		t.Fatal(show(r))
	}
	if mode := stat(t, h, "/a/b").Mode & 0o7777; mode != 0o750 {
		t.Errorf("directory has mode %o, want 750: x beside each r of the file's", mode)
	}
	r = bind(t, "managed name=/c/d/f contents=x makedirs=True mode=0640 dir_mode=0700").Run(t.Context(), h.Host, false)
	if mode := stat(t, h, "/c/d").Mode & 0o7777; !*r.Result || mode != 0o700 {
		t.Errorf("directory has mode %o, want 700: %s", mode, show(r))
	}
}

func TestSymbolicLinks(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/real", "old\n")
	if err := os.Symlink("/real", h.Path("/link")); err != nil {
		t.Fatal(err)
	}
	bind(t, "managed name=/link contents=new").Run(t.Context(), h.Host, false)
	if st, err := os.Lstat(h.Path("/link")); err != nil || st.Mode()&fs.ModeSymlink == 0 || h.Read("/real") != "new\n" {
		t.Errorf("followed link: %v, %v, %q", st, err, h.Read("/real"))
	}
	r := bind(t, "managed name=/link contents=mine follow_symlinks=False").Run(t.Context(), h.Host, false)
	st, err := os.Lstat(h.Path("/link"))
	if err != nil || !st.Mode().IsRegular() || h.Read("/link") != "mine\n" || h.Read("/real") != "new\n" {
		t.Errorf("link not followed: %v, %v: %s", st, err, show(r))
	}
	if err := os.Symlink("/real", h.Path("/other")); err != nil {
		t.Fatal(err)
	}
	bind(t, "absent name=/other").Run(t.Context(), h.Host, false)
	if _, err := os.Lstat(h.Path("/other")); !os.IsNotExist(err) || h.Read("/real") == "" {
		t.Errorf("absent took what the link leads to, or left the link: %v", err)
	}
}

func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	h := hosttest.New(t)
	b := bind(t, "managed name=/f contents=x user=nobody group=nogroup mode=0600")
	want := `true {"diff":"New file","user":"nobody","group":"nogroup","mode":"0600"} File /f updated`
	if r := b.Run(t.Context(), h.Host, false); show(r) != want {
		t.Errorf("got %s", show(r))
	}
	if st := stat(t, h, "/f"); st.Uid != 65534 || st.Gid != 65534 || st.Mode&0o7777 != 0o600 {
		t.Errorf("got %d:%d %o", st.Uid, st.Gid, st.Mode)
	}
	want = `true {"user":"12345"} File /f updated`
	if r := bind(t, "managed name=/f contents=x user=12345").Run(t.Context(), h.Host, false); show(r) != want {
		t.Errorf("got %s, want %s", show(r), want)
	}
}

// As in Salt a link of a user is of that user's group.
func TestGroupOfALink(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give links away")
	}
	h := hosttest.New(t)
	h.Write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1001:2002::/home/ann:/bin/sh\n")
	h.Write("/etc/group", "root:x:0:\nann:x:2002:\nweb:x:3003:\n")
	for _, c := range []struct {
		line string
		gid  uint32
	}{
		{"symlink name=/l target=x user=ann", 2002},
		{"symlink name=/l target=x user=ann group=web", 3003},
		{"symlink name=/l target=x user=ann", 2002},
		{"symlink name=/l target=x", 2002},
	} {
		r := bind(t, c.line).Run(t.Context(), h.Host, false)
		var st unix.Stat_t
		if err := unix.Lstat(h.Path("/l"), &st); err != nil || st.Uid != 1001 || st.Gid != c.gid {
			t.Errorf("%s: got %d:%d, %v: %s", c.line, st.Uid, st.Gid, err, show(r))
		}
		if again := bind(t, c.line).Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s: again %s", c.line, show(again))
		}
	}
}

func TestBackup(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/etc/f", "old\n")
	r := bind(t, "managed name=/etc/f contents=new backup=minion").Run(t.Context(), h.Host, false)
	kept, err := filepath.Glob(h.Path("/var/cache/brine/minion/file_backup/etc/f_*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("got %v, %v: %s", kept, err, show(r))
	}
	if data, err := os.ReadFile(kept[0]); err != nil || string(data) != "old\n" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestDiffIsBounded(t *testing.T) {
	h := hosttest.New(t)
	var old, new strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&old, "%x\n", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
		fmt.Fprintf(&new, "%x\n", sha256.Sum256([]byte{byte(i), byte(i >> 8), 1}))
	}
	h.Write("/f", old.String()[:1<<19])
	got, _ := bind(t, "managed name=/f", text("contents", new.String()[:1<<19])).
		Run(t.Context(), h.Host, true).Changes.Get("diff")
	if s := got.(string); len(s) > 40<<10 || !strings.HasSuffix(s, "lines left out ...]\n") {
		t.Errorf("got %d bytes, ending %q", len(s), s[max(0, len(s)-60):])
	}
	h.Write("/f", strings.Repeat("x", 2<<20))
	got, _ = bind(t, "managed name=/f contents=y").Run(t.Context(), h.Host, true).Changes.Get("diff")
	if got != "the content differs; it is too large to be shown" {
		t.Errorf("got %v", got)
	}
}

// What needs no change costs at most 0.1 ms.
func BenchmarkManagedUnchanged(b *testing.B) {
	h := hosttest.New(b)
	content := strings.Repeat("line\n", 400)
	h.Files.Serve("salt://a", content, 0o644)
	h.Write("/srv/app/f", content)
	for _, bb := range []struct {
		name string
		arg  module.Arg
	}{{"source", text("source", "salt://a")}, {"contents", text("contents", content)}} {
		b.Run(bb.name, func(b *testing.B) {
			s := bind(b, "managed name=/srv/app/f mode=0644 user=me group=me", bb.arg)
			b.ReportAllocs()
			for b.Loop() {
				if r := s.Run(b.Context(), h.Host, false); r.Changes.Len() > 0 {
					b.Fatal(show(r))
				}
			}
		})
	}
}

// With an fsync of each file, which is the disk's own share.
func BenchmarkManagedNew(b *testing.B) {
	h := hosttest.New(b)
	for _, bb := range []struct {
		name string
		disk *host.Disk
	}{{"disk", &host.Disk{}}, {"without fsync", &host.Disk{File: func(int) error { return nil }}}} {
		b.Run(bb.name, func(b *testing.B) {
			h.Disk = bb.disk
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				name := fmt.Sprintf("/%s%d", bb.name[:1], n)
				if r := bind(b, "managed mode=0644 contents=x", text("name", name)).Run(b.Context(), h.Host, false); !*r.Result {
					b.Fatal(show(r))
				}
			}
		})
	}
}
