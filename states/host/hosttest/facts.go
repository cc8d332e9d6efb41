package hosttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"brine/states/value"
)

// customFile is where the custom grains of a test's host lie.
const customFile = "/etc/brine/grains"

// Facts are the grains of a test's host: those it was given, and custom ones, which are kept as JSON in a
// file under its root. They implement host.Facts.
type Facts struct {
	h *Host

	editing sync.Mutex // held by one edit, before mu

	mu       sync.Mutex // guards the fields below, and the file
	own      *value.Dict
	fixed    map[string]string
	warnings []string
	asked    int
}

// Set gives the host grains of its own; Custom are those in the file.
func (f *Facts) Set(pairs ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own = value.NewDict(pairs...)
}

// Fix makes a grain one that file gives a value, so that no edit does.
func (f *Facts) Fix(name, file string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fixed[name] = file
}

// Refreshed is how often the grains were asked to be looked at anew.
func (f *Facts) Refreshed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *Facts) custom() *value.Dict {
	text := f.h.Read(customFile)
	if text == "" {
		return &value.Dict{}
	}
	v, err := value.FromJSON([]byte(text))
	d, ok := v.(*value.Dict)
	if err != nil || !ok {
		f.h.t.Errorf("custom grains are no JSON object: %v", err)
		return &value.Dict{}
	}
	return d
}

// Now implements host.Facts.
func (f *Facts) Now(context.Context) *value.Dict {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := &value.Dict{}
	for _, d := range []*value.Dict{f.own, f.custom()} {
		for k, v := range d.All() {
			_ = all.Set(k, v) // it was a key already
		}
	}
	return all
}

// Edit implements host.Facts.
func (f *Facts) Edit(ctx context.Context, change func(custom, grains *value.Dict) error) error {
	f.editing.Lock()
	defer f.editing.Unlock()
	custom := f.custom()
	if err := change(custom, f.Now(ctx)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := value.MarshalJSON(custom)
	if err != nil {
		return err
	}
	file := f.h.Path(customFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("cannot write grains: %w", err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("cannot write grains: %w", err)
	}
	return nil
}

// Fixed implements host.Facts.
func (f *Facts) Fixed(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fixed[name]
}

// Refresh implements host.Facts.
func (f *Facts) Refresh(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return nil
}

// Warn makes what Warnings tells.
func (f *Facts) Warn(warnings ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.warnings = warnings
}

// Warnings implements host.Facts.
func (f *Facts) Warnings(context.Context) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.warnings
}
