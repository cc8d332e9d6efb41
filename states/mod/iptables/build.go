package iptables

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/module"
)

// A builder makes the words of a rule from options as state files write them.
type builder struct {
	args     []module.Arg
	words    []word
	protocol bool
	errs     []error
}

// build makes a rule: what must stand first, then the other options in the order given, and last the jump with its own.
func build(args []module.Arg) ([]word, error) {
	b := &builder{args: slices.Clone(args)}
	for _, drop := range []string{"name", "state"} {
		b.take(drop)
	}
	b.interfaces()
	b.matches()
	b.sets()
	b.states()
	b.ports()
	b.comment()
	jump := b.jump()
	for len(b.args) > 0 {
		b.option(b.args[0].Name, b.args[0].Name)
	}
	return append(b.words, jump...), errors.Join(b.errs...)
}

// take takes an option out of those that are left.
func (b *builder) take(name string) (module.Value, bool) {
	i := slices.IndexFunc(b.args, func(a module.Arg) bool { return a.Name == name })
	if i < 0 {
		return module.Value{}, false
	}
	v := b.args[i].Value
	b.args = slices.Delete(b.args, i, i+1)
	return v, true
}

func (b *builder) fail(name string, err error) {
	b.errs = append(b.errs, fmt.Errorf("argument %q: %w", name, err))
}

// text is an option's value; a list is one with commas. Given is false where a flag is false.
func (b *builder) text(name string, v module.Value) (text string, given bool) {
	if set, is := v.Data.(bool); is {
		return "", set
	}
	if v.Data == nil {
		return "", true
	}
	var parts []string
	for _, item := range v.Each() {
		part, err := item.Str()
		if err != nil {
			b.fail(name, v.Want("text"))
			return "", false
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), true
}

// negated takes the mark of what must not match off: "!" or "not".
func negated(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "!"); ok {
		return strings.TrimSpace(rest), true
	}
	rest, ok := strings.CutPrefix(text, "not")
	if !ok || rest == "" || rest[0] != ' ' && (rest[0] < '0' || rest[0] > '9') {
		return text, false
	}
	return strings.TrimSpace(rest), true
}

// option adds an option that is left, as flag; its value may be several words.
func (b *builder) option(name, flag string) {
	v, ok := b.take(name)
	if !ok {
		return
	}
	text, given := b.text(name, v)
	if name == "source" || name == "destination" {
		text = strings.ReplaceAll(text, ", ", ",")
	}
	if given {
		b.put(name, flag, text)
	}
}

func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

func (b *builder) put(name, flag, text string) {
	text, not := negated(text)
	values, err := split(text)
	if err != nil {
		b.fail(name, err)
	}
	if not {
		b.words = append(b.words, plain("!")...)
	}
	b.words = append(append(b.words, plain(dashed(flag))...), values...)
}

func (b *builder) interfaces() {
	b.option("if", "i")
	b.option("of", "o")
}

// matches adds the protocol and the extensions.
func (b *builder) matches() {
	match, _ := b.take("match")
	names, err := match.Split("names of matches")
	if match.Data == nil {
		names = nil
	} else if err != nil {
		b.fail("match", err)
	}
	policy := len(names) == 1 && names[0] == "policy"
	for _, name := range []string{"proto", "protocol"} {
		if i := slices.IndexFunc(b.args, func(a module.Arg) bool { return a.Name == name }); i >= 0 && !(policy && name == "proto") {
			if b.protocol {
				b.fail(name, errors.New(`"proto" and "protocol" are the same: give one`))
			}
			b.option(name, "p")
			b.protocol = true
		}
	}
	for _, name := range names {
		words, err := split(name)
		if err != nil {
			b.fail("match", err)
		}
		b.words = append(append(b.words, plain("-m")...), words...)
		if name == "pknock" || name == "quota2" || name == "recent" {
			b.option("name_", "name")
		}
	}
	if policy {
		b.option("proto", "proto")
	}
	b.option("name_", "name")
}

// extension adds a match that an option needs, unless it is there.
func (b *builder) extension(name string) {
	for i := 1; i < len(b.words); i++ {
		if b.words[i-1].text == "-m" && b.words[i].text == name {
			return
		}
	}
	b.words = append(b.words, plain("-m", name)...)
}

// sets adds matches of sets of addresses, each with a match of its own.
func (b *builder) sets() {
	v, ok := b.take("match-set")
	if !ok {
		return
	}
	for i, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			b.fail("match-set", v.Want("a set with its directions"))
			continue
		}
		if i == 0 {
			b.extension("set")
		} else {
			b.words = append(b.words, plain("-m", "set")...)
		}
		b.put("match-set", "match-set", text)
	}
}

func (b *builder) states() {
	if v, ok := b.take("connstate"); ok {
		text, _ := b.text("connstate", v)
		b.extension("state")
		b.put("connstate", "state", strings.ReplaceAll(text, ", ", ","))
	}
}

func (b *builder) ports() {
	b.option("dport", "dport")
	b.option("sport", "sport")
	for _, name := range []string{"dports", "sports"} {
		v, ok := b.take(name)
		if !ok {
			continue
		}
		if !b.protocol {
			b.fail(name, errors.New(`the protocol is missing: give "proto"`))
		}
		b.extension("multiport")
		ports, err := v.Split("ports")
		if err != nil {
			b.fail(name, err)
		}
		not := false
		for i, port := range ports {
			bare, is := negated(port)
			ports[i], not = bare, not || is
		}
		text := strings.Join(ports, ",")
		if not {
			text = "!" + text
		}
		b.put(name, name, text)
	}
}

func (b *builder) comment() {
	if v, ok := b.take("comment"); ok {
		text, err := v.Str()
		if err != nil || strings.ContainsAny(text, "\n\r") {
			b.fail("comment", v.Want("text in one line"))
		}
		b.extension("comment")
		b.words = append(b.words, word{text: "--comment"}, word{text, true})
	}
	if i := slices.IndexFunc(b.args, func(a module.Arg) bool { return a.Name == "set" }); i >= 0 {
		if text, _ := b.text("set", b.args[i].Value); text != "" {
			b.option("set", "match-set")
		}
	}
}

// jump makes the words of the target and its options.
func (b *builder) jump() []word {
	var words []word
	for _, name := range []string{"target", "j", "jump"} {
		if v, ok := b.take(name); ok {
			words = append(words, b.target("jump", v)...)
		}
	}
	known := strings.Fields(afterJump)
	for _, name := range known {
		if v, ok := b.take(name); ok {
			words = append(words, b.target(name, v)...)
		}
	}
	return words
}

func (b *builder) target(name string, v module.Value) []word {
	text, given := b.text(name, v)
	switch {
	case !given:
		return nil
	case text == "":
		return plain(dashed(name))
	}
	return plain(dashed(name), text)
}

// afterJump are the options of targets, which have to follow the target: those of the iptables-extensions manual
// and of the xtables-addons, in the order in which they are written.
const afterJump = `
	add-set and-mark and-tos checksum-fill clamp-mss-to-pmtu clustermac ctevents ctmask del-set ecn-tcp-remove exist
	expevents gateway hash-init hashmode helper label local-node log-ip-options log-level log-prefix log-tcp-options
	log-tcp-sequence log-uid mask new nfmask nflog-group nflog-prefix nflog-range nflog-size nflog-threshold nodst notrack
	on-ip on-port or-mark or-tos persistent queue-balance queue-bypass queue-num random random-fully rateest-ewmalog
	rateest-interval rateest-name reject-with restore restore-mark save-mark selctx set-class set-dscp set-dscp-class
	set-mark set-mss set-tos set-xmark strip-options timeout to to-destination to-ports to-source total-nodes tproxy-mark
	ttl-dec ttl-inc ttl-set type ulog-cprange ulog-nlgroup ulog-prefix ulog-qthreshold xor-mark xor-tos zone dst-pfx hl-dec
	hl-inc hl-set hmark-dport-mask hmark-dst-prefix hmark-mod hmark-offset hmark-proto-mask hmark-rnd hmark-spi-mask
	hmark-sport-mask hmark-src-prefix hmark-tuple led-always-blink led-delay led-trigger-id queue-cpu-fanout src-pfx
	to-port addr and-mask delude honeypot or-mask prefix reset reuse set-mac shift static tarpit tname ttl`
