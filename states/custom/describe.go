package custom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"brine/proto/spell"
	"brine/states/module"
	"brine/states/value"
)

// A description is what an executable says of itself.
type description struct {
	doc   string
	funcs []described
}

// A described is one of its functions or states.
type described struct {
	name, doc, example string
	params             []module.Param
	pillar             bool // it is told the pillar
	watch              bool // a state that does something when one that it watches changed
	limit              time.Duration
}

// describe returns what the executable says of itself. It is asked once, and the answer kept beside it.
func (p *program) describe(ctx context.Context) (*description, error) {
	kept := p.path() + ".describe.json" // an executable may go by the name it is called by
	if _, err := p.verify(); err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", p.URL(), err)
	}
	if data, err := os.ReadFile(kept); err == nil {
		if v, err := value.FromJSON(data); err == nil {
			if d, err := p.parse(v); err == nil {
				return d, nil
			}
		}
	}
	q := question{words: []string{"describe"}, limit: cmp.Or(p.store.Limit, describeLimit), output: describeOutput, look: true}
	v, _, err := p.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	d, err := p.parse(v)
	if err != nil {
		return nil, err
	}
	data, err := value.MarshalJSON(v)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("cannot keep what %s says: %w", p.URL(), err) }
	return d, writeFile(kept, data, 0o600, fail)
}

// parse reads a description. The error has every mistake in it.
func (p *program) parse(v any) (*description, error) {
	r := &reader{}
	d := &description{}
	own := r.object("", v, "doc", string(Modules.key()), string(States.key()))
	d.doc = r.text("doc", own["doc"])
	key := p.Kind.key()
	list, isObject := own[key].(*value.Dict)
	switch {
	case len(r.errs) > 0:
	case own[key] == nil:
		r.fail(key, "it is missing: there is nothing in the module")
	case !isObject || list.Len() == 0:
		r.fail(key, "want an object of %s by name, with one at least", key)
	}
	for name, one := range list.All() {
		d.funcs = append(d.funcs, r.described(key+"."+fmt.Sprint(name), fmt.Sprint(name), one, p.Kind))
	}
	if err := errors.Join(r.errs...); err != nil {
		return nil, fmt.Errorf("%s describe printed a wrong description: %w (%s)", p.URL(), err, Guide)
	}
	return d, nil
}

// key is where a description has what is of the kind.
func (k Kind) key() string {
	if k == States {
		return "states"
	}
	return "functions"
}

func (r *reader) described(at, name string, v any, kind Kind) described {
	keys := []string{"doc", "example", "args", "pillar", "timeout"}
	if kind == States {
		keys = append(keys, "watch")
	}
	own := r.object(at, v, keys...)
	d := described{name: name, limit: callLimit,
		doc: r.text(at+".doc", own["doc"]), example: r.text(at+".example", own["example"]),
		pillar: r.flag(at+".pillar", own["pillar"]), watch: r.flag(at+".watch", own["watch"])}
	if !moduleName().MatchString(name) {
		r.fail(at, "want a name of letters, digits and _")
	}
	if t := own["timeout"]; t != nil {
		limit, err := module.Data(t).Duration()
		if err != nil || limit <= 0 {
			r.fail(at+".timeout", "want a number of seconds")
		}
		d.limit = limit
	}
	told := r.args(at+".args", own["args"])
	if kind == States && !slices.ContainsFunc(told, func(t module.Told) bool { return t.Name == "name" }) {
		told = append([]module.Told{{Name: "name", Type: "text", Required: true, Doc: "what the state is about"}}, told...)
	}
	var err error
	if d.params, err = module.ParamsTold(told); err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", at, err))
	}
	return d
}

func (r *reader) args(at string, v any) []module.Told {
	if v == nil {
		return nil
	}
	list, ok := v.(*value.List)
	if !ok {
		r.fail(at, "want a list of objects, got %s", value.Kind(v))
		return nil
	}
	var told []module.Told
	for i, item := range list.Items {
		at := fmt.Sprintf("%s[%d]", at, i)
		own := r.object(at, item, "name", "doc", "type", "required", "default", "rest", "named")
		told = append(told, module.Told{
			Name: r.text(at+".name", own["name"]), Doc: r.text(at+".doc", own["doc"]), Type: r.text(at+".type", own["type"]),
			Required: r.flag(at+".required", own["required"]), Default: own["default"],
			Rest: r.flag(at+".rest", own["rest"]), Named: r.flag(at+".named", own["named"]),
		})
	}
	return told
}

// A reader reads JSON and notes what is wrong with it.
type reader struct{ errs []error }

func (r *reader) fail(at, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if at != "" {
		text = at + ": " + text
	}
	r.errs = append(r.errs, errors.New(text))
}

// object reads an object that has no other keys than these.
func (r *reader) object(at string, v any, keys ...string) map[string]any {
	d, ok := v.(*value.Dict)
	if !ok {
		r.fail(at, "want an object, got %s", value.Kind(v))
		return nil
	}
	own := map[string]any{}
	for k, v := range d.All() {
		key := fmt.Sprint(k)
		if !slices.Contains(keys, key) {
			r.fail(at, "unknown key %q%s", key, spell.DidYouMean(key, keys))
		}
		own[key] = v
	}
	return own
}

func (r *reader) text(at string, v any) string {
	s, ok := v.(string)
	if v != nil && !ok {
		r.fail(at, "want text, got %s", value.Kind(v))
	}
	return s
}

func (r *reader) flag(at string, v any) bool {
	b, ok := v.(bool)
	if v != nil && !ok {
		r.fail(at, "want true or false, got %s", value.Kind(v))
	}
	return b
}
