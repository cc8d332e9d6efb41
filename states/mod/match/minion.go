package match

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"brine/proto"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
)

// A minion is what targets ask about.
type minion struct {
	id             string
	grains, pillar *value.Dict
	groups         *value.Dict // nodegroups by name
}

// Targets returns what tells whether a target means the host; kind is the name of a function of this module, or
// nodegroup. It must not be called by two goroutines at once.
func Targets(ctx context.Context, h *host.Host) func(kind, target string) (bool, error) {
	m := newMinion(ctx, h, "")
	return func(kind, target string) (bool, error) { return m.matches(kind, target) }
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
		return m.named(proto.Target_GLOB, text)
	case "list":
		return m.named(proto.Target_LIST, text)
	case "pcre":
		return begins(text, m.id, 0)
	case "ipcidr":
		return m.ipcidr(text)
	case "nodegroup":
		return m.group(text, nil)
	}
	return m.nested(kind, text, ":")
}

// named asks a target that means ids alone.
func (m *minion) named(syntax proto.Target_Syntax, text string) (bool, error) {
	t, err := target.Parse(&proto.Target{Syntax: syntax, Expression: text})
	return err == nil && t.Match(target.Facts{ID: m.id}), err
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
			ok, bad := begins(pattern, v, regex.IgnoreCase)
			if bad != nil {
				err = bad
			}
			return ok
		}
	default:
		kinds := []string{"compound", "glob", "grain", "grain_pcre", "ipcidr", "list", "nodegroup", "pcre", "pillar",
			"pillar_exact", "pillar_pcre"}
		return false, fmt.Errorf("cannot match by %q%s: known are %s", kind, module.DidYouMean(kind, kinds), strings.Join(kinds, ", "))
	}
	if !strings.Contains(text, delimiter) {
		return false, fmt.Errorf("cannot read the target %q: want KEY%sVALUE", text, delimiter)
	}
	found := s.within(data, text)
	return found && err == nil, err
}

// begins says whether text begins with what a regular expression means, as Python's re.match does.
func begins(expr, text string, flags regex.Flags) (bool, error) {
	re, err := regex.Compile(expr, flags)
	if err != nil {
		return false, err
	}
	found, err := re.Find([]byte(text), 1)
	return len(found) > 0 && found[0][0] == 0, err
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
