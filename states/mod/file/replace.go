package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
)

// replaceArgs say what is replaced in a file by what.
type replaceArgs struct {
	Pattern  expression `arg:"pattern,required" doc:"regular expression as Python's, in the whole file at once"`
	Repl     string     `arg:"repl,required" doc:"what takes its place; \\1 and \\g<name> are groups"`
	Count    int        `arg:"count" doc:"how many matches at most; 0 is all"`
	Flags    regexFlags `arg:"flags" default:"8" doc:"a number or names: IGNORECASE, MULTILINE, DOTALL, VERBOSE"`
	Bufsize  string     `arg:"bufsize" default:"1" doc:"accepted for Salt: the file is always read whole"`
	Append   bool       `arg:"append_if_not_found" doc:"when nothing matches, add not_found_content at the end"`
	Prepend  bool       `arg:"prepend_if_not_found" doc:"the same at the beginning"`
	NotFound *string    `arg:"not_found_content" doc:"what is added then; repl when absent"`
	Bak      bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
	Literal  bool       `arg:"backslash_literal" doc:"take backslashes in repl as they are"`
	Ignore   bool       `arg:"ignore_if_missing" doc:"it is no failure when the file is not there"`
}

type replaceState struct {
	Name string `arg:"name,required" doc:"the absolute path"`
	replaceArgs
	Show *bool `arg:"show_changes" doc:"as in file.managed"`
}

func (a *replaceState) manages() []string { return []string{a.Name} }
func (a *replaceState) wholeTree() bool   { return false }

// An expression is a regular expression, read before anything runs.
type expression string

func (x *expression) ArgType() string { return "regular expression" }

func (x *expression) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a regular expression")
	}
	*x = expression(text)
	_, err = regex.Compile(text, 0)
	return err
}

// regexFlags are flags by number or name, as Salt takes them.
type regexFlags regex.Flags

var flagNames = map[string]regex.Flags{
	"IGNORECASE": regex.IgnoreCase, "I": regex.IgnoreCase, "MULTILINE": regex.Multiline, "M": regex.Multiline,
	"DOTALL": regex.DotAll, "S": regex.DotAll, "VERBOSE": regex.Verbose, "X": regex.Verbose,
	"UNICODE": 0, "U": 0, "LOCALE": 0, "L": 0, "ASCII": 0, "A": 0,
}

func (f *regexFlags) ArgType() string { return "number or list of names" }

func (f *regexFlags) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		name, err := item.Str()
		if err != nil {
			return item.Want("a number, or names such as MULTILINE")
		}
		if n, err := strconv.Atoi(name); err == nil && n >= 0 {
			*f |= regexFlags(n)
			continue
		}
		flag, known := flagNames[strings.ToUpper(name)]
		if !known {
			return item.Want("a number, or names such as MULTILINE")
		}
		*f |= regexFlags(flag)
	}
	return nil
}

func planReplace(_ context.Context, h *host.Host, a replaceState) (module.Plan, error) {
	const same = "No changes needed to be made"
	if err := a.check(); err != nil {
		return module.Plan{}, err
	}
	e, err := openEdit(h, a.Name)
	if a.Ignore && (errors.Is(err, errNotThere) || err == nil && e.old == nil) {
		return module.Plan{Same: same}, nil
	}
	if errors.Is(err, errNotThere) {
		return module.Plan{}, module.Unknown("%s: %w", a.Name, err)
	}
	if err != nil {
		return module.Plan{}, err
	}
	if err := e.mustBe(); err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	after, err := a.edit(e.before)
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot edit %s: %w", a.Name, err)
	}
	return e.plan(outcome{
		after: after, show: a.Show, bak: a.Bak, rights: anyone,
		same: same, would: "Changes would have been made", did: "Changes were made",
	})
}

func (a *replaceArgs) check() error {
	if a.Append && a.Prepend {
		return fmt.Errorf("arguments %q and %q exclude one another", "append_if_not_found", "prepend_if_not_found")
	}
	return nil
}

// edit makes the new text of a file.
func (a *replaceArgs) edit(before []byte) ([]byte, error) {
	re, err := regex.Compile(string(a.Pattern), regex.Flags(a.Flags))
	if err != nil {
		return nil, err
	}
	by := regex.Literal(a.Repl)
	if !a.Literal {
		if by, err = re.Template(a.Repl); err != nil {
			return nil, err
		}
	}
	after, n, err := re.Sub(before, by, a.Count)
	if err != nil || n > 0 || !a.Append && !a.Prepend {
		return after, err
	}
	return a.add(before), nil
}

// add puts the content there that stands for what was not found, unless it is there already.
func (a *replaceArgs) add(before []byte) []byte {
	content := a.Repl
	if a.NotFound != nil {
		content = *a.NotFound
	}
	if hasLines(before, content) {
		return before
	}
	if a.Prepend {
		return append([]byte(content+"\n"), before...)
	}
	after := bytes.Clone(before)
	if len(after) > 0 && after[len(after)-1] != '\n' {
		after = append(after, '\n')
	}
	return append(after, content+"\n"...)
}

// hasLines says whether a text stands in a file from the start of a line to the end of one.
func hasLines(file []byte, content string) bool {
	for at := 0; at <= len(file); {
		i := bytes.Index(file[at:], []byte(content))
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(content)
		if (from == 0 || file[from-1] == '\n') && (to == len(file) || file[to] == '\n' || bytes.HasPrefix(file[to:], []byte("\r\n"))) {
			return true
		}
		at = from + 1
	}
	return false
}
