package lint

import (
	"fmt"
	"strings"

	"brine/proto/spell"
	"brine/states/jinja/python"
	"brine/states/plan"
	"brine/states/value"
)

// chunk takes in the warnings of a state, and the files that it names and the tree lacks.
func (c *checker) chunk(s *subject, n *plan.Chunk) {
	for _, text := range n.Warnings {
		c.findings.add(s.Name, mistake(plan.Errorf(n.Place, "state %q: %s", n.ID, text), Warning), n.Place)
	}
	for _, url := range c.lacking(n) {
		c.findings.add(s.Name, Finding{Severity: Warning, Message: fmt.Sprintf("state %q: there is no file %s in the tree", n.ID, url),
			Hint: c.files.near(url)}, n.Place)
	}
}

// lacking returns the sources of a state that are not in the tree; none when one of several is.
func (c *checker) lacking(n *plan.Chunk) []string {
	if n.Module != "file" {
		return nil
	}
	v, _ := n.Low.Get("source")
	items := []any{v}
	if list, ok := v.(*value.List); ok {
		items = list.Items
	}
	var lacking []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok || !strings.HasPrefix(text, "salt://") || strings.Contains(text, python.UnknownMark) || c.has(n, text) {
			return nil
		}
		lacking = append(lacking, text)
	}
	return lacking
}

func (c *checker) has(n *plan.Chunk, url string) bool {
	if n.Env != "" && n.Env != c.opts.Env && !strings.Contains(url, "?") {
		url += "?saltenv=" + n.Env
	}
	if t, path, err := c.files.find(url); err == nil && t.paths[path] != "" {
		if engine, _ := n.Low.Get("template"); engine == "jinja" {
			c.sources[t.prefix+path] = true
		}
		return true
	}
	below, _ := c.files.List(c.ctx, url)
	return len(below) > 0
}

// near names the file of the tree that is most like the one of a URL.
func (f *forest) near(rawURL string) string {
	t, path, err := f.find(rawURL)
	if err != nil {
		return ""
	}
	if near := spell.Nearest(path, t.Paths()); near != "" {
		return fmt.Sprintf("did you mean %q?", "salt://"+near)
	}
	return ""
}
