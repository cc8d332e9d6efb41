package lint

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"

	"brine/states/plan"
)

// findings are what was found so far, the same of several hosts once.
type findings struct {
	all []*Finding
	by  map[key]*Finding
}

// A key is what makes two findings one.
type key struct {
	file, severity, message string
	line                    int
}

func newFindings() *findings { return &findings{by: map[key]*Finding{}} }

// add takes in a finding of a host; "" is no host in particular.
func (fs *findings) add(host string, f Finding, at plan.Place) *Finding {
	f.File, f.Line, f.Column = at.File, at.Line, at.Column
	k := key{f.File, f.Severity, f.Message, f.Line}
	old := fs.by[k]
	if old == nil {
		f.Hosts = []string{}
		old = &f
		fs.by[k] = old
		fs.all = append(fs.all, old)
	}
	if host != "" && !slices.Contains(old.Hosts, host) {
		old.Hosts = append(old.Hosts, host)
	}
	return old
}

// meant is the end of a message that says what was meant.
var meant = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s) \((did you mean .*?\?)\)`) })

// mistake is what the compiler found.
func mistake(e *plan.Error, severity string) Finding {
	message, detail, _ := strings.Cut(e.Text, "\n")
	f := Finding{Severity: severity, Message: message, Detail: unindented(detail)}
	if m := meant().FindStringSubmatchIndex(message); m != nil {
		f.Hint = message[m[2]:m[3]]
		f.Message = message[:m[0]] + message[m[1]:]
	}
	if strings.HasSuffix(message, ": none is configured") { // of a nodegroup
		f.Hint = "--nodegroups names a file that has them, such as master.toml"
	}
	return f
}

// unindented takes four spaces from the beginning of each line, and again while all lines have as many.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for again := text != ""; again; {
		again = true
		for i := range lines {
			lines[i] = strings.TrimPrefix(lines[i], "    ")
			again = again && strings.HasPrefix(lines[i], "    ")
		}
	}
	return strings.Join(lines, "\n")
}

// report puts what was found in order.
func (c *checker) report() *Report {
	r := &Report{Findings: []Finding{}}
	for _, h := range c.hosts {
		r.Hosts = append(r.Hosts, h.Name)
	}
	for file := range c.compiled {
		if strings.HasSuffix(file, ".sls") {
			r.Files = append(r.Files, file)
		}
	}
	slices.Sort(r.Files)
	for _, f := range c.findings.all {
		if len(c.opts.Only) > 0 && !slices.Contains(c.opts.Only, f.File) {
			continue
		}
		if len(f.Hosts) == 0 {
			f.Hosts = r.Hosts
		}
		r.Findings = append(r.Findings, *f)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	return r
}
