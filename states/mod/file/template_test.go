package file_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/render"
)

// TestApplyTemplate renders text with variables, of which context wins over defaults.
func TestApplyTemplate(t *testing.T) {
	f, err := module.NewIndex(file.Module).Func("file.apply_template_on_contents")
	if err != nil {
		t.Fatal(err)
	}
	h := hosttest.New(t)
	if _, err := f.Call(t.Context(), h.Host, module.Words("x", "jinja")); err == nil || err.Error() != "cannot render: this host has no engine for templates" {
		t.Errorf("got %v", err)
	}
	h.Render = render.New(h.Host, "base", nil)
	r, err := f.Call(t.Context(), h.Host, module.Words("{{ a }} {{ b }}\n", "jinja", "{a: 1}", "{a: 2, b: 3}", "base"))
	if err != nil || r.Value != "1 3\n" {
		t.Errorf("got %q, %v", r.Value, err)
	}
	if _, err := f.Call(t.Context(), h.Host, module.Words("{{ a", "jinja")); err == nil || !strings.Contains(err.Error(), "cannot render contents:1") {
		t.Errorf("got %v", err)
	}
	if _, err := f.Call(t.Context(), h.Host, module.Words("x", "mako")); err == nil || !strings.Contains(err.Error(), "mako") {
		t.Errorf("got %v", err)
	}
}
