package postgres_test

import (
	"bytes"
	"encoding/csv"
	"testing"

	"brine/states/mod/postgres"
	"brine/states/module"
	"brine/states/value"
)

// FuzzAnswers gives psql_query any answer, and compares what it makes of one that is CSV with what was written.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{"", "a", "a,b\n1,2\n", "a\n\"x\"\"y\n\"\n", "a,b\n1,\n", "a,b\n,\n", "\"", "a,\"b", "\"a\"b,c\n", "\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newServer(t)
		s.Write(catalogues+"SELECT 1", text)
		query, err := module.NewIndex(postgres.Module).Func("postgres.psql_query")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := query.Call(t.Context(), s.Host.Host, module.Words("SELECT 1")); err != nil && text != "" && text[0] != '\n' {
			t.Logf("refused: %v", err)
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll([][]string{{"one", "two"}, {text, "end"}, {"end", text}}); err != nil {
			return
		}
		s.Write(catalogues+"SELECT 1", b.String())
		r, err := query.Call(t.Context(), s.Host.Host, module.Words("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		rows := r.Value.(*value.List).Items
		if len(rows) != 2 {
			t.Fatalf("%q: got %d rows", b.String(), len(rows))
		}
		for i, column := range []string{"one", "two"} {
			if got, _ := rows[i].(*value.Dict).Get(column); got != text {
				t.Errorf("%q: got %q, want %q", b.String(), got, text)
			}
		}
	})
}
