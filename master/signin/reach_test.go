package signin_test

import (
	"path/filepath"
	"strings"
	"testing"

	"brine/master/signin"
)

func TestWhatCannotBeAskedIsTold(t *testing.T) {
	good, gone := searching(t, directory(t, nil, false).Addr), directory(t, nil, false)
	gone.Close()
	wrong := searching(t, strings.TrimPrefix(good.URI[0], "ldap://"))
	wrong.BindPWFile = secret(t, "not the password")
	away := good
	away.URI = []string{"ldap://" + gone.Addr, good.URI[0]}
	for name, c := range map[string]struct {
		auth signin.Auth
		pam  bool
		want string // "" for nothing
	}{
		"there":          {auth: signin.Auth{LDAP: good}},
		"wrong password": {auth: signin.Auth{LDAP: wrong}, want: "cannot sign in as cn=search,dc=example,dc=com to search"},
		"one away":       {auth: signin.Auth{LDAP: away}, want: "cannot ask ldap://" + gone.Addr},
		"no saslauthd":   {auth: signin.Auth{PAM: signin.PAM{Socket: filepath.Join(t.TempDir(), "mux")}}, pam: true, want: "cannot reach saslauthd"},
	} {
		conf := &signin.Config{Auth: c.auth}
		if c.pam {
			conf.ExternalAuth.PAM = everyone()
		} else {
			conf.ExternalAuth.LDAP = everyone()
		}
		got := conf.Reach(t.Context())
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, got, c.want)
		}
	}
}
