package file_test

import (
	"context"
	"os"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
)

// TestRecurseMakesEmptyDirectoriesAndLinks where it is told to, and without that what it made before.
func TestRecurseMakesEmptyDirectoriesAndLinks(t *testing.T) {
	h := hosttest.New(t)
	for _, name := range []string{"app.conf", "en/help", "alias/help", "logs/old.bak"} {
		h.Files.Serve("salt://app/"+name, name+"\n", 0o644)
	}
	h.Files.Empty = []string{"salt://app/var/spool/deep"}
	h.Files.Links = map[string]string{"salt://app/alias": "en", "salt://app/alias/self": "help", "salt://app/nowhere": "/nosuch"}
	run := func(args ...string) module.Result {
		t.Helper()
		s, err := module.NewIndex(file.Module).State("file.recurse")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words(append([]string{"source=salt://app", "exclude_pat=*.bak"}, args...)...))
		if err != nil {
			t.Fatal(err)
		}
		r := b.Run(context.Background(), h.Host, false)
		if again := b.Run(context.Background(), h.Host, false); r.Result != nil && *r.Result && again.Changes.Len() > 0 {
			t.Errorf("%q: the second run changed %v", args, again.Changes)
		}
		return r
	}
	is := func(name, want string) {
		t.Helper()
		got := "nothing"
		if st, err := os.Lstat(h.Path(name)); err == nil {
			got = "a file"
			if to, err := os.Readlink(h.Path(name)); err == nil {
				got = "a link to " + to
			} else if st.IsDir() {
				got = "a directory"
			}
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	run("name=/plain")
	is("/plain/alias/help", "a file")
	is("/plain/var", "nothing")
	is("/plain/logs", "nothing")
	is("/plain/nowhere", "nothing")
	run("name=/all", "include_empty=true", "keep_symlinks=true")
	is("/all/alias", "a link to en")
	is("/all/nowhere", "a link to /nosuch")
	is("/all/en/self", "nothing")
	is("/all/var/spool/deep", "a directory")
	is("/all/logs", "a directory")
	run("name=/some", "include_empty=true", "keep_symlinks=true", "maxdepth=2")
	is("/some/var/spool", "nothing")
	is("/some/alias", "a link to en")
	run("name=/plain", "keep_symlinks=true", "clean=true")
	is("/plain/alias", "a directory") // it is in the way, and nothing was changed
	run("name=/plain", "keep_symlinks=true", "force_symlinks=true", "clean=true")
	is("/plain/alias", "a link to en")
	is("/plain/en/help", "a file")
}
