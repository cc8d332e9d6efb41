package match_test

import (
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/mod/match"
	"brine/states/value"
)

func TestByGrainsNamesWhatMinionsSayOfThemselves(t *testing.T) {
	h := &host.Host{Grains: value.NewDict("id", "web1"), Config: value.NewDict("nodegroups",
		value.NewDict("dbs", "G@role:db", "ids", "L@db1,db2", "both", "N@dbs or N@ids"))}
	for target, want := range map[string]string{
		"glob *": "", "list a,b": "", "pcre web.*": "", "compound web* and not L@web9": "", "nodegroup ids": "",
		"grain role:db": "grain role:db", "grain_pcre role:d.": "grain_pcre role:d.", "ipcidr 10.0.0.0/8": "ipcidr 10.0.0.0/8",
		"grain id:db1": "", "compound G@id:db1": "", "compound P@id:db.": "", "pillar role:db": "", "compound I@role:db": "",
		"compound web* and G@role:db": "G@role:db", "compound not P@role:d. or S@10.0.0.1": "P@role:d.|S@10.0.0.1",
		"nodegroup dbs": "G@role:db", "compound N@both": "G@role:db", "compound N@ids": "", "compound G@[": "",
	} {
		kind, text, _ := strings.Cut(target, " ")
		if got := strings.Join(match.ByGrains(t.Context(), h)(kind, text), "|"); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}
