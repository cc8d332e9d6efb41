package ini_test

import (
	"fmt"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/ini"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
	"brine/states/yaml"
)

const before = "; by hand\ntop = 1\n\n[main]\n# a comment\nkey=no\nlong = one\n  two\nold : x = 1\n\n[other]\na = b\n"

func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Write("/etc/app.ini", before)
	return h
}

func TestModule(t *testing.T) { moduletest.Run(t, ini.Module, moduletest.Options{Host: newHost}) }

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestStates(t *testing.T) {
	const (
		head = "; by hand\ntop = 1\n\n[main]\n# a comment\n"
		tail = "\n[other]\na = b\n"
		same = "true {} No changes detected."
	)
	for _, c := range []struct{ state, sections, test, done, after string }{
		{"options_present", "{main: {key: yes, mode: 0644}}",
			`would {"main":{"key":{"before":"no","after":"yes"},"mode":{"before":null,"after":"0644"}}} Changed key key in section main.` +
				"\nChanged key mode in section main.",
			`true {"main":{"key":{"before":"no","after":"yes"},"mode":{"before":null,"after":"0644"}}} Changes take effect`,
			head + "key = yes\nlong = one\n  two\nold : x = 1\nmode = 0644\n" + tail},
		{"options_present", "{main: {key: no}, other: {a: b}}", same, same, before},
		{"options_present", "{main: {long: three}, new: {x: 1}, top: 2}",
			`would {"main":{"long":{"before":"one\ntwo","after":"three"}},"new":{"x":{"before":null,"after":"1"}},"top":{"before":"1","after":"2"}} ` +
				"Changed key long in section main.\nChanged key x in section new.\nChanged key top in section .",
			`true {"main":{"long":{"before":"one\ntwo","after":"three"}},"new":{"x":{"before":null,"after":"1"}},"top":{"before":"1","after":"2"}} ` +
				"Changes take effect", "; by hand\ntop = 2\n\n[main]\n# a comment\nkey=no\nlong = three\nold : x = 1\n" + tail + "\n[new]\nx = 1\n"},
		{"options_absent", "{main: [long, none], other: [a]}", `would {"main":{"long":"one\ntwo"},"other":{"a":"b"}} Deleted key long in section main.` +
			"\nDeleted key a in section other.", `true {"main":{"long":"one\ntwo"},"other":{"a":"b"}} Changes take effect`,
			head + "key=no\nold : x = 1\n\n[other]\n"},
		{"options_absent", "[top]", `would {"top":"1"} Deleted key top in section .`, `true {"top":"1"} Changes take effect`,
			"; by hand\n\n[main]\n# a comment\nkey=no\nlong = one\n  two\nold : x = 1\n" + tail},
		{"sections_present", "[new, main]", `would {"new":{"before":null,"after":{}}} Created new section new`,
			`true {"new":{"before":null,"after":{}}} Changes take effect`, before + "\n[new]\n"},
		{"sections_absent", "[other, none]", `would {"other":{"a":"b"}} Deleted section other.`, `true {"other":{"a":"b"}} Changes take effect`,
			head + "key=no\nlong = one\n  two\nold : x = 1\n\n"},
	} {
		h := newHost(t)
		b, err := bind(t, c.state, "[{name: /etc/app.ini}, {sections: "+c.sections+"}]")
		if err != nil {
			t.Fatal(err)
		}
		test, done := told(b.Run(t.Context(), h.Host, true)), told(b.Run(t.Context(), h.Host, false))
		if test != c.test || done != c.done || h.Read("/etc/app.ini") != c.after {
			t.Errorf("%s %s: got %s, %s and\n%q\nwant %s, %s and\n%q", c.state, c.sections, test, done, h.Read("/etc/app.ini"), c.test, c.done, c.after)
		}
		if again := b.Run(t.Context(), h.Host, false); again.Changes.Len() > 0 {
			t.Errorf("%s %s: the second run changed %s", c.state, c.sections, told(again))
		}
	}
}

func TestStrictRemovesOtherOptions(t *testing.T) {
	h := newHost(t)
	b, err := bind(t, "options_present", "[{name: /etc/app.ini}, {strict: true}, {sections: {main: {key: no}}}]")
	if err != nil {
		t.Fatal(err)
	}
	got := told(b.Run(t.Context(), h.Host, false))
	if want := `true {"main":{"long":{"before":"one\ntwo","after":null},"old : x":{"before":"1","after":null}}} Changes take effect`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := "; by hand\ntop = 1\n\n[main]\n# a comment\nkey=no\n\n[other]\na = b\n"; h.Read("/etc/app.ini") != want {
		t.Errorf("got %q, want %q", h.Read("/etc/app.ini"), want)
	}
}

func bind(t *testing.T, name, text string) (*module.Bound, error) {
	t.Helper()
	s, err := module.NewIndex(ini.Module).State("ini." + name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Bind(input(t, text))
}

func input(t *testing.T, text string) module.Input {
	t.Helper()
	doc, err := yaml.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var in module.Input
	for _, item := range doc.Items {
		p := item.Pairs[0]
		in.Args = append(in.Args, module.Arg{Name: fmt.Sprint(p.Key.Value), Value: module.Node(p.Value)})
	}
	return in
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	for _, c := range []struct{ name, args, want string }{
		{"get_ini", "[]", `{"top":"1","main":{"key":"no","long":"one\ntwo","old : x":"1"},"other":{"a":"b"}}`},
		{"get_option", "[{section: main}, {option: key}]", `"no"`}, {"get_option", "[{section: main}, {option: x}]", "null"},
		{"get_section", "[{section: other}]", `{"a":"b"}`}, {"get_section", "[{section: none}]", "{}"},
		{"set_option", "[{sections: {other: {a: c}}}]", `{"other":{"a":{"before":"b","after":"c"}}}`},
		{"set_option", "[{sections: {other: {a: c}}}]", "{}"}, {"remove_option", "[{section: other}, {option: a}]", `"c"`},
		{"remove_option", "[{section: other}, {option: a}]", "null"}, {"remove_section", "[{section: main}]",
			`{"key":"no","long":"one\ntwo","old : x":"1"}`}, {"get_ini", "[]", `{"top":"1","other":{}}`},
		{"get_section", "[{section: old}, {separator: ':'}]", "{}"},
	} {
		f, err := module.NewIndex(ini.Module).Func("ini." + c.name)
		if err != nil {
			t.Fatal(err)
		}
		in := input(t, c.args)
		in.Args = append(in.Args, module.Arg{Name: "file_name", Value: module.Data("/etc/app.ini")})
		r, err := f.Call(t.Context(), h.Host, in)
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.name, c.args, got, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"[{name: app.ini}, {sections: {a: {b: 1}}}]":                   `argument "name": want an absolute path, got "app.ini"`,
		"[{name: /app.ini}, {separator: ''}, {sections: {a: {b: 1}}}]": `argument "separator": "" separates nothing`,
		"[{name: /app.ini}, {sections: [a]}]":                          `argument "sections": want a map of sections, got a list`,
		"[{name: /app.ini}, {sections: {a: {b: [1]}}}]":                `argument "sections": want text, got a list`,
	} {
		if _, err := bind(t, "options_present", args); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}
