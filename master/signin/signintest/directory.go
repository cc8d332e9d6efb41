// Package signintest has what tests let sign-ins be checked by: a directory that speaks LDAP, and a saslauthd.
package signintest

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// An Entry is one of a directory. Its attribute userPassword is what it signs in with.
type Entry struct {
	DN         string
	Attributes map[string][]string
}

// A Directory answers bind, search and StartTLS as far as a master asks them. As some real ones do, it takes a bind
// without a password for one of nobody, and agrees.
type Directory struct {
	Addr string

	entries []Entry
	tls     *tls.Config
	listen  net.Listener
	stop    sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	hung    chan struct{}
	conns   []net.Conn
	binds   []string // DNs
	filters []string
}

// NewDirectory begins to listen on 127.0.0.1. With ldaps it speaks TLS from the beginning, else after StartTLS if
// there is a configuration for it.
func NewDirectory(entries []Entry, secure *tls.Config, ldaps bool) (*Directory, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Directory{Addr: l.Addr().String(), entries: entries, tls: secure, listen: l}
	if ldaps {
		d.listen = tls.NewListener(l, secure)
	}
	d.stop.Go(d.serve)
	return d, nil
}

// Close ends it and waits.
func (d *Directory) Close() {
	_ = d.listen.Close()
	d.Resume()
	d.mu.Lock()
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.stop.Wait()
}

// Hang lets it answer nothing until Resume.
func (d *Directory) Hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hung = make(chan struct{})
}

// Resume ends what Hang began.
func (d *Directory) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hung != nil {
		close(d.hung)
		d.hung = nil
	}
}

// Binds are the DNs that tried to sign in.
func (d *Directory) Binds() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.binds)
}

// Filters are those that were searched by.
func (d *Directory) Filters() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.filters)
}

func (d *Directory) serve() {
	for {
		conn, err := d.listen.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns = append(d.conns, conn)
		d.mu.Unlock()
		d.stop.Go(func() { d.talk(conn) })
	}
}

func (d *Directory) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		packet, err := ber.ReadPacket(conn)
		if err != nil || len(packet.Children) < 2 {
			return
		}
		d.mu.Lock()
		hung := d.hung
		d.mu.Unlock()
		if hung != nil {
			<-hung
		}
		id, op := packet.Children[0], packet.Children[1]
		answers := d.answer(op)
		if answers == nil {
			return
		}
		for _, a := range answers {
			p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "message")
			p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id.Value, "id"))
			p.AppendChild(a)
			if _, err := conn.Write(p.Bytes()); err != nil {
				return
			}
		}
		if op.Tag == ldap.ApplicationExtendedRequest {
			conn = tls.Server(conn, d.tls)
		}
	}
}

func (d *Directory) answer(op *ber.Packet) []*ber.Packet {
	switch op.Tag {
	case ldap.ApplicationBindRequest:
		return []*ber.Packet{result(ldap.ApplicationBindResponse, d.bind(op))}
	case ldap.ApplicationSearchRequest:
		found, code := d.search(op)
		return append(found, result(ldap.ApplicationSearchResultDone, code))
	case ldap.ApplicationExtendedRequest:
		if d.tls == nil {
			return []*ber.Packet{result(ldap.ApplicationExtendedResponse, ldap.LDAPResultProtocolError)}
		}
		return []*ber.Packet{result(ldap.ApplicationExtendedResponse, ldap.LDAPResultSuccess)}
	}
	return nil
}

func result(tag ber.Tag, code int64) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "result")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, "code"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", "matched"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", "diagnostic"))
	return p
}

func (d *Directory) bind(op *ber.Packet) int64 {
	dn, password := fmt.Sprint(op.Children[1].Value), op.Children[2].Data.String()
	d.mu.Lock()
	d.binds = append(d.binds, dn)
	d.mu.Unlock()
	if password == "" {
		return ldap.LDAPResultSuccess
	}
	for _, e := range d.entries {
		if strings.EqualFold(e.DN, dn) && slices.Contains(e.Attributes["userPassword"], password) {
			return ldap.LDAPResultSuccess
		}
	}
	return ldap.LDAPResultInvalidCredentials
}

func (d *Directory) search(op *ber.Packet) (found []*ber.Packet, code int64) {
	base, err := ldap.ParseDN(fmt.Sprint(op.Children[0].Value))
	if err != nil {
		return nil, ldap.LDAPResultInvalidDNSyntax
	}
	text, err := ldap.DecompileFilter(op.Children[6])
	if err != nil {
		return nil, ldap.LDAPResultProtocolError
	}
	d.mu.Lock()
	d.filters = append(d.filters, text)
	d.mu.Unlock()
	limit, _ := op.Children[3].Value.(int64)
	there := false
	for _, e := range d.entries {
		dn, err := ldap.ParseDN(e.DN)
		if err != nil || !base.EqualFold(dn) && !base.AncestorOfFold(dn) {
			continue
		}
		there = true
		if !e.matches(op.Children[6]) {
			continue
		}
		if limit > 0 && int64(len(found)) == limit {
			return found, ldap.LDAPResultSizeLimitExceeded
		}
		found = append(found, e.packet())
	}
	if !there {
		return nil, ldap.LDAPResultNoSuchObject
	}
	return found, ldap.LDAPResultSuccess
}

// matches knows and, or, not, equality and presence.
func (e Entry) matches(f *ber.Packet) bool {
	switch f.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(f.Children, func(c *ber.Packet) bool { return !e.matches(c) })
	case ldap.FilterOr:
		return slices.ContainsFunc(f.Children, e.matches)
	case ldap.FilterNot:
		return !e.matches(f.Children[0])
	case ldap.FilterEqualityMatch:
		want := f.Children[1].Data.String()
		return slices.ContainsFunc(e.values(f.Children[0].Data.String()), func(v string) bool { return strings.EqualFold(v, want) })
	case ldap.FilterPresent:
		return len(e.values(f.Data.String())) > 0
	}
	return false
}

func (e Entry) values(name string) []string {
	for key, values := range e.Attributes {
		if strings.EqualFold(key, name) {
			return values
		}
	}
	return nil
}

func (e Entry) packet() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, e.DN, "dn"))
	all := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "attributes")
	for name, values := range e.Attributes {
		if name == "userPassword" {
			continue
		}
		a := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "attribute")
		a.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, "name"))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		for _, v := range values {
			set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, "value"))
		}
		a.AppendChild(set)
		all.AppendChild(a)
	}
	p.AppendChild(all)
	return p
}
