package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// A wanted is the content that a file is to have. It is in memory as data, or opened when it is needed.
type wanted struct {
	from   string // where it comes from, for messages
	data   []byte
	open   func(context.Context) (io.ReadCloser, error) // nil: it is data
	sums   sums                                         // known of it beforehand
	stated bool                                         // the operator gave sums
	size   int64                                        // -1: not known
	mode   uint32                                       // of the source; newMode where it has none
}

// inMemory is content that is there already.
func inMemory(from string, data []byte) *wanted {
	return &wanted{from: from, data: data, size: int64(len(data)), mode: newMode}
}

func (w *wanted) reader(ctx context.Context) (io.ReadCloser, error) {
	if w.open == nil {
		return io.NopCloser(bytes.NewReader(w.data)), nil
	}
	return w.open(ctx)
}

// is says whether an open file has this content.
func (w *wanted) is(ctx context.Context, f io.Reader, size int64) (bool, error) {
	if w.size >= 0 && w.size != size {
		return false, nil
	}
	if w.open == nil {
		return sameBytes(f, w.data)
	}
	if len(w.sums) > 0 {
		got, err := w.sums.of(ctx, f)
		return err == nil && got.equal(w.sums), err
	}
	from, err := w.open(ctx)
	if err != nil {
		return false, err
	}
	defer from.Close()
	return sameContent(until(ctx, f), from)
}

func sameBytes(f io.Reader, data []byte) (bool, error) {
	buf := make([]byte, min(len(data)+1, 32<<10))
	for {
		n, err := f.Read(buf)
		if !bytes.HasPrefix(data, buf[:n]) {
			return false, nil
		}
		data = data[n:]
		if err == io.EOF {
			return len(data) == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func sameContent(f, with io.Reader) (bool, error) {
	a, b := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err1 := io.ReadFull(f, a)
		m, err2 := io.ReadFull(with, b)
		for _, err := range []error{err1, err2} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if !bytes.Equal(a[:n], b[:m]) {
			return false, nil
		}
		if err1 != nil && err2 != nil {
			return true, nil
		}
	}
}

// write writes the content and checks that it is what was promised.
func (w *wanted) write(ctx context.Context, to io.Writer) error {
	from, err := w.reader(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	hashes := w.sums.hashes()
	if _, err := io.Copy(hashes.tee(to), until(ctx, from)); err != nil {
		return err
	}
	return w.differs(hashes.sums())
}

// differs is the error of content that is not what was promised; nil when it is.
func (w *wanted) differs(got sums) error {
	switch {
	case got.equal(w.sums):
		return nil
	case w.stated:
		return fmt.Errorf("cannot take the source %s: its %s, source_hash says %s", w.from, got.text("is"), w.sums.text(""))
	}
	return fmt.Errorf("the source changed meanwhile: its %s, not %s", got.text("is"), w.sums.text(""))
}

// read returns the content when it has at most limit bytes. It is what was promised.
func (w *wanted) read(ctx context.Context, limit int64) (data []byte, whole bool, err error) {
	if w.size > limit {
		return nil, false, nil
	}
	if w.open == nil {
		return w.data, true, nil
	}
	from, err := w.open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer from.Close()
	data, err = io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil || int64(len(data)) > limit {
		return nil, false, err
	}
	got, err := w.sums.of(ctx, bytes.NewReader(data))
	if err == nil {
		err = w.differs(got)
	}
	return data, true, err
}

// templateMax is how large a template may be.
const templateMax = 16 << 20

// templateArgs say how content is rendered.
type templateArgs struct {
	Template string `arg:"template" doc:"render the content with this engine, such as jinja; absent: take it as it is"`
	variableArgs
	Tpldir string      `arg:"tpldir" doc:"the variable tpldir of the template"`
	Others *value.Dict `arg:"kwargs,others=template" doc:"a variable of the template, as in Salt; context and defaults have precedence"`
}

type variableArgs struct {
	Context  *value.Dict `arg:"context" doc:"variables of the template"`
	Defaults *value.Dict `arg:"defaults" doc:"variables of the template where context has none of that name"`
}

// render makes the content of a template. It sees the variables told, where no argument has one of that name.
func (a *templateArgs) render(ctx context.Context, h *host.Host, w *wanted, saltenv string, told *value.Dict) (*wanted, error) {
	if a.Template == "" {
		return w, nil
	}
	text, whole, err := w.read(ctx, templateMax)
	if err != nil {
		return nil, err
	}
	if !whole {
		return nil, fmt.Errorf("cannot render %s: it has more than %d bytes", w.from, templateMax)
	}
	if h.Render == nil {
		if err := plain(a.Template, w.from, text); err != nil {
			return nil, err
		}
	} else {
		text, err = h.Render.Render(ctx, host.Template{
			Engine: a.Template, Name: w.from, Text: text, Saltenv: saltenv, Context: a.variables(told),
		})
		if err != nil {
			return nil, err
		}
	}
	out := inMemory(w.from, text)
	out.mode = w.mode
	return out, nil
}

// variables are those of the template. As in Salt what stands in an SLS keeps its order where it is written as YAML.
func (a *templateArgs) variables(told *value.Dict) *value.Dict {
	all := &value.Dict{}
	if a.Tpldir != "" {
		all.Put("tpldir", a.Tpldir)
	}
	for _, d := range []*value.Dict{told, a.Others, a.Defaults, a.Context} {
		for k, v := range d.All() {
			if own, err := value.Ordered(v); err == nil { // data of an SLS is no deeper than can be copied
				v = own
			}
			_ = all.Set(k, v) // it was a key already
		}
	}
	return all
}

// plain is what a host without engines can render: a jinja template in which nothing has to be evaluated.
func plain(engine, from string, text []byte) error {
	if engine != "jinja" {
		return fmt.Errorf("cannot render %s with %q: only jinja is known", from, engine)
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		for _, mark := range []string{"{{", "{%", "{#"} {
			if strings.Contains(string(line), mark) {
				return fmt.Errorf("cannot render %s:%d: this host has no engine for templates "+
					"(leave out template to take the file as it is)", from, n)
			}
		}
	}
	return nil
}
