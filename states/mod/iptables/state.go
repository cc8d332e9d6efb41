package iptables

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// A work is what a state about rules has to do.
type work struct {
	h       *host.Host
	entries []entry // those that are not as wanted
	all     []entry
	files   []kept // that have to be written
	plan    module.Plan
	would   []string
	did     []string
	same    []string
}

// kept is a file with the rules of a family.
type kept struct {
	family family
	file   string
}

// has says whether the kernel has the rule of an entry. Where the chain, or what the rule leads to, isn't there yet, the
// error is one of errMissing.
func (e *entry) has(ctx context.Context, h *host.Host) (bool, error) {
	s, err := now(ctx, h, e.family)
	if err != nil {
		return false, err
	}
	c := s.rules.table(e.table).chain(e.chain)
	if c == nil && !builtin(e.table, e.chain) {
		return false, &errMissing{module.Unknown("cannot find chain %s in table %s of %s", e.chain, e.table, e.family)}
	}
	words := looking(texts(e.words))
	if f, ok := formOf(words, e.family.ipv6()); ok && c.has(f) > 0 {
		return true, nil
	}
	if loads, err := e.loads(ctx, h, s); loads {
		return false, err
	}
	there, err := check(ctx, h, e.family, e.table, e.chain, words)
	if err != nil {
		err = fmt.Errorf("cannot check rule %s (%s): %w", e.name, e.command("-C"), err)
	}
	return there, err
}

// place is the position at which an entry is inserted: one below 0 counts from the end.
func (e *entry) place(s snapshot) (int, error) {
	n := 0
	if e.position == nil {
		return 1, nil
	}
	if c := s.rules.table(e.table).chain(e.chain); c != nil {
		n = len(c.rules)
	}
	at := *e.position
	if at < 0 {
		return max(n+at+1, 1), nil
	}
	if at > n+1 {
		return 0, module.Unknown("cannot insert rule %s at position %d: chain %s has %d rules", e.name, at, e.chain, n)
	}
	return at, nil
}

func planAppend(ctx context.Context, h *host.Host, a addArgs) (module.Plan, error) {
	return planAdd(ctx, h, &a, "-A")
}

func planInsert(ctx context.Context, h *host.Host, a addArgs) (module.Plan, error) {
	return planAdd(ctx, h, &a, "-I")
}

// planAdd plans that rules are there; verb says how they come in.
func planAdd(ctx context.Context, h *host.Host, a *addArgs, verb string) (module.Plan, error) {
	w := work{h: h}
	var err error
	if w.all, err = a.entries(); err != nil {
		return module.Plan{}, err
	}
	adds := map[string]bool{}
	for _, e := range w.all {
		there, err := e.has(ctx, h)
		if err == nil && !there && verb == "-I" && len(w.entries) == 0 {
			err = e.fits(ctx, h)
		}
		if err != nil {
			return module.Plan{}, err
		}
		command := e.command(verb)
		if there || adds[command] {
			w.say(fmt.Sprintf("iptables rule for %s already set (%s) for %s", e.name, command, e.family), "", "")
			continue
		}
		adds[command] = true
		w.entries = append(w.entries, e)
		w.say("", fmt.Sprintf("iptables rule for %s needs to be set (%s) for %s", e.name, command, e.family),
			fmt.Sprintf("Set iptables rule for %s to: %s for %s", e.name, command, e.family))
	}
	w.step("added", verb, func(ctx context.Context, e *entry) error { return e.add(ctx, h, verb) })
	return w.planned(ctx)
}

// fits finds positions that there are not.
func (e *entry) fits(ctx context.Context, h *host.Host) error {
	s, err := now(ctx, h, e.family)
	if err == nil {
		_, err = e.place(s)
	}
	return err
}

// add brings a rule into the kernel.
func (e *entry) add(ctx context.Context, h *host.Host, verb string) error {
	args := []string{verb, e.chain}
	if verb == "-I" {
		s, err := list(ctx, h, e.family)
		if err != nil {
			return err
		}
		at, err := e.place(s)
		if err != nil {
			return err
		}
		args = append(args, fmt.Sprint(at))
	}
	return change(ctx, h, e.family, e.table, append(args, texts(e.words)...)...)
}

func planDelete(ctx context.Context, h *host.Host, a deleteArgs) (module.Plan, error) {
	w := work{h: h}
	var err error
	if w.all, err = a.entries(); err != nil {
		return module.Plan{}, err
	}
	for _, e := range w.all {
		there, err := e.found(ctx, h)
		if err != nil {
			return module.Plan{}, err
		}
		command := e.command("-D")
		if !there {
			w.say(fmt.Sprintf("iptables rule for %s already absent for %s (%s)", e.name, e.family, command), "", "")
			continue
		}
		w.entries = append(w.entries, e)
		w.say("", fmt.Sprintf("iptables rule for %s needs to be deleted for %s (%s)", e.name, e.family, command),
			fmt.Sprintf("Deleted iptables rule for %s (%s)", e.name, command))
	}
	w.step("removed", "-D", func(ctx context.Context, e *entry) error { return e.remove(ctx, h) })
	return w.planned(ctx)
}

// found says whether there is a rule to delete. What leads to something that isn't there can be no rule.
func (e *entry) found(ctx context.Context, h *host.Host) (bool, error) {
	if len(e.words) > 0 || e.position == nil {
		there, err := e.has(ctx, h)
		if missing := (*errMissing)(nil); errors.As(err, &missing) {
			return false, nil
		}
		return there, err
	}
	s, err := now(ctx, h, e.family)
	if err != nil {
		return false, err
	}
	c := s.rules.table(e.table).chain(e.chain)
	if c == nil {
		return false, nil
	}
	at := *e.position
	if at < 0 {
		at += len(c.rules) + 1
	}
	if at < 1 || at > len(c.rules) {
		return false, nil
	}
	e.position = &at
	return true, nil
}

// most is how many copies of a rule are taken away.
const most = 1000

// remove takes a rule away, and the copies of it.
func (e *entry) remove(ctx context.Context, h *host.Host) error {
	if len(e.words) == 0 && e.position != nil {
		return change(ctx, h, e.family, e.table, "-D", e.chain, fmt.Sprint(*e.position))
	}
	err := error(nil)
	n := 0
	for ; err == nil && n < most; n++ {
		err = change(ctx, h, e.family, e.table, append([]string{"-D", e.chain}, texts(e.words)...)...)
	}
	if !noSuchRule(err) {
		return cmp.Or(err, fmt.Errorf("there are more than %d of it", most))
	}
	if found, other := e.removeForms(ctx, h); other != nil || found {
		return other
	}
	if n > 1 {
		return nil
	}
	return err
}

// removeForms takes away what is written in another way than the rule and says the same.
func (e *entry) removeForms(ctx context.Context, h *host.Host) (found bool, err error) {
	s, err := list(ctx, h, e.family)
	f, ok := formOf(texts(e.words), e.family.ipv6())
	c := s.rules.table(e.table).chain(e.chain)
	if err != nil || !ok || c == nil {
		return false, err
	}
	for i, r := range slices.Backward(c.rules) {
		if r.known && r.form == f {
			found = true
			if err := change(ctx, h, e.family, e.table, "-D", e.chain, strconv.Itoa(i+1)); err != nil {
				return true, err
			}
		}
	}
	return found, nil
}

// say notes what the result says of one rule.
func (w *work) say(same, would, did string) {
	for list, text := range map[*[]string]string{&w.same: same, &w.would: would, &w.did: did} {
		if text != "" {
			*list = append(*list, text)
		}
	}
}

// step plans to do each entry that is not as wanted.
func (w *work) step(what, verb string, do func(context.Context, *entry) error) {
	if len(w.entries) == 0 {
		return
	}
	commands := &value.List{}
	for _, e := range w.entries {
		commands.Items = append(commands.Items, e.told(verb))
	}
	w.plan.Steps = append(w.plan.Steps, module.Step{
		Changes: value.NewDict(what, commands),
		Do: func(ctx context.Context) (module.Done, error) {
			for i, e := range w.entries {
				if err := do(ctx, &e); err != nil {
					done := &value.Dict{}
					if i > 0 {
						done.Put(what, value.NewList(commands.Items[:i]...))
					}
					return module.Done{Changes: done}, fmt.Errorf("cannot do %s: %w", commands.Items[i], err)
				}
			}
			return module.Done{}, nil
		},
	})
}

// told is the command of an entry as changes show it.
func (e *entry) told(verb string) string {
	if verb == "-D" && len(e.words) == 0 && e.position != nil {
		return fmt.Sprintf("%s %d", e.command(verb), *e.position)
	}
	return e.command(verb)
}

// planned is the plan, with a last step that keeps the rules where they are to be kept and something changes, or the file
// has others.
func (w *work) planned(ctx context.Context) (module.Plan, error) {
	for _, e := range w.all {
		if err := w.keep(ctx, e.save, e.family, len(w.entries) > 0); err != nil {
			return module.Plan{}, err
		}
	}
	w.finish()
	return w.plan, nil
}

func (w *work) keep(ctx context.Context, save keep, f family, changes bool) error {
	if !save.on {
		return nil
	}
	name, err := save.path(w.h, f)
	if err != nil || slices.Contains(w.files, kept{f, name}) {
		return err
	}
	old := false
	if !changes {
		old, err = stale(ctx, w.h, f, name)
	}
	if err != nil || !changes && !old {
		return err
	}
	w.files = append(w.files, kept{f, name})
	if text := save.unread(w.h, name); text != "" {
		w.plan.Warnings = append(w.plan.Warnings, text)
	}
	return nil
}

// finish adds the step that writes files, and makes the texts of the result.
func (w *work) finish() {
	if len(w.files) > 0 {
		names := &value.List{}
		for _, k := range w.files {
			names.Items = append(names.Items, k.file)
			w.say("", fmt.Sprintf("The rules of %s would be saved to %s", k.family, k.file), fmt.Sprintf("Saved the rules of %s to %s", k.family, k.file))
		}
		w.plan.Steps = append(w.plan.Steps, module.Change("saved", names, func(ctx context.Context) error {
			for _, k := range w.files {
				if err := save(ctx, w.h, k.family, k.file); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	w.plan.Same = strings.Join(w.same, "\n")
	w.plan.Would = strings.Join(append(slices.Clone(w.same), w.would...), "\n")
	w.plan.Did = strings.Join(append(slices.Clone(w.same), w.did...), "\n")
}
