package random_test

import (
	"math/big"
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/random"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, random.Module, moduletest.Options{}) }

func call(t *testing.T, name string, args ...module.Arg) string {
	t.Helper()
	h := hosttest.New(t)
	h.Grains.Put("id", "web1")
	f, err := module.NewIndex(random.Module).Func("random." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Input{Args: args})
	if err != nil {
		return err.Error()
	}
	if text, ok := r.Value.(string); ok {
		return text
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func words(args ...string) []module.Arg { return module.Words(args...).Args }

// The numbers are those of Python 3.11.
func TestSeedsGiveWhatTheyGiveInPython(t *testing.T) {
	huge, _ := new(big.Int).SetString("12345678901234567890123", 10)
	for _, tt := range []struct {
		seed any
		want []string
	}{
		{"größe", []string{"474611", "199512505520", "844511102004837552"}},
		{int64(0), []string{"885440", "849735321549", "3553260803050964941"}},
		{int64(1), []string{"140891", "140719340484", "5249979066121302517"}},
		{int64(-5), []string{"653159", "561021090885", "2356064425258417221"}},
		{int64(1) << 32, []string{"118483", "769284452823", "3240276014675079639"}},
		{huge, []string{"165713", "435475049468", "9015798132133666757"}},
		{true, []string{"140891", "140719340484", "5249979066121302517"}},
	} {
		for i, n := range []int64{1_000_000, 1 << 40, 1<<63 - 1} {
			got := call(t, "seed", module.Arg{Name: "range", Value: module.Data(n)},
				module.Arg{Name: "hash", Value: module.Data(tt.seed)})
			if got != tt.want[i] {
				t.Errorf("%v below %d: got %s, want %s", tt.seed, n, got, tt.want[i])
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"seed", nil, "5"},
		{"seed", []string{"3600"}, "3360"},
		{"seed", []string{"10", "hash=web1"}, "5"},
		{"rand_int", []string{"seed=x"}, "6"},
		{"rand_int", []string{"-100", "1000000000000", "7"}, "434439589075"},
		{"rand_int", []string{"5", "5"}, "5"},
		{"shuffle", []string{"[a, b, c, d, e, f, g, h]", "seed=x"}, `["f","e","g","d","a","b","c","h"]`},
		{"sample", []string{"[a, b, c, d, e, f, g, h]", "3", "x"}, `["f","e","g"]`},
		{"sample", []string{numbers(100), "4", "3"}, "[30,75,69,16]"},
		{"sample", []string{numbers(100), "10", "3"}, "[30,75,69,16,47,77,60,80,74,8]"},
		{"sample", []string{"[]", "0"}, "[]"},
		{"hash", []string{"abc", "md5"}, "900150983cd24fb0d6963f7d28e17f72"},
		{"hash", []string{"abc", "sha1"}, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"hash", []string{"abc"}, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"hash", []string{"", "sha3_256"}, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"},
		{"str_encode", []string{"größe"}, "Z3LDtsOfZQ=="},
		{"str_encode", []string{"abc", "hex"}, "616263"},
		{"str_encode", []string{"abc", "utf_8"}, "abc"},
		{"get_str", []string{"5", "chars=ä"}, "äääää"},
		{"shadow_hash", []string{"salt", "secret", "md5"}, "$1$salt$ez2vlPGdaLYkJam5pWs/Y1"},

		{"seed", []string{"0"}, "cannot draw a number below 0"},
		{"seed", []string{"10", "hash=1.5"}, "want text or an integer as the seed, got 1.5"},
		{"rand_int", []string{"5", "4"}, "cannot draw an integer from 5 to 4"},
		{"sample", []string{"[a]", "2"}, "cannot take 2 members of a list of 1"},
		{"hash", []string{"abc", "sha513"}, "cannot hash with \"sha513\": known are md5, sha1, sha224, sha256, " +
			"sha384, sha3_224, sha3_256, sha3_384, sha3_512, sha512 (did you mean \"sha512\"?)"},
		{"str_encode", []string{"abc", "rot13"}, `cannot encode to "rot13": known are base64, hex and utf-8`},
		{"get_str", []string{"0"}, "cannot make random text of length 0: it must be from 1 to 8192"},
		{"get_str", []string{"lowercase=False", "uppercase=False", "digits=False", "punctuation=False"},
			"cannot make random text: every kind of letters is left out"},
	} {
		if got := call(t, tt.name, words(tt.args...)...); got != tt.want {
			t.Errorf("%s %.40q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}

func numbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = value.FloatText(float64(i))
		list[i] = strings.TrimSuffix(list[i], ".0")
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func TestTextIsOfTheKindsAskedFor(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for _, tt := range []struct {
		args    []string
		allowed string
	}{
		{[]string{"4000", "punctuation=False"}, letters + strings.ToUpper(letters) + "0123456789"},
		{[]string{"4000", "punctuation=False", "uppercase=False", "lowercase=False"}, "0123456789"},
		{[]string{"4000", "punctuation=False", "digits=False", "uppercase=False", "whitespace=True"}, letters + " \t\n\r\v\f"},
		{[]string{"4000", "printable=True"}, letters + strings.ToUpper(letters) + "0123456789 \t\n\r\v\f!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
	} {
		got := call(t, "get_str", words(tt.args...)...)
		if strings.Trim(got, tt.allowed) != "" {
			t.Errorf("%q: got %q", tt.args, got)
		}
		for _, c := range tt.allowed {
			if !strings.ContainsRune(got, c) {
				t.Errorf("%q: %q never came", tt.args, c)
			}
		}
	}
	if got := call(t, "get_str"); len(got) != 20 || got == call(t, "get_str") {
		t.Errorf("got %q", got)
	}
	if got := call(t, "shadow_hash"); !strings.HasPrefix(got, "$6$") || len(got) != 106 {
		t.Errorf("got %s", got)
	}
}
