package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// scope says whose configuration is meant.
type scope struct {
	Repo     string `arg:"repo,alias=cwd" doc:"the repository; with global it does not count"`
	User     string `arg:"user,alias=runas" doc:"user to run git as"`
	Password string `arg:"password" doc:"taken for Salt: only Windows needs it"`
	Global   bool   `arg:"global" doc:"the configuration of the user, not of a repository"`
	Encoding string `arg:"output_encoding" doc:"taken for Salt: what git says is UTF-8"`
}

// A config is a configuration that git can be asked for.
type config struct {
	c    *client
	dir  string
	args []string
}

var errNoScope = errors.New(`cannot tell which configuration is meant: set "repo" or "global"`)

func (s *scope) config(ctx context.Context, h *host.Host) (*config, error) {
	c, err := (&who{User: s.User}).client(ctx, h, nil)
	if err != nil {
		return nil, err
	}
	if s.Global {
		if c.user == nil { // whose HOME a service may not have
			if c.user, err = h.User(ctx, fmt.Sprint(os.Geteuid())); err != nil && !errors.Is(err, host.ErrNoAccount) {
				return nil, err
			}
		}
		return &config{c, "", []string{"config", "--global"}}, nil
	}
	if s.Repo == "" {
		return nil, errNoScope
	}
	is, err := kindOf(h, s.Repo)
	if err == nil && is != tree && is != bare {
		err = module.Unknown("cannot configure %s: it is no git repository", s.Repo)
	}
	return &config{c, s.Repo, []string{"config", "--local"}}, err
}

// ask is for values of which there may be none.
func (c *config) ask(ctx context.Context, args ...string) (string, bool, error) {
	return c.c.ask(ctx, c.dir, append(slices.Clone(c.args), args...)...)
}

// do changes the configuration.
func (c *config) do(ctx context.Context, args ...string) error {
	_, err := c.c.run(ctx, c.dir, append(slices.Clone(c.args), args...)...)
	return err
}

// values are all values of a name.
func (c *config) values(ctx context.Context, name string) ([]string, error) {
	if !strings.Contains(name, ".") || name[0] == '-' {
		return nil, fmt.Errorf("cannot use the name %q: want one such as user.name", name)
	}
	text, ok, err := c.ask(ctx, "--null", "--get-all", name)
	if !ok || err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(text, "\x00"), "\x00"), nil
}

func (c *config) set(ctx context.Context, name string, values []string) error {
	if len(values) == 1 {
		return c.do(ctx, "--replace-all", name, values[0])
	}
	if _, err := c.unset(ctx, "--unset-all", name); err != nil {
		return err
	}
	for _, v := range values {
		if err := c.do(ctx, "--add", name, v); err != nil {
			return err
		}
	}
	return nil
}

// unset tells whether something was there.
func (c *config) unset(ctx context.Context, args ...string) (bool, error) {
	err := c.do(ctx, args...)
	var exit *exitError
	if errors.As(err, &exit) && exit.code == 5 { // there is no such name
		return false, nil
	}
	return err == nil, err
}

type configSetArgs struct {
	Name  string  `arg:"name,required" doc:"the name, such as user.email"`
	Value *string `arg:"value" doc:"its value"`
	Multi texts   `arg:"multivar" doc:"all its values, in place of value"`
	scope
}

func (a *configSetArgs) want() ([]string, error) {
	if (a.Value == nil) == (len(a.Multi) == 0) {
		return nil, errors.New(`cannot set the value: give one of "value" and "multivar"`)
	}
	if a.Value != nil {
		return []string{*a.Value}, nil
	}
	return a.Multi, nil
}

// CheckArgs implements module.Checker.
func (a *configSetArgs) CheckArgs() error {
	_, err := a.want()
	if a.Repo == "" && !a.Global {
		err = errors.Join(err, errNoScope)
	}
	return err
}

func planConfigSet(ctx context.Context, h *host.Host, a configSetArgs) (module.Plan, error) {
	want, err := a.want()
	if err != nil {
		return module.Plan{}, err
	}
	c, err := a.config(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	have, err := c.values(ctx, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	if slices.Equal(have, want) {
		return module.Plan{Same: fmt.Sprintf("'%s' is already set to %s", a.Name, shown(want))}, nil
	}
	changes := value.NewDict(a.Name, value.NewDict("old", valued(have), "new", valued(want)))
	return module.Plan{Did: fmt.Sprintf("'%s' was set to %s", a.Name, shown(want)), Steps: []module.Step{{Changes: changes,
		Do: func(ctx context.Context) (module.Done, error) { return module.Done{}, c.set(ctx, a.Name, want) }}}}, nil
}

func shown(values []string) string { return "'" + strings.Join(values, "', '") + "'" }

// valued is one value, or a list of several.
func valued(values []string) any {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0]
	}
	return texted(values)
}

type configUnsetArgs struct {
	Name  string `arg:"name,required" doc:"the name; in the state a regular expression that a whole name matches"`
	Value string `arg:"value_regex" doc:"only values that match this regular expression"`
	All   bool   `arg:"all" doc:"of a name with several values all of them"`
	scope
}

func planConfigUnset(ctx context.Context, h *host.Host, a configUnsetArgs) (module.Plan, error) {
	c, err := a.config(ctx, h)
	if err != nil {
		return module.Plan{}, err
	}
	name, err := regexp.Compile("^(?:" + a.Name + ")$")
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot read the regular expression %q: %v", a.Name, err)
	}
	val, err := regexp.Compile(a.Value)
	if err != nil {
		return module.Plan{}, fmt.Errorf("cannot read the regular expression %q: %v", a.Value, err)
	}
	text, err := c.c.run(ctx, c.dir, append(slices.Clone(c.args), "--null", "--list")...)
	if err != nil {
		return module.Plan{}, err
	}
	found := map[string][]string{}
	var names []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
		key, v, _ := strings.Cut(entry, "\n")
		if name.MatchString(key) && val.MatchString(v) {
			if found[key] == nil {
				names = append(names, key)
			}
			found[key] = append(found[key], v)
		}
	}
	return a.plan(c, names, found)
}

func (a *configUnsetArgs) plan(c *config, names []string, found map[string][]string) (module.Plan, error) {
	p := module.Plan{Same: fmt.Sprintf("No matches for '%s' were found", a.Name), Did: fmt.Sprintf("'%s' was unset", a.Name)}
	for _, key := range names {
		if len(found[key]) > 1 && !a.All {
			return module.Plan{}, fmt.Errorf("cannot unset %s: it has %d values; set all to take all of them", key, len(found[key]))
		}
		args := []string{"--unset-all", key}
		if a.Value != "" {
			args = append(args, a.Value)
		}
		p.Steps = append(p.Steps, module.Step{Changes: value.NewDict(key, value.NewDict("old", valued(found[key]), "new", nil)),
			Do: func(ctx context.Context) (module.Done, error) {
				_, err := c.unset(ctx, args...)
				return module.Done{}, err
			}})
	}
	return p, nil
}

type configGetArgs struct {
	Key string `arg:"key,required,alias=name" doc:"the name, such as user.email"`
	scope
	All     bool   `arg:"all" doc:"return a list of all values"`
	Default string `arg:"default" doc:"what is returned when there is none"`
}

func configGet(ctx context.Context, h *host.Host, a configGetArgs) (any, error) {
	c, err := a.config(ctx, h)
	if err != nil {
		return nil, err
	}
	values, err := c.values(ctx, a.Key)
	switch {
	case err != nil:
		return nil, err
	case len(values) == 0:
		return a.Default, nil
	case a.All:
		return values, nil
	}
	return values[len(values)-1], nil
}

type configSetFuncArgs struct {
	Key   string  `arg:"key,required,alias=name" doc:"the name, such as user.email"`
	Value *string `arg:"value" doc:"its value"`
	Multi texts   `arg:"multivar" doc:"all its values, in place of value"`
	scope
}

func configSet(ctx context.Context, h *host.Host, a configSetFuncArgs) ([]string, error) {
	s := configSetArgs{a.Key, a.Value, a.Multi, a.scope}
	want, err := s.want()
	if err != nil {
		return nil, err
	}
	c, err := a.config(ctx, h)
	if err != nil {
		return nil, err
	}
	if _, err := c.values(ctx, a.Key); err != nil {
		return nil, err
	}
	if err := c.set(ctx, a.Key, want); err != nil {
		return nil, err
	}
	return c.values(ctx, a.Key)
}

type configUnsetFuncArgs struct {
	Key   string `arg:"key,required,alias=name" doc:"the name, such as user.email"`
	Value string `arg:"value_regex" doc:"only values that match this regular expression"`
	scope
	All bool `arg:"all" doc:"of a name with several values all of them"`
}

func configUnset(ctx context.Context, h *host.Host, a configUnsetFuncArgs) (bool, error) {
	c, err := a.config(ctx, h)
	if err != nil {
		return false, err
	}
	if _, err := c.values(ctx, a.Key); err != nil {
		return false, err
	}
	args := []string{map[bool]string{true: "--unset-all", false: "--unset"}[a.All], a.Key}
	if a.Value != "" {
		args = append(args, a.Value)
	}
	return c.unset(ctx, args...)
}
