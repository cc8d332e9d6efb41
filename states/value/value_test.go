package value_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"brine/states/value"
)

func huge(digits string) *big.Int {
	i, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic(digits)
	}
	return i
}

func TestDictKeepsOrder(t *testing.T) {
	for _, size := range []int{3, 8, 9, 100, 1000} {
		d := &value.Dict{}
		var want []any
		for i := range size {
			key := int64((i * 7919) % size)
			if _, ok := d.Get(key); !ok {
				want = append(want, key)
			}
			if err := d.Set(key, i); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.Keys(); !slices.Equal(got, want) {
			t.Fatalf("size %d: got %v, want %v", size, got, want)
		}
		for i, key := range slices.Clone(want) {
			if i%3 != 0 && !d.Delete(key) {
				t.Errorf("size %d: key %v was not there", size, key)
			}
		}
		want = slices.DeleteFunc(want, func(k any) bool { _, ok := d.Get(k); return !ok })
		if got := d.Keys(); !slices.Equal(got, want) || d.Len() != len(want) || len(want) != (size+2)/3 {
			t.Fatalf("size %d after deletions: got %v, want %v", size, got, want)
		}
		d.Put("new", true)
		if got := d.Keys(); got[len(got)-1] != "new" {
			t.Errorf("size %d: a new key is not last", size)
		}
	}
}

func TestKeysAreEqualAsInPython(t *testing.T) {
	big10 := huge("100000000000000000000")
	for _, tt := range []struct {
		a, b any
		same bool
	}{
		{int64(1), true, true},
		{int64(1), 1.0, true},
		{int64(0), false, true},
		{int64(1), "1", false},
		{nil, "", false},
		{nil, false, false},
		{big10, 1e20, true},
		{huge("5"), int64(5), true},
		{big10, big10.String(), false},
		{"a", []byte("a"), false},
		{value.Tuple{int64(1), "a"}, value.Tuple{true, "a"}, true},
		{value.Tuple{"a", "b"}, value.Tuple{"ab"}, false},
		{value.Tuple{"a b"}, value.Tuple{"a", "b"}, false},
		{value.Tuple{value.Tuple{}}, value.Tuple{}, false},
		{value.Tuple{"1"}, value.Tuple{int64(1)}, false},
		{1.5, 1.5, true},
		{math.Inf(1), math.Inf(1), true},
		{math.Copysign(0, -1), int64(0), true},
	} {
		d := value.NewDict(tt.a, "x")
		if _, got := d.Get(tt.b); got != tt.same {
			t.Errorf("key %#v found by %#v: got %v, want %v", tt.a, tt.b, got, tt.same)
		}
		if got := value.Equal(tt.a, tt.b); got != tt.same {
			t.Errorf("%#v == %#v: got %v, want %v", tt.a, tt.b, got, tt.same)
		}
	}
	if value.Equal(math.NaN(), math.NaN()) {
		t.Error("NaN equals NaN")
	}
}

func TestNoKeys(t *testing.T) {
	d := &value.Dict{}
	for _, key := range []any{value.NewList(), &value.Dict{}, &value.Set{}, value.Tuple{value.NewList()}} {
		if err := d.Set(key, 1); err == nil || !strings.HasPrefix(err.Error(), "cannot use a ") {
			t.Errorf("key %#v: got %v", key, err)
		}
		if _, ok := d.Get(key); ok || d.Delete(key) {
			t.Errorf("key %#v was found", key)
		}
	}
	if d.Len() != 0 {
		t.Errorf("got %d keys", d.Len())
	}
}

func TestNilDictReadsAsEmpty(t *testing.T) {
	var d *value.Dict
	if _, ok := d.Get("a"); ok || d.Len() != 0 || len(d.Keys()) != 0 {
		t.Error("a nil dict holds something")
	}
}

func TestEqual(t *testing.T) {
	a := value.NewDict("x", value.NewList(int64(1), "b"), "y", value.NewSet("p", "q"))
	b := value.NewDict("y", value.NewSet("q", "p"), "x", value.NewList(1.0, "b"))
	if !value.Equal(a, b) {
		t.Error("dicts in another order are not equal")
	}
	b.Put("x", value.NewList("b", int64(1)))
	if value.Equal(a, b) {
		t.Error("lists in another order are equal")
	}
	if value.Equal(value.NewList(int64(1)), value.Tuple{int64(1)}) {
		t.Error("a list equals a tuple")
	}
}

func TestTruth(t *testing.T) {
	set := &value.Set{}
	for _, v := range []any{nil, false, int64(0), new(big.Int), 0.0, "", []byte{}, value.NewList(), value.Tuple{}, &value.Dict{}, set} {
		if value.Truth(v) {
			t.Errorf("%s %v is true", value.Kind(v), v)
		}
	}
	for _, v := range []any{true, int64(-1), huge("99999999999999999999"), 0.5, "false", []byte{0}, value.NewList(nil),
		value.Tuple{nil}, value.NewDict("a", nil)} {
		if !value.Truth(v) {
			t.Errorf("%s %v is false", value.Kind(v), v)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	inner := value.NewList("a")
	d := value.NewDict("l", inner, "t", value.Tuple{value.NewList("b")}, "s", value.NewSet("c"))
	c, err := value.Clone(d)
	if err != nil || !value.Equal(c, d) {
		t.Fatalf("got %v, %v", c, err)
	}
	inner.Items = append(inner.Items, "more")
	if value.Equal(c, d) {
		t.Error("the clone shares its list")
	}
	inner.Items = append(inner.Items, d)
	if _, err := value.Clone(d); err == nil {
		t.Error("a dict that contains itself was cloned")
	}
}

func TestCloneHoldsOnceWhatStandsTwice(t *testing.T) {
	inner := value.NewList("a")
	c, err := value.Clone(value.NewList(inner, value.NewDict("k", inner)))
	if err != nil {
		t.Fatal(err)
	}
	items := c.(*value.List).Items
	if again, _ := items[1].(*value.Dict).Get("k"); items[0] != again || items[0] == any(inner) {
		t.Errorf("got %v, want one copy of the list in both places", c)
	}
}

func TestOrderCountsInAllDictsOrInNone(t *testing.T) {
	d := value.NewDict("b", value.NewDict("d", int64(1)), "a", int64(2))
	d.Put("itself", d)
	for _, tt := range []struct {
		copy func(any) (any, error)
		want bool
	}{{value.Ordered, true}, {value.Unordered, false}} {
		v, err := tt.copy(d)
		if err != nil {
			t.Fatal(err)
		}
		c := v.(*value.Dict)
		inner, _ := c.Get("b")
		if itself, _ := c.Get("itself"); itself != any(c) || c.Ordered != tt.want || inner.(*value.Dict).Ordered != tt.want {
			t.Errorf("got %v and %v, want %v in a copy that contains itself", c.Ordered, inner.(*value.Dict).Ordered, tt.want)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{nil, "null"},
		{true, "true"},
		{int64(-7), "-7"},
		{huge("18446744073709551616"), "18446744073709551616"},
		{1.0, "1.0"},
		{1e16, "1e+16"},
		{0.00001, "1e-05"},
		{123456789.125, "123456789.125"},
		{math.Inf(-1), `"-inf"`},
		{math.NaN(), `"nan"`},
		{"a\"b\\c\n\r\t\x01<>&é", "\"a\\\"b\\\\c\\n\\r\\t\\u0001<>&é\""},
		{"bad \xff utf\xc3", "\"bad \ufffd utf\ufffd\""},
		{[]byte("raw"), `"raw"`},
		{value.NewList(), "[]"},
		{value.Tuple{int64(1), "a"}, `[1,"a"]`},
		{value.NewSet("b", "a"), `["b","a"]`},
		{value.NewDict("b", int64(1), "a", &value.Dict{}), `{"b":1,"a":{}}`},
		{value.NewDict(nil, 1, true, 2, 1.5, 3, int64(9), 4), `{"null":1,"true":2,"1.5":3,"9":4}`},
		{value.NewDict(value.Tuple{"a", int64(1)}, nil), `{"(a, 1)":null}`},
		{map[string]int{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{[]string{"x"}, `["x"]`},
		{uint64(math.MaxUint64), "18446744073709551615"},
	} {
		got, err := value.MarshalJSON(tt.v)
		if err != nil || string(got) != tt.want {
			t.Errorf("%#v: got %s, %v, want %s", tt.v, got, err, tt.want)
		}
		if !json.Valid(got) {
			t.Errorf("%#v: %s is not JSON", tt.v, got)
		}
	}
	loop := value.NewList()
	loop.Items = append(loop.Items, loop)
	for _, v := range []any{loop, struct{}{}, map[int]string{}, make(chan int)} {
		if got, err := value.MarshalJSON(v); err == nil {
			t.Errorf("%T: got %s, want an error", v, got)
		}
	}
}

func TestFromJSON(t *testing.T) {
	for text, want := range map[string]any{
		`{"b":1,"a":[true,null,"x"]}`: value.NewDict("b", int64(1), "a", value.NewList(true, nil, "x")),
		`{"a":1,"a":2}`:               value.NewDict("a", int64(2)),
		" 5 ":                         int64(5),
		"5.0":                         5.0,
		"1e3":                         1000.0,
		"-9223372036854775809":        huge("-9223372036854775809"),
		`"é\u00e9\n"`:                 "éé\n",
	} {
		got, err := value.FromJSON([]byte(text))
		if err != nil || !value.Equal(got, want) || value.Kind(got) != value.Kind(want) {
			t.Errorf("%s: got %#v, %v, want %#v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                        "cannot read JSON: it ends too early",
		"[1,":                     "cannot read JSON: it ends too early",
		`{"a":1} x`:               "cannot read JSON: more text after the value, at byte ",
		"{a:1}":                   "cannot read JSON: invalid character 'a'",
		strings.Repeat("9", 5000): "cannot read JSON: a number of 5000 digits",
		strings.Repeat("[", 2000): "cannot read JSON: cannot read a value nested more than 1000 deep",
	} {
		if got, err := value.FromJSON([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20s: got %v, %v, want %s", text, got, err, want)
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,null]}`, `"\ud800"`, "1e999", "[[]", `{"a":{"a":1}}`, "-0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := value.FromJSON(data)
		if err != nil {
			return
		}
		text, err := value.MarshalJSON(v)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := value.FromJSON(text)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		second, err := value.MarshalJSON(again)
		if err != nil || !bytes.Equal(text, second) {
			t.Errorf("got %s, then %s, %v", text, second, err)
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	l := value.NewList()
	for range 1000 {
		l.Items = append(l.Items, value.NewDict("name", "nginx", "result", true, "changes", &value.Dict{}, "n", int64(1)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := value.MarshalJSON(l); err != nil {
			b.Fatal(err)
		}
	}
}
