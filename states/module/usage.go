package module

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/value"
)

// Usage is the documentation of the function for people.
func (f *Func) Usage() string {
	example := ""
	if f.Example != "" || !slices.ContainsFunc(f.Params(), func(p Param) bool { return p.Required }) {
		example = strings.TrimSpace("brine run '*' " + f.FullName() + " " + f.Example)
	}
	return usage(f.FullName()+" (function)", f.Doc, example, f.Params())
}

// Usage is the documentation of the state for people.
func (s *State) Usage() string { return usage(s.FullName()+" (state)", s.Doc, s.Example, s.Params()) }

func usage(name, doc, example string, params []Param) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", name, indent(dedent(doc)))
	if len(params) > 0 {
		b.WriteString("\n    Arguments:\n")
	}
	for _, p := range params {
		fmt.Fprintf(&b, "        %s (%s)\n%s\n", p.Name, p.remark(), indent(indent(indent(p.Doc))))
	}
	if example != "" {
		fmt.Fprintf(&b, "\n    Example:\n%s\n", indent(indent(dedent(example))))
	}
	return b.String()
}

func (p *Param) remark() string {
	remark := p.Type
	if p.Required {
		remark += ", required"
	}
	switch {
	case p.Default != "":
		remark += ", default " + p.Default
	case p.off:
		remark += ", default false"
	}
	if p.Rest {
		remark += ", all further ones"
	}
	if p.Named {
		remark += ", all others by name"
	}
	if p.With != "" {
		remark += " where " + p.With + " is given"
	}
	for _, alias := range p.Aliases {
		remark += ", also " + alias
	}
	return remark
}

func indent(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "    " + line
		}
	}
	return strings.Join(lines, "\n")
}

// dedent takes off the indentation that a text in the source has in common.
func dedent(s string) string {
	lines := strings.Split(strings.TrimRight(strings.TrimLeft(s, "\n"), "\n\t "), "\n")
	margin := -1
	for _, line := range lines[min(1, len(lines)-1):] {
		if trimmed := strings.TrimLeft(line, "\t"); trimmed != "" {
			if n := len(line) - len(trimmed); margin < 0 || n < margin {
				margin = n
			}
		}
	}
	for i, line := range lines {
		tabs := len(line) - len(strings.TrimLeft(line, "\t"))
		lines[i] = line[min(tabs, max(margin, 0)):]
	}
	return strings.Join(lines, "\n")
}

// argspec is Salt's form of a signature: names, the defaults of the last of them, and the names that
// take what is left.
func argspec(params []Param) *value.Dict {
	args, defaults := value.NewList(), value.NewList()
	var varargs, kwargs any
	for _, p := range params {
		switch {
		case p.Rest:
			varargs = p.Name
			continue
		case p.Named:
			kwargs = p.Name
			continue
		}
		args.Items = append(args.Items, p.Name)
		if !p.Required {
			defaults.Items = append(defaults.Items, p.def.Data)
		}
	}
	var optional any
	if len(defaults.Items) > 0 {
		optional = defaults
	}
	return value.NewDict("args", args, "varargs", varargs, "keywords", kwargs, "defaults", optional)
}
