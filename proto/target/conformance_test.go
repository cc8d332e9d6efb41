package target_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"brine/proto/target"
	"brine/states/regex"
)

// otherwise are the answers of Salt that ours differ from, and why.
var otherwise = map[string]string{
	"compound (web* or db*) and G@os:Debian": "parentheses may touch words; Salt takes them for a part of the glob and matches nobody",
	"compound (db*)":                         "likewise",
	"compound ((db*))":                       "likewise",
	"ipcidr fe80::aaaa%eth0":                 "an address as ip(8) shows it: the zone is a name of that host alone",
}

// refused are targets with mistakes that Salt passes over, as if nobody were meant by that part.
var refused = map[string]bool{
	"compound X@db* or db*":            true,
	"compound G@os or db*":             true,
	"compound S@not-an-address or db*": true,
}

type conformanceCase struct {
	Minion struct {
		ID                         string
		Grains, Pillar, Nodegroups target.JSON
	}
	Matcher string
	Expr    any
	Kwargs  struct{ Delimiter string }
	Result  any // true, or anything else for no
}

// cases are those of all files, each of which begins with the minion that is asked.
func cases(t *testing.T) []conformanceCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("BRINE_CONFORMANCE"), "testdata"), "targets*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, text...)
	}
	var all []conformanceCase
	for line := range bytes.Lines(data) {
		var c conformanceCase
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// TestConformance asks what real Salt answered. Where Salt silently matches
// nobody, a refusal is as good.
func TestConformance(t *testing.T) {
	passed, failed := 0, 0
	var minion conformanceCase
	for _, c := range cases(t) {
		if c.Minion.ID != "" {
			minion = c
			continue
		}
		id := fmt.Sprintf("%s %v", c.Matcher, c.Expr)
		got, err := minion.answer(c)
		if want := c.Result == true; got == want || otherwise[id] != "" && got != want && err == nil || refused[id] && want && err != nil {
			passed++
			continue
		}
		failed++
		t.Errorf("%s: got %v (%v), want %v", id, got, err, c.Result)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if passed == 0 {
		t.Error("no case was run")
	}
}

func (m conformanceCase) answer(c conformanceCase) (bool, error) {
	expr, isText := c.Expr.(string)
	if !isText {
		return false, fmt.Errorf("a target is text")
	}
	l := target.Language{Regexp: regex.Beginning, Groups: m.Minion.Nodegroups, Delimiter: c.Kwargs.Delimiter}
	t, err := l.Parse(c.Matcher, expr)
	if err != nil {
		return false, err
	}
	return t.Decide(target.Facts{ID: m.Minion.ID, Grains: m.Minion.Grains, Pillar: m.Minion.Pillar})
}
