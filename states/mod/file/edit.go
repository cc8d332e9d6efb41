package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// editMax is how large a file may be that is edited.
const editMax = 256 << 20

// An edit is a change of a text that is there.
type edit struct {
	name   string
	spot   *spot
	old    *info // nil when it is to be made
	before []byte
}

var (
	errNotThere = errors.New("file not found")
	errBinary   = errors.New("it is no text")
)

// openEdit reads the text of a file. Leave the spot when done.
func openEdit(h *host.Host, name string) (*edit, error) {
	if err := absolute("edit", name); err != nil {
		return nil, err
	}
	s, err := find(h, name, true)
	if isNothing(err) {
		return nil, errNotThere
	}
	if err != nil {
		return nil, fmt.Errorf("cannot edit %s: %w", name, err)
	}
	e := &edit{name: name, spot: s}
	if err := e.read(); err != nil {
		s.leave()
		return nil, fmt.Errorf("cannot edit %s: %w", name, err)
	}
	return e, nil
}

func (e *edit) read() (err error) {
	if e.old, err = e.spot.look(); e.old == nil || err != nil {
		return err
	}
	if e.old.isFile() && e.old.Size > editMax {
		return fmt.Errorf("it has more than %d bytes", editMax)
	}
	e.before, err = e.spot.read()
	if err == nil && bytes.IndexByte(e.before, 0) >= 0 {
		err = errBinary
	}
	return err
}

// mustBe refuses a file that isn't there.
func (e *edit) mustBe() error {
	if e.old == nil {
		e.spot.leave()
		return module.Unknown("%s: %w", e.name, errNotThere)
	}
	return nil
}

// An outcome is what an edit makes of a file, and how it is told.
type outcome struct {
	after            []byte
	same, would, did string
	show             *bool
	bak              bakName // a copy of the old file beside it
	makedirs         bool
	hint             string // what to do when directories are missing
	dirMode          mode
	rights           rights // that it is to have
}

// plan makes the plan of the edit.
func (e *edit) plan(o outcome) (module.Plan, error) {
	plan := module.Plan{Same: o.same, Would: o.would, Did: o.did}
	same := e.old != nil && bytes.Equal(e.before, o.after)
	changes := e.changes(o, same)
	if changes.Len() == 0 {
		return plan, nil
	}
	if e.old == nil && len(e.spot.missing) > 0 && !o.makedirs {
		return plan, module.Unknown("cannot make the file %s: its directory is not there%s", e.name, o.hint)
	}
	plan.Steps = []module.Step{doing(changes, func(ctx context.Context) error {
		if same {
			return e.spot.give(e.old, o.rights)
		}
		if err := e.write(ctx, o); err != nil {
			return fmt.Errorf("cannot write %s: %w", e.name, err)
		}
		return nil
	})}
	return plan, nil
}

// changes are what the edit shows.
func (e *edit) changes(o outcome, same bool) *value.Dict {
	changes := &value.Dict{}
	switch {
	case e.old == nil && len(o.after) == 0:
		changes.Put("new", fmt.Sprintf("file %s created", e.name))
	case !same:
		changes.Put("diff", e.difference(o))
	}
	if e.old == nil {
		merge(changes, o.rights.stated())
	} else {
		merge(changes, o.rights.differences(e.old))
	}
	return changes
}

func (e *edit) difference(o outcome) string {
	if hidden := hides(o.show, false, mode{}, e.old); hidden != "" {
		return hidden
	}
	if len(e.before) > diffFile || len(o.after) > diffFile {
		return tooLarge
	}
	return diffOf(e.before, o.after, o.show)
}

func (e *edit) write(ctx context.Context, o outcome) error {
	if err := e.spot.enter(); err != nil {
		return err
	}
	defer e.spot.leave()
	if err := e.spot.makeDirs(dirRights(anyone, o.dirMode)); err != nil {
		return err
	}
	if o.bak != "" && e.old != nil {
		if err := e.spot.copyTo(ctx, e.spot.path()+string(o.bak), e.old, anyone); err != nil {
			return err
		}
	}
	e.spot.final = module.AroundOf(ctx).Guarded
	return e.spot.put(e.old, o.rights, func(w io.Writer) error {
		_, err := w.Write(o.after)
		return err
	})
}

// A bakName ends the name of the copy that is kept beside an edited file; "" keeps none.
type bakName string

func (b *bakName) ArgType() string { return "text or false" }

func (b *bakName) ParseArg(v module.Value) error {
	if v.Data == false || v.Data == nil {
		*b = ""
		return nil
	}
	text, err := v.Str()
	if err != nil || v.Data == true || strings.Contains(text, "/") {
		return v.Want("the end of a name such as .bak, or false")
	}
	*b = bakName(text)
	return nil
}

// A text is one or more pieces of text.
type text []string

func (t *text) ArgType() string { return "text or list of text" }

func (t *text) ParseArg(v module.Value) error {
	var c contents
	err := c.ParseArg(v)
	*t = c.parts
	return err
}

// linesOf are the lines of a text without their ends.
func linesOf(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		all = append(all, strings.TrimRight(line, "\r\n"))
	}
	return all
}
