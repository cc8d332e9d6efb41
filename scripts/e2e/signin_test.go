//go:build e2e

package e2e

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"brine/master/signin/signintest"
)

// saslauthd answers on a socket for users and their passwords until the script ends.
func saslauthd(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "saslauthd SOCKET USER=PASSWORD...")
	s, err := signintest.NewSASLAuthd(ts.MkAbs(args[0]), func(user, password, service string) string {
		for _, known := range args[1:] {
			if service == "brine" && known == user+"="+password {
				return "OK"
			}
		}
		return "NO PAM auth error"
	})
	ts.Check(err)
	ts.Defer(s.Close)
}

// directory serves entries over LDAP until the script ends, and puts its address into a variable. A line of the file is
// a DN, a tab, and attributes: name=value, with tabs between them.
func directory(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "directory FILE VAR")
	var entries []signintest.Entry
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		e := signintest.Entry{DN: fields[0], Attributes: map[string][]string{}}
		for _, f := range fields[1:] {
			name, value, _ := strings.Cut(f, "=")
			e.Attributes[name] = append(e.Attributes[name], value)
		}
		entries = append(entries, e)
	}
	d, err := signintest.NewDirectory(entries, nil, false)
	ts.Check(err)
	ts.Defer(d.Close)
	ts.Setenv(args[1], d.Addr)
}
