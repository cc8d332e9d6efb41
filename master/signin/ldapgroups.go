package signin

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"brine/proto/subject"
)

// told are the groups that a user's entry names, of those below the DN of groups: elsewhere somebody else may make
// groups of the same name.
func (s *session) told(entry *ldap.Entry) (groups []string) {
	base, err := ldap.ParseDN(s.groups)
	if err != nil {
		return nil
	}
	for _, text := range entry.GetEqualFoldAttributeValues(s.GroupAttr) {
		dn, err := ldap.ParseDN(text)
		if err == nil && base.AncestorOfFold(dn) {
			groups = append(groups, first(dn))
		}
	}
	return groups
}

func first(dn *ldap.DN) string { return dn.RDNs[0].Attributes[0].Value }

// members are the groups whose entries name the user. Where there are no groups at all there are none of the user.
func (s *session) members(name, dn string) (groups []string, err error) {
	filter, err := fill(s.GroupFilter, map[string]string{"username": name, "dn": dn}, ldap.EscapeFilter)
	if err != nil {
		return nil, err
	}
	found, err := s.conn.Search(ldap.NewSearchRequest(s.groups, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		maxGroups, s.seconds(), false, filter, []string{"cn"}, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot search for groups below %s: %w", s.groups, err)
	}
	for _, e := range found.Entries {
		if cn := e.GetEqualFoldAttributeValue("cn"); cn != "" {
			groups = append(groups, cn)
		} else if dn, err := ldap.ParseDN(e.DN); err == nil && len(dn.RDNs) > 0 {
			groups = append(groups, first(dn))
		}
	}
	return groups, nil
}

// minions are the computers in each place that rights are given on, as ids.
func (s *session) minions() (map[string][]string, error) {
	all := map[string][]string{}
	for _, place := range s.places {
		found, err := s.conn.SearchWithPaging(ldap.NewSearchRequest(place, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
			0, s.seconds(), false, "(objectClass=computer)", []string{"cn"}, nil), pageSize)
		if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot search for computers below %s: %w", place, err)
		}
		if len(found.Entries) > maxMinions {
			return nil, fmt.Errorf("%s has %d computers, rights can be given on %d by a place: use a glob over ids",
				place, len(found.Entries), maxMinions)
		}
		for _, e := range found.Entries {
			if id := s.minion(e.GetEqualFoldAttributeValue("cn")); id != "" {
				all[place] = append(all[place], id)
			}
		}
	}
	return all, nil
}

// minion is the id that goes with the name of a computer; "" for a name that is no id.
func (s *session) minion(name string) string {
	id := strings.ToLower(name)
	for _, domain := range s.StripDomains {
		if rest, ok := strings.CutSuffix(id, strings.ToLower(domain)); ok {
			id = rest
			break
		}
	}
	if subject.CheckID(id) != nil {
		return ""
	}
	return id
}
