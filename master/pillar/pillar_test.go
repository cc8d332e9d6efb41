package pillar_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"brine/master/pillar"
	"brine/states/value"
)

// site is a tree of pillar files that can be changed.
type site struct {
	t    *testing.T
	dir  string
	make *pillar.Maker
}

func newSite(t *testing.T, files map[string]string) *site {
	s := &site{t: t, dir: t.TempDir()}
	for name, text := range files {
		s.write(name, text)
	}
	s.make = pillar.New(pillar.Options{
		Trees:  pillar.NewDirs(map[string][]string{"base": {s.dir}}),
		Config: value.NewDict("nodegroups", value.NewDict("webs", "web*")),
	})
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) of(minion, grains string) *pillar.Pillar {
	s.t.Helper()
	p, err := s.make.Of(s.t.Context(), minion, "", []byte(grains), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func text(t *testing.T, p *pillar.Pillar) string {
	t.Helper()
	data, err := value.MarshalJSON(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEachMinionGetsItsOwn(t *testing.T) {
	s := newSite(t, map[string]string{
		"top.sls":      "base:\n  '*': [common]\n  db1: [secret]\n  'G@os:Debian': [{match: compound}, deb]\n  webs: [{match: nodegroup}, web]\n",
		"common.sls":   "id: {{ grains.id }}\nfrom: {{ opts.id }}\n",
		"secret.sls":   "password: s3cret\n",
		"deb/init.sls": "apt: {{ salt['grains.get']('os') }}\n",
		"web.sls":      "port: 80\n",
	})
	for minion, c := range map[string]struct{ grains, want string }{
		"db1":  {`{"os":"RedHat"}`, `{"id":"db1","from":"db1","password":"s3cret"}`},
		"web1": {`{"os":"Debian"}`, `{"id":"web1","from":"web1","apt":"Debian","port":80}`},
		"web2": {`{"os":"RedHat","id":"db1"}`, `{"id":"web2","from":"web2","port":80}`}, // a minion that says to be another
	} {
		if got := text(t, s.of(minion, c.grains)); strings.ReplaceAll(got, ": ", ":") != c.want {
			t.Errorf("%s: got %s, want %s", minion, got, c.want)
		}
	}
}

func TestPillarIsMadeAnewWhenSomethingHasChanged(t *testing.T) {
	s := newSite(t, map[string]string{"top.sls": "base: {'*': [a]}", "a.sls": "a: {{ grains.n }}"})
	first := s.of("web1", `{"n":1}`)
	if again := s.of("web1", `{"n":1}`); again != first {
		t.Error("made twice of the same")
	}
	if got := text(t, s.of("web1", `{"n":2}`)); !strings.Contains(got, "2") {
		t.Errorf("other grains: got %s", got)
	}
	s.write("a.sls", "b: {{ grains.n }}")
	if got := text(t, s.of("web1", `{"n":2}`)); !strings.Contains(got, "b") {
		t.Errorf("another file: got %s", got)
	}
	if err := os.Remove(filepath.Join(s.dir, "a.sls")); err != nil {
		t.Fatal(err)
	}
	if p := s.of("web1", `{"n":2}`); len(p.Mistakes) != 1 || !strings.Contains(p.Mistakes[0], `"a"`) {
		t.Errorf("without the file: got %v", p.Mistakes)
	}
}

func TestNoMoreIsKeptThanThereIsRoomFor(t *testing.T) {
	s := newSite(t, map[string]string{"top.sls": "base: {'*': [a]}", "a.sls": "a: " + strings.Repeat("x", 2000)})
	s.make = pillar.New(pillar.Options{Trees: pillar.NewDirs(map[string][]string{"base": {s.dir}}), Room: 6000})
	first, second := s.of("web1", "{}"), s.of("web2", "{}")
	if s.of("web1", "{}") != first || s.of("web2", "{}") != second {
		t.Error("two for which there is room are made again")
	}
	for i := range 10 {
		s.of("web2", fmt.Sprintf(`{"n":%d}`, i)) // takes the place of its own
	}
	if s.of("web1", "{}") != first {
		t.Error("a minion with changing grains takes the place of others")
	}
	third := s.of("web3", "{}")
	if s.of("web3", "{}") != third || s.of("web1", "{}") == first {
		t.Error("three are kept where there is room for two")
	}
}

func TestMistakes(t *testing.T) {
	s := newSite(t, map[string]string{
		"top.sls": "base: {'*': [a, b]}",
		"a.sls":   "a: {{ salt['cmd.run']('id') }}",
		"b.sls":   "b: 1\n  c: 2\n",
	})
	p := s.of("web1", "{}")
	if all := strings.Join(p.Mistakes, "\n"); p.Data != nil || !strings.Contains(all, "a.sls:1: ") || !strings.Contains(all, "b.sls:2: ") ||
		!strings.Contains(all, "cannot call cmd.run: pillar is made on a master") {
		t.Errorf("got %v and %s", p.Data, all)
	}
	if _, err := s.make.Of(t.Context(), "web1", "dev", []byte("{}"), time.Now()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"dev"`) {
		t.Errorf("unknown environment: got %v", err)
	}
	for grains, want := range map[string]string{"[]": "no dict", `{"n":` + strings.Repeat("1", 5000) + `}`: "5000 digits"} {
		if p := s.of("web1", grains); len(p.Mistakes) != 1 || !strings.Contains(p.Mistakes[0], `minion "web1"`) || !strings.Contains(p.Mistakes[0], want) {
			t.Errorf("bad grains: got %v", p.Mistakes)
		}
	}
	if got := text(t, newSite(t, nil).of("web1", "{}")); got != "{}" {
		t.Errorf("no pillar: got %s", got)
	}
}

// BenchmarkPillar makes the pillar of 1,000 minions: cold of a tree just changed, warm once more.
func BenchmarkPillar(b *testing.B) {
	for _, warm := range []bool{false, true} {
		name := map[bool]string{false: "cold", true: "warm"}[warm]
		b.Run(name, func(b *testing.B) { fleet(b, warm) })
	}
}

func fleet(b *testing.B, warm bool) {
	const minions = 1000
	files := map[string]string{"top.sls": "base:\n  '*': [common]\n  'web*': [web]\n"}
	files["common.sls"] = "{% set users = {} %}{% for i in range(20) %}{% do users.update({'u' ~ i: {'uid': 1000 + i}}) %}{% endfor %}" +
		"users: {{ users | json }}\nfqdn: {{ grains.id }}.example.com\n"
	files["web.sls"] = "include: [tls]\nport: {{ 80 if grains.os == 'Debian' else 8080 }}\n"
	files["tls.sls"] = "tls: {cert: /etc/ssl/{{ grains.id }}.pem}\n"
	s := &site{t: &testing.T{}, dir: b.TempDir()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	newMaker := func() *pillar.Maker {
		return pillar.New(pillar.Options{Trees: pillar.NewDirs(map[string][]string{"base": {s.dir}})})
	}
	all := func(m *pillar.Maker, now time.Time) {
		var work errgroup.Group
		work.SetLimit(runtime.GOMAXPROCS(0))
		for i := range minions {
			work.Go(func() error {
				p, err := m.Of(b.Context(), fmt.Sprintf("web%d", i), "", []byte(`{"os":"Debian"}`), now)
				if err == nil && len(p.Mistakes) > 0 {
					err = errors.New(p.Mistakes[0])
				}
				return err
			})
		}
		if err := work.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	m := newMaker()
	if warm {
		all(m, time.Now())
	}
	for b.Loop() {
		if !warm {
			m = newMaker()
		}
		all(m, time.Now())
	}
}

// TestTreesLieOverOneAnother: each has its own top file, and the later counts more.
func TestTreesLieOverOneAnother(t *testing.T) {
	under, over, other := newSite(t, map[string]string{
		"top.sls": "base: {'*': [a]}", "a.sls": "who: under\nonly: under\ndeep: {x: 1, y: 1}\nlist: [1]",
	}), newSite(t, map[string]string{
		"top.sls": "base: {'web*': [a]}", "a.sls": "who: over\ndeep: {y: 2}\nlist: [2]",
	}), pillar.NewDirs(map[string][]string{"dev": {t.TempDir()}})
	trees := func(s *site) pillar.Trees { return pillar.NewDirs(map[string][]string{"base": {s.dir}}) }
	under.make = pillar.New(pillar.Options{Trees: trees(under), Over: []pillar.Trees{trees(over), other}})
	for minion, want := range map[string]string{
		"web1": `{"who":"over","only":"under","deep":{"x":1,"y":2},"list":[2]}`,
		"db1":  `{"who":"under","only":"under","deep":{"x":1,"y":1},"list":[1]}`,
	} {
		if got := text(t, under.of(minion, `{}`)); got != want {
			t.Errorf("%s: got %s, want %s", minion, got, want)
		}
	}
	over.write("a.sls", "who: [")
	if p := under.of("web1", `{}`); p.Data != nil || len(p.Mistakes) == 0 {
		t.Errorf("a mistake in one of them: got %v", p)
	}
	if _, err := under.make.Of(t.Context(), "web1", "none", []byte("{}"), time.Now()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an environment that none has: got %v", err)
	}
}
