package debconf_test

import (
	"testing"

	"brine/states/mod/debconf"
	"brine/states/module"
)

// FuzzFiles has any text for debconf's database and for a file of answers.
func FuzzFiles(f *testing.F) {
	f.Add(config, "a b string c\n")
	f.Add(templates, "a b \\\n\\\n")
	f.Add("Name: x\n\n", " \t#\n a\tb  seen true")
	f.Add(":\n:", "\\")
	f.Fuzz(func(t *testing.T, database, answers string) {
		d := newDebian(t)
		d.Write("/var/cache/debconf/config.dat", database)
		d.Files.Serve("salt://answers", answers, 0o644)
		s, err := module.NewIndex(debconf.Module).State("debconf.set_file")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words("name=x", "source=salt://answers"))
		if err != nil {
			t.Fatal(err)
		}
		if r := b.Run(t.Context(), d.Host.Host, true); r.Result == nil && r.Changes.Len() == 0 {
			t.Errorf("it would change, and tells nothing: %s", r.Comment)
		}
	})
}
