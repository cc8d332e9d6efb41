package lab_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/master"
	"brine/minion"
	"brine/pki"
	"brine/scripts/lab"
)

// TestCheckConfigComparesClocks with those of the masters that answer.
func TestCheckConfigComparesClocks(t *testing.T) {
	t.Parallel()
	s := lab.Start(t, lab.SiteOptions{Minions: []string{"web1"}})
	m1, m2 := s.Masters["m1"], s.Masters["m2"]
	eventually(t, "web1 knows where the masters are", func() bool {
		data, err := os.ReadFile(minion.Layout{Root: s.HostRoot("web1")}.Masters())
		return err == nil && strings.Contains(string(data), m2.Addresses.Files)
	})
	check := func(what string, wantMaster, wantMinion string) {
		t.Helper()
		problems, warnings := master.CheckConfig(within(t), m1.Root, nil)
		said(t, what+": master", problems, warnings, wantMaster)
		problems, warnings = minion.CheckConfig(within(t), s.HostRoot("web1"), []string{
			"BRINE_CA_FINGERPRINT=" + s.Client.Config().CAFingerprint, "BRINE_ID=web1",
		})
		said(t, what+": minion", problems, warnings, wantMinion)
	}
	check("all is well", "", "")
	s.Stop("m2")
	check("m2 is away", "clock with that of master m2", "")
	id, err := pki.LoadIdentity(m2.Layout().State())
	must(t, err)
	l, err := tls.Listen("tcp", m2.Addresses.Files, pki.ServerTLS(id))
	must(t, err)
	wrong := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
	})}
	served := make(chan error, 1)
	go func() { served <- wrong.Serve(l) }()
	check("m2's clock is wrong", "clock of master m2 differs by ", "clock of master m2 differs by ")
	must(t, wrong.Close())
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	s.StartMaster("m2")
}

// said looks for a warning; what this machine says of its own clock does not count.
func said(t *testing.T, what string, problems, warnings []error, want string) {
	t.Helper()
	if len(problems) > 0 {
		t.Errorf("%s: got problems %v", what, problems)
	}
	warnings = slices.DeleteFunc(warnings, func(err error) bool { return strings.Contains(err.Error(), "nothing keeps this machine's clock right") })
	if want == "" && len(warnings) > 0 || want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].Error(), want)) {
		t.Errorf("%s: got warnings %v, want %q", what, warnings, want)
	}
}
