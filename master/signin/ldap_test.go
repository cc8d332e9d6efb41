package signin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master/signin"
	"brine/master/signin/signintest"
)

const people = "ou=people,dc=example,dc=com"

func entries() []signintest.Entry {
	e := func(dn string, attributes map[string][]string) signintest.Entry {
		return signintest.Entry{DN: dn, Attributes: attributes}
	}
	return []signintest.Entry{
		e("dc=example,dc=com", map[string][]string{"objectClass": {"domain"}}),
		e("cn=search,dc=example,dc=com", map[string][]string{"userPassword": {"finder"}}),
		e("uid=alice,"+people, map[string][]string{"uid": {"Alice"}, "userPassword": {"wonder land"}, "objectClass": {"person"},
			"memberOf": {"cn=ops,ou=Groups,dc=example,dc=com", "cn=boss,ou=elsewhere,dc=example,dc=com"}}),
		e("uid=bob,"+people, map[string][]string{"uid": {"bob"}, "userPassword": {"builder"}, "objectClass": {"person"}}),
		e("uid=eve,"+people, map[string][]string{"uid": {"eve", "eve2"}, "userPassword": {"x"}}),
		e("cn=nameless,"+people, map[string][]string{"cn": {"nameless"}, "userPassword": {"x"}}),
		e("ou=Groups,dc=example,dc=com", nil),
		e("cn=admins,ou=Groups,dc=example,dc=com", map[string][]string{"cn": {"admins"}, "memberUid": {"alice"}, "objectClass": {"posixGroup"}}),
		e("cn=others,ou=Groups,dc=example,dc=com", map[string][]string{"cn": {"others"}, "memberUid": {"bob"}, "objectClass": {"posixGroup"}}),
		e("ou=webservers,dc=example,dc=com", nil),
		e("cn=WEB1,ou=webservers,dc=example,dc=com", map[string][]string{"cn": {"WEB1.example.com"}, "objectClass": {"computer"}}),
		e("cn=web2,ou=webservers,dc=example,dc=com", map[string][]string{"cn": {"web2"}, "objectClass": {"computer"}}),
		e("cn=odd,ou=webservers,dc=example,dc=com", map[string][]string{"cn": {"*"}, "objectClass": {"computer"}}),
	}
}

func directory(t *testing.T, secure *tls.Config, ldaps bool) *signintest.Directory {
	t.Helper()
	d, err := signintest.NewDirectory(entries(), secure, ldaps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func searching(t *testing.T, addr string) signin.LDAP {
	t.Helper()
	return signin.LDAP{URI: []string{"ldap://" + addr}, BaseDN: "dc=example,dc=com",
		BindDN: "cn=search,dc=example,dc=com", BindPWFile: secret(t, "finder")}
}

func everyone() map[string]any { return map[string]any{"*": []any{"test.ping"}} }

// desk is one whose refusals don't wait.
func desk(t *testing.T, c *signin.Config) *signin.Desk {
	t.Helper()
	if errs := errors.Join(c.Problems(nil)...); errs != nil {
		t.Fatal(errs)
	}
	d, err := signin.New(signin.Options{Config: c, After: func(time.Duration) <-chan time.Time {
		done := make(chan time.Time)
		close(done)
		return done
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// try is one attempt, from an address of its own.
func try(d *signin.Desk, backend, user, password string) (string, []string, error) {
	op, err := d.Check(context.Background(), signin.Attempt{Backend: backend, User: user, Password: []byte(password), Address: user + password})
	return op.GetName(), op.GetGroups(), err
}

func TestTheDirectoryDecides(t *testing.T) {
	server := directory(t, nil, false)
	ldap := searching(t, server.Addr)
	rights := everyone()
	for _, group := range []string{"Admins%", "ops%", "boss%", "others%"} {
		rights[group] = []any{"state.*"}
	}
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: rights}, Auth: signin.Auth{LDAP: ldap}})
	for _, c := range []struct {
		user, password string
		name           string
		groups         []string
		err            error
	}{
		{user: "alice", password: "wonder land", name: "ldap:alice", groups: []string{"Admins", "ops"}},
		{user: "ALICE", password: "wonder land", name: "ldap:alice", groups: []string{"Admins", "ops"}},
		{user: "bob", password: "builder", name: "ldap:bob", groups: []string{"others"}},
		{user: "bob", password: "wonder land", err: signin.ErrWrong},
		{user: "bob", password: "", err: signin.ErrWrong},
		{user: "nobody", password: "x", err: signin.ErrWrong},
		{user: "*", password: "builder", err: signin.ErrWrong},
		{user: "bob)(uid=*", password: "builder", err: signin.ErrWrong},
		{user: "bo*", password: "builder", err: signin.ErrWrong},
		{user: `b\6fb`, password: "builder", err: signin.ErrWrong},
		{user: "", password: "x", err: signin.ErrWrong},
		{user: "bob\x00", password: "builder", err: signin.ErrWrong},
		{user: "bob", password: "builder\x00x", err: signin.ErrWrong},
		{user: "bob", password: strings.Repeat("x", 1025), err: signin.ErrWrong},
	} {
		name, groups, err := try(d, "ldap", c.user, c.password)
		if name != c.name || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%q: got %q, %v, want %q, %v", c.user, name, err, c.name, c.err)
		}
		if slices.Sort(groups); !slices.Equal(groups, c.groups) {
			t.Errorf("%q: groups %q, want %q", c.user, groups, c.groups)
		}
	}
	for _, f := range server.Filters() {
		if strings.Contains(f, "(uid=*)") || strings.Contains(f, "bo*") {
			t.Errorf("a name reached the directory as a filter: %s", f)
		}
	}
}

func TestAnEntryWithoutANameSignsNobodyIn(t *testing.T) {
	ldap := searching(t, directory(t, nil, false).Addr)
	ldap.Filter = "(cn={{ username }})"
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: ldap}})
	if _, _, err := try(d, "ldap", "nameless", "x"); !errors.Is(err, signin.ErrBackend) {
		t.Errorf("got %v, want a fault of the backend", err)
	}
}

func TestANameMustMeanOneEntry(t *testing.T) {
	ldap := searching(t, directory(t, nil, false).Addr)
	ldap.Filter = "(|(uid={{ username }})(objectClass=person))"
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: ldap}})
	if _, _, err := try(d, "ldap", "bob", "builder"); !errors.Is(err, signin.ErrBackend) {
		t.Errorf("got %v, want a fault of the backend", err)
	}
}

func TestUsersCanBindBeforeTheySearch(t *testing.T) {
	server := directory(t, nil, false)
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: map[string]any{"admins%": []any{"test.*"}}}, Auth: signin.Auth{LDAP: signin.LDAP{
		URI: []string{"ldap://" + server.Addr}, BaseDN: "dc=example,dc=com", BindDN: "uid={{ username }}," + people}}})
	if name, _, err := try(d, "ldap", "alice", "wonder land"); name != "ldap:alice" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	if _, _, err := try(d, "ldap", "bob", "builder"); !errors.Is(err, signin.ErrNothing) {
		t.Errorf("bob is in no group that is named: got %v", err)
	}
	for _, user := range []string{"alice,ou=people", "alice+cn=x", "nobody"} {
		if _, _, err := try(d, "ldap", user, "wonder land"); !errors.Is(err, signin.ErrWrong) {
			t.Errorf("%q: got %v", user, err)
		}
	}
}

func TestASearchMayNeedNoName(t *testing.T) {
	server := directory(t, nil, false)
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: signin.LDAP{
		URI: []string{"ldap://" + server.Addr}, BaseDN: "dc=example,dc=com", Anonymous: true}}})
	if _, _, err := try(d, "ldap", "bob", "builder"); err != nil {
		t.Error(err)
	}
	if _, _, err := try(d, "ldap", "bob", "wrong"); !errors.Is(err, signin.ErrWrong) {
		t.Errorf("got %v", err)
	}
}

func TestActiveDirectoryKnowsGroupsByTheirMembers(t *testing.T) {
	dn := "CN=Dora (ops),OU=Staff,dc=example,dc=com"
	server, err := signintest.NewDirectory([]signintest.Entry{
		{DN: "dc=example,dc=com"},
		{DN: dn, Attributes: map[string][]string{"sAMAccountName": {"Dora"}, "userPassword": {"explorer"}, "memberOf": {"CN=Ops,OU=Staff,DC=example,DC=com"}}},
		{DN: "CN=Domain Admins,CN=Users,dc=example,dc=com", Attributes: map[string][]string{"cn": {"Domain Admins"}, "member": {dn}, "objectClass": {"group"}}},
	}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	rights := map[string]any{"domain admins%": []any{"*"}, "ops%": []any{"test.*"}}
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: rights}, Auth: signin.Auth{LDAP: signin.LDAP{
		URI: []string{"ldap://" + server.Addr}, BaseDN: "DC=example,DC=com", Anonymous: true, ActiveDirectory: true}}})
	name, groups, err := try(d, "ldap", "dora", "explorer")
	if err != nil || name != "ldap:dora" || !slices.Equal(groups, []string{"domain admins", "ops"}) {
		t.Errorf("got %q, %q, %v", name, groups, err)
	}
}

func TestPlacesGiveRightsOnTheirComputers(t *testing.T) {
	ldap := searching(t, directory(t, nil, false).Addr)
	ldap.StripDomains = []string{".example.com"}
	rights := map[string]any{"bob": []any{map[string]any{"ldap(ou=webservers,dc=example,dc=com)": []any{"test.ping"}, "ldap(ou=gone,dc=example,dc=com)": []any{"cmd.run"}}}}
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: rights}, Auth: signin.Auth{LDAP: ldap}})
	op, err := d.Check(t.Context(), signin.Attempt{Backend: "ldap", User: "bob", Password: []byte("builder")})
	if err != nil {
		t.Fatal(err)
	}
	roles := d.Roles(op)
	if len(roles) != 1 || !slices.Equal(roles[0].Targets, []string{"web1", "web2"}) || !slices.Equal(roles[0].Functions, []string{"test.ping"}) {
		t.Errorf("got %v", roles)
	}
}

func TestAConnectionIsEncryptedOrRefused(t *testing.T) {
	ca, config := certificate(t, "127.0.0.1")
	other, _ := certificate(t, "127.0.0.1")
	plain, starts, ldaps := directory(t, nil, false), directory(t, config, false), directory(t, config, true)
	for name, c := range map[string]struct {
		uri, ca  string
		starttls bool
		ok       bool
	}{
		"starttls":                 {uri: "ldap://" + starts.Addr, ca: ca, starttls: true, ok: true},
		"ldaps":                    {uri: "ldaps://" + ldaps.Addr, ca: ca, ok: true},
		"starttls not offered":     {uri: "ldap://" + plain.Addr, ca: ca, starttls: true},
		"starttls of another CA":   {uri: "ldap://" + starts.Addr, ca: other, starttls: true},
		"ldaps of another CA":      {uri: "ldaps://" + ldaps.Addr, ca: other},
		"ldaps of the system's CA": {uri: "ldaps://" + ldaps.Addr},
	} {
		ldap := searching(t, "")
		ldap.URI, ldap.CAFile, ldap.StartTLS = []string{c.uri}, c.ca, c.starttls
		d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: ldap}})
		_, _, err := try(d, "ldap", "bob", "builder")
		if c.ok && err != nil || !c.ok && !errors.Is(err, signin.ErrBackend) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if len(plain.Binds()) != 0 {
		t.Errorf("a password went to a server without TLS: %q", plain.Binds())
	}
}

func TestTheNextServerIsAskedWhenOneIsAway(t *testing.T) {
	gone, server := directory(t, nil, false), directory(t, nil, false)
	gone.Close()
	ldap := searching(t, "")
	ldap.URI = []string{"ldap://" + gone.Addr, "ldap://" + server.Addr}
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: ldap}})
	if _, _, err := try(d, "ldap", "bob", "builder"); err != nil {
		t.Error(err)
	}
}

func TestASilentDirectoryIsLeft(t *testing.T) {
	server := directory(t, nil, false)
	server.Hang()
	ldap := searching(t, server.Addr)
	ldap.Timeout = "50ms"
	d := desk(t, &signin.Config{ExternalAuth: signin.ExternalAuth{LDAP: everyone()}, Auth: signin.Auth{LDAP: ldap}})
	if _, _, err := try(d, "ldap", "bob", "builder"); !errors.Is(err, signin.ErrBackend) {
		t.Errorf("got %v", err)
	}
}

// certificate makes one for a host, signed by itself, and writes it for those who are to trust it.
func certificate(t *testing.T, host string) (path string, config *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.ParseIP(host)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
