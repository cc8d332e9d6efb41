package module_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

type shared struct {
	User string        `arg:"runas,alias=user" doc:"d"`
	Wait time.Duration `arg:"timeout" doc:"d"`
}

type every struct {
	Name string `arg:"name,required" doc:"d"`
	shared
	Mode  string         `arg:"mode" doc:"d"`
	Flag  bool           `arg:"flag" default:"true" doc:"d"`
	Maybe *bool          `arg:"maybe" doc:"d"`
	Count int            `arg:"count" doc:"d"`
	Small uint32         `arg:"small" doc:"d"`
	Ratio float64        `arg:"ratio" doc:"d"`
	Tags  []string       `arg:"tags" doc:"d"`
	Any   any            `arg:"any" doc:"d"`
	Map   *value.Dict    `arg:"map" doc:"d"`
	List  *value.List    `arg:"list" doc:"d"`
	Where *time.Duration `arg:"where" doc:"d"`
}

// got calls a function with the arguments and shows what it was given.
func got(t *testing.T, in module.Input) (string, error) {
	t.Helper()
	f := module.Func{Name: "f", Do: module.Call(func(_ context.Context, _ *host.Host, a every) (string, error) {
		maybe := "absent"
		if a.Maybe != nil {
			maybe = fmt.Sprint(*a.Maybe)
		}
		json, err := value.MarshalJSON(value.NewDict("any", a.Any, "map", a.Map, "list", orNil(a.List)))
		return fmt.Sprintf("%q %q %v %q %v %s %d %d %v %q %s", a.Name, a.User, a.Wait, a.Mode, a.Flag, maybe,
			a.Count, a.Small, a.Ratio, a.Tags, json), err
	})}
	found, err := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{f}}).Func("m.f")
	if err != nil {
		t.Fatal(err)
	}
	r, err := found.Call(t.Context(), &host.Host{}, in)
	return fmt.Sprint(r.Value), err
}

func orNil(l *value.List) any {
	if l == nil {
		return nil
	}
	return l
}

const empty = `{"any":null,"map":{},"list":null}`

func TestWords(t *testing.T) {
	for line, want := range map[string]string{
		"n":                      `"n" "" 0s "" true absent 0 0 0 [] ` + empty,
		"n|user=bob":             `"n" "bob" 0s "" true absent 0 0 0 [] ` + empty,
		"n|bob|1.5|0644":         `"n" "bob" 1.5s "0644" true absent 0 0 0 [] ` + empty,
		"name=0x10|mode=1.10":    `"0x10" "" 0s "1.10" true absent 0 0 0 [] ` + empty,
		"n|timeout=5m":           `"n" "" 5m0s "" true absent 0 0 0 [] ` + empty,
		"n|flag=no|maybe=False":  `"n" "" 0s "" false false 0 0 0 [] ` + empty,
		"n|flag='yes'|maybe=1":   `"n" "" 0s "" true true 0 0 0 [] ` + empty,
		"n|flag=null":            `"n" "" 0s "" true absent 0 0 0 [] ` + empty,
		"n|count=-3|small='7'":   `"n" "" 0s "" true absent -3 7 0 [] ` + empty,
		"n|count=2.0|ratio=1e-3": `"n" "" 0s "" true absent 2 0 0.001 [] ` + empty,
		"n|tags=[a,0644,yes,~x]": `"n" "" 0s "" true absent 0 0 0 ["a" "0644" "yes" "~x"] ` + empty,
		"n|tags=010":             `"n" "" 0s "" true absent 0 0 0 ["010"] ` + empty,
		`"a b"|mode='0644'`:      `"a b" "" 0s "0644" true absent 0 0 0 [] ` + empty,
		`'a' 'b'`:                `"'a' 'b'" "" 0s "" true absent 0 0 0 [] ` + empty,
		"[ -f /x ] && y":         `"[ -f /x ] && y" "" 0s "" true absent 0 0 0 [] ` + empty,
		"echo a: b # c":          `"echo a: b # c" "" 0s "" true absent 0 0 0 [] ` + empty,
		"a==b":                   `"a==b" "" 0s "" true absent 0 0 0 [] ` + empty,
		"name=a=b|mode=":         `"a=b" "" 0s "" true absent 0 0 0 [] ` + empty,
		"n|any={b: 0644, a: [1]}|map={x: y}|list=[1]": `"n" "" 0s "" true absent 0 0 0 [] ` +
			`{"any":{"b":644,"a":[1]},"map":{"x":"y"},"list":[1]}`,
	} {
		if show, err := got(t, module.Words(strings.Split(line, "|")...)); err != nil || show != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", line, show, err, want)
		}
	}
}

func TestYAMLKeepsTheSourceText(t *testing.T) {
	doc, err := yaml.Parse("x.sls", []byte(`
name: 0644
runas: yes
mode: 1_000
tags: [010, 1.10, no, 'x']
any: 0644
timeout: 1:30
`))
	if err != nil {
		t.Fatal(err)
	}
	var in module.Input
	for _, p := range doc.Pairs {
		in.Args = append(in.Args, module.Arg{Name: p.Key.Text, Value: module.Node(p.Value)})
	}
	want := `"0644" "yes" 1m30s "1_000" true absent 0 0 0 ["010" "1.10" "no" "x"] {"any":644,"map":{},"list":null}`
	if show, err := got(t, in); err != nil || show != want {
		t.Errorf("got  %s, %v\nwant %s", show, err, want)
	}
}

func TestDataWithoutText(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{"a", "a"}, {int64(644), "644"}, {true, "True"}, {1.0, "1.0"}, {[]byte("b"), "b"},
	} {
		in := module.Input{Args: []module.Arg{{Value: module.Data(tt.v)}}}
		if show, err := got(t, in); err != nil || !strings.HasPrefix(show, fmt.Sprintf("%q ", tt.want)) {
			t.Errorf("%v: got %s, %v, want %s", tt.v, show, err, tt.want)
		}
	}
}

func TestEveryMistakeIsReportedInOrder(t *testing.T) {
	args := module.Words("mdoe=0644", "cuont=1", "count=many", "flag=perhaps", "timeout=-1", "small=-5", "maybe=[1]",
		"tags={a: b}", "map=5", "list=x", "ratio=big", "user=a", "runas=b", "wholly_other=1").Args
	want := `cannot call m.f: 
    argument "count": want an integer, got "many"
    unknown argument "cuont" (did you mean "count"?)
    argument "flag": want true or false, got "perhaps"
    argument "list": want a list, got "x"
    argument "map": want a map, got "5"
    argument "maybe": want true or false, got "[1]"
    unknown argument "mdoe" (did you mean "mode"?)
    argument "name" is missing
    argument "ratio": want a number, got "big"
    argument "small": -5 is out of range
    argument "tags": want a list, got "{a: b}"
    argument "timeout": want a number of seconds, got "-1"
    arguments "runas" and "user" are the same: give one
    unknown argument "wholly_other"`
	for range 20 {
		in := module.Input{Args: append([]module.Arg(nil), args...)}
		rand.Shuffle(len(in.Args)-3, func(i, j int) { in.Args[i], in.Args[j] = in.Args[j], in.Args[i] })
		_, err := got(t, in)
		text := strings.Replace(fmt.Sprint(err), `arguments "user" and "runas"`, `arguments "runas" and "user"`, 1)
		text = sortOwners(text, want)
		if text != want {
			t.Fatalf("got  %v\nwant %s", err, want)
		}
	}
}

// sortOwners puts the line about runas, which stands under either of its names, where want has it.
func sortOwners(text, want string) string {
	const line = "\n    arguments \"runas\" and \"user\" are the same: give one"
	if i := strings.Index(text, line); i >= 0 {
		text = text[:i] + text[i+len(line):]
	}
	i := strings.Index(want, line)
	return text[:i] + line + text[i:]
}

func TestMistakesNameTheirLine(t *testing.T) {
	at := func(name, text string, line int) module.Arg {
		v := module.Typed(text)
		v.Line = line
		return module.Arg{Name: name, Value: v}
	}
	_, err := got(t, module.Input{Args: []module.Arg{at("nmae", "x", 9), at("count", "x", 4), at("name", "x", 2)}})
	var errs module.ArgErrors
	if !errors.As(err, &errs) || len(errs) != 2 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []module.ArgError{
		{Arg: "count", Line: 4, Text: `argument "count": want an integer, got "x"`},
		{Arg: "nmae", Line: 9, Text: `unknown argument "nmae" (did you mean "name"?)`, Unknown: true},
	} {
		if *errs[i] != want {
			t.Errorf("got %+v, want %+v", *errs[i], want)
		}
	}
}

func TestOneMistakeIsOneLine(t *testing.T) {
	for line, want := range map[string]string{
		"":               `cannot call m.f: argument "name" is missing`,
		"a|name=b":       `cannot call m.f: argument "name" is given twice`,
		"name=a|name=b":  `cannot call m.f: argument "name" is given twice`,
		"name=null":      `cannot call m.f: argument "name" has no value`,
		"n|small=1e20":   `cannot call m.f: argument "small": want an integer, got "1e20"`,
		"n|count=1.5":    `cannot call m.f: argument "count": want an integer, got "1.5"`,
		"n|where=x":      `cannot call m.f: argument "where": want a number of seconds, got "x"`,
		"n|tags=[a,[b]]": `cannot call m.f: argument "tags": item 2: want text, got a list`,
		"n|mode=" + strings.Repeat("x", 5) + "|count=" + strings.Repeat("é", 50): `cannot call m.f: argument "count": ` +
			`want an integer, got "` + strings.Repeat("é", 30) + `..."`,
		strings.Repeat("x|", 14) + "x": "cannot call m.f: \n" +
			"    got 15 positional arguments, want at most 14\n",
	} {
		words := strings.Split(line, "|")
		if line == "" {
			words = nil
		}
		if _, err := got(t, module.Words(words...)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", line, err, want)
		}
	}
}

func TestRestAndNamed(t *testing.T) {
	type args struct {
		First string      `arg:"first,required" doc:"d"`
		Rest  []int       `arg:"rest,rest" doc:"d"`
		More  *value.Dict `arg:"more,named" doc:"d"`
	}
	x := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{
		{Name: "f", Do: module.Call(func(_ context.Context, _ *host.Host, a args) (any, error) {
			return value.NewDict("first", a.First, "rest", len(a.Rest), "more", a.More), nil
		})},
	}})
	f, err := x.Func("m.f")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"a 1 2 x=1 y=[2]": `{"first":"a","rest":2,"more":{"x":1,"y":[2]}}`,
		"first=a":         `{"first":"a","rest":0,"more":{}}`,
		"a 1 b":           `argument "rest": want an integer, got "b"`,
		"x=1":             `argument "first" is missing`,
		"a rest=1":        `{"first":"a","rest":0,"more":{"rest":1}}`,
	} {
		r, err := f.Call(t.Context(), nil, module.Words(strings.Fields(line)...))
		show, jsonErr := value.MarshalJSON(r.Value)
		if err != nil {
			show = []byte(strings.TrimPrefix(err.Error(), "cannot call m.f: "))
		}
		if jsonErr != nil || string(show) != want {
			t.Errorf("%s: got %s, want %s", line, show, want)
		}
	}
}

func TestBadArgumentStructsPanic(t *testing.T) {
	type untagged struct{ A string }
	type odd struct {
		A chan int `arg:"a" doc:"d"`
	}
	type option struct {
		A string `arg:"a,requird" doc:"d"`
	}
	type twice struct {
		A string `arg:"a" doc:"d"`
		B string `arg:"b,alias=a" doc:"d"`
		C string `arg:"a" doc:"d"`
	}
	type wrongDefault struct {
		A int `arg:"a" default:"x" doc:"d"`
	}
	for name, make := range map[string]func(){
		"untagged": func() { read[untagged]() }, "odd": func() { read[odd]() }, "option": func() { read[option]() },
		"twice": func() { read[twice]() }, "default": func() { read[wrongDefault]() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}

// read has a function's arguments read.
func read[A any]() {
	f := module.Func{Name: "f", Do: module.Call(func(context.Context, *host.Host, A) (any, error) { return nil, nil })}
	f.Params()
}

type fromTo struct {
	From int `arg:"from" doc:"d"`
	To   int `arg:"to" doc:"d"`
}

func (a *fromTo) CheckArgs() error {
	var errs []error
	if a.From > a.To {
		errs = append(errs, errors.New("from is after to"))
	}
	if a.From == 13 {
		errs = append(errs, errors.New("from is 13"))
	}
	return errors.Join(errs...)
}

func TestContradictionsAreMistakesOfTheirOwn(t *testing.T) {
	f := module.Func{Do: module.Call(func(context.Context, *host.Host, fromTo) (any, error) { return nil, nil })}
	for line, want := range map[string]string{
		"1|2":    "",
		"13|2":   "\n    from is 13\n    from is after to",
		"from=2": "from is after to",
		"2|x":    `argument "to": want an integer, got "x"`, // it could not be told from what else is wrong
	} {
		got := ""
		if err := f.Check(module.Words(strings.Split(line, "|")...)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func FuzzTyped(f *testing.F) {
	for _, s := range []string{"0644", "[a, 'b", "{x: [1, {y: ~}]}", "'q'", "a=b=c", "&a [*a]", "!!binary xx", "\x00", "- a"} {
		f.Add(s)
	}
	x := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{
		{Name: "f", Do: module.Call(func(_ context.Context, _ *host.Host, a every) (any, error) { return a.Any, nil })},
	}})
	fn, err := x.Func("m.f")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := module.Typed(text)
		if s, err := v.Str(); err != nil && v.HasText {
			t.Errorf("no text: %q, %v", s, err)
		}
		for _, name := range []string{"name", "tags", "any", "map", "list", "count", "timeout", "flag", text} {
			_, _ = fn.Call(t.Context(), nil, module.Input{Args: []module.Arg{{Name: name, Value: v}}})
		}
		_ = fn.Check(module.Words(text, text))
	})
}

func BenchmarkCall(b *testing.B) {
	x := module.NewIndex(module.Module{Name: "m", Funcs: []module.Func{
		{Name: "f", Do: module.Call(func(_ context.Context, _ *host.Host, a every) (bool, error) { return a.Flag, nil })},
	}})
	f, err := x.Func("m.f")
	if err != nil {
		b.Fatal(err)
	}
	in := module.Words("n", "mode=0644", "flag=no", "count=3", "tags=[a,b]", "user=bob")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Call(b.Context(), nil, in); err != nil {
			b.Fatal(err)
		}
	}
}
