package pillar

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"brine/states/value"
)

const (
	masked       = "********" // stands for a secret
	shortSecret  = 4          // bytes that a value which was decrypted has at least: shorter ones would hide half of every text
	shortNamed   = 6          // likewise, of one whose key says that it is a secret
	shortLine    = 8          // likewise, of a line of a secret that has several
	mostSecrets  = 5000       // texts that are looked for; beyond it the longest count
	fewestBase64 = 6          // bytes that are looked for in base64 too
)

// A Mask hides secrets in what a minion returns: values of its pillar that were decrypted, or whose keys say that they
// are secrets. The zero Mask hides nothing. It is used by one goroutine while it grows.
type Mask struct {
	texts    map[string]bool
	replacer *strings.Replacer // of all texts; nil when there are none, or some are new
}

// Add adds the secrets of a pillar; opened are values that were decrypted.
func (m *Mask) Add(d *value.Dict, opened map[string]bool) { m.walk(d, false, opened) }

// AddText adds a text that is a secret whatever it is.
func (m *Mask) AddText(text string) { m.add(text, shortSecret) }

// Opened are those values of a pillar that were decrypted, in their order.
func Opened(d *value.Dict, opened map[string]bool) []string {
	var all []string
	if len(opened) > 0 {
		all = within(d, opened, nil)
	}
	return all
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

func (m *Mask) walk(v any, secret bool, opened map[string]bool) {
	switch v := v.(type) {
	case *value.Dict:
		for k, item := range v.All() {
			name := fmt.Sprint(k)
			m.walk(item, secretName(name) || secret && !plainName(name), opened)
		}
	case *value.List:
		for _, item := range v.Items {
			m.walk(item, secret, opened)
		}
	case string:
		switch {
		case opened[v]:
			m.AddText(v)
		case secret && !plainValue(v):
			m.add(v, shortNamed)
		}
	case int64:
		if secret {
			m.add(strconv.FormatInt(v, 10), shortNamed)
		}
	}
}

// add adds a text, and each line of it: a diff or an indented template shows them apart.
func (m *Mask) add(text string, least int) {
	text = strings.TrimSpace(text)
	if len(text) < least {
		return
	}
	if m.texts == nil {
		m.texts = map[string]bool{}
	}
	m.replacer = nil
	m.texts[text] = true
	if len(text) >= fewestBase64 {
		m.texts[base64.StdEncoding.EncodeToString([]byte(text))] = true
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

// hide replaces all secrets in a text.
func (m *Mask) hide(text string) string {
	if len(m.texts) == 0 {
		return text
	}
	if m.replacer == nil {
		all := slices.SortedFunc(maps.Keys(m.texts), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) // one that contains another goes first
		})
		var pairs []string
		for _, t := range all[:min(len(all), mostSecrets)] {
			pairs = append(pairs, t, masked)
		}
		m.replacer = strings.NewReplacer(pairs...)
	}
	return m.replacer.Replace(text)
}

// Text returns a text without secrets. Of a unified diff also lines go whose places a line with a secret takes: they most
// likely hold the one before.
func (m *Mask) Text(text string) string {
	hidden := m.hide(text)
	if hidden == text || !strings.HasPrefix(text, "--- ") {
		return hidden
	}
	return m.diff(strings.SplitAfter(text, "\n"))
}

// Value returns a value without secrets; what has none in it is not copied.
func (m *Mask) Value(v any) any {
	if len(m.texts) == 0 {
		return v
	}
	switch v := v.(type) {
	case string:
		return m.Text(v)
	case []byte:
		return []byte(m.Text(string(v)))
	case *value.List:
		return &value.List{Items: m.items(v.Items)}
	case value.Tuple:
		return value.Tuple(m.items(v))
	case *value.Set:
		return value.NewSet(m.items(v.Items())...)
	case *value.Dict:
		return m.dict(v, true)
	}
	return v
}

func (m *Mask) items(items []any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = m.Value(item)
	}
	return out
}

// dict hides the values of a dict, and its keys where they are data. Where a value is new, the one before goes too.
func (m *Mask) dict(d *value.Dict, keys bool) *value.Dict {
	out := &value.Dict{Ordered: d.Ordered}
	for k, v := range d.All() {
		if keys {
			k = free(out, m.Value(k))
		}
		_ = out.Set(k, m.Value(v)) // it was a key already
	}
	for _, pair := range [][2]string{{"old", "new"}, {"before", "after"}} {
		_, had := d.Get(pair[0])
		if v, ok := d.Get(pair[1]); ok && had && !value.Equal(v, m.Value(v)) {
			out.Put(pair[0], masked)
		}
	}
	return out
}

// free is a key that a dict has not yet: two may be the same without their secrets.
func free(d *value.Dict, key any) any {
	text, ok := key.(string)
	for i := 2; ok; i++ {
		if _, taken := d.Get(key); !taken {
			break
		}
		key = fmt.Sprintf("%s (%d)", text, i)
	}
	return key
}

// Result returns the result of a state without secrets.
func (m *Mask) Result(d *value.Dict) *value.Dict {
	if len(m.texts) == 0 {
		return d
	}
	return m.dict(d, false)
}

// Results returns the results of states without secrets.
func (m *Mask) Results(results *value.Dict) *value.Dict {
	if len(m.texts) == 0 {
		return results
	}
	out := &value.Dict{}
	for tag, v := range results.All() {
		if d, ok := v.(*value.Dict); ok {
			v = m.dict(d, false)
		}
		_ = out.Set(free(out, m.Value(tag)), v)
	}
	return out
}
