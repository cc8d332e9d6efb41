package pillar

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"brine/states/value"
)

const (
	masked       = "********" // stands for a secret
	shortSecret  = 4          // bytes that a value which was decrypted has at least: shorter ones would hide half of every text
	shortNamed   = 6          // likewise, of one whose key says that it is a secret
	leastNamed   = 3          // bytes that a shorter one has at least, to be hidden where the name of a secret stands before it
	shortLine    = 8          // likewise, of a line of a secret that has several
	mostSecrets  = 5000       // texts that are looked for; beyond it the longest count
	fewestBase64 = 6          // bytes that are looked for in base64 too
)

// A Mask hides secrets in what a minion returns: values of its pillar that were decrypted, or whose keys say that they
// are secrets. It remembers those it was told before, which may still stand in files, and so in diffs. The zero Mask hides
// nothing. Safe for concurrent use.
type Mask struct {
	mu    sync.Mutex // guards the fields below
	texts map[string]bool
	short map[string]bool // texts that are too short to be looked for without a name
	cover *cover          // of all texts; nil when some are new
}

// Add adds the secrets of a pillar; opened are values that were decrypted.
func (m *Mask) Add(d *value.Dict, opened ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.texts) > mostSecrets {
		clear(m.texts)
		clear(m.short)
	}
	for _, text := range opened {
		m.add(text, shortSecret)
	}
	m.walk(d, false)
}

// AddText adds a text that is a secret whatever it is.
func (m *Mask) AddText(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(text, shortSecret)
}

// walk adds what is in data. Call it with mu held.
func (m *Mask) walk(v any, secret bool) {
	switch v := v.(type) {
	case *value.Dict:
		for k, item := range v.All() {
			name := fmt.Sprint(k)
			m.walk(item, secretName(name) || secret && !plainName(name))
		}
	case *value.List:
		for _, item := range v.Items {
			m.walk(item, secret)
		}
	case string:
		if secret && !plainValue(v) {
			m.add(v, shortNamed)
			m.addShort(v)
		}
	case int64:
		if secret {
			m.add(strconv.FormatInt(v, 10), shortNamed)
		}
	}
}

// add adds a text, and each line of it: a diff or an indented template shows them apart. Call it with mu held.
func (m *Mask) add(text string, least int) {
	if text = strings.TrimSpace(text); len(text) < least || m.texts[text] {
		return
	}
	if m.texts == nil {
		m.texts = map[string]bool{}
	}
	m.cover = nil
	m.texts[text] = true
	if len(text) >= fewestBase64 {
		m.texts[base64.StdEncoding.EncodeToString([]byte(text))] = true
		m.texts[base64.StdEncoding.EncodeToString([]byte(text+"\n"))] = true // as printed by a command
	}
	if quoted, err := value.MarshalJSON(text); err == nil {
		m.texts[string(quoted[1:len(quoted)-1])] = true
	}
	if !strings.Contains(text, "\n") {
		return
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= shortLine && !strings.HasPrefix(line, "-----") {
			m.texts[line] = true
		}
	}
}

// addShort adds a text that only a name before it makes a secret. Call it with mu held.
func (m *Mask) addShort(text string) {
	if text = strings.TrimSpace(text); len(text) < leastNamed || len(text) >= shortNamed || plainWord(text) || m.short[text] {
		return
	}
	if m.short == nil {
		m.short = map[string]bool{}
	}
	m.short[text], m.cover = true, nil
}

// plainWord says that a value says how a secret is dealt with, as in PasswordAuthentication: 'yes'.
func plainWord(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "true", "false", "none", "null", "auto", "never", "plain", "crypt", "md5", "sha1", "off", "allow", "deny":
		return true
	}
	return false
}

// now is what hides all that the mask knows.
func (m *Mask) now() *cover {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cover != nil {
		return m.cover
	}
	m.cover = &cover{short: maps.Clone(m.short)}
	if len(m.texts)+len(m.short) > 0 {
		all := slices.SortedFunc(maps.Keys(m.texts), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) // one that contains another goes first
		})
		var pairs []string
		for _, t := range all[:min(len(all), mostSecrets)] {
			pairs = append(pairs, t, masked)
		}
		m.cover.replacer = strings.NewReplacer(pairs...)
	}
	return m.cover
}

// Text returns a text without secrets. Of a unified diff also lines go that most likely hold a secret as it was before:
// those whose place a line with a secret takes, and those that go and say themselves that they hold one.
func (m *Mask) Text(text string) string { return m.now().text(text) }

// Value returns a value without secrets.
func (m *Mask) Value(v any) any { return m.now().value(v) }

// Result returns the result of a state without secrets.
func (m *Mask) Result(d *value.Dict) *value.Dict {
	if c := m.now(); c.replacer != nil {
		return c.dict(d, false)
	}
	return d
}

// Results returns the results of states without secrets.
func (m *Mask) Results(results *value.Dict) *value.Dict {
	c := m.now()
	if c.replacer == nil {
		return results
	}
	out := &value.Dict{}
	for tag, v := range results.All() {
		if d, ok := v.(*value.Dict); ok {
			v = c.dict(d, false)
		}
		_ = out.Set(free(out, c.value(tag)), v)
	}
	return out
}

// Opened are those values of a pillar that were decrypted, in their order.
func Opened(d *value.Dict, opened map[string]bool) []string {
	if len(opened) == 0 {
		return nil
	}
	return within(d, opened, nil)
}

func within(v any, opened map[string]bool, all []string) []string {
	switch v := v.(type) {
	case *value.Dict:
		for _, item := range v.All() {
			all = within(item, opened, all)
		}
	case *value.List:
		for _, item := range v.Items {
			all = within(item, opened, all)
		}
	case string:
		if opened[v] {
			all = append(all, v)
		}
	}
	return all
}
