package iptables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
)

// family is the version of the internet protocol that rules are of.
type family string

func (*family) ArgType() string { return "ipv4 or ipv6" }

// ParseArg implements module.ArgParser.
func (f *family) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil || text != "ipv4" && text != "ipv6" {
		return v.Want("ipv4 or ipv6")
	}
	*f = family(text)
	return nil
}

func (f family) ipv6() bool { return f == "ipv6" }

// program is the command of a family.
func (f family) program() string {
	if f.ipv6() {
		return "ip6tables"
	}
	return "iptables"
}

// A snapshot is all rules of a family at one moment.
type snapshot struct {
	text  string
	rules saved
}

// now returns the rules as the kernel has them; many states of a run ask iptables-save once.
func now(ctx context.Context, h *host.Host, f family) (snapshot, error) {
	return host.Remember(h.Memo, f, time.Minute, func() (snapshot, error) { return list(ctx, h, f) })
}

// list asks iptables-save. Steps do, as what is remembered is of before them.
func list(ctx context.Context, h *host.Host, f family) (snapshot, error) {
	text, err := run(ctx, h, f.program()+"-save", noLoader)
	if err != nil {
		return snapshot{}, fmt.Errorf("cannot list the rules of %s: %w", f, err)
	}
	rules, err := parse(text, f.ipv6())
	return snapshot{text, rules}, err
}

// run runs a command and returns what it wrote. That it is not installed may be what another state changes.
func run(ctx context.Context, h *host.Host, argv ...string) (string, error) {
	out, err := h.Run(ctx, argv...)
	if errors.Is(err, os.ErrNotExist) {
		return "", module.Unknown("%s is not installed on this host", argv[0])
	}
	if exit := (*host.ExitError)(nil); errors.As(err, &exit) {
		return "", &refused{exit.Code, reason(argv[0], exit.Stderr)}
	}
	return out, err
}

// A refused is what iptables said where it did not do something.
type refused struct {
	code int
	text string
}

func (r *refused) Error() string { return r.text }

// reason is the line that says what is wrong, without the name and version of the program.
func reason(program, stderr string) string {
	line, _, _ := strings.Cut(stderr, "\n")
	if rest, ok := strings.CutPrefix(line, program); ok {
		if _, text, ok := strings.Cut(rest, ": "); ok {
			line = text
		}
	}
	return strings.TrimSpace(line)
}

// change runs a command that changes rules, waiting for whoever else does.
func change(ctx context.Context, h *host.Host, f family, table string, args ...string) error {
	_, err := run(ctx, h, append([]string{f.program(), "--wait", "-t", table}, args...)...)
	return err
}

// noSuchRule says whether iptables found everything but the rule.
func noSuchRule(err error) bool {
	r := (*refused)(nil)
	return errors.As(err, &r) && r.code == 1 && strings.Contains(r.text, "Bad rule")
}

// errMissing says that a rule leads to something that isn't there: a chain, or a set of addresses.
type errMissing struct{ err error }

func (e *errMissing) Error() string { return e.err.Error() }
func (e *errMissing) Unwrap() error { return e.err }

// check asks the kernel whether a chain has a rule. So every mistake in the rule is found, too.
func check(ctx context.Context, h *host.Host, f family, table, chain string, words []string) (bool, error) {
	err := change(ctx, h, f, table, append([]string{"--check", chain, noLoader}, looking(words)...)...)
	r := (*refused)(nil)
	switch {
	case err == nil:
		return true, nil
	case noSuchRule(err):
		return false, nil
	case !errors.As(err, &r):
		return false, err
	case r.code == 1, strings.Contains(r.text, "does not exist"), strings.Contains(r.text, "doesn't exist"),
		strings.Contains(r.text, "Couldn't load target"):
		return false, &errMissing{module.Unknown("%s", r.text)}
	}
	return false, err
}

// tableName is one of the kernel's tables.
type tableName string

const tables = "filter, nat, mangle, raw or security"

func (*tableName) ArgType() string { return tables }

// ParseArg implements module.ArgParser.
func (t *tableName) ParseArg(v module.Value) error {
	text, _ := v.Str()
	switch text {
	case "filter", "nat", "mangle", "raw", "security":
		*t = tableName(text)
		return nil
	}
	return v.Want(tables)
}

// chainName is a name that a chain can have.
type chainName string

const chains = "the name of a chain, of at most 28 characters"

func (*chainName) ArgType() string { return "text" }

// ParseArg implements module.ArgParser.
func (c *chainName) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil || text == "" || len(text) > 28 || strings.ContainsAny(text, " \t\r\n\"'\\") || strings.ContainsAny(text[:1], "-!") {
		return v.Want(chains)
	}
	*c = chainName(text)
	return nil
}
