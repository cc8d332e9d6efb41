package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
)

type commentArgs struct {
	Name   string     `arg:"name,required" doc:"the absolute path"`
	Regex  expression `arg:"regex,required" doc:"regular expression of the lines: what stands after the sign; ^ and $ at its ends are not needed"`
	Char   string     `arg:"char" default:"#" doc:"the sign of a comment"`
	Bak    bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
	Ignore bool       `arg:"ignore_missing" doc:"it is no failure when no line matches"`
	Show   *bool      `arg:"show_changes" doc:"as in file.managed"`
}

type uncommentArgs struct {
	Name  string     `arg:"name,required" doc:"the absolute path"`
	Regex expression `arg:"regex,required" doc:"regular expression of the lines without the sign; ^ and $ at its ends are not needed"`
	Char  string     `arg:"char" default:"#" doc:"the sign of a comment"`
	Bak   bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
	Show  *bool      `arg:"show_changes" doc:"as in file.managed"`
}

func (a *commentArgs) manages() []string   { return []string{a.Name} }
func (a *commentArgs) wholeTree() bool     { return false }
func (a *uncommentArgs) manages() []string { return []string{a.Name} }
func (a *uncommentArgs) wholeTree() bool   { return false }

// bare is the expression without ^ and $ at its ends, and atStart the one that it is at the start of lines: with $
// they end there too.
func bare(x expression) string {
	return strings.TrimSuffix(strings.TrimPrefix(string(x), "^"), "$")
}

func atStart(x expression) string {
	if strings.HasSuffix(string(x), "$") {
		return `(?:` + bare(x) + `)$`
	}
	return `(?:` + bare(x) + `)`
}

func planComment(_ context.Context, h *host.Host, a commentArgs) (module.Plan, error) {
	e, err := openThere(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	found, out, err := eachLine(e.before, `^\s*`+atStart(a.Regex), func(line []byte, _ []int) []byte {
		return append([]byte(a.Char), line...)
	})
	if err != nil {
		return module.Plan{}, err
	}
	same := "Pattern already commented"
	if !found {
		commented, _, err := eachLine(e.before, `^\s*`+regex.QuoteMeta(a.Char)+`.*(?:`+bare(a.Regex)+`)`,
			func(line []byte, _ []int) []byte { return line })
		switch {
		case err != nil:
			return module.Plan{}, err
		case !commented && !a.Ignore:
			return module.Plan{}, module.Unknown("%w", noLine(bare(a.Regex)))
		case !commented:
			same = "Pattern not found and ignore_missing set to True"
		}
	}
	return e.plan(outcome{
		after: out, show: a.Show, bak: a.Bak, rights: anyone, same: same,
		would: fmt.Sprintf("File %s is set to be updated", a.Name), did: "Commented lines successfully",
	})
}

func planUncomment(_ context.Context, h *host.Host, a uncommentArgs) (module.Plan, error) {
	e, err := openThere(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	found, out, err := eachLine(e.before, `^(\s*)`+regex.QuoteMeta(a.Char)+`([ \t]*)`+atStart(a.Regex),
		func(line []byte, m []int) []byte { return append(bytes.Clone(line[:m[3]]), line[m[4]:]...) })
	if err != nil {
		return module.Plan{}, err
	}
	if !found {
		plain, _, err := eachLine(e.before, `^\s*`+atStart(a.Regex), func(line []byte, _ []int) []byte { return line })
		if err == nil && !plain {
			err = module.Unknown("%w", noLine(bare(a.Regex)))
		}
		if err != nil {
			return module.Plan{}, err
		}
	}
	return e.plan(outcome{
		after: out, show: a.Show, bak: a.Bak, rights: anyone, same: "Pattern already uncommented",
		would: fmt.Sprintf("File %s is set to be updated", a.Name), did: "Uncommented lines successfully",
	})
}

// A noLine is the error of an expression that no line matches.
type noLine string

func (x noLine) Error() string { return string(x) + ": Pattern not found" }

// openThere reads the text of a file that has to be there.
func openThere(h *host.Host, name string) (*edit, error) {
	e, err := openEdit(h, name)
	if errors.Is(err, errNotThere) {
		return nil, module.Unknown("%s: %w", name, errNotThere)
	}
	if err != nil {
		return nil, err
	}
	return e, e.mustBe()
}

// eachLine changes the lines that an expression matches, and says whether there are any.
func eachLine(text []byte, expr string, change func(line []byte, match []int) []byte) (found bool, out []byte, err error) {
	re, err := regex.Compile(expr, 0)
	if err != nil {
		return false, nil, err
	}
	for line := range bytes.Lines(text) {
		end := bytes.TrimRight(line, "\r\n")
		all, err := re.Find(end, 1)
		if err != nil {
			return false, nil, err
		}
		if len(all) == 0 {
			out = append(out, line...)
			continue
		}
		found = true
		out = append(append(out, change(end, all[0])...), line[len(end):]...)
	}
	return found, out, nil
}
