package file

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// textArgs say the text that a file is to hold among others.
type textArgs struct {
	Name    string   `arg:"name,required" doc:"the absolute path; the file is made when it is not there"`
	Text    text     `arg:"text" doc:"text, or a list of texts; each is added unless the file holds it as whole lines"`
	Source  string   `arg:"source" doc:"take a text from salt://PATH or another place, as file.managed does"`
	Sources []string `arg:"sources" doc:"the same with a text of each"`
	Hash    string   `arg:"source_hash" doc:"hash of source, as in file.managed"`
	Hashes  []string `arg:"source_hashes" doc:"hashes of sources, in their order"`
	Engine  string   `arg:"template" default:"jinja" doc:"how texts of a source are rendered"`
	variableArgs
	Makedirs bool   `arg:"makedirs" doc:"make the directories above it that are missing"`
	Spaces   bool   `arg:"ignore_whitespace" default:"true" doc:"a text is there also when blanks in it differ"`
	Show     *bool  `arg:"show_changes" doc:"as in file.managed"`
	Saltenv  string `arg:"saltenv" doc:"environment to fetch sources from; the job's when absent"`
}

type appendArgs struct{ textArgs }

type prependArgs struct {
	textArgs
	Header bool `arg:"header" doc:"the text has to be at the very beginning, also when it stands elsewhere"`
}

func (a *appendArgs) manages() []string  { return []string{a.Name} }
func (a *appendArgs) wholeTree() bool    { return false }
func (a *prependArgs) manages() []string { return []string{a.Name} }
func (a *prependArgs) wholeTree() bool   { return false }

func planAppend(ctx context.Context, h *host.Host, a appendArgs) (module.Plan, error) {
	e, lines, err := a.open(ctx, h, true)
	if err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	return a.plan(e, atEnd(e.before, lines), fmt.Sprintf("Appended %d lines", len(lines)))
}

func planPrepend(ctx context.Context, h *host.Host, a prependArgs) (module.Plan, error) {
	e, lines, err := a.open(ctx, h, !a.Header)
	if err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	after := append([]byte(joined(lines)), e.before...)
	if a.Header && bytes.HasPrefix(e.before, []byte(joined(lines))) {
		after = e.before
	}
	return a.plan(e, after, fmt.Sprintf("Prepended %d lines", len(lines)))
}

func (a *textArgs) plan(e *edit, after []byte, did string) (module.Plan, error) {
	return e.plan(outcome{
		after: after, show: a.Show, makedirs: a.Makedirs, rights: anyone, hint: " (makedirs makes it)",
		same: fmt.Sprintf("File %s is in correct state", a.Name), would: fmt.Sprintf("File %s is set to be updated", a.Name), did: did,
	})
}

// open reads the file and finds the lines that it lacks, or all lines of the text.
func (a *textArgs) open(ctx context.Context, h *host.Host, lacking bool) (*edit, []string, error) {
	texts, err := a.texts(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	e, err := openEdit(h, a.Name)
	if err != nil {
		return nil, nil, err
	}
	var lines []string
	for _, t := range texts {
		if lacking && holds(e.before, t, a.Spaces) {
			continue
		}
		lines = append(lines, linesOf(t)...)
	}
	return e, lines, nil
}

// texts are what is said in the state, and what its sources hold.
func (a *textArgs) texts(ctx context.Context, h *host.Host) ([]string, error) {
	given := 0
	for _, is := range []bool{a.Text != nil, a.Source != "", a.Sources != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("give one of the arguments %q, %q and %q", "text", "source", "sources")
	}
	if a.Text != nil {
		return a.Text, nil
	}
	from, hashes := a.Sources, a.Hashes
	if a.Source != "" {
		from, hashes = []string{a.Source}, []string{a.Hash}
	}
	if len(hashes) > len(from) {
		return nil, fmt.Errorf("argument %q has more hashes than there are sources", "source_hashes")
	}
	var texts []string
	for i, source := range from {
		one := sourceArgs{Source: sources{urls: []string{source}}, Saltenv: a.Saltenv}
		if i < len(hashes) {
			one.SourceHash = hashes[i]
		}
		data, err := a.sourceText(ctx, h, one)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(data))
	}
	return texts, nil
}

func (a *textArgs) sourceText(ctx context.Context, h *host.Host, from sourceArgs) ([]byte, error) {
	if !knownSource(from.Source.urls[0]) {
		return nil, fmt.Errorf("want salt://PATH, https://HOST/PATH or an absolute path as source, got %q", from.Source.urls[0])
	}
	w, err := from.fetched(ctx, h, a.Name)
	if err != nil {
		return nil, err
	}
	engine := templateArgs{Template: a.Engine, variableArgs: a.variableArgs}
	if w, err = engine.render(ctx, h, w, a.Saltenv, textVariables(from.Source.urls[0])); err != nil {
		return nil, err
	}
	data, whole, err := w.read(ctx, templateMax)
	if err == nil && !whole {
		err = fmt.Errorf("cannot take the text of %s: it has more than %d bytes", w.from, templateMax)
	}
	return data, err
}

// textVariables are what the template of a text is told, as Salt tells it: there is no file that it makes.
func textVariables(source string) *value.Dict {
	return value.NewDict("name", "", "source", source, "user", nil, "group", nil, "mode", nil, "attrs", nil)
}

// holds says whether a file holds a text as whole lines. With spaces blanks in them may differ.
func holds(file []byte, t string, spaces bool) bool {
	want := linesOf(t)
	have := bytes.Split(file, []byte("\n"))
	for ; len(have) >= len(want); have = have[1:] {
		n := 0
		for n < len(want) && isLine(have[n], want[n], spaces) {
			n++
		}
		if n == len(want) {
			return true
		}
	}
	return false
}

// isLine says whether a line of a file is the one wanted.
func isLine(have []byte, want string, spaces bool) bool {
	if !spaces {
		return string(bytes.TrimSuffix(have, []byte("\r"))) == want
	}
	const blanks = " \t"
	for word := range strings.FieldsSeq(want) {
		rest, ok := bytes.CutPrefix(bytes.TrimLeft(have, blanks), []byte(word))
		if !ok {
			return false
		}
		have = rest
	}
	have = bytes.TrimLeft(have, blanks)
	return len(have) == 0 || string(have) == "\r"
}

// atEnd adds lines to a file.
func atEnd(file []byte, lines []string) []byte {
	if len(lines) == 0 {
		return file
	}
	after := bytes.Clone(file)
	if len(after) > 0 && after[len(after)-1] != '\n' {
		after = append(after, '\n')
	}
	return append(after, joined(lines)...)
}

// joined are lines as a text.
func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
