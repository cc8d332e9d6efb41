package host

import (
	"context"

	"brine/states/value"
)

// A Renderer makes text of templates. It is safe for concurrent use.
type Renderer interface {
	// Render evaluates a template. Its errors name the template and the line.
	Render(ctx context.Context, t Template) ([]byte, error)
}

// A Template is a file or text that is to be rendered.
type Template struct {
	Engine  string      // such as "jinja"; one that isn't known is an error that lists those that are
	Name    string      // where it comes from: salt://PATH, a path of the host, or the name of an argument
	Text    []byte      // what is to be rendered
	Saltenv string      // environment that it may include files of; "" is the job's
	Context *value.Dict // variables of its own, beside those that all templates have; may be nil
}
