package signin_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"golang.org/x/tools/txtar"

	"brine/master/signin"
	"brine/proto"
)

var update = flag.Bool("update", false, "write testdata anew; read it before it is committed")

// TestRights reads configurations of testdata: of each the mistakes, or what each of the people that stand in its file
// "who" (a name, then groups) is given.
func TestRights(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := result(t, string(ar.Files[0].Data), string(ar.Files[1].Data))
			if *update {
				ar.Files[2].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(ar.Files[2].Data); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func result(t *testing.T, config, who string) string {
	t.Helper()
	var c struct {
		ExternalAuth signin.ExternalAuth `toml:"external_auth"`
		Auth         signin.Auth         `toml:"auth"`
	}
	if _, err := toml.Decode(config, &c); err != nil {
		t.Fatal(err)
	}
	conf := &signin.Config{ExternalAuth: c.ExternalAuth, Auth: c.Auth}
	if err := errors.Join(conf.Problems([]string{"@job.list", "@key.decide", "@key.list"})...); err != nil {
		return err.Error() + "\n"
	}
	d, err := signin.New(signin.Options{Config: conf})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(who) {
		words := strings.Fields(line)
		backend, _, _ := strings.Cut(words[0], ":")
		fmt.Fprintln(&b, strings.TrimSpace(line))
		for _, r := range d.Roles(&proto.OperatorRecord{Name: words[0], Via: backend, Groups: words[1:]}) {
			fmt.Fprintf(&b, "  %s on %s", strings.Join(r.Functions, " "), strings.Join(r.Targets, " "))
			if len(r.Environments) > 0 {
				fmt.Fprintf(&b, " in %s", strings.Join(r.Environments, " "))
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}
