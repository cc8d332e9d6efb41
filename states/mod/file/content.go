package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

type contentArgs struct {
	Source   sources  `arg:"source" doc:"salt://PATH or a path of this host; of a list the first that is there"`
	Contents contents `arg:"contents" doc:"the content: text, or a list of lines"`
	Newline  bool     `arg:"contents_newline" default:"true" doc:"end contents with a newline"`
	Template string   `arg:"template" doc:"how to render it; only jinja without any template marks for now"`
	Saltenv  string   `arg:"saltenv" doc:"environment to fetch source from; the job's when absent"`
}

// sources are the places that a file may come from.
type sources []string

func (s *sources) ArgType() string { return "text or list of text" }

func (s *sources) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		items = []module.Value{v}
	}
	for _, item := range items {
		text, err := item.Str()
		if err != nil || text == "" {
			return v.Want("salt://PATH or the path of a file")
		}
		if !strings.HasPrefix(text, "salt://") && !filepath.IsAbs(text) {
			return fmt.Errorf("want salt://PATH or an absolute path, got %q", text)
		}
		*s = append(*s, text)
	}
	return nil
}

// contents are the content of a file; nil when they are not given.
type contents struct{ text *string }

func (c *contents) ArgType() string { return "text or list of text" }

func (c *contents) ParseArg(v module.Value) error {
	items, isList := v.Items()
	if !isList {
		text, err := v.Str()
		c.text = &text
		return err
	}
	var b strings.Builder
	for i, item := range items {
		line, err := item.Str()
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
	}
	text := strings.TrimSuffix(b.String(), "\n")
	c.text = &text
	return nil
}

// A wanted is the content that a file is to have.
type wanted struct {
	sum  string // sha256
	size int64
	mode uint32 // of the source
	open func(context.Context) (io.ReadCloser, error)
}

// wanted returns the content; nil when the arguments don't say any.
func (a *contentArgs) wanted(ctx context.Context, h *host.Host) (*wanted, error) {
	if a.Template != "" && a.Template != "jinja" {
		return nil, fmt.Errorf("cannot render with %q: only jinja is known", a.Template)
	}
	switch {
	case a.Contents.text != nil && a.Source != nil:
		return nil, errors.New(`arguments "source" and "contents" exclude one another: give one`)
	case a.Contents.text != nil:
		text := *a.Contents.text
		if a.Newline && text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		w := memory([]byte(text))
		if a.Template != "" {
			if err := plain(ctx, "contents", w); err != nil {
				return nil, err
			}
		}
		return w, nil
	case a.Source != nil:
		return a.fromSource(ctx, h)
	}
	return nil, nil
}

func memory(data []byte) *wanted {
	sum := sha256.Sum256(data)
	return &wanted{
		sum: hex.EncodeToString(sum[:]), size: int64(len(data)), mode: 0o644,
		open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		},
	}
}

func (a *contentArgs) fromSource(ctx context.Context, h *host.Host) (*wanted, error) {
	for _, source := range a.Source {
		w, err := a.oneSource(ctx, h, source)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && a.Template != "" {
			err = plain(ctx, source, w)
		}
		return w, err
	}
	if len(a.Source) > 1 {
		return nil, module.Unknown("cannot find any of the sources %s", strings.Join(a.Source, ", "))
	}
	return nil, module.Unknown("cannot find the source %s", a.Source[0])
}

func (a *contentArgs) oneSource(ctx context.Context, h *host.Host, source string) (*wanted, error) {
	if filepath.IsAbs(source) {
		name, err := followed(h, source)
		if err != nil {
			return nil, err
		}
		return local(name)
	}
	if h.Files == nil {
		return nil, fmt.Errorf("cannot fetch %q: this host has no masters to fetch from", source)
	}
	if a.Saltenv != "" && !strings.Contains(source, "?saltenv=") {
		source += "?saltenv=" + a.Saltenv
	}
	f, err := h.Files.Stat(ctx, source)
	if err != nil {
		return nil, err
	}
	return &wanted{
		sum: f.SHA256, size: f.Size, mode: uint32(f.Mode.Perm()),
		open: func(ctx context.Context) (io.ReadCloser, error) {
			name, err := h.Files.Fetch(ctx, source)
			if err != nil {
				return nil, err
			}
			return os.Open(name)
		},
	}, nil
}

func local(name string) (*wanted, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot take %s for a source: it is not a file", name)
	}
	sum, err := sumOf(name)
	bits, _, _ := owned(st)
	return &wanted{
		sum: sum, size: st.Size(), mode: bits & 0o777,
		open: func(context.Context) (io.ReadCloser, error) { return os.Open(name) },
	}, err
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, f, make([]byte, 8<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// write writes the content and checks that it is what was promised.
func (w *wanted) write(ctx context.Context, to io.Writer) error {
	from, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), from); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.sum {
		return fmt.Errorf("the source changed meanwhile: its sha256 is %s, not %s", got, w.sum)
	}
	return nil
}

// read returns the content when it is small enough to be shown.
func (w *wanted) read(ctx context.Context) ([]byte, bool, error) {
	if w.size > diffFile {
		return nil, false, nil
	}
	from, err := w.open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer from.Close()
	data, err := io.ReadAll(io.LimitReader(from, diffFile+1))
	return data, len(data) <= diffFile, err
}

// plain refuses a template that would have to be evaluated.
func plain(ctx context.Context, source string, w *wanted) error {
	from, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	for n, line := range strings.Split(string(data), "\n") {
		for _, mark := range []string{"{{", "{%", "{#"} {
			if strings.Contains(line, mark) {
				return fmt.Errorf("cannot render %s:%d: templates are not read yet in this version "+
					"(leave out template to take the file as it is)", source, n+1)
			}
		}
	}
	return nil
}
