package salt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"brine/proto"
	"brine/proto/spell"
	"brine/states/value"
	"brine/states/yaml"
)

// aliases are what kinds were called once.
var aliases = map[string]string{"cmd": "local"}

var kinds = []string{"caller", "local", "runner", "wheel"}

// read makes reactions of what was rendered.
func read(file string, n *yaml.Node) ([]Reaction, error) {
	if n.IsNull() {
		return nil, nil // the template found nothing to do
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: cannot read the reaction: want a dictionary, got a %s", file, n.Line, n.TypeName())
	}
	var found []Reaction
	var errs []error
	for _, p := range n.Pairs {
		if p.Value.Kind != yaml.MappingNode {
			errs = append(errs, fmt.Errorf("%s:%d: cannot read the reaction %q: want a function, such as local.state.apply", file, p.Key.Line, p.Key.Text))
			continue
		}
		for _, fun := range p.Value.Pairs {
			r, err := one(p.Key.Text, fun)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: cannot read the reaction %q: %w", file, fun.Key.Line, p.Key.Text, err))
				continue
			}
			if len(p.Value.Pairs) > 1 {
				r.ID += "/" + fun.Key.Text
			}
			found = append(found, r)
		}
	}
	return found, errors.Join(errs...)
}

// one reads one function of a reaction.
func one(id string, p yaml.Pair) (Reaction, error) {
	r := Reaction{ID: id, Kwargs: map[string]any{}}
	kind, fun, _ := strings.Cut(p.Key.Text, ".")
	if alias := aliases[kind]; alias != "" {
		kind = alias
	}
	if r.Kind = kind; !slices.Contains(kinds, kind) {
		return r, fmt.Errorf("unknown type %q%s: there are %s, and cmd for local", kind, spell.DidYouMean(kind, kinds), strings.Join(kinds, ", "))
	}
	opts, err := options(p.Value, &fun)
	if err != nil {
		return r, err
	}
	if r.Function = fun; fun == "" {
		return r, fmt.Errorf("no function is named: want such as %s.test.ping", kind)
	}
	if err := r.arguments(opts); err != nil {
		return r, err
	}
	if kind == "local" {
		return r, r.target(opts)
	}
	return r, nil
}

// options joins the list under a function; a text in it is the function's name.
func options(n *yaml.Node, fun *string) (map[string]any, error) {
	opts := map[string]any{}
	add := func(v any) error {
		d, ok := v.(*value.Dict)
		if !ok {
			return fmt.Errorf("want a list of KEY: VALUE, got %v", v)
		}
		for k, v := range d.All() {
			opts[fmt.Sprint(k)] = v
		}
		return nil
	}
	switch v := n.Data().(type) {
	case nil:
	case *value.List:
		for _, item := range v.Items {
			if text, ok := item.(string); ok && *fun == "" {
				*fun = text
				continue
			}
			if err := add(item); err != nil {
				return nil, err
			}
		}
	default:
		return opts, add(v)
	}
	return opts, nil
}

// internal are keys that belong to nobody's arguments.
var internal = []string{"order", "name", "__id__", "__sls__", "fun", "state", "tgt", "tgt_type", "expr_form", "ret", "timeout", "arg", "kwarg", "args"}

// arguments reads args, or arg and kwarg; of runners and wheels also what else there is.
func (r *Reaction) arguments(opts map[string]any) error {
	if raw := opts["args"]; raw != nil {
		return r.add(raw)
	}
	switch v := plainOf(opts["arg"]).(type) {
	case nil:
	case []any:
		r.Args = v
	default:
		r.Args = []any{v}
	}
	if r.Kind == "local" {
		r.nameArguments()
	}
	if raw, ok := opts["kwarg"]; ok {
		if err := r.add(raw); err != nil {
			return err
		}
	}
	if r.Kind != "local" {
		for k, v := range opts {
			if !slices.Contains(internal, k) {
				r.Kwargs[k] = plainOf(v)
			}
		}
	}
	return nil
}

// nameArguments takes the texts KEY=VALUE out of what goes by its place: Salt's minions read these as named arguments. Their values
// are YAML, as on a command line.
func (r *Reaction) nameArguments() {
	r.Args = slices.DeleteFunc(r.Args, func(arg any) bool {
		text, _ := arg.(string)
		name, v, ok := strings.Cut(text, "=")
		if !ok || strings.HasPrefix(v, "=") || !isName(name) {
			return false
		}
		r.Kwargs[name] = v
		if n, err := yaml.Parse(name, []byte(v)); err == nil {
			r.Kwargs[name] = plainOf(n.Data())
		}
		return true
	})
}

// isName tells whether a text can be an argument's name.
func isName(s string) bool {
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || c != '-' && c != '.' && !unicode.IsDigit(c)) {
			return false
		}
	}
	return s != ""
}

// add reads named arguments: a dictionary, or a list of such; what else stands in a list goes by its place.
func (r *Reaction) add(raw any) error {
	switch v := raw.(type) {
	case nil:
	case *value.Dict:
		for k, v := range v.All() {
			r.Kwargs[fmt.Sprint(k)] = plainOf(v)
		}
	case *value.List:
		for _, item := range v.Items {
			if d, ok := item.(*value.Dict); ok {
				if err := r.add(d); err != nil {
					return err
				}
				continue
			}
			r.Args = append(r.Args, plainOf(item))
		}
	default:
		return fmt.Errorf("args: want named arguments, or a list, got %v", v)
	}
	return nil
}

// plainOf makes maps and slices of a value.
func plainOf(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			m[fmt.Sprint(k)] = plainOf(item)
		}
		return m
	case *value.List:
		all := make([]any, len(v.Items))
		for i, item := range v.Items {
			all[i] = plainOf(item)
		}
		return all
	}
	return v
}

var syntaxes = map[string]proto.Target_Syntax{
	"": proto.Target_GLOB, "glob": proto.Target_GLOB, "list": proto.Target_LIST, "pcre": proto.Target_PCRE, "grain": proto.Target_GRAIN,
	"grain_pcre": proto.Target_GRAIN_PCRE, "pillar": proto.Target_PILLAR, "compound": proto.Target_COMPOUND,
}

// target reads whom a reaction is for.
func (r *Reaction) target(opts map[string]any) error {
	kind, _ := opts["tgt_type"].(string)
	if old, ok := opts["expr_form"].(string); ok && kind == "" {
		kind = old
	}
	syntax, ok := syntaxes[kind]
	if !ok {
		if syntax, ok = otherSyntaxes()[kind]; !ok {
			return fmt.Errorf("unknown tgt_type %q", kind)
		}
	}
	switch v := plainOf(opts["tgt"]).(type) {
	case nil:
		return errors.New("tgt is missing: whom is it for?")
	case []any:
		var ids []string
		for _, item := range v {
			ids = append(ids, fmt.Sprint(item))
		}
		r.Target = &proto.Target{Syntax: syntax, Expression: strings.Join(ids, ",")}
		if kind == "" {
			r.Target.Syntax = proto.Target_LIST
		}
	default:
		r.Target = &proto.Target{Syntax: syntax, Expression: fmt.Sprint(v)}
	}
	return nil
}

// otherSyntaxes are those by the names that the bus has for them.
func otherSyntaxes() map[string]proto.Target_Syntax {
	names := map[string]proto.Target_Syntax{}
	for n, name := range proto.Target_Syntax_name {
		if n > 0 {
			names[strings.ToLower(name)] = proto.Target_Syntax(n)
		}
	}
	return names
}
