package pkg_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/pkg"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) {
	moduletest.Run(t, pkg.Module, moduletest.Options{Afterwards: []string{"uptodate"}, Host: func(t testing.TB) *hosttest.Host {
		f := newFake(t)
		for _, name := range []string{"telnet", "ftp", "docker-ce"} {
			f.edit(name, func(l []string) { l[0], l[2] = "ii ", "1" })
		}
		f.edit("docker-ce", func(l []string) { l[0] = "hi " })
		return f.Host
	}, Bare: func(t testing.TB) *hosttest.Host {
		f := newFake(t)
		f.repo = nil
		return f.Host
	}, Fails: []string{"group_installed"}, Cases: `
		old: {pkg.installed: [{name: curl}, {version: "7.1"}]}
		new: {pkg.latest: [{pkgs: [curl, nginx]}]}
		some: {pkg.removed: [{pkgs: [telnet, nosuch]}]}
		kept: {pkg.installed: [{name: nginx}, {hold: true}]}
		there: {pkg.installed: [{name: telnet}]}
		only: {pkg.uptodate: [{pkgs: [bash]}]}`}) // apt has no groups
}

// bind makes a state of NAME=VALUE words.
func bind(t *testing.T, name string, words ...string) *module.Bound {
	t.Helper()
	s, err := module.NewIndex(pkg.Module).State("pkg." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fakeApt) state(t *testing.T, test bool, name string, words ...string) module.Result {
	t.Helper()
	return bind(t, name, words...).Run(t.Context(), f.Host.Host, test)
}

func wantResult(t *testing.T, r module.Result, result, changes, comment string) {
	t.Helper()
	got := "None"
	if r.Result != nil {
		got = map[bool]string{true: "True", false: "False"}[*r.Result]
	}
	text, _ := value.MarshalJSON(r.Changes)
	changes = dense(changes)
	if got != result || string(text) != changes || r.Comment != comment {
		t.Errorf("got  %s %s %q\nwant %s %s %q", got, text, r.Comment, result, changes, comment)
	}
}

// dense is JSON without blanks.
func dense(text string) string { return strings.NewReplacer(`": `, `":`, `, "`, `,"`).Replace(text) }

func TestManyThatAreThereAreOneQuery(t *testing.T) {
	f := newFake(t)
	for range 100 {
		wantResult(t, f.state(t, false, "installed", "name=bash"), "True", "{}", "All specified packages are already installed")
	}
	if len(f.ran) != 1 {
		t.Errorf("ran %d commands, want 1: %q", len(f.ran), f.ran)
	}
}

func TestInstalledTellsDependencies(t *testing.T) {
	f := newFake(t)
	const changes = `{"jq": {"old": "", "new": "1.6"}, "libjq": {"old": "", "new": "1.6"}}`
	wantResult(t, f.state(t, true, "installed", "name=jq"), "None", changes, "The following packages would be installed/updated: jq")
	wantResult(t, f.state(t, false, "installed", "name=jq"), "True", changes, "The following packages were installed/updated: jq")
}

func TestVersions(t *testing.T) {
	for _, test := range []struct{ have, want, got string }{
		{"", "1.0", "1.0"},
		{"", "1.*", "1.1"},
		{"", "<1.1", "1.0"},
		{"", ">=1.0, !=1.1", "1.0"},
		{"1.0", "<1.1", "1.0"},
		{"1.0", ">1.0", "1.1"},
		{"1.1", "1.0", "1.0"}, // a downgrade
		{"1.0", "latest", "1.1"},
		{"2:1.0", "1.0", "2:1.0"}, // the epoch doesn't count where the wanted version has none
	} {
		f := newFake(t)
		if test.have != "" {
			f.edit("nginx", func(l []string) { l[2] = test.have })
		}
		r := f.state(t, false, "installed", "name=nginx", "version="+test.want)
		if got := f.version("nginx"); got != test.got || r.Result == nil || !*r.Result {
			t.Errorf("%s wanted %s: got %s, want %s (%s)", test.have, test.want, got, test.got, r.Comment)
		}
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	f := newFake(t)
	f.edit("curl", func(l []string) { l[0], l[2] = "hi ", "7.1" })
	r := f.state(t, false, "installed", "name=x", "pkgs=[nosuch, nginx: 9, nor_this, curl: 7.2]")
	wantResult(t, r, "False", "{}", strings.Join([]string{
		"cannot find nginx in version 9: repositories have 1.1, 1.0",
		"cannot find the packages nosuch, nor_this (apt knows the packages of 1 list, refreshed in this run): " +
			"check the names, or add the repository that has them",
		"cannot change packages on hold: curl (at 7.1) (update_holds: true changes them and keeps the hold)",
	}, "\n"))
	if f.version("nginx") != "" {
		t.Error("something was installed")
	}
}

func TestOneRefreshARun(t *testing.T) {
	f := newFake(t)
	f.state(t, false, "installed", "name=nginx", "refresh=true")
	f.state(t, false, "installed", "name=curl", "refresh=true")
	f.state(t, false, "latest", "name=curl")
	n := 0
	for _, line := range f.ran {
		if line == "apt-get -q update" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("refreshed %d times, want 1", n)
	}
	f = newFake(t)
	f.state(t, false, "installed", "name=nginx", "refresh=false")
	for _, line := range f.ran {
		if line == "apt-get -q update" {
			t.Error("refreshed, though the state says not to")
		}
	}
}

func TestAnswersAreSetBeforeAnythingIsInstalled(t *testing.T) {
	f := newFake(t)
	f.Files.Serve("salt://answers", "jq jq/ask boolean true\n", 0o644)
	f.state(t, true, "installed", "name=jq", "debconf=salt://answers")
	for _, line := range f.ran {
		if strings.HasPrefix(line, "debconf") {
			t.Errorf("test mode ran %s", line)
		}
	}
	for range 2 {
		f.ran = nil
		r := f.state(t, false, "installed", "name=jq", "debconf=salt://answers")
		set := slices.Index(f.ran, "debconf-set-selections < jq jq/ask boolean true\n")
		install := slices.IndexFunc(f.ran, func(line string) bool { return strings.HasPrefix(line, "apt-get") && strings.Contains(line, "install") })
		if !*r.Result || set > install || (set < 0) != (r.Changes.Len() == 0) {
			t.Errorf("got %s, and ran %q", r.Comment, f.ran)
		}
	}
	for _, test := range []bool{true, false} {
		r := f.state(t, test, "installed", "name=curl", "debconf=salt://none")
		if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "salt://none") {
			t.Errorf("answers that are not there: got %s", r.Comment)
		}
	}
}

func TestHold(t *testing.T) {
	f := newFake(t)
	const changes = `{"nginx": {"old": "install", "new": "1.0\nhold"}}`
	words := []string{"name=nginx", "version=1.0", "hold=true"}
	wantResult(t, f.state(t, true, "installed", words...), "None", changes,
		"The following packages would be installed/updated: nginx=1.0")
	wantResult(t, f.state(t, false, "installed", words...), "True", changes,
		"The following packages were installed/updated: nginx=1.0\nPackage nginx is now being held.")
	wantResult(t, f.state(t, false, "installed", words...), "True", "{}",
		"All specified packages are already installed and are at the desired version")
	r := f.state(t, false, "latest", "name=nginx")
	wantResult(t, r, "False", "{}", "cannot change packages on hold: nginx (at 1.0) (update_holds: true changes them and keeps the hold)")
	f.state(t, false, "installed", "name=nginx", "version=1.1", "update_holds=true")
	if got := f.version("nginx"); got != "1.1" {
		t.Errorf("got %s, want 1.1", got)
	}
	if !strings.Contains(f.Read(statusFile), "hi \tnginx") {
		t.Error("the hold is gone")
	}
}

func TestProvidedPackageIsInstalled(t *testing.T) {
	wantResult(t, newFake(t).state(t, false, "installed", "name=posix-shell"), "True", "{}", "All specified packages are already installed")
}

func TestFailureIsOfTheStateWhosePackageFailed(t *testing.T) {
	f := newFake(t)
	f.broken["curl"] = true
	states := []*module.Bound{
		bind(t, "installed", "name=nginx"), bind(t, "installed", "name=curl"), bind(t, "installed", "name=nosuch"), bind(t, "installed", "name=jq"),
	}
	results := module.Together(t.Context(), f.Host.Host, states)
	if results[1] != nil || results[2] != nil {
		t.Fatalf("got %v %v, want nothing of the states that failed", results[1], results[2])
	}
	const other = "\nThe transaction ended with an error of other packages: Errors were encountered while processing: curl"
	wantResult(t, *results[0], "True", `{"libjq": {"old": "", "new": "1.6"}, "nginx": {"old": "", "new": "1.1"}}`,
		"The following packages were installed/updated: nginx"+other)
	wantResult(t, *results[3], "True", `{"jq": {"old": "", "new": "1.6"}}`, "The following packages were installed/updated: jq"+other)
	r := states[1].Run(t.Context(), f.Host.Host, false)
	if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "failed to install/update: curl") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
	n := 0
	for _, line := range f.ran {
		if strings.HasPrefix(line, "apt-get -q -y") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d transactions, want 2: one of all, one of the package that failed", n)
	}
}

func TestFileOfAnotherPackageIsNotInstalled(t *testing.T) {
	for _, source := range []string{"/srv/a.deb", "file:///srv/a.deb"} {
		f := newFake(t)
		f.Write("/srv/a.deb", "curl\t7.2\n")
		for _, test := range []bool{true, false} {
			r := f.state(t, test, "installed", "name=x", "sources=[{nginx: '"+source+"'}]")
			wantResult(t, r, "False", "{}", "cannot take "+source+" for nginx: it is the package curl")
		}
		if i := slices.IndexFunc(f.ran, func(line string) bool { return strings.Contains(line, " install ") }); i >= 0 {
			t.Errorf("ran %q", f.ran[i])
		}
	}
}

func TestRemovedAndPurged(t *testing.T) {
	f := newFake(t)
	f.edit("old", func(l []string) { l[0], l[2] = "rc ", "1.0" })
	f.edit("half", func(l []string) { l[0], l[2] = "iF ", "1.0" })
	const changes = `{"bash": {"old": "5", "new": ""}}`
	wantResult(t, f.state(t, true, "removed", "name=bash"), "None", changes, "The following packages will be removed: bash.")
	wantResult(t, f.state(t, false, "removed", "name=bash"), "True", changes, "All targeted packages were removed.")
	wantResult(t, f.state(t, false, "removed", "name=bash"), "True", "{}", "All specified packages are already absent")
	wantResult(t, f.state(t, false, "removed", "name=dash", "version=>5"), "True", "{}",
		"All specified packages (matching specified versions) are already absent")
	wantResult(t, f.state(t, false, "removed", "name=old"), "True", "{}", "All specified packages are already absent")
	wantResult(t, f.state(t, false, "purged", "name=old"), "True", `{"installed": {}, "removed": {"old": {"old": "1.0", "new": ""}}}`,
		"All targeted packages were purged.")
	wantResult(t, f.state(t, false, "removed", "name=half"), "True", `{"half": {"old": "1.0", "new": ""}}`, "All targeted packages were removed.")
}

func TestUptodate(t *testing.T) {
	f := newFake(t)
	wantResult(t, f.state(t, false, "uptodate", "name=all"), "True", "{}", "System is already up-to-date")
	f.edit("nginx", func(l []string) { l[2] = "1.0" })
	const changes = `{"nginx": {"old": "1.0", "new": "1.1"}}`
	wantResult(t, f.state(t, true, "uptodate", "name=all"), "None", changes, "System update will be performed")
	wantResult(t, f.state(t, false, "uptodate", "name=all", "refresh=true"), "True", changes, "Upgrade ran successfully")
}

func TestWrongArguments(t *testing.T) {
	s, err := module.NewIndex(pkg.Module).State("pkg.installed")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want  string
		words []string
	}{
		{`arguments "pkgs" and "sources" exclude one another: give one`, []string{"pkgs=[a]", "sources=[{a: /b}]"}},
		{`argument "version": want a version, or conditions such as ">=1.2, <2", got "=>1"`, []string{"version=\"=>1\""}},
		{`argument "pkgs": item 1: version of a: want text, got a list`, []string{"pkgs=[{a: [1]}]"}},
	} {
		_, err := s.Bind(module.Words(append([]string{"name=x"}, test.words...)...))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.words, err, test.want)
		}
	}
}

func call(t *testing.T, h *host.Host, name string, words ...string) string {
	t.Helper()
	f, err := module.NewIndex(pkg.Module).Func("pkg." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h, module.Words(words...))
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFunctions(t *testing.T) {
	f := newFake(t)
	for _, test := range []struct{ line, want string }{
		{"version bash", `"5"`},
		{"version bash nosuch", `{"bash": "5", "nosuch": ""}`},
		{"latest_version nginx bash", `{"nginx": "1.1", "bash": ""}`},
		{"install nginx version=1.0", `{"nginx": {"old": "", "new": "1.0"}}`},
		{"upgrade_available nginx", `true`},
		{"list_upgrades", `{"nginx": "1.1"}`},
		{"install nginx", `{"nginx": {"old": "1.0", "new": "1.1"}}`},
		{"hold nginx", `{"nginx": {"name": "nginx", "changes": {"old": "install", "new": "hold"}, "result": true, ` +
			`"comment": "Package nginx is now being held."}}`},
		{"list_holds", `["nginx"]`},
		{"get_selections state=hold", `{"hold": ["nginx"]}`},
		{"unhold nginx", `{"nginx": {"name": "nginx", "changes": {"old": "hold", "new": "install"}, "result": true, ` +
			`"comment": "Package nginx is no longer being held."}}`},
		{"remove nginx", `{"nginx": {"old": "1.1", "new": ""}}`},
		{"list_pkgs", `{"bash": "5", "dash": "1", "dpkg": "1"}`},
		{"version_cmp 1.0~rc1 1.0", `-1`},
		{"version_cmp 2:1.0 1.0 ignore_epoch=true", `0`},
		{"list_repo_pkgs nginx", `{"nginx": ["1.1", "1.0"]}`},
	} {
		words := strings.Fields(test.line)
		if got := call(t, f.Host.Host, words[0], words[1:]...); got != dense(test.want) {
			t.Errorf("%s: got %s, want %s", test.line, got, test.want)
		}
	}
}

func TestAlteredFilesAreInstalledAgain(t *testing.T) {
	f := newFake(t)
	words := []string{"name=bash", "pkg_verify=[{ignore_types: [config]}]"}
	wantResult(t, f.state(t, false, "installed", words...), "True", "{}", "All specified packages are already installed")
	f.altered = "??5??????   /usr/bin/bash\n??5?????? c /etc/bash.bashrc\nmissing     /usr/share/x\n"
	const changes = `{"bash": {"old": "5", "new": "5"}}`
	wantResult(t, f.state(t, true, "installed", words...), "None", changes, "The following packages would be reinstalled: bash")
	want := dense(`{"/usr/bin/bash": {"mismatch": ["md5sum"]}, "/usr/share/x": {"mismatch": ["missing"]}}`)
	if got := call(t, f.Host.Host, "verify", "bash", "ignore_types=config"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantResult(t, f.state(t, false, "installed", words...), "True", changes, "Package bash was reinstalled.")
	f.altered = "??5?????? c /etc/bash.bashrc\n"
	wantResult(t, f.state(t, false, "installed", words...), "True", "{}", "All specified packages are already installed")
}

func TestHostThatWasNeverRefreshed(t *testing.T) {
	f := newFake(t)
	f.repo = map[string][]string{"nginx": {"1.1"}}
	if err := os.RemoveAll(f.Path("/var/lib/apt/lists")); err != nil {
		t.Fatal(err)
	}
	wantResult(t, f.state(t, true, "installed", "name=nginx"), "None", `{"nginx": {"old": "", "new": "installed"}}`,
		"The following packages would be installed/updated: nginx\n"+
			"No repository was ever refreshed: which versions, and what they depend on, is known after that")
}

// Where a refresh decides that is still to come, test mode does not say that nothing would change, and not that it fails.
func TestWhatTheNextRefreshBrings(t *testing.T) {
	const first = "\nThis is as of the last refresh: the run refreshes what is known of repositories first"
	for _, test := range []struct{ words, test, changes, comment, run string }{
		{"latest name=nginx", "None", "{}", "Package nginx is already up-to-date" + first, `{"nginx": {"old": "1.1", "new": "2"}}`},
		{"latest name=nginx refresh=false", "True", "{}", "Package nginx is already up-to-date", "{}"},
		{"latest name=nginx cache_valid_time=1000", "True", "{}", "Package nginx is already up-to-date", "{}"},
		{"uptodate name=all refresh=true", "None", "{}", "System is already up-to-date" + first, `{"nginx": {"old": "1.1", "new": "2"}}`},
		{"installed name=nginx version=2", "None", `{"nginx": {"old": "1.1", "new": "2"}}`,
			"The following packages would be installed/updated: nginx=2\n" +
				"cannot find nginx in version 2: repositories have 1.1, 1.0" + first, `{"nginx": {"old": "1.1", "new": "2"}}`},
		{"installed name=new", "None", `{"new": {"old": "", "new": "installed"}}`,
			"The following packages would be installed/updated: new\n" +
				"cannot find the packages new (apt knows the packages of 1 list, refreshed TIME): " +
				"check the names, or add the repository that has them" + first, `{"new": {"old": "", "new": "1"}}`},
	} {
		f := newFake(t)
		f.edit("nginx", func(l []string) { l[2] = "1.1" })
		f.news = map[string][]string{"nginx": {"2", "1.1"}, "new": {"1"}}
		words := strings.Fields(test.words)
		r := f.state(t, true, words[0], words[1:]...)
		r.Comment = regexp.MustCompile(`refreshed [^)]*\)`).ReplaceAllString(r.Comment, "refreshed TIME)")
		wantResult(t, r, test.test, test.changes, test.comment)
		run := f.state(t, false, words[0], words[1:]...)
		if text, _ := value.MarshalJSON(run.Changes); string(text) != dense(test.run) || run.Result == nil || !*run.Result {
			t.Errorf("%s: ran to %s %s", test.words, text, run.Comment)
		}
	}
	f := newFake(t)
	r := f.state(t, true, "installed", "name=nginx", "version=2", "refresh=false")
	wantResult(t, r, "False", "{}", "cannot find nginx in version 2: repositories have 1.1, 1.0")
	if err := os.RemoveAll(f.Path("/var/lib/apt/lists")); err != nil {
		t.Fatal(err)
	}
	if r := f.state(t, false, "uptodate", "name=all"); len(r.Warnings) != 1 {
		t.Errorf("got warnings %q", r.Warnings)
	}
	f.edit("nginx", func(l []string) { l[2] = "1.0" })
	wantResult(t, f.state(t, true, "installed", "name=nginx", "version=1.1"), "None", `{"nginx": {"old": "1.0", "new": "1.1"}}`,
		"The following packages would be installed/updated: nginx=1.1\n"+
			"No repository was ever refreshed: which versions, and what they depend on, is known after that")
}

// Test mode refuses what the run would.
func TestWhatIsRefusedIsForetold(t *testing.T) {
	f := newFake(t)
	f.edit("curl", func(l []string) { l[0], l[2] = "hi ", "7.2" })
	p := hosttest.New(t)
	p.Grains.Put("os_family", "Arch")
	p.Write("/usr/bin/pacman", "")
	d := hosttest.New(t)
	d.Grains.Put("os_family", "RedHat")
	d.Write("/usr/bin/dnf", "")
	for _, h := range []*hosttest.Host{p, d} {
		h.Host.Exec = func(context.Context, host.Command) (host.Output, error) { return said("bash 5-1\n"), nil }
	}
	for _, test := range []bool{true, false} {
		if r := f.state(t, test, "removed", "name=curl"); r.Result == nil || *r.Result {
			t.Errorf("got %v %s", r.Result, r.Comment)
		}
		wantResult(t, bind(t, "held", "name=bash").Run(t.Context(), p.Host, test), "False", "{}",
			"cannot put packages on hold: pacman has no command for that")
		wantResult(t, bind(t, "held", "name=bash").Run(t.Context(), d.Host, test), "False", "{}",
			"cannot put packages on hold: dnf has no plugin versionlock")
	}
}

func TestWhyAPackageWasLeftOut(t *testing.T) {
	f := newFake(t)
	f.repo["leftout"] = []string{"1"}
	wantResult(t, f.state(t, false, "installed", "name=leftout"), "False", "{}", "The following packages failed to install/update: leftout\n"+
		"apt ended without an error, and wrote:\nnothing provides what leftout needs")
}

// As in Salt the second argument of pkg.remove is pkgs, not a version that nothing has.
func TestRemoveOfTwoNames(t *testing.T) {
	f := newFake(t)
	got := call(t, f.Host.Host, "remove", "bash", "dash")
	if want := `arguments "name" and "pkgs" exclude one another: give one`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := call(t, f.Host.Host, "remove", "bash,dash"); !strings.Contains(got, `"bash"`) || !strings.Contains(got, `"dash"`) {
		t.Errorf("got %s", got)
	}
}

func TestNameIsNoOption(t *testing.T) {
	f := newFake(t)
	r := f.state(t, false, "installed", "name=-oDPkg::Pre-Invoke::=touch /x")
	if r.Result == nil || *r.Result || !strings.Contains(r.Comment, "cannot find the packages -oDPkg::Pre-Invoke::=touch /x") {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
	r = f.state(t, false, "held", "name=--x")
	if r.Result == nil || *r.Result || r.Comment != `cannot put "--x" on hold: it is no package` {
		t.Errorf("got %v %q", r.Result, r.Comment)
	}
	for _, line := range f.ran {
		if strings.Contains(line, "Pre-Invoke") || strings.Contains(line, "--x") {
			t.Errorf("ran %q", line)
		}
	}
}

// TestVersionBesidePkgs: as in Salt the version of name says nothing of others, which is told.
func TestVersionBesidePkgs(t *testing.T) {
	s, err := module.NewIndex(pkg.Module).State("pkg.installed")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words("name=x", "pkgs=[nginx]", "version=99"))
	if err != nil {
		t.Fatal(err)
	}
	r := b.Run(t.Context(), newFake(t).Host.Host, false)
	if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], `argument "version" has no effect`) || r.Result == nil || !*r.Result {
		t.Errorf("got %v %q with warnings %q", r.Result, r.Comment, r.Warnings)
	}
}

// TestWithoutEffect tells of arguments that Salt takes and that change nothing.
func TestWithoutEffect(t *testing.T) {
	for _, line := range []string{"installed upgrade=true", "installed normalize=false", "installed env=[a]", "latest normalize=false"} {
		name, word, _ := strings.Cut(line, " ")
		arg, _, _ := strings.Cut(word, "=")
		r := bind(t, name, "name=nginx", word).Run(t.Context(), newFake(t).Host.Host, false)
		if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], fmt.Sprintf("argument %q has no effect: ", arg)) {
			t.Errorf("%s: got warnings %q", line, r.Warnings)
		}
	}
}
