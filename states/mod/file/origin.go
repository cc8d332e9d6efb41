package file

import (
	"context"
	"io"
	"path"

	"brine/states/host"
)

// Origin is where content comes from: the arguments source, source_hash and those beside them, for states of other
// modules that take a file.
type Origin = sourceArgs

// Of is an Origin of one place.
func Of(url string) Origin { return Origin{Source: sources{urls: []string{url}}} }

// Given says whether there is a place at all.
func (a *sourceArgs) Given() bool { return len(a.Source.urls) > 0 }

// A Content is a source that was found.
type Content struct {
	Name string // the last part of its path
	w    *wanted
}

// Find finds the first source that is there, and checks what can be checked without fetching it. When none
// is, it is a module.Unknown, or a module.Certain of masters that don't have it.
func (a *sourceArgs) Find(ctx context.Context, h *host.Host, target string) (*Content, error) {
	if err := a.understood(); err != nil {
		return nil, err
	}
	w, err := a.fetched(ctx, h, target)
	if err != nil || w == nil {
		return nil, err
	}
	return &Content{path.Base(pathIn(w.from)), w}, nil
}

// From is the source as it may be shown.
func (c *Content) From() string { return withoutSecrets(c.w.from) }

// Sum is a hash of the content, such as sha256=DIGITS; "" when none is known before it is fetched.
func (c *Content) Sum() string {
	for _, t := range hashTypes {
		if digits := c.w.sums[t.name]; digits != "" {
			return t.name + "=" + digits
		}
	}
	return ""
}

// Size is how many bytes it has, -1 when that is not known before it is fetched.
func (c *Content) Size() int64 { return c.w.size }

// Open returns the content; a file of this machine is an io.ReaderAt too. The caller closes it.
func (c *Content) Open(ctx context.Context) (io.ReadCloser, error) { return c.w.reader(ctx) }

// Save writes the content, which is then known to be what was promised.
func (c *Content) Save(ctx context.Context, to io.Writer) error { return c.w.write(ctx, to) }
