package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"brine/states/jinja/dump"
	"brine/states/plan"
	"brine/states/value"
)

// How a case ended.
const (
	classEqual    = "equal"    // compiled here and there, to the same
	classCompiled = "compiled" // compiled, and there is nothing to compare with
	classBoth     = "both"     // refused here and there
	classMissing  = "missing"  // it calls a function that there is none of here
	classMachine  = "machine"  // it calls a function that asks the machine
	classRefused  = "refused"  // refused here alone
	classAlone    = "alone"    // compiled here alone
	classDiffers  = "differs"  // compiled here and there, to something else
	classOrder    = "order"    // compiled to the same, which runs in another order
	classPillar   = "pillar"   // its pillar.example can't be read
	classDecided  = "decided"  // refused here alone, by a decision that stands in the design
)

// decided are the texts of mistakes that are refused on purpose.
var decided = regexp.MustCompile(`: cannot render: (the renderer "[^"]*" is not supported|unknown renderer )`)

// asked are the texts of mistakes of functions that ask the machine.
var asked = regexp.MustCompile(regexp.QuoteMeta(errMachine.Error()))

// differing are the classes that are a defect or a decision.
var differing = []string{classRefused, classAlone, classDiffers}

// An outcome is one case: an SLS for a host with a pillar.
type outcome struct {
	Repo    string   `json:"repo"`
	SLS     string   `json:"sls"`
	Host    string   `json:"host"`
	Pillar  string   `json:"pillar"`
	Class   string   `json:"class"`
	Here    []string `json:"here,omitempty"`  // what is told here: mistakes or differences, with file and line
	There   []string `json:"there,omitempty"` // what the oracle tells
	Unknown []string `json:"unknown,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

func (u *unit) outcome(sls, class string, here ...string) outcome {
	o := outcome{Repo: u.repo, SLS: sls, Host: u.machine.name, Pillar: "none", Class: class, Here: here}
	if u.example {
		o.Pillar = "example"
	}
	return o
}

// judge compares what was compiled with what the oracle tells.
func (u *unit) judge(ctx context.Context, name string, c *compiled, a *answer, x *oracle) outcome {
	o := u.outcome(name, classCompiled, c.mistakes...)
	o.Unknown, o.Missing = c.unknown, c.missing
	refused := len(c.mistakes) > 0
	if a == nil || a.NoAnswer != "" {
		switch {
		case len(c.missing) > 0:
			o.Class = classMissing
		case refused && decided.MatchString(c.mistakes[0]):
			o.Class = classDecided
		case refused && asked.MatchString(c.mistakes[0]):
			o.Class = classMachine
		case refused:
			o.Class = classRefused
		}
		return o
	}
	o.There = a.mistakes()
	switch {
	case len(a.Strange) > 0:
		o.Class, o.There = classMachine, a.Strange
	case len(c.missing) > 0:
		o.Class = classMissing
	case !x.low:
		o.Class, o.Here = judgeText(c, a)
	case refused && len(o.There) > 0:
		o.Class = classBoth
	case refused && decided.MatchString(c.mistakes[0]):
		o.Class = classDecided
	case refused:
		o.Class = classRefused
	case len(o.There) > 0:
		o.Class = classAlone
	default:
		o.Here = slices.Concat(textDifference(c, a), chunkDifferences(c.chunks, a.Chunks), u.files(ctx, c, a))
		o.Class = classEqual
		switch {
		case len(o.Here) == 1 && strings.HasPrefix(o.Here[0], "order: "):
			o.Class = classOrder
		case len(o.Here) > 0:
			o.Class = classDiffers
		}
	}
	return o
}

func (a *answer) mistakes() []string {
	all := slices.Clone(a.Errors)
	for _, f := range a.Failed {
		all = append(all, fmt.Sprintf("%s: %s", f[0], f[1]))
	}
	return all
}

// judgeText compares with an oracle that knows texts alone.
func judgeText(c *compiled, a *answer) (string, []string) {
	switch {
	case c.textErr != "" && a.Text == nil:
		return classBoth, []string{c.textErr}
	case decided.MatchString(c.textErr):
		return classDecided, []string{c.textErr}
	case asked.MatchString(c.textErr):
		return classMachine, []string{c.textErr}
	case c.textErr != "":
		return classRefused, []string{c.textErr}
	case a.Text == nil:
		return classAlone, nil
	}
	if d := textDifference(c, a); d != nil {
		return classDiffers, d
	}
	return classEqual, nil
}

// textDifference tells the first line in which the texts of a template differ.
func textDifference(c *compiled, a *answer) []string {
	switch {
	case a.Text == nil || c.text == *a.Text:
		return nil
	case c.textErr != "":
		return []string{"text: " + c.textErr}
	}
	return []string{"text: " + firstDifference(c.text, *a.Text)}
}

func firstDifference(mine, theirs string) string {
	here, there := strings.SplitAfter(mine, "\n"), strings.SplitAfter(theirs, "\n")
	i := 0
	for i < len(here) && i < len(there) && here[i] == there[i] {
		i++
	}
	return fmt.Sprintf("line %d of what the template makes is %s, not %s", i+1, lineAt(here, i), lineAt(there, i))
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return "the end"
	}
	return fmt.Sprintf("%q", lines[i])
}

// chunkDifferences compares states: which there are, their arguments, and their order.
func chunkDifferences(here []*value.Dict, there []rawChunk) []string {
	var all []string
	mine, theirs := map[string]map[string]string{}, map[string]map[string]string{}
	var myOrder, theirOrder []string
	for _, c := range here {
		flat := flatten(c)
		tag := tagOf(flat)
		mine[tag], myOrder = flat, append(myOrder, tag)
	}
	for _, c := range there {
		flat := c.flatten()
		tag := tagOf(flat)
		theirs[tag], theirOrder = flat, append(theirOrder, tag)
		if mine[tag] == nil {
			all = append(all, "state "+tag+" is missing")
		} else {
			all = append(all, argumentDifferences(tag, mine[tag], flat)...)
		}
	}
	for _, tag := range myOrder {
		if theirs[tag] == nil {
			all = append(all, "state "+tag+" is there alone")
		}
	}
	if len(all) == 0 && !slices.Equal(myOrder, theirOrder) {
		i := 0
		for i < len(myOrder) && i < len(theirOrder) && myOrder[i] == theirOrder[i] {
			i++
		}
		all = append(all, fmt.Sprintf("order: state %d is %s, not %s", i+1, at(myOrder, i), at(theirOrder, i)))
	}
	return all
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "none"
}

func tagOf(flat map[string]string) string {
	return strings.Join([]string{flat["state"], flat["__id__"], flat["name"], flat["fun"]}, " ")
}

func argumentDifferences(tag string, mine, theirs map[string]string) []string {
	var all []string
	for name, v := range theirs {
		if mine[name] != v {
			all = append(all, fmt.Sprintf("state %s: %s is %s, not %s", tag, name, mine[name], v))
		}
	}
	for name, v := range mine {
		if _, ok := theirs[name]; !ok {
			all = append(all, fmt.Sprintf("state %s: %s is %s, and there is none", tag, name, v))
		}
	}
	slices.Sort(all)
	return all
}

// ignored says whether an argument is left out of the comparison: where it stands with the state it names, or tells of
// the run alone.
func ignored(name string) bool {
	base, in := strings.CutSuffix(name, "_in")
	if _, ok := plan.ParseKind(base); ok && in {
		return true
	}
	return name == "__sls_included_from__" || name == "names" || name == "use_in" || name == "listen" || name == "order"
}

// flatten writes each argument as JSON.
func flatten(c *value.Dict) map[string]string {
	flat := map[string]string{}
	for k, v := range c.All() {
		name, _ := k.(string)
		if ignored(name) {
			continue
		}
		if _, ok := plan.ParseKind(name); ok {
			v = named(v)
		}
		text, err := dump.JSON(v, dump.JSONOptions{ASCII: true})
		if err != nil {
			text = err.Error()
		}
		put(flat, name, text)
	}
	return flat
}

// put adds an argument. Of a state that does nothing of its own when it watches Salt makes require of watch.
func put(flat map[string]string, name, text string) {
	if name == "watch" || name == "watch_any" {
		name = strings.Replace(name, "watch", "require", 1)
	}
	if _, ok := plan.ParseKind(name); ok {
		text = sortedList(flat[name], text)
	}
	flat[name] = text
}

func (c rawChunk) flatten() map[string]string {
	flat := map[string]string{}
	for name, raw := range c {
		if ignored(name) {
			continue
		}
		text := string(raw)
		if _, ok := plan.ParseKind(name); ok {
			if v, err := value.FromJSON(raw); err == nil {
				text, _ = dump.JSON(named(v), dump.JSONOptions{ASCII: true})
			}
		}
		put(flat, name, text)
	}
	return flat
}

// named writes the items of a requisite list, of which bare IDs are one with "id: ID".
func named(v any) any {
	list, ok := v.(*value.List)
	if !ok {
		return v
	}
	out := value.NewList()
	for _, item := range list.Items {
		d, isDict := item.(*value.Dict)
		if !isDict {
			item = value.NewDict("id", item)
		} else if target, ok := d.Get(""); ok {
			item = value.NewDict("id", target)
		}
		out.Items = append(out.Items, item)
	}
	return out
}

// sortedList adds the items of a list of requisites to those that are there, in order: it means nothing.
func sortedList(known, text string) string {
	items := strings.Split(strings.Trim(text, "[]"), "}, {")
	if known != "" {
		items = append(items, strings.Split(known, ", ")...)
	}
	for i := range items {
		items[i] = strings.Trim(items[i], "{}")
	}
	slices.Sort(items)
	return strings.Join(slices.Compact(items), ", ")
}
