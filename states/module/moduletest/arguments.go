package moduletest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// refuses gives check arguments that there are none of, and each argument something that it can't be: all must
// be told at once, in an order that does not change.
func refuses(params []module.Param, check func(module.Input) error) (problems []string) {
	var in module.Input
	var names []string
	add := func(name string, v module.Value) {
		in.Args = append(in.Args, module.Arg{Name: name, Value: v})
		names = append(names, name)
	}
	switch i := slices.IndexFunc(params, func(p module.Param) bool { return p.Named }); {
	case i < 0:
		add("no_such_argument", module.Typed("1"))
		add("nor_this_one", module.Typed("1"))
	case params[i].Others:
		add(params[0].Name+"_", module.Typed("1"))
	}
	wrong := value.NewDict("wrong", value.NewList(value.NewDict()))
	for _, p := range params {
		if !p.Rest && !p.Named && !strings.Contains(p.Type, "anything") && !strings.Contains(p.Type, "map") {
			add(p.Name, module.Data(wrong))
		}
	}
	if len(names) == 0 {
		return nil
	}
	first, err := checked(check, in)
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range names {
		if !strings.Contains(first, fmt.Sprintf("%q", name)) {
			problems = append(problems, fmt.Sprintf("argument %q takes a map, or its mistake is not told with the others: "+
				"an ArgParser must refuse what it can't be, in words such as v.Want(\"a path\")\n    got: %s", name, first))
		}
	}
	for range 5 {
		rand.Shuffle(len(in.Args), func(i, j int) { in.Args[i], in.Args[j] = in.Args[j], in.Args[i] })
		if again, err := checked(check, in); err == nil && again != first {
			return append(problems, fmt.Sprintf("mistakes come in another order each time:\n    %s\n    %s", first, again))
		}
	}
	return problems
}

// checked returns the text of what check says; the error is that of a check that panicked.
func checked(check func(module.Input) error, in module.Input) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("wrong arguments panic: %v", p)
		}
	}()
	if err := check(in); err != nil {
		return err.Error(), nil
	}
	return "nothing", nil
}

// split splits an example as a shell does, as far as examples need it: blanks, and quotes of both kinds.
func split(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, open = c, true
		case quote == 0 && c == ' ':
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open {
		out = append(out, word.String())
	}
	return out, nil
}
