package subject

import "testing"

func TestNamesOfSignInsAreNeverThoseOfOtherOperators(t *testing.T) {
	for _, c := range []struct {
		name, via string
		ok        bool
	}{
		{"alice", "", true}, {"alice", "key", true}, {"ldap:alice", "ldap", true}, {"pam:a.b@c", "pam", true},
		{"ldap:alice", "", false}, {"ldap:alice", "key", false}, {"alice", "ldap", false}, {"pam:alice", "ldap", false},
		{"ldap:", "ldap", false}, {"ldap:a:b", "ldap", false}, {"ldap:a b", "ldap", false}, {":a", "", false}, {"x/y:a", "x/y", false},
	} {
		if err := CheckOperator(c.name, c.via); (err == nil) != c.ok {
			t.Errorf("%q via %q: got %v, want ok %v", c.name, c.via, err, c.ok)
		}
	}
}

func TestSignInSubjects(t *testing.T) {
	pub, err := ParseSignIn(SignInRequest("m.1", "UABC"))
	if err != nil || pub != "UABC" {
		t.Errorf("got %q, %v", pub, err)
	}
	for _, bad := range []string{"", "signin.req.m1", "signin.req.m1.", "signin.req.m1.U.x", "enrol.req.m1.U"} {
		if _, err := ParseSignIn(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
