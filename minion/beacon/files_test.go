package beacon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// expect waits until events say all of want, in any order, and fails at one that is not wanted.
func (w *world) expect(want ...string) {
	w.t.Helper()
	end := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var got []string
	for len(want) > 0 {
		select {
		case <-tick.C:
		case <-end:
			w.t.Fatalf("got\n  %s\nstill wanted\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		for _, e := range w.told() {
			got = append(got, e)
			i := slices.Index(want, e)
			if i < 0 {
				w.t.Errorf("not wanted: %s", e)
				continue
			}
			want = slices.Delete(want, i, i+1)
		}
	}
}

// told takes the events until now.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	more := w.events
	w.events = nil
	for i, e := range more {
		more[i] = regexp.MustCompile(`,"count":\d+`).ReplaceAllString(e, "") // one write may be two for the kernel
	}
	return more
}

// again does something until events have said all of want, and waits for the last event that it led to: the kernel tells of files
// in the order in which they change, so that it is the one before those of a file written next.
func (w *world) again(do func(), want ...string) {
	w.t.Helper()
	mark := []string{change("/tree", "/tree/mark", "IN_CREATE"), change("/tree", "/tree/mark", "IN_CLOSE_WRITE")}
	w.await(do, want, want)
	w.h.Write("/tree/mark", "")
	w.await(func() {}, mark, append(mark, want...))
	if err := os.Remove(w.h.Path("/tree/mark")); err != nil {
		w.t.Fatal(err)
	}
	w.expect(change("/tree", "/tree/mark", "IN_DELETE"))
}

// await does something again and again until events have said all of want, each once or more, and fails at one that may not come.
func (w *world) await(do func(), want, may []string) {
	w.t.Helper()
	missing := slices.Clone(want)
	for end := time.Now().Add(20 * time.Second); len(missing) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("still wanted\n  %s", strings.Join(missing, "\n  "))
		}
		do()
		for _, e := range w.told() {
			if !slices.Contains(may, e) {
				w.t.Errorf("not wanted: %s", e)
			}
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == e })
		}
	}
}

// change is the event of a file.
func change(dir, name, what string) string {
	return "inotify/" + dir + ` {"path":"` + name + `","change":"` + what + `","id":"web1"}`
}

func TestInotify(t *testing.T) {
	w := newWorld(t, `
inotify:
  - files:
      /etc/one: {mask: [modify, attrib]}
      /etc/later: {mask: [modify]}
      /tree:
        mask: [create, close_write, delete, moved_to]
        recurse: true
        auto_add: true
        exclude: [/tree/not, '*.swp', {'/x[0-9]+$': {regex: true}}]`)
	w.h.Write("/etc/one", "1")
	w.h.Write("/tree/deep/old", "")
	w.h.Write("/tree/not/this", "")
	move := func(from, to string) {
		if err := os.Rename(w.h.Path(from), w.h.Path(to)); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	// All is watched when the last of it is.
	w.again(func() { w.h.Write("/etc/one", "2") }, change("/etc/one", "/etc/one", "IN_MODIFY"))

	w.h.Write("/tree/deep/new", "")
	w.h.Write("/tree/deep/x12", "")
	w.h.Write("/tree/deep/new.swp", "")
	w.h.Write("/tree/not/that", "")
	w.expect(change("/tree/deep", "/tree/deep/new", "IN_CREATE"), change("/tree/deep", "/tree/deep/new", "IN_CLOSE_WRITE"))

	// a directory that comes with something in it is watched whole
	w.h.Write("/elsewhere/a/b", "")
	move("/elsewhere", "/tree/more")
	w.expect(change("/tree", "/tree/more", "IN_MOVED_TO|IN_ISDIR"), change("/tree/more", "/tree/more/a", "IN_CREATE|IN_ISDIR"),
		change("/tree/more/a", "/tree/more/a/b", "IN_CREATE"))
	w.h.Write("/tree/more/a/c", "")
	w.expect(change("/tree/more/a", "/tree/more/a/c", "IN_CREATE"), change("/tree/more/a", "/tree/more/a/c", "IN_CLOSE_WRITE"))

	// and one that goes is not watched any more
	move("/tree/more", "/away")
	w.h.Write("/away/a/d", "")
	w.h.Write("/tree/deep/last", "")
	w.expect(change("/tree/deep", "/tree/deep/last", "IN_CREATE"), change("/tree/deep", "/tree/deep/last", "IN_CLOSE_WRITE"))

	// a file that is replaced, as editors do, is watched on; one that comes later is watched from then on
	w.h.Write("/etc/draft", "3")
	move("/etc/draft", "/etc/one")
	w.expect(change("/etc/one", "/etc/one", "IN_ATTRIB"), change("/etc/one", "/etc/one", "IN_IGNORED"))
	w.h.Write("/etc/later", "")
	w.again(func() { // it is looked for each second
		w.h.Write("/etc/one", "4")
		w.h.Write("/etc/later", "5")
	}, change("/etc/later", "/etc/later", "IN_MODIFY"), change("/etc/one", "/etc/one", "IN_MODIFY"))
}

func pemFile(t *testing.T, name string, days int) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(days)), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour),
		Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}}, DNSNames: []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "cert_info: [{files: [/a.pem, /b.pem: {notify_days: 10}]}, {notify_days: 20}, {onchangeonly: true}]")
		w.h.Write("/a.pem", pemFile(t, "a.example.org", 12))
		w.h.Write("/b.pem", pemFile(t, "b.example.org", 12))
		w.start()
		got := strings.Join(w.took(time.Second), "\n")
		want := regexp.MustCompile(`^cert_info/ {"certificates":\[{"cert_path":"/a.pem","issuer":"O=\\"Example\\",CN=\\"a.example.org\\"",` +
			`"issuer_dict":{"O":"Example","CN":"a.example.org"},"notAfter_raw":"20000113010000Z","notAfter":"2000-01-13 01:00:00Z",` +
			`"notBefore_raw":"20000101000000Z","notBefore":"2000-01-01 00:00:00Z","serial_number":12,"signature_algorithm":"ECDSA-SHA256",` +
			`"subject":.*,"subject_dict":.*,"version":2,"extensions":\[.*{"ext_name":"subjectAltName","ext_data":"DNS:a.example.org"}.*\],` +
			`"has_expired":false}\],"id":"web1"}$`)
		if !want.MatchString(got) {
			t.Errorf("got %s\nwant %s", got, want)
		}
		w.want(24 * time.Hour)
		if got := strings.Join(w.took(24*time.Hour), "\n"); strings.Count(got, "cert_path") != 2 {
			t.Errorf("after two days: %s", got)
		}
		w.h.Write("/a.pem", "nothing")
		if got := strings.Join(w.took(24*time.Hour), "\n"); !strings.Contains(got, "cannot read the certificate in /a.pem: there is none") {
			t.Errorf("one that is none: %s", got)
		}
	})
}
