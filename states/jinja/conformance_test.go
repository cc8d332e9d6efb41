package jinja_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/states/jinja"
	"brine/states/value"
)

// A conformanceCase is a template with what Salt makes of it.
type conformanceCase struct {
	ID       string            `json:"id"`
	Template string            `json:"template"`
	Context  json.RawMessage   `json:"context"`
	Files    map[string]string `json:"files"`
	Settings struct {
		TrimBlocks     bool `json:"jinja_trim_blocks"`
		LstripBlocks   bool `json:"jinja_lstrip_blocks"`
		AllowUndefined bool `json:"allow_undefined"`
	} `json:"settings"`
	SLS     string  `json:"sls"`
	SLSPath string  `json:"sls_path"`
	Expect  *string `json:"expect"`
	Error   string  `json:"error"`
	Message string  `json:"message"`
	Line    int     `json:"line"`
}

// readCases reads the cases in the directory that BRINE_CONFORMANCE names, or our copy of them.
func readCases(t testing.TB) []conformanceCase {
	dir := os.Getenv("BRINE_CONFORMANCE")
	if dir == "" {
		dir = "testdata"
	}
	f, err := os.Open(filepath.Join(dir, "jinja.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []conformanceCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c conformanceCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestConformance(t *testing.T) {
	var failed []string
	cases := readCases(t)
	for _, c := range cases {
		if problem := c.check(); problem != "" {
			failed = append(failed, c.ID)
			t.Errorf("%s: %q\n%s", c.ID, c.Template, problem)
		}
	}
	fmt.Printf("%d passed, %d failed %s\n", len(cases)-len(failed), len(failed), strings.Join(failed, " "))
}

// check renders the case and says what is wrong.
func (c *conformanceCase) check() string {
	out, err := c.render()
	if err == nil {
		switch {
		case c.Expect == nil:
			return fmt.Sprintf("got  %q\nwant error %s: %s", out, c.Error, c.Message)
		case out != *c.Expect:
			return fmt.Sprintf("got  %q\nwant %q", out, *c.Expect)
		}
		return ""
	}
	var e *jinja.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("got %T: %v, want a *jinja.Error", err, err)
	}
	kind := map[jinja.Kind]string{jinja.Undefined: "undefined", jinja.Syntax: "syntax"}[e.Kind]
	if kind == "" {
		kind = "error"
	}
	switch {
	case c.Expect != nil:
		return fmt.Sprintf("got  %v\nwant %q", err, *c.Expect)
	case kind != c.Error:
		return fmt.Sprintf("got  %s: %v\nwant %s: %s", kind, err, c.Error, c.Message)
	case kind == "undefined" && e.Message() != c.Message:
		return fmt.Sprintf("got  %s\nwant %s", e.Message(), c.Message)
	case c.Line > 0 && e.Line != c.Line:
		return fmt.Sprintf("got line %d, want %d: %v", e.Line, c.Line, err)
	}
	return ""
}

func (c *conformanceCase) render() (string, error) {
	data, err := value.FromJSON(c.Context)
	if err != nil {
		return "", err
	}
	vars := map[string]any{}
	for k, v := range data.(*value.Dict).All() {
		vars[k.(string)] = v
	}
	for _, name := range []string{"grains", "pillar", "opts"} {
		if vars[name] == nil {
			vars[name] = &value.Dict{}
		}
	}
	name := "template"
	if c.SLSPath != "" {
		name = c.SLSPath
		slsVars(vars, c.SLS, c.SLSPath)
	}
	salt := &saltFunctions{
		grains: vars["grains"].(*value.Dict), pillar: vars["pillar"].(*value.Dict), opts: vars["opts"].(*value.Dict),
	}
	env := jinja.Env{
		Load: func(_ context.Context, path string) (string, error) {
			text, ok := c.Files[path]
			if !ok {
				return "", fs.ErrNotExist
			}
			return text, nil
		},
		Call: salt.call, Has: salt.has,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
	settings := jinja.Settings{
		TrimBlocks: c.Settings.TrimBlocks, LstripBlocks: c.Settings.LstripBlocks, AllowUndefined: c.Settings.AllowUndefined,
	}
	t, err := new(jinja.Engine).Parse(name, c.Template, settings)
	if err != nil {
		return "", err
	}
	return t.Render(context.Background(), env, vars)
}

// slsVars sets the variables that Salt gives the template of an SLS.
func slsVars(vars map[string]any, sls, file string) {
	dir := path.Dir(file)
	slspath := strings.TrimPrefix(dir, ".")
	vars["sls"] = sls
	vars["tplfile"] = file
	vars["tpldir"] = dir
	vars["tpldot"] = strings.ReplaceAll(slspath, "/", ".")
	vars["slspath"] = slspath
	vars["slsdotpath"] = strings.ReplaceAll(slspath, "/", ".")
	vars["slscolonpath"] = strings.ReplaceAll(slspath, "/", ":")
	vars["sls_path"] = strings.ReplaceAll(slspath, "/", "_")
}
