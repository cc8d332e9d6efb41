package value_test

import (
	"testing"

	"brine/states/value"
)

func fromJSON(t *testing.T, text string) any {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLookup(t *testing.T) {
	v := fromJSON(t, `{"a": {"b": [10, {"c": "d"}, {"c": "e", "f": null}], "": 1}, "x:y": 2}`).(*value.Dict)
	_ = v.Set(int64(80), "http")
	_ = v.Set(true, "yes")
	_ = v.Set(1.5, "half")
	_ = v.Set("t", value.Tuple{"p", "q"})
	for _, tt := range []struct {
		path, delimiter string
		want            any
		ok              bool
	}{
		{"a:b:0", ":", int64(10), true},
		{"a:b:-1:c", ":", "e", true},
		{"a:b:c", ":", "d", true},
		{"a:b:f", ":", nil, true},
		{"a:b:3", ":", nil, false},
		{"a:b:-4", ":", nil, false},
		{"a:b:g", ":", nil, false},
		{"a:b:0:x", ":", nil, false},
		{"a:", ":", int64(1), true},
		{"a|b|1|c", "|", "d", true},
		{"x:y", "", int64(2), true},
		{"x:y", ":", nil, false},
		{"80", ":", "http", true},
		{"true", ":", "yes", true},
		{"1.5", ":", "half", true},
		{"t:1", ":", "q", true},
		{"nothing", ":", nil, false},
	} {
		if got, ok := value.Lookup(v, tt.path, tt.delimiter); ok != tt.ok || !value.Equal(got, tt.want) {
			t.Errorf("%q by %q: got %v, %v, want %v, %v", tt.path, tt.delimiter, got, ok, tt.want, tt.ok)
		}
	}
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		dest, upd string
		lists     bool
		want      string
	}{
		{`{"a":{"b":1,"c":[1,2]},"d":1}`, `{"a":{"c":[2,3],"e":4},"f":{}}`, false, `{"a":{"b":1,"c":[2,3],"e":4},"d":1,"f":{}}`},
		{`{"a":{"b":1,"c":[1,2]},"d":1}`, `{"a":{"c":[2,3,3],"e":4}}`, true, `{"a":{"b":1,"c":[1,2,3,3],"e":4},"d":1}`},
		{`{"a":{"b":1}}`, `{"a":2}`, true, `{"a":2}`},
		{`{"a":[1]}`, `{"a":null}`, true, `{"a":null}`},
		{`{}`, `{"a":[1]}`, true, `{"a":[1]}`},
	} {
		dest, upd := fromJSON(t, tt.dest).(*value.Dict), fromJSON(t, tt.upd).(*value.Dict)
		got := value.Merge(dest, upd, tt.lists)
		json, _ := value.MarshalJSON(got)
		if string(json) != tt.want || got != dest {
			t.Errorf("%s and %s: got %s, want %s", tt.dest, tt.upd, json, tt.want)
		}
		if json, _ := value.MarshalJSON(upd); string(json) != tt.upd {
			t.Errorf("%s became %s", tt.upd, json)
		}
	}
}
