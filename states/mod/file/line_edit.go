package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"brine/states/module"
	"brine/states/regex"
)

// A textLine is a line of a file and what ends it: "\n", "\r\n", "\r", or nothing at the end of the file. As in Salt a file whose
// last line ends has an empty one after it.
type textLine struct{ text, end string }

// string is the line as expressions see it.
func (l textLine) string() string {
	if l.end == "" {
		return l.text
	}
	return l.text + "\n"
}

func splitLines(file string) (all []textLine) {
	for file != "" {
		i := strings.IndexAny(file, "\r\n")
		if i < 0 {
			return append(all, textLine{file, ""})
		}
		end := i + 1
		if strings.HasPrefix(file[i:], "\r\n") {
			end++
		}
		all = append(all, textLine{file[:i], file[i:end]})
		file = file[end:]
	}
	if len(all) > 0 {
		all = append(all, textLine{})
	}
	return all
}

// newLine is the line that content stands for. An end of its own stays.
func newLine(content string) textLine {
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if text, ok := strings.CutSuffix(content, end); ok {
			return textLine{text, end}
		}
	}
	return textLine{content, ""}
}

// edit makes the new text of a file, by Salt's rules.
func (a *lineArgs) edit(before []byte) ([]byte, error) {
	f := &lineFile{lineArgs: a, lines: splitLines(string(before)), end: "\n"}
	if len(f.lines) > 0 && f.lines[0].end != "" {
		f.end = f.lines[0].end
	}
	if a.Content != nil {
		f.line = newLine(*a.Content)
	}
	var err error
	switch a.Mode {
	case lineDelete, lineReplace:
		err = f.matched()
	case lineInsert:
		err = f.insert()
	default:
		err = f.ensure()
	}
	if err != nil {
		return nil, err
	}
	return f.join(), nil
}

// A lineFile is a file while one of its lines is edited.
type lineFile struct {
	*lineArgs
	lines []textLine
	end   string   // of lines that are added
	line  textLine // that content stands for
}

// join makes a file of the lines. Each but the last gets an end when it has none.
func (f *lineFile) join() []byte {
	var b []byte
	for i, l := range f.lines {
		if l.end == "" && i < len(f.lines)-1 {
			l = textLine{strings.TrimRightFunc(l.text, unicode.IsSpace), f.end}
		}
		b = append(append(b, l.text...), l.end...)
	}
	return b
}

// find returns the lines in which an expression matches, or of which it is a part as it stands.
func (f *lineFile) find(expr expression) (found []int, err error) {
	if expr == "" {
		return nil, nil
	}
	re, err := regex.Compile(string(expr), regex.DotAll)
	if err != nil {
		return nil, err
	}
	for i, l := range f.lines {
		ok, err := re.Match([]byte(l.string()))
		if err != nil {
			return nil, err
		}
		if ok || strings.Contains(l.string(), string(expr)) {
			found = append(found, i)
		}
	}
	return found, nil
}

// bounds finds the one line that before and after mean each; -1 for what is not given. As in Salt one of them counts for both
// when no line matches the other.
func (f *lineFile) bounds() (after, before int, err error) {
	afters, err1 := f.find(f.After)
	befores, err2 := f.find(f.Before)
	if err := errors.Join(err1, err2); err != nil {
		return -1, -1, err
	}
	if len(afters)+len(befores) == 0 {
		return -1, -1, module.Unknown("no line matches %s", f.wanted(" or "))
	}
	after, err1 = one("after", f.After, afters)
	before, err2 = one("before", f.Before, befores)
	return after, before, errors.Join(err1, err2)
}

func one(arg string, expr expression, found []int) (int, error) {
	switch len(found) {
	case 0:
		return -1, nil
	case 1:
		return found[0], nil
	}
	return -1, fmt.Errorf("%d lines match %s %q: only one may", len(found), arg, expr)
}

// wanted names the arguments that say where.
func (f *lineFile) wanted(or string) string {
	var all []string
	if f.After != "" {
		all = append(all, fmt.Sprintf("after %q", f.After))
	}
	if f.Before != "" {
		all = append(all, fmt.Sprintf("before %q", f.Before))
	}
	return strings.Join(all, or)
}

// matched replaces or deletes what match means.
func (f *lineFile) matched() error {
	expr := f.Match
	if expr == "" {
		expr = expression(*f.Content)
		if _, err := regex.Compile(string(expr), 0); err != nil {
			expr = expression(regex.QuoteMeta(string(expr))) // a line that is no expression is meant as it stands
		}
	}
	if expr == "" { // content is an empty line
		return nil
	}
	found, err := f.find(expr)
	if err != nil || len(found) == 0 {
		return err
	}
	was := f.lines[found[0]].string()
	if f.Mode == lineDelete {
		f.lines = slices.DeleteFunc(f.lines, func(l textLine) bool { return l.string() == was })
		return nil
	}
	f.lines[found[0]] = f.like(found[0])
	return nil
}

// like is the line with the indentation of the i-th; of none before the first.
func (f *lineFile) like(i int) textLine {
	l := f.line
	if !f.Indent {
		return l
	}
	model := ""
	if i >= 0 {
		model = f.lines[i].text
	}
	l.text = model[:len(model)-len(strings.TrimLeft(model, " \t"))] + strings.TrimLeftFunc(l.text, unicode.IsSpace)
	return l
}

func (f *lineFile) put(at, model int) { f.lines = slices.Insert(f.lines, at, f.like(model)) }

// stands says whether the line, or the lines that content has, stand at a place: as they are, or with the indentation that put
// would give them.
func (f *lineFile) stands(at, model int) bool {
	return f.standsAs(at, f.line.text) || f.standsAs(at, f.like(model).text)
}

func (f *lineFile) standsAs(at int, text string) bool {
	want := splitLines(text + "\n")
	want = want[:len(want)-1] // without the empty one after them
	return at >= 0 && at+len(want) <= len(f.lines) &&
		slices.EqualFunc(f.lines[at:at+len(want)], want, func(a, b textLine) bool { return a.text == b.text })
}

// size is how many lines content has.
func (f *lineFile) size() int { return len(splitLines(f.line.text+"\n")) - 1 }

// insert puts the line where it belongs unless it stands there.
func (f *lineFile) insert() error {
	if f.Location != "" {
		f.atEdge()
		return nil
	}
	after, before, err := f.bounds()
	switch {
	case err != nil:
	case before >= 0:
		if !f.stands(before-f.size(), before) {
			f.put(before, before)
		}
	case !f.stands(after+1, after):
		f.put(after+1, after)
	}
	return err
}

// atEdge puts the line at the start of the file, or after its last line.
func (f *lineFile) atEdge() {
	n := len(f.lines)
	if f.Location == "start" || n == 0 {
		f.line.text = strings.TrimRightFunc(f.line.text, unicode.IsSpace)
		if !f.standsAs(0, f.line.text) {
			f.lines = slices.Insert(f.lines, 0, f.line)
		}
		if n == 0 {
			f.lines = append(f.lines, textLine{})
		}
		return
	}
	at, model := n, n-1
	if f.lines[n-1] == (textLine{}) {
		at, model = n-1, -1
	}
	if !f.stands(at-f.size(), model) {
		f.put(at, model)
	}
}

// ensure puts the line between after and before, where nothing but one line that is replaced may stand.
func (f *lineFile) ensure() error {
	after, before, err := f.bounds()
	switch {
	case err != nil:
	case after >= 0 && before >= 0:
		return f.between(after, before)
	case before >= 0:
		if !f.stands(before-f.size(), before-1) {
			f.put(before, before-1)
		}
	case !f.stands(after+1, after):
		f.put(after+1, after)
	}
	return err
}

func (f *lineFile) between(after, before int) error {
	there := slices.ContainsFunc(f.lines, func(l textLine) bool {
		return strings.TrimLeftFunc(l.string(), unicode.IsSpace) == *f.Content
	})
	switch {
	case there, before-after-1 == f.size() && f.stands(after+1, after):
	case after+1 == before:
		f.put(before, after)
	case after+2 == before:
		f.lines[after+1] = f.like(after)
	default:
		return fmt.Errorf("more than one line stands between %s", f.wanted(" and "))
	}
	return nil
}
