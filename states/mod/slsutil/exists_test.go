package slsutil_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/slsutil"
	"brine/states/module"
	"brine/states/value"
)

func TestExists(t *testing.T) {
	h := hosttest.New(t)
	for _, url := range []string{"salt://map.jinja", "salt://a/map.jinja", "salt://a/b/c.txt", "salt://.hidden/x"} {
		h.Files.Serve(url, "x", 0o644)
	}
	x := module.NewIndex(slsutil.Module)
	for line, want := range map[string]string{
		"file_exists map.jinja":          `true`,
		"file_exists salt://a/b/c.txt":   `true`,
		"file_exists a":                  `false`,
		"file_exists map.jinja dev":      `false`,
		"dir_exists a/b/":                `true`,
		"dir_exists map.jinja":           `false`,
		"path_exists a":                  `true`,
		"path_exists a/b/c.txt":          `true`,
		"path_exists b":                  `false`,
		"findup a/b map.jinja":           `"a/map.jinja"`,
		"findup a/b/c.txt [x,map.jinja]": `"a/map.jinja"`,
		"findup a/b [x,c.txt,map.jinja]": `"a/b/c.txt"`,
		"findup .hidden map.jinja":       `"map.jinja"`,
		"findup a/b nosuch":              `cannot find nosuch in "a/b" and above it`,
		"findup nosuch map.jinja":        `cannot begin at "nosuch": the masters' files have no such path`,
		"findup '' a":                    `"a"`,
	} {
		words := strings.Fields(line)
		f, err := x.Func("slsutil." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}
