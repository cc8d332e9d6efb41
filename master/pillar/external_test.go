package pillar_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"brine/master/pillar"
	"brine/states/host"
)

// program is an Exec that answers as a program would, and keeps what it was given.
type program struct {
	mu    sync.Mutex
	given []string
	most  int // that ran at the same time
	now   int
	out   func(input map[string]any) (host.Output, error)
}

func (p *program) run(_ context.Context, c host.Command) (host.Output, error) {
	p.mu.Lock()
	p.given = append(p.given, strings.Join(c.Argv, " ")+" "+string(c.Stdin))
	p.now++
	p.most = max(p.most, p.now)
	p.mu.Unlock()
	in := map[string]any{}
	err := json.Unmarshal(c.Stdin, &in)
	var out host.Output
	if err == nil {
		out, err = p.out(in)
	}
	p.mu.Lock()
	p.now--
	p.mu.Unlock()
	return out, err
}

func prints(text string) func(map[string]any) (host.Output, error) {
	return func(map[string]any) (host.Output, error) { return host.Output{Stdout: []byte(text)}, nil }
}

func (s *site) external(p *program, first bool, commands ...string) {
	o := pillar.Options{Trees: pillar.NewDirs(map[string][]string{"base": {s.dir}}), Exec: p.run, ExternalFirst: first}
	for _, c := range commands {
		o.External = append(o.External, pillar.External{Command: strings.Fields(c)})
	}
	s.make = pillar.New(o)
}

func TestProgramsGivePillar(t *testing.T) {
	s := newSite(t, map[string]string{"top.sls": "base: {'*': [a]}", "a.sls": "who: files\nd: {x: 1}\nn: {{ pillar.get('who', 'nobody') }}"})
	p := &program{out: func(in map[string]any) (host.Output, error) {
		return host.Output{Stdout: asJSON(map[string]any{"who": in["id"], "d": map[string]any{"y": in["grains"].(map[string]any)["os"]}}), Stderr: []byte("a word")}, nil
	}}
	s.external(p, false, "/bin/cmdb a b", "/bin/more")
	if got := text(t, s.of("web1", `{"os":"Debian"}`)); got != `{"who":"web1","d":{"x":1,"y":"Debian"},"n":"nobody"}` {
		t.Errorf("got %s", got)
	}
	want := `/bin/cmdb a b {"id":"web1","environment":null,"grains":{"os":"Debian","id":"web1"},"pillar":{"who":"files","d":{"x":1},"n":"nobody"}}` + "\n" +
		`/bin/more {"id":"web1","environment":null,"grains":{"os":"Debian","id":"web1"},"pillar":{"who":"web1","d":{"x":1,"y":"Debian"},"n":"nobody"}}`
	if got := strings.Join(p.given, "\n"); got != want {
		t.Errorf("given\n%s\nwant\n%s", got, want)
	}
	s.external(p, true, "/bin/cmdb")
	if got := text(t, s.of("web1", `{"os":"Debian"}`)); got != `{"d":{"y":"Debian","x":1},"who":"files","n":"web1"}` {
		t.Errorf("first: got %s", got)
	}
}

func asJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func TestWhatAProgramGivesIsKeptAsLongAsItSays(t *testing.T) {
	for printed, want := range map[string]int{
		`{"a":1}`: 3, `{"a":1,"__cache_seconds__":0}`: 3, `{"a":1,"__cache_seconds__":600}`: 2, `{"a":1,"__cache_seconds__":1e300}`: 2, `{"a":1,"__cache_seconds__":1e-9}`: 3,
	} {
		s := newSite(t, nil)
		p := &program{out: prints(printed)}
		s.external(p, false, "/bin/cmdb")
		for _, minion := range []string{"web1", "web1", "web2"} { // what one got another never gets
			if got := text(t, s.of(minion, `{}`)); got != `{"a":1}` {
				t.Errorf("got %s", got)
			}
		}
		if len(p.given) != want {
			t.Errorf("%s: ran %d times, want %d", printed, len(p.given), want)
		}
		s.of("web1", `{"os":"another"}`)
		s.write("top.sls", "base: {'*': [a]}")
		s.write("a.sls", "b: 1")
		s.of("web1", `{"os":"another"}`)
		if len(p.given) != want+2 {
			t.Errorf("%s: ran %d times with other grains and files, want 2", printed, len(p.given)-want)
		}
	}
}

func TestFailuresOfPrograms(t *testing.T) {
	for _, c := range []struct {
		out  host.Output
		err  error
		want string
	}{
		{host.Output{Code: 3, Stderr: []byte("no route\nto db\n3\n4\n5\n6\n")}, nil, "it ended with 3:\n    no route\n    to db\n    3\n    4\n    5"},
		{host.Output{Code: 1, Stdout: []byte("s3cret")}, nil, "it ended with 1"},
		{host.Output{Stdout: []byte("s3cret")}, nil, "it did not print JSON"},
		{host.Output{Stdout: []byte("[1]")}, nil, "it printed list, want an object of JSON"},
		{host.Output{Stdout: []byte(`{"__cache_seconds__":"1"}`)}, nil, "__cache_seconds__: want a number of seconds, got text"},
		{host.Output{Stdout: []byte(`{"__cache_seconds__":-1}`)}, nil, "__cache_seconds__: want a number of seconds, got -1"},
		{host.Output{}, errors.New("it took longer than 10s, and was ended"), "it took longer than 10s, and was ended"},
	} {
		s := newSite(t, nil)
		p := &program{out: func(map[string]any) (host.Output, error) { return c.out, c.err }}
		s.external(p, false, "/bin/cmdb", "/bin/never")
		got := s.of("web1", `{}`)
		if len(got.Mistakes) != 1 || got.Mistakes[0] != "cannot get pillar of program /bin/cmdb: "+c.want || got.Data != nil {
			t.Errorf("got %q, want %s", got.Mistakes, c.want)
		}
		p.out = prints(`{"a":1}`)
		if got := text(t, s.of("web1", `{}`)); got != `{"a":1}` {
			t.Errorf("then: got %s", got)
		}
	}
}

func TestFewProgramsRunAtOnce(t *testing.T) {
	s := newSite(t, nil)
	wait := make(chan struct{})
	p := &program{out: func(map[string]any) (host.Output, error) {
		<-wait
		return host.Output{Stdout: []byte("{}")}, nil
	}}
	s.external(p, false, "/bin/cmdb")
	var all errgroup.Group
	for i := range 100 {
		all.Go(func() error {
			_, err := s.make.Of(t.Context(), "web"+string(rune('a'+i)), "", []byte("{}"), time.Now())
			return err
		})
	}
	close(wait)
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	if p.most > 16 || len(p.given) != 100 {
		t.Errorf("%d ran at once, %d at all", p.most, len(p.given))
	}
}

func TestARealProgramThatTakesTooLongIsEnded(t *testing.T) {
	dir := t.TempDir()
	slow := filepath.Join(dir, "slow")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\necho waits >&2\nsleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := pillar.New(pillar.Options{
		Trees: pillar.NewDirs(nil), Exec: new(host.Local).Run,
		External: []pillar.External{{Command: []string{slow}, Timeout: 200 * time.Millisecond}},
	})
	p, err := m.Of(t.Context(), "web1", "", []byte("{}"), time.Now())
	if err != nil || len(p.Mistakes) != 1 || p.Mistakes[0] != "cannot get pillar of program "+slow+": it took longer than 200ms, and was ended:\n    waits" {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestExposuresAreThoseOfThePillarsMadeLast(t *testing.T) {
	s := newSite(t, map[string]string{
		"top.sls": "base:\n  'G@role:db and web*': [a]\n  'G@id:db1': [a]\n  'x*': [a]\n", "a.sls": "password: s3cret\n",
		"file.sls": "have: {{ salt['pillar.file_exists']('a.sls') }} {{ salt['pillar.file_exists']('b.sls', 'base') }}",
	})
	s.make = pillar.New(pillar.Options{Trees: pillar.NewDirs(map[string][]string{"base": {s.dir}}), Exposed: true})
	gone := map[string]bool{}
	counts := func(minion string) bool { return !gone[minion] }
	s.of("db1", `{"role":"db"}`)
	s.of("x1", `{"role":"db"}`)
	if got := s.make.Exposures(counts); len(got) != 0 {
		t.Errorf("targets by id: got %q", got)
	}
	for _, minion := range []string{"web1", "web2"} {
		s.of(minion, `{"role":"db"}`)
	}
	got := s.make.Exposures(counts)
	if len(got) != 1 || !strings.HasPrefix(got[0], `top.sls:2: target "G@role:db and web*" gives the secret "password" of SLS "a" by a grain (G@role:db): `) || strings.Contains(got[0], "s3cret") {
		t.Errorf("got %q", got)
	}
	gone["web2"] = true
	s.write("top.sls", "base: {'*': [file]}")
	if got := text(t, s.of("web1", `{"role":"db"}`)); got != `{"have":"True False"}` {
		t.Errorf("files: got %s", got)
	}
	if got := s.make.Exposures(counts); len(got) != 0 {
		t.Errorf("when it is put right: got %q", got)
	}
}
