package jinja

import (
	"crypto/sha256"
	"errors"
	"sync"

	"brine/states/jinja/library"
	"brine/states/jinja/syntax"
)

// Settings are how templates are read; the zero Settings are Salt's defaults.
type Settings struct {
	TrimBlocks     bool // jinja_trim_blocks
	LstripBlocks   bool // jinja_lstrip_blocks
	AllowUndefined bool // an undefined value prints as nothing instead of failing
}

// A Template is a template that was parsed.
type Template struct {
	name     string
	settings Settings
	tree     *syntax.Template
	engine   *Engine
}

// Name is what the template was called when it was parsed.
func (t *Template) Name() string { return t.name }

// An Engine parses templates and keeps those that were used last. It is safe for concurrent use.
// The zero Engine is ready.
type Engine struct {
	mu sync.Mutex
	// The fields below are guarded by mu.
	young, old map[key]*syntax.Template
}

type key struct {
	sum     [sha256.Size]byte
	options syntax.Options
}

// generation is how many templates are parsed before those that were not used since are forgotten.
const generation = 1000

// Parse reads a template; name is what errors call it. The error is an *Error.
func (e *Engine) Parse(name, source string, s Settings) (*Template, error) {
	options := syntax.Options{TrimBlocks: s.TrimBlocks, LstripBlocks: s.LstripBlocks}
	k := key{sha256.Sum256([]byte(source)), options}
	tree := e.cached(k)
	if tree == nil {
		var err error
		if tree, err = syntax.Parse(source, options, library.Known{}); err != nil {
			return nil, syntaxError(name, source, err)
		}
		e.keep(k, tree)
	}
	return &Template{name: name, settings: s, tree: tree, engine: e}, nil
}

func (e *Engine) cached(k key) *syntax.Template {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.young[k]; t != nil {
		return t
	}
	t := e.old[k]
	if t != nil {
		e.put(k, t)
	}
	return t
}

func (e *Engine) keep(k key, t *syntax.Template) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.put(k, t)
}

// put is called with mu held.
func (e *Engine) put(k key, t *syntax.Template) {
	if len(e.young) >= generation {
		e.old, e.young = e.young, nil
	}
	if e.young == nil {
		e.young = map[key]*syntax.Template{}
	}
	e.young[k] = t
}

func syntaxError(name, source string, err error) error {
	var se *syntax.Error
	if !errors.As(err, &se) {
		return err
	}
	kind := Syntax
	if se.Compile {
		kind = Failed
	}
	return &Error{Kind: kind, Place: placeOf(name, source, se.Pos), Text: se.Text}
}
