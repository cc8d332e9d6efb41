package apache_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/apache"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

type kind struct {
	name, dir, suffix string
	off, on           string // what is there, disabled and enabled
}

var kinds = []kind{
	{"mod", "mods", ".load", "rewrite", "status"},
	{"site", "sites", ".conf", "www.example.com", "000-default"},
	{"conf", "conf", ".conf", "security", "old"},
}

// newHost is a host with Apache, and with Debian's programs.
func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/usr/sbin/apache2ctl", "")
	for _, k := range kinds {
		for _, name := range []string{k.on, k.off} {
			h.Write("/etc/apache2/"+k.dir+"-available/"+name+k.suffix, "")
		}
		dir := "/etc/apache2/" + k.dir + "-enabled/"
		h.Write(dir+"README", "")
		if err := os.Symlink("../x", h.Path(dir+k.on+k.suffix)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{k.on, k.off, "no", "default"} {
			script(h, "a2en"+k.name, name, func(link string) error { return os.Symlink("../x", h.Path(link)) }, k)
			script(h, "a2dis"+k.name, name, func(link string) error { return os.Remove(h.Path(link)) }, k)
		}
	}
	return h
}

func script(h *hosttest.Host, program, name string, do func(link string) error, k kind) {
	h.Change("chroot "+h.Path("/")+" "+program+" "+name, func(host.Command) (host.Output, error) {
		if !slices.Contains([]string{k.on, k.off}, name) {
			return host.Output{Code: 1, Stdout: []byte("ERROR: " + name + " does not exist!\n")}, nil
		}
		return host.Output{}, do("/etc/apache2/" + k.dir + "-enabled/" + name + k.suffix)
	})
}

func TestModules(t *testing.T) {
	for _, m := range []module.Module{apache.Module, apache.ConfModule, apache.ModuleModule, apache.SiteModule} {
		moduletest.Run(t, m, moduletest.Options{Host: newHost})
	}
}

func told(r module.Result) string {
	json, _ := value.MarshalJSON(r.Changes)
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestStates(t *testing.T) {
	x := module.NewIndex(apache.ConfModule, apache.ModuleModule, apache.SiteModule)
	for _, c := range []struct{ state, test, done string }{
		{"apache_module.enabled rewrite", `would {"old":null,"new":"rewrite"} Apache module rewrite is set to be enabled.`,
			`true {"old":null,"new":"rewrite"} Apache module rewrite is enabled`},
		{"apache_module.enabled status", "true {} status already enabled.", "true {} status already enabled."},
		{"apache_module.disabled status", `would {"old":"status","new":null} Apache module status is set to be disabled.`,
			`true {"old":"status","new":null} Apache module status is disabled`},
		{"apache_module.disabled no", "true {} no already disabled.", "true {} no already disabled."},
		{"apache_module.enabled no", "false {} cannot enable the Apache module no: there is none in /etc/apache2",
			"false {} cannot enable the Apache module no: there is none in /etc/apache2"},
		{"apache_site.enabled default", "true {} default already enabled.", "true {} default already enabled."},
		{"apache_site.enabled www.example.com", `would {"old":null,"new":"www.example.com"} Apache site www.example.com is set to be enabled.`,
			`true {"old":null,"new":"www.example.com"} Apache site www.example.com is enabled`},
		{"apache_conf.disabled old", `would {"old":"old","new":null} Apache conf old is set to be disabled.`,
			`true {"old":"old","new":null} Apache conf old is disabled`},
	} {
		h := newHost(t)
		words := strings.Fields(c.state)
		s, err := x.State(words[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words("name=" + words[1]))
		if err != nil {
			t.Fatal(err)
		}
		if got := told(b.Run(t.Context(), h.Host, true)); got != c.test {
			t.Errorf("%s: test mode got %s, want %s", c.state, got, c.test)
		}
		if got := told(b.Run(t.Context(), h.Host, false)); got != c.done {
			t.Errorf("%s: got %s, want %s", c.state, got, c.done)
		}
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.state, told(again))
		}
	}
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	ctl := "chroot " + h.Path("/") + " apache2ctl "
	answer := func(arg, text string) { h.Answer(ctl+arg, host.Output{Stdout: []byte(text)}) }
	answer("-v", "Server version: Apache/2.4.62 (Debian)\nServer built:   2024\n")
	answer("-V", "Server version: Apache/2.4.62 (Debian)\nServer MPM:     event\nServer compiled with....\n -D APR_HAS_MMAP\n")
	answer("-M", "Loaded Modules:\n core_module (static)\n alias_module (shared)\n")
	answer("-l", "Compiled in modules:\n  core.c\n  mod_so.c\n")
	answer("-L", "<Directory (core.c)\n\tContainer for directives\n\tAllowed in *.conf only\n")
	answer("-S", "VirtualHost configuration:\n*:80                   is a NameVirtualHost\n"+
		"         default server a (/etc/apache2/a.conf:1)\n         port 80 namevhost a (/etc/apache2/a.conf:1)\n")
	h.Change(ctl+"-k graceful", func(host.Command) (host.Output, error) { return host.Output{}, nil })
	h.Answer(ctl+"configtest", host.Output{Stderr: []byte("Syntax OK\n")})
	for _, c := range [][2]string{
		{"version", `"Apache/2.4.62 (Debian)"`},
		{"fullversion", `{"compiled_with":["APR_HAS_MMAP"],"server_version":"Apache/2.4.62 (Debian)","server_mpm":"event"}`},
		{"modules", `{"static":["core_module"],"shared":["alias_module"]}`},
		{"servermods", `["core.c","mod_so.c"]`},
		{"directives", `{"<Directory (core.c)":"Container for directives\nAllowed in *.conf only"}`},
		{"vhosts", `{"*:80":{"default":{"vhost":"a","conf":"/etc/apache2/a.conf:1"},"a":{"vhost":"a","conf":"/etc/apache2/a.conf:1","port":"80"}}}`},
		{"signal graceful", `"Command: \"apache2ctl -k graceful\" completed successfully!"`},
		{"signal configtest", `"Syntax OK"`},
		{"check_mod_enabled status", "true"}, {"check_mod_enabled status.conf", "false"}, {"check_site_enabled default", "true"},
		{"check_conf_enabled security", "false"},
		{"a2enconf security", `{"Name":"Apache2 Enable Conf","Conf":"security","Status":"Conf security enabled"}`},
		{"a2enmod no", `{"Name":"Apache2 Enable Mod","Mod":"no","Status":"Mod no Not found"}`},
		{"a2dissite ../x", `cannot call apache.a2dissite: "../x" can't be the name of something that Apache loads`},
	} {
		words := strings.Fields(c[0])
		f, err := module.NewIndex(apache.Module).Func("apache." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}
