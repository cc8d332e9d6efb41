package serial_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"brine/states/serial"
	"brine/states/value"
)

// TestAsSalt writes what Salt 3007's serializers were let write: each line of testdata/salt.jsonl has a format, options,
// data, and the text, null where Salt refuses.
func TestAsSalt(t *testing.T) {
	text, err := os.ReadFile("testdata/salt.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		v, err := value.FromJSON(line)
		if err != nil {
			t.Fatal(err)
		}
		get := func(key string) any {
			v, _ := v.(*value.Dict).Get(key)
			return v
		}
		f, err := serial.Find(get("format").(string))
		if err != nil {
			t.Fatal(err)
		}
		var got any
		out, err := f.Write(get("data"), get("options").(*value.Dict))
		if err == nil {
			got = out
		}
		if got != get("text") {
			options, _ := value.MarshalJSON(get("options"))
			t.Errorf("%s %s: %v\ngot\n%v\nwant\n%v", f.Name, options, err, shown(got), shown(get("text")))
		}
	}
}

func shown(v any) string {
	s, ok := v.(string)
	if !ok {
		return "nothing"
	}
	return fmt.Sprintf("%q", s)
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ format, text, data, want string }{
		{"yaml", "b: 0644\na: 2020-01-02\nl: [1]\nd: {x: '0644', y: 'y'}\n", `{"d": {"x": "1"}, "l": [2]}`,
			"a: 2020-01-02\nb: 420\nd: {x: '1', y: y}\nl: [2]"},
		{"yaml", "a: &x {k: 1}\nb: *x\n", `{"b": {"k": 2}}`, "a: &id001 {k: 2}\nb: *id001"},
		{"yaml", "b: 1\n# gone\na: 2", `{"a": 2}`, "same"},
		{"yaml", "", `{"a": 2}`, "{a: 2}"},
		{"yaml", "[1]", `{"a": 2}`, "cannot merge a map into a list: want maps"},
		{"yaml", "a: [", `{"a": 2}`, "cannot deserialize from yaml: text:2: did not find expected node content"},
		{"json", `{"z": 1.0, "a": {"b": null}}`, `{"a": {"c": [true]}}`, `{"z": 1.0, "a": {"b": null, "c": [true]}}`},
		{"json", `{"z": `, `{}`, "cannot deserialize from json: cannot read JSON: it ends too early"},
		{"toml", "z = 1979-05-27T07:32:00\ny = 07:32:00\nx = 1979-05-27\nw = 1979-05-27T07:32:00Z\n[t]\nb = 1\na = [{c = 1.5}]\n",
			`{"t": {"b": 2}}`, "z = 1979-05-27T07:32:00\ny = 07:32:00\nx = 1979-05-27\nw = 1979-05-27T07:32:00Z\n\n" +
				"[t]\nb = 2\n[[t.a]]\nc = 1.5\n\n"},
		{"toml", "a = ", `{}`, "cannot deserialize from toml: line 1 (last key \"a\"): unexpected EOF; expected value"},
		{"ini", "# top\n[DEFAULT]\nhome: /h\n\n[a]\nB = 50%% of %(home)s ; not\nlong = one\n  two\n\n  three\n\n[b]\n", `{"b": {"K": "v"}, "a": {"b": 1}}`,
			"[DEFAULT]\nhome = /h\n\n[a]\nb = 1\nlong = one\n\ttwo\n\t\n\tthree\n\n[b]\nk = v\n\n"},
		{"ini", "x = 1\n", `{}`, "cannot deserialize from configparser: line 1: \"x = 1\" stands before all sections"},
		{"ini", "[a]\nx\n", `{}`, "cannot deserialize from configparser: line 2: \"x\" is no key with a value"},
		{"ini", "[a]\nx=1\nX=2\n", `{}`, `cannot deserialize from configparser: line 3: key "x" of section "a" is there twice`},
		{"ini", "[a]\n[a]\n", `{}`, `cannot deserialize from configparser: line 2: section "a" is there twice`},
		{"keyvalue", "b=1\na=x=y\n", `{"c": 2}`, "b=1\na=x=y\nc=2"},
		{"keyvalue", "b\n", `{}`, `cannot deserialize from keyvalue: line 1 has no "="`},
		{"python", "{}", `{}`, "cannot deserialize from python: it is only written"},
	} {
		f, err := serial.Find(c.format)
		if err != nil {
			t.Fatal(err)
		}
		data, err := value.FromJSON([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		got, same, err := f.Merge(c.text, data, nil, nil)
		switch {
		case err != nil:
			got = err.Error()
		case same:
			got = "same"
		}
		if got != c.want {
			t.Errorf("%s %q: got\n%q\nwant\n%q", c.format, c.text, got, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ format, options, want string }{
		{"json", `{"indnet": 1, "separators": ","}`, "cannot serialize to json: option \"indnet\": unknown (did you mean \"indent\"?)\n" +
			"option \"separators\": want two texts: what stands between items, and between a key and its value, got \",\""},
		{"yaml", `{"canonical": true, "indent": "x"}`, "cannot serialize to yaml: option \"canonical\": unknown\n" +
			"option \"indent\": want a number from 0 to 100, got \"x\""},
		{"yaml", `{"default_style": "x"}`, `cannot serialize to yaml: option "default_style": want one of  ' " | >, got "x"`},
		{"ini", `{}`, `cannot serialize to configparser: section "a": want a map of keys and values, got 1`},
	} {
		f, err := serial.Find(c.format)
		if err != nil {
			t.Fatal(err)
		}
		options, err := value.FromJSON([]byte(c.options))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(value.NewDict("a", int64(1)), options.(*value.Dict)); err == nil || err.Error() != c.want {
			t.Errorf("%s %s: got %v", c.format, c.options, err)
		}
	}
	if _, err := serial.Find("jsno"); err == nil {
		t.Error("a format that there is not was found")
	}
}

// What is read and written must be read as the same again.
func FuzzRead(f *testing.F) {
	f.Add("configparser", "[a]\nb = 1\n  2\n")
	f.Add("toml", "a = 1\n[b]\nc = [1]\n")
	f.Add("keyvalue", "a=b\n")
	f.Add("yaml", "a: [0644, 2020-01-02]\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		format, err := serial.Find(name)
		if err != nil || len(text) > 1000 {
			return
		}
		v, err := format.Read(text, nil)
		if err != nil {
			return
		}
		written, err := format.Write(v, nil)
		if err != nil {
			return
		}
		again, err := format.Read(written, nil)
		if err != nil || name == "configparser" && !value.Equal(v, again) {
			t.Errorf("%q was written as %q, and read as %v, %v", text, written, again, err)
		}
	})
}
