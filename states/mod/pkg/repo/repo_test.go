package repo_test

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"

	"brine/states/mod/pkg/repo"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestArmorIsThatOfGPG(t *testing.T) {
	asc, gpg := read(t, "key.asc"), read(t, "key.gpg")
	packets, err := repo.Dearmor(asc)
	if err != nil || !bytes.Equal(packets, gpg) {
		t.Errorf("the packets differ from those of gpg (%v)", err)
	}
	if got := repo.Armor(gpg); !bytes.Equal(got, asc) {
		t.Errorf("got %s\nwant %s", got, asc)
	}
	if same, err := repo.Dearmor(gpg); err != nil || !bytes.Equal(same, gpg) {
		t.Errorf("packets are not taken as they are: %v", err)
	}
	two, err := repo.Dearmor(append(append([]byte("mine:\n"), asc...), bytes.ReplaceAll(asc, []byte("\n"), []byte("\r\n"))...))
	if err != nil || !bytes.Equal(two, append(bytes.Clone(gpg), gpg...)) {
		t.Errorf("two keys are not taken: %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	const want = "6B1CEA43EE305E403E7067E20865C8B4291A10C5"
	got := repo.Fingerprints(read(t, "key.gpg"))
	if !reflect.DeepEqual(got, []string{want}) {
		t.Errorf("got %s, want %s", got, want)
	}
	for id, want := range map[string]bool{"291A10C5": true, "0x0865c8b4291a10c5": true, want: true, "291A10C6": false, "C5": false, "": false} {
		if repo.HasKey(got, id) != want {
			t.Errorf("%s: got %v, want %v", id, !want, want)
		}
	}
}

func TestWhatIsNoKey(t *testing.T) {
	for _, text := range []string{"", "<html>404</html>", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "\x99\x00"} {
		if _, err := repo.Dearmor([]byte(text)); err == nil || err.Error()[:20] != "it is no OpenPGP key" {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestLines(t *testing.T) {
	for line, want := range map[string]string{
		"deb http://a.b/c stable main": "",
		"deb [ arch=amd64,i386  signed-by=/k.gpg ] http://a.b/c stable main contrib # x": "deb [arch=amd64,i386 signed-by=/k.gpg] http://a.b/c stable main contrib # x",
		"#deb-src\thttp://a.b/c/ ./": "# deb-src http://a.b/c/ ./",
	} {
		if want == "" {
			want = line
		}
		s, err := repo.ParseLine(line)
		if err != nil || s.Line() != want {
			t.Errorf("%q: got %v (%v), want %q", line, s, err, want)
		}
	}
	for _, line := range []string{"", "# a comment", "rpm http://a b c", "deb"} {
		if s, err := repo.ParseLine(line); err == nil {
			t.Errorf("%q: got %q, want an error", line, s.Line())
		}
	}
}

func TestFilesAreLeftAsTheyAre(t *testing.T) {
	list := "# see sources.list(5)\n\ndeb  http://a.b/c   stable main\n# deb was here\nrpm x\n#deb http://a.b/d stable main"
	if got := repo.WriteList(repo.ParseList(list)); got != list {
		t.Errorf("got %q, want %q", got, list)
	}
	sources := "# mine\nTypes: deb deb-src\nURIs: http://a.b/c\n http://d.e/f\nSuites: stable\nComponents: main\nX-Mine: yes\n\n\nFoo: bar\n"
	entries := repo.ParseSources(sources)
	if got := repo.WriteSources(entries); got != sources {
		t.Errorf("got %q, want %q", got, sources)
	}
	s := entries[0].Source.Clone()
	s.Disabled, s.Comps = true, []string{"main", "contrib"}
	s.Set("arch", "amd64,i386")
	entries[0].Update(s)
	want := "# mine\nTypes: deb deb-src\nURIs: http://a.b/c http://d.e/f\nSuites: stable\nComponents: main contrib\nX-Mine: yes\n" +
		"Enabled: no\nArchitectures: amd64 i386\n\n\nFoo: bar\n"
	if got := repo.WriteSources(entries); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestINI(t *testing.T) {
	const text = "# top\n[main]\ngpgcheck=1\n\n[a]\nname = A\nbaseurl=http://x\n   http://y\n# last\n\n[b]\nenabled=0\n"
	f := repo.ParseINI(text)
	if f.String() != text {
		t.Errorf("got %q, want %q", f.String(), text)
	}
	want := []repo.Option{{Name: "name", Value: "A"}, {Name: "baseurl", Value: "http://x\nhttp://y"}}
	if got := f.Options("a"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f.Set("a", "baseurl", "http://z")
	f.Set("a", "enabled", "1")
	f.Set("c", "name", "C")
	f.Unset("a", "name")
	f.Remove("b")
	const changed = "# top\n[main]\ngpgcheck=1\n\n[a]\nbaseurl=http://z\n# last\nenabled=1\n\n[c]\nname=C\n"
	if got := f.String(); got != changed {
		t.Errorf("got %q, want %q", got, changed)
	}
}

func FuzzDearmor(f *testing.F) {
	for _, name := range []string{"key.asc", "key.gpg"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		packets, err := repo.Dearmor(data)
		if err != nil {
			return
		}
		if again, err := repo.Dearmor(repo.Armor(packets)); err != nil || !bytes.Equal(again, packets) {
			t.Errorf("armor does not keep packets: %v", err)
		}
	})
}

func FuzzSources(f *testing.F) {
	f.Add("# x\nTypes: deb\nURIs: a:b\nSuites: s\n\n")
	f.Add("deb [a=b] http://x y z # c\n[s]\na=b\n c\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got := repo.WriteList(repo.ParseList(text)); got != text {
			t.Errorf("list: got %q, want %q", got, text)
		}
		repo.WriteSources(repo.ParseSources(text))
		repo.ParseINI(text).Set("s", "a", "b")
	})
}

// TestWithoutKeys takes one of three keys away, with all that belongs to it.
func TestWithoutKeys(t *testing.T) {
	key := func(n byte) []byte { return []byte{0xc6, 6, 4, 0, 0, 0, 0, n, 0xcd, 1, 'x'} } // and whose it is
	all := slices.Concat(key(1), key(2), key(3))
	id := repo.Fingerprints(key(2))[0]
	kept, gone := repo.WithoutKeys(all, []string{id[24:]})
	if want := slices.Concat(key(1), key(3)); !slices.Equal(kept, want) || len(gone) != 1 || gone[0] != id {
		t.Errorf("got %x, %v, want %x", kept, gone, want)
	}
	if kept, gone := repo.WithoutKeys([]byte("no key"), []string{id}); string(kept) != "no key" || gone != nil {
		t.Errorf("got %q, %v", kept, gone)
	}
}
