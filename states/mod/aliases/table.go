package aliases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/mod/config"
	"brine/states/mod/file"
)

// A table is the file of aliases. Entries that are not changed stay as they are.
type table struct {
	file    string
	entries []entry
}

// An entry is an alias with the lines that continue it, or a line that says something else.
type entry struct {
	raw     string
	name    string // "" for another line
	target  string
	comment string // with the blanks before it
}

func load(ctx context.Context, h *host.Host) (*table, error) {
	t := &table{file: config.Option(ctx, h, "aliases.file")}
	if !filepath.IsAbs(t.file) {
		return nil, fmt.Errorf("cannot read the aliases: setting aliases.file: want an absolute path, got %q", t.file)
	}
	data, err := file.Get(h, t.file)
	if err != nil {
		return nil, err
	}
	for raw := range strings.Lines(string(data)) {
		raw = strings.TrimSuffix(raw, "\n")
		last := len(t.entries) - 1
		blank := strings.TrimSpace(raw) == ""
		if last >= 0 && t.entries[last].name != "" && !blank && (raw[0] == ' ' || raw[0] == '\t') {
			t.entries[last] = parse(t.entries[last].raw + "\n" + raw)
			continue
		}
		t.entries = append(t.entries, parse(raw))
	}
	return t, nil
}

// parse reads an entry. A name may be in quotes, and have a colon there.
func parse(raw string) entry {
	e := entry{raw: raw}
	name, rest, ok := cut(raw, ':')
	if name = strings.TrimSpace(name); !ok || name == "" || name[0] == '#' {
		return e
	}
	e.name = name
	var target []string
	for line := range strings.SplitSeq(rest, "\n") {
		text, comment, has := cutComment(line)
		if has {
			e.comment = comment
		}
		if text = strings.TrimSpace(text); text != "" {
			target = append(target, text)
		}
	}
	e.target = strings.Join(target, " ")
	return e
}

// cut splits text at the first sep outside of quotes.
func cut(text string, sep byte) (before, after string, ok bool) {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == sep && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// cutComment splits off a comment, which begins with # behind a blank.
func cutComment(line string) (text, comment string, ok bool) {
	before, _, ok := cut(line, '#')
	text = strings.TrimRight(before, " \t")
	if !ok || text == before && text != "" {
		return line, "", false
	}
	return text, line[len(text):], true
}

// find returns the entry of a name; nil when there is none. As with mail itself, case does not count.
func (t *table) find(name string) *entry {
	for i := range t.entries {
		if e := &t.entries[i]; e.name != "" && strings.EqualFold(e.name, name) {
			return e
		}
	}
	return nil
}

// set gives a name one entry with this target.
func (t *table) set(name, target string) {
	if e := t.find(name); e != nil {
		e.raw, e.target = e.name+": "+target+e.comment, target
	} else {
		t.entries = append(t.entries, entry{raw: name + ": " + target, name: name, target: target})
	}
	t.remove(name, 1)
}

// remove takes all entries of a name but the first keep away.
func (t *table) remove(name string, keep int) {
	var left []entry
	for _, e := range t.entries {
		if e.name != "" && strings.EqualFold(e.name, name) {
			if keep--; keep < 0 {
				continue
			}
		}
		left = append(left, e)
	}
	t.entries = left
}

// save writes the file, and lets the mail system read it.
func (t *table) save(ctx context.Context, h *host.Host) error {
	var b strings.Builder
	for _, e := range t.entries {
		b.WriteString(e.raw + "\n")
	}
	if err := file.Put(ctx, h, t.file, []byte(b.String()), 0o644); err != nil {
		return err
	}
	for _, dir := range filepath.SplitList(host.DefaultPath) {
		if _, err := os.Stat(h.Path(dir + "/newaliases")); err == nil {
			return newAliases(ctx, h)
		}
	}
	return nil
}

func newAliases(ctx context.Context, h *host.Host) error {
	argv := []string{"newaliases"}
	if !h.Real() {
		argv = append([]string{"chroot", h.Path("/")}, argv...)
	}
	if _, err := h.Run(ctx, argv...); err != nil {
		return errors.Join(errors.New("the file of aliases is written, but not read by the mail system"), err)
	}
	return nil
}
