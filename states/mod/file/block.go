package file

import (
	"bytes"
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

type blockArgs struct {
	Name    string   `arg:"name,required" doc:"the absolute path"`
	Start   string   `arg:"marker_start" default:"#-- start managed zone --" doc:"text of the line that begins the block; the line is kept whole"`
	End     string   `arg:"marker_end" default:"#-- end managed zone --" doc:"text of the line that ends the block"`
	Content text     `arg:"content" doc:"what is between the markers: text, or a list of lines"`
	Source  string   `arg:"source" doc:"take what is between from salt://PATH or another place, as file.managed does"`
	Sources []string `arg:"sources" doc:"the same of several, one after the other"`
	Hash    string   `arg:"source_hash" doc:"hash of source, as in file.managed"`
	Hashes  []string `arg:"source_hashes" doc:"hashes of sources, in their order"`
	Engine  string   `arg:"template" default:"jinja" doc:"how a source is rendered"`
	variableArgs
	Append  bool       `arg:"append_if_not_found" doc:"add markers and block at the end when the markers are not there"`
	Prepend bool       `arg:"prepend_if_not_found" doc:"the same at the beginning"`
	Before  expression `arg:"insert_before_match" doc:"the same before the first line that this matches"`
	After   expression `arg:"insert_after_match" doc:"the same after the first line that this matches"`
	Newline *bool      `arg:"append_newline" doc:"end the content with a newline; false: do not; absent: unless it has one"`
	Bak     bakName    `arg:"backup" default:".bak" doc:"keep a copy of the old file with this at the end of its name; false: none"`
	Show    *bool      `arg:"show_changes" doc:"as in file.managed"`
	Saltenv string     `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
}

func (a *blockArgs) manages() []string { return []string{a.Name} }
func (a *blockArgs) wholeTree() bool   { return false }

func planBlock(ctx context.Context, h *host.Host, a blockArgs) (module.Plan, error) {
	content, err := a.content(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	e, err := openThere(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	defer e.spot.leave()
	after, err := a.edit(e.before, content)
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot edit %s: %w", a.Name, err)
	}
	return e.plan(outcome{
		after: after, show: a.Show, bak: a.Bak, rights: anyone, same: "No changes needed to be made",
		would: "Changes would be made", did: "Changes were made",
	})
}

// content is what is to be between the markers, whole lines unless append_newline is false.
func (a *blockArgs) content(ctx context.Context, h *host.Host) ([]byte, error) {
	ways := 0
	for _, is := range []bool{a.Append, a.Prepend, a.Before != "", a.After != ""} {
		if is {
			ways++
		}
	}
	switch {
	case a.Start == "" || a.End == "":
		return nil, fmt.Errorf("arguments %q and %q must not be empty", "marker_start", "marker_end")
	case ways > 1:
		return nil, fmt.Errorf("give one of the arguments %q, %q, %q and %q", "append_if_not_found", "prepend_if_not_found",
			"insert_before_match", "insert_after_match")
	case a.Source != "" && a.Content != nil:
		return nil, fmt.Errorf("arguments %q and %q exclude one another: give one", "source", "content")
	case a.Sources != nil && (a.Content != nil || a.Source != ""):
		return nil, fmt.Errorf("give one of the arguments %q, %q and %q", "content", "source", "sources")
	}
	lines, err := accumulated(ctx, h, a.Name)
	if err != nil {
		return nil, err
	}
	var data []byte
	for i, part := range a.Content {
		if i > 0 && !bytes.HasSuffix(data, []byte("\n")) {
			data = append(data, '\n')
		}
		data = append(data, part...)
	}
	for _, line := range lines {
		if len(data) > 0 { // as in Salt, also after a newline
			data = append(data, '\n')
		}
		data = append(data, line...)
	}
	if a.Source != "" || a.Sources != nil {
		t := textArgs{Name: a.Name, Source: a.Source, Sources: a.Sources, Hash: a.Hash, Hashes: a.Hashes, Engine: a.Engine, variableArgs: a.variableArgs, Saltenv: a.Saltenv}
		texts, err := t.texts(ctx, h)
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			data = append(data, text...)
		}
	}
	if a.Newline == nil && len(data) > 0 && data[len(data)-1] != '\n' || a.Newline != nil && *a.Newline {
		data = append(data, '\n')
	}
	return data, nil
}

// edit puts the content between the markers.
func (a *blockArgs) edit(before, content []byte) ([]byte, error) {
	start, from := lineWith(before, a.Start, 0)
	if start >= 0 {
		end, _ := lineWith(before, a.End, from)
		if end < 0 {
			return nil, fmt.Errorf("the marker %q has no %q after it", a.Start, a.End)
		}
		return join3(before[:from], content, before[end:]), nil
	}
	if at, _ := lineWith(before, a.End, 0); at >= 0 {
		return nil, fmt.Errorf("the marker %q has no %q before it", a.End, a.Start)
	}
	block := join3([]byte(a.Start+"\n"), content, []byte(a.End+"\n"))
	at, err := a.place(before)
	if err != nil {
		return nil, err
	}
	if at > 0 && before[at-1] != '\n' {
		block = append([]byte("\n"), block...)
	}
	return join3(before[:at], block, before[at:]), nil
}

// place is where a block goes that is not there yet.
func (a *blockArgs) place(before []byte) (int, error) {
	switch {
	case a.Append:
		return len(before), nil
	case a.Prepend:
		return 0, nil
	case a.Before == "" && a.After == "":
		return 0, fmt.Errorf("the marker %q is not there (append_if_not_found adds the block)", a.Start)
	}
	expr := a.Before + a.After // one is empty
	at, place := 0, -1
	_, _, err := eachLine(before, string(expr), func(line []byte, _ []int) []byte { return line })
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(before) {
		if ok, _, err := eachLine(line, string(expr), func(l []byte, _ []int) []byte { return l }); err != nil {
			return 0, err
		} else if ok && place < 0 {
			place = at
			if a.After != "" {
				place += len(line)
			}
		}
		at += len(line)
	}
	if place < 0 {
		return 0, fmt.Errorf("no line matches %q, where the block is to go", expr)
	}
	return place, nil
}

// lineWith is where the first line from a place on begins that holds a text, and where it ends; -1 when none does.
func lineWith(text []byte, marker string, from int) (begin, end int) {
	i := bytes.Index(text[from:], []byte(marker))
	if i < 0 {
		return -1, -1
	}
	begin = bytes.LastIndexByte(text[:from+i], '\n') + 1
	end = len(text)
	if n := bytes.IndexByte(text[from+i:], '\n'); n >= 0 {
		end = from + i + n + 1
	}
	return begin, end
}

func join3(a, b, c []byte) []byte { return append(append(bytes.Clone(a), b...), c...) }
