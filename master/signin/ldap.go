package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/proto/subject"
)

// LDAP is [auth.ldap]: Salt's options of auth.ldap under the same names, where they mean the same.
type LDAP struct {
	URI      []string `toml:"uri"` // ldaps://host, ldap://host, ldapi://%2Frun%2Fslapd%2Fldapi: the first that answers is asked
	StartTLS bool     `toml:"starttls"`
	CAFile   string   `toml:"ca_file"`  // certificates; without those of the system
	Insecure bool     `toml:"insecure"` // passwords may cross the network in clear
	Timeout  string   `toml:"timeout"`  // of all that is asked for one sign-in

	BindDN     string `toml:"binddn"`      // who searches; or, without bindpw_file, the user: uid={{ username }},ou=people,dc=example
	BindPWFile string `toml:"bindpw_file"` // mode 600
	Anonymous  bool   `toml:"anonymous"`   // the search for the user needs no binddn
	BaseDN     string `toml:"basedn"`
	Filter     string `toml:"filter"`         // that finds the user: uid={{ username }}
	NameAttr   string `toml:"name_attribute"` // of the user's entry: under what name brine knows the user

	GroupOU         *string `toml:"groupou"`              // groups are searched below ou=...,basedn; "": below basedn
	GroupBaseDN     string  `toml:"group_basedn"`         // or below this
	GroupClass      string  `toml:"groupclass"`           // of their entries
	AccountAttr     string  `toml:"accountattributename"` // of a group's entry: its members' names. With activedirectory: of the user's, the name
	GroupFilter     string  `toml:"group_filter"`         // in the place of these two, with {{ username }} and {{ dn }}
	GroupAttr       string  `toml:"groupattribute"`       // of the user's entry: the DNs of groups
	ActiveDirectory bool    `toml:"activedirectory"`

	StripDomains []string `toml:"minion_stripdomains"` // ends of names of computers that ids of minions don't have
}

const (
	ldapTime    = 10 * time.Second
	longestLDAP = time.Minute
	dialTime    = 3 * time.Second

	maxGroups  = 1000
	maxMinions = 1000 // of a place
	pageSize   = 500
)

type directory struct {
	LDAP
	timeout time.Duration
	roots   *x509.CertPool
	places  []string // to look for minions in
	groups  string   // DN below which groups are
}

func newLDAP(c LDAP, places []string) (*directory, error) {
	d := &directory{LDAP: c, timeout: ldapTime, places: places}
	d.defaults()
	return d, errors.Join(slices.Concat(d.linkProblems(), d.searchProblems(), d.accountProblems(), []error{d.readRoots()})...)
}

func (d *directory) defaults() {
	set := func(to *string, text string) {
		if *to == "" {
			*to = text
		}
	}
	class, account, name := "posixGroup", "memberUid", "uid"
	if d.ActiveDirectory {
		class, account = "group", "sAMAccountName"
		set(&d.AccountAttr, account)
		name = d.AccountAttr
	}
	set(&d.GroupClass, class)
	set(&d.AccountAttr, account)
	set(&d.NameAttr, name)
	set(&d.GroupAttr, "memberOf")
	set(&d.Filter, d.NameAttr+"={{ username }}")
	if !strings.HasPrefix(d.Filter, "(") {
		d.Filter = "(" + d.Filter + ")"
	}
	d.groups = d.GroupBaseDN
	if d.groups == "" {
		d.groups = d.BaseDN
		ou := "Groups"
		if d.ActiveDirectory {
			ou = ""
		}
		if d.GroupOU != nil {
			ou = *d.GroupOU
		}
		if ou != "" {
			d.groups = "ou=" + ldap.EscapeDN(ou) + "," + d.BaseDN
		}
	}
	if d.GroupFilter == "" && d.ActiveDirectory {
		d.GroupFilter = "(&(member={{ dn }})(objectClass=" + d.GroupClass + "))"
	} else if d.GroupFilter == "" {
		d.GroupFilter = "(&(" + d.AccountAttr + "={{ username }})(objectClass=" + d.GroupClass + "))"
	}
}

// linkProblems are mistakes in how the servers are reached.
func (d *directory) linkProblems() (errs []error) {
	if len(d.URI) == 0 {
		errs = append(errs, errors.New(`auth.ldap.uri is missing: want servers, such as ["ldaps://ldap.example.com"]`))
	}
	for _, uri := range d.URI {
		u, err := url.Parse(uri)
		switch {
		case err != nil || !slices.Contains([]string{"ldap", "ldaps", "ldapi"}, u.Scheme) || u.User != nil:
			errs = append(errs, fmt.Errorf("auth.ldap.uri: %q: want ldaps://host, ldap://host or ldapi:///path", uri))
		case u.Scheme == "ldap" && !d.StartTLS && !d.Insecure && !near(u.Hostname()):
			errs = append(errs, fmt.Errorf("auth.ldap.uri: %q: passwords would cross the network in clear: "+
				"want ldaps://, starttls = true, or insecure = true if that is meant", uri))
		case u.Scheme == "ldaps" && d.StartTLS:
			errs = append(errs, fmt.Errorf("auth.ldap.uri: %q has TLS already: starttls is for ldap://", uri))
		}
	}
	if d.Timeout != "" {
		t, err := time.ParseDuration(d.Timeout)
		if err != nil || t <= 0 || t > longestLDAP {
			errs = append(errs, fmt.Errorf("auth.ldap.timeout = %q: want a time up to %v", d.Timeout, longestLDAP))
		}
		d.timeout = t
	}
	return errs
}

// near tells whether a host is this one.
func near(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// searchProblems are mistakes in what is asked.
func (d *directory) searchProblems() (errs []error) {
	if d.BaseDN == "" {
		errs = append(errs, errors.New(`auth.ldap.basedn is missing: want the DN below which users are, such as "dc=example,dc=com"`))
	}
	for _, c := range [][2]string{{"basedn", d.BaseDN}, {"group_basedn", d.GroupBaseDN}} {
		if _, err := ldap.ParseDN(c[1]); err != nil {
			errs = append(errs, fmt.Errorf("auth.ldap.%s = %q: it is no DN: %v", c[0], c[1], err))
		}
	}
	for _, place := range d.places {
		if _, err := ldap.ParseDN(place); err != nil || place == "" {
			errs = append(errs, fmt.Errorf("external_auth.ldap: %q in ldap(...) is no DN: %v", place, err))
		}
	}
	for _, c := range [][2]string{{"filter", d.Filter}, {"group_filter", d.GroupFilter}} {
		text, err := fill(c[1], map[string]string{"username": "x", "dn": "x"}, ldap.EscapeFilter)
		if err == nil {
			_, err = ldap.CompileFilter(text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("auth.ldap.%s = %q: %v", c[0], c[1], err))
		}
	}
	if !strings.Contains(d.Filter, "{{") {
		errs = append(errs, fmt.Errorf("auth.ldap.filter = %q: want {{ username }} in it", d.Filter))
	}
	return errs
}

// accountProblems are mistakes in who searches.
func (d *directory) accountProblems() (errs []error) {
	switch {
	case d.BindPWFile != "":
		if d.BindDN == "" || d.Anonymous {
			errs = append(errs, errors.New("auth.ldap.bindpw_file is the password of binddn, and none of anonymous"))
		}
		errs = append(errs, secretFile("auth.ldap.bindpw_file", d.BindPWFile))
	case d.BindDN == "" && !d.Anonymous:
		errs = append(errs, errors.New("auth.ldap: who searches for users? want binddn with bindpw_file, "+
			"binddn with {{ username }} in it, or anonymous = true"))
	case d.BindDN != "":
		if _, err := fill(d.BindDN, map[string]string{"username": "x"}, ldap.EscapeDN); err != nil || !strings.Contains(d.BindDN, "{{") {
			errs = append(errs, fmt.Errorf("auth.ldap.binddn = %q: want bindpw_file, or {{ username }} in it", d.BindDN))
		}
	}
	return errs
}

func (d *directory) readRoots() error {
	if d.CAFile == "" {
		return nil
	}
	data, err := os.ReadFile(d.CAFile)
	if err != nil {
		return fmt.Errorf("auth.ldap.ca_file: %w", err)
	}
	d.roots = x509.NewCertPool()
	if !d.roots.AppendCertsFromPEM(data) {
		return fmt.Errorf("auth.ldap.ca_file = %q: it has no certificate", d.CAFile)
	}
	return nil
}

// fill puts values, each escaped, into the places of a template: {{ username }} as in Salt.
func fill(template string, values map[string]string, escape func(string) string) (string, error) {
	var err error
	text := regexp.MustCompile(`\{\{[^{}]*\}\}`).ReplaceAllStringFunc(template, func(place string) string {
		name := strings.TrimSpace(strings.Trim(place, "{}"))
		v, ok := values[name]
		if !ok {
			err = fmt.Errorf("%s is not known", place)
		}
		return escape(v)
	})
	return text, err
}

// Check finds the user's entry, signs in with its DN and the password, and learns the user's groups.
func (d *directory) Check(ctx context.Context, user string, password []byte) (*Person, error) {
	if len(password) == 0 {
		return nil, ErrWrong // a bind without a password is one of nobody, and succeeds
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var errs []error
	for _, uri := range d.URI {
		s, err := d.dial(ctx, uri)
		if err == nil {
			var p *Person
			p, err = s.check(user, string(password))
			s.close()
			if err == nil || errors.Is(err, ErrWrong) || !ldap.IsErrorAnyOf(err, ldap.ErrorNetwork, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable) {
				return p, err
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", uri, err))
	}
	return nil, errors.Join(errs...)
}

// A session is one connection to a server.
type session struct {
	*directory
	conn *ldap.Conn
	stop func() bool
}

func (d *directory) dial(ctx context.Context, uri string) (*session, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	secure := &tls.Config{ServerName: u.Hostname(), RootCAs: d.roots, MinVersion: tls.VersionTLS12}
	dialer := &net.Dialer{Timeout: min(dialTime, d.timeout)}
	if until, ok := ctx.Deadline(); ok {
		dialer.Deadline = until
	}
	conn, err := ldap.DialURL(uri, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(secure))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(d.timeout)
	s := &session{directory: d, conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	if d.StartTLS && u.Scheme == "ldap" {
		if err := conn.StartTLS(secure); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *session) close() {
	s.stop()
	_ = s.conn.Close() // what it says of that helps nobody
}

func (s *session) check(user, password string) (*Person, error) {
	if s.BindDN != "" && s.BindPWFile == "" {
		return s.checkDirect(user, password)
	}
	if err := s.bindSearcher(); err != nil {
		return nil, err
	}
	entry, err := s.find(user)
	if err != nil {
		return nil, err
	}
	if err := s.bindUser(entry.DN, password); err != nil {
		return nil, err
	}
	// As the searcher again: users may not be allowed to look at groups.
	if err := s.bindSearcher(); err != nil {
		return nil, err
	}
	return s.person(entry)
}

// checkDirect signs in with the DN that is made of the name, and searches as the user.
func (s *session) checkDirect(user, password string) (*Person, error) {
	if subject.CheckID(user) != nil {
		return nil, ErrWrong
	}
	dn, err := fill(s.BindDN, map[string]string{"username": user}, ldap.EscapeDN)
	if err != nil {
		return nil, err
	}
	if err := s.bindUser(dn, password); err != nil {
		return nil, err
	}
	entry, err := s.find(user)
	if errors.Is(err, ErrWrong) {
		return nil, fmt.Errorf("%s signed in, and then can't be found below %s by %s", dn, s.BaseDN, s.Filter)
	}
	if err != nil {
		return nil, err
	}
	if bound, err := ldap.ParseDN(dn); err == nil { // it may also be user@domain
		if found, err := ldap.ParseDN(entry.DN); err != nil || !bound.EqualFold(found) {
			return nil, fmt.Errorf("%s signed in, and %s finds another entry, %s", dn, s.Filter, entry.DN)
		}
	}
	return s.person(entry)
}

func (s *session) bindSearcher() error {
	if s.Anonymous {
		if err := s.conn.UnauthenticatedBind(""); err != nil {
			return fmt.Errorf("cannot search without a name: %w", err)
		}
		return nil
	}
	data, err := os.ReadFile(s.BindPWFile)
	if err != nil {
		return fmt.Errorf("cannot read the password of %s: %w", s.BindDN, err)
	}
	if err := s.conn.Bind(s.BindDN, strings.TrimRight(string(data), "\r\n")); err != nil {
		return fmt.Errorf("cannot sign in as %s to search: %w", s.BindDN, err)
	}
	return nil
}

func (s *session) bindUser(dn, password string) error {
	err := s.conn.Bind(dn, password)
	// Whatever a server has against this user, not against the question: wrong, locked, expired, no password at all.
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax,
		ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultConstraintViolation,
		ldap.LDAPResultUnwillingToPerform, ldap.ErrorEmptyPassword) {
		return ErrWrong
	}
	if err != nil {
		return fmt.Errorf("cannot sign in as %s: %w", dn, err)
	}
	return nil
}

// find returns the one entry of a user. Referrals are not followed: who answers there is not known.
func (s *session) find(user string) (*ldap.Entry, error) {
	filter, err := fill(s.Filter, map[string]string{"username": user}, ldap.EscapeFilter)
	if err != nil {
		return nil, err
	}
	found, err := s.conn.Search(ldap.NewSearchRequest(s.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		2, s.seconds(), false, filter, []string{s.NameAttr, s.GroupAttr}, nil))
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return nil, fmt.Errorf("cannot search for a user below %s: %w", s.BaseDN, err)
	}
	if err == nil && len(found.Entries) == 0 {
		return nil, ErrWrong
	}
	if err != nil || len(found.Entries) > 1 {
		return nil, fmt.Errorf("%s finds several entries below %s for one name: correct auth.ldap.filter", s.Filter, s.BaseDN)
	}
	return found.Entries[0], nil
}

func (s *session) seconds() int { return int((s.timeout + time.Second - 1) / time.Second) }

// person is whom an entry is about. The name is the entry's, whatever was typed: rights go by it.
func (s *session) person(entry *ldap.Entry) (*Person, error) {
	name := entry.GetEqualFoldAttributeValue(s.NameAttr)
	if name == "" {
		return nil, fmt.Errorf("%s has no %s: auth.ldap.name_attribute says which attribute is the name", entry.DN, s.NameAttr)
	}
	p := &Person{Name: fold(name)}
	groups, err := s.members(name, entry.DN)
	if err != nil {
		return nil, err
	}
	p.Groups = append(s.told(entry), groups...)
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	p.Places, err = s.minions()
	return p, err
}
