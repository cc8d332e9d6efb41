package match

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A minion is what targets ask about.
type minion struct {
	id             string
	grains, pillar *value.Dict
	groups         *value.Dict // nodegroups by name
}

func newMinion(ctx context.Context, h *host.Host, id string) *minion {
	m := &minion{id: id, grains: h.Grains, pillar: h.Pillar}
	if h.Facts != nil {
		m.grains = h.Facts.Now(ctx)
	}
	if m.id == "" {
		own, _ := m.grains.Get("id")
		m.id, _ = own.(string)
	}
	groups, _ := h.Config.Get("nodegroups")
	m.groups, _ = groups.(*value.Dict)
	return m
}

// matches asks a target of a kind.
func (m *minion) matches(kind string, tgt any) (bool, error) {
	if list, ok := tgt.(*value.List); ok && kind == "list" {
		return slices.Contains(list.Items, any(m.id)), nil
	}
	text, err := module.Data(tgt).Str()
	if err != nil {
		return false, fmt.Errorf("cannot match: the target: %w", err)
	}
	switch kind {
	case "compound":
		return m.compound(text, nil)
	case "glob":
		g, err := target.ParseGlob(text)
		return err == nil && g.Match(m.id), err
	case "list":
		return slices.Contains(strings.Split(text, ","), m.id), nil
	case "pcre":
		re, err := compile(text, "")
		return err == nil && re.MatchString(m.id), err
	case "ipcidr":
		return m.ipcidr(text)
	case "nodegroup":
		return m.group(text, nil)
	}
	return m.nested(kind, text, ":")
}

func (m *minion) nested(kind, text, delimiter string) (bool, error) {
	data := m.grains
	if strings.HasPrefix(kind, "pillar") {
		data = m.pillar
	}
	s := search{delimiter: delimiter}
	var err error
	switch kind {
	case "grain", "pillar":
		s.fits = func(pattern, v string) bool { return glob(pattern, v) }
	case "pillar_exact":
		s.fits = func(pattern, v string) bool { return pattern == v }
	case "grain_pcre", "pillar_pcre":
		s.fits = func(pattern, v string) bool {
			re, bad := compile(pattern, "i")
			if bad != nil {
				err = bad
				return false
			}
			return re.MatchString(v)
		}
	default:
		kinds := []string{"compound", "glob", "grain", "grain_pcre", "ipcidr", "list", "pcre", "pillar",
			"pillar_exact", "pillar_pcre"}
		return false, fmt.Errorf("cannot match by %q%s: known are %s", kind, module.DidYouMean(kind, kinds), strings.Join(kinds, ", "))
	}
	found := s.within(data, text)
	return found && err == nil, err
}

// compile makes what Python's re.match does: it is anchored at the start alone.
func compile(pattern, flags string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("^(?s" + flags + ":" + pattern + ")")
	if err != nil {
		return nil, fmt.Errorf("cannot read the regular expression %q: %v", pattern, err)
	}
	return re, nil
}

// glob takes capital and small letters for the same, as Salt does in grains and pillar.
func glob(pattern, v string) bool {
	g, err := target.ParseGlob(strings.ToLower(pattern))
	return err == nil && g.Match(strings.ToLower(v))
}

func (m *minion) ipcidr(text string) (bool, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, bad := netip.ParseAddr(text)
		if bad != nil {
			return false, fmt.Errorf("cannot match: %q is no address and no network", text)
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	name := "ipv6"
	if network.Addr().Is4() {
		name = "ipv4"
	}
	own, _ := m.grains.Get(name)
	list, _ := own.(*value.List)
	if list == nil {
		return false, nil
	}
	for _, v := range list.Items {
		if s, ok := v.(string); ok {
			if addr, err := netip.ParseAddr(s); err == nil && network.Contains(addr) {
				return true, nil
			}
		}
	}
	return false, nil
}

// A search looks for KEY:PATTERN in nested data, where the key and the pattern may hold the delimiter too.
type search struct {
	delimiter string
	fits      func(pattern, v string) bool
}

func (s search) within(data *value.Dict, text string) bool {
	parts := strings.Split(text, s.delimiter)
	for i := len(parts) - 1; i > 0; i-- {
		key, pattern := strings.Join(parts[:i], s.delimiter), strings.Join(parts[i:], s.delimiter)
		if key == "*" { // everything under the top
			if s.inDict(data, text) {
				return true
			}
			continue
		}
		if v, ok := value.Lookup(data, key, s.delimiter); ok && s.in(v, pattern) {
			return true
		}
	}
	return false
}

func (s search) in(v any, pattern string) bool {
	switch v := v.(type) {
	case *value.Dict:
		return v.Len() > 0 && s.inDict(v, pattern)
	case *value.List:
		for _, item := range v.Items {
			if d, ok := item.(*value.Dict); ok && s.inDict(d, pattern) || s.fits(pattern, text(item)) {
				return true
			}
		}
		return false
	}
	return s.fits(pattern, text(v))
}

func (s search) inDict(d *value.Dict, pattern string) bool {
	pattern, all := strings.CutPrefix(pattern, "*"+s.delimiter)
	if _, ok := d.Get(pattern); ok || pattern == "*" || s.within(d, pattern) {
		return true
	}
	if !all {
		return false
	}
	for _, v := range d.All() {
		if inner, ok := v.(*value.Dict); ok && s.inDict(inner, pattern) || !ok && s.in(v, pattern) {
			return true
		}
	}
	return false
}

// text is a value as Python writes it, as far as one can be asked for.
func text(v any) string {
	if v == nil {
		return "None"
	}
	s, _ := module.Data(v).Str()
	return s
}
