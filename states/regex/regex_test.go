package regex_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/regex"
)

// The results are what Python 3.11 gives for the same on bytes.
func TestSub(t *testing.T) {
	for _, tt := range []struct {
		expr  string
		flags regex.Flags
		repl  string
		text  string
		want  string
		n     int
	}{
		{`x*`, 0, "-", "abxd", "-a-b--d-", 0},
		{`\bfoo\b`, 0, "bar", "foo food foo", "bar food bar", 0},
		{`^#\s*(Port) (\d+)$`, regex.Multiline, `\1 \g<2>2`, "a\n# Port 22\n#Port 1\n", "a\nPort 222\nPort 12\n", 0},
		{`^`, regex.Multiline, "> ", "a\nb\n", "> a\n> b\n> ", 0},
		{`$`, 0, "!", "a\n", "a!\n!", 0},
		{`(?P<k>\w+)=(?P<v>\w+)`, 0, `\g<v>=\g<k>`, "a=b c=d", "b=a d=c", 0},
		{`(a)|b`, 0, `[\1]`, "ab", "[a][]", 0},
		{`(\w)\1`, 0, "<>", "hello book", "he<>o b<>k", 0},
		{`(?P<q>['"]).*?(?P=q)`, 0, "Q", `a 'b' "c'd"`, "a Q Q", 0},
		{`(?<=a)b`, 0, "X", "ab bb ab", "aX bb aX", 0},
		{`foo(?!bar)`, 0, "X", "foobar foobaz", "foobar Xbaz", 0},
		{`a.c`, regex.DotAll, "X", "a\nc", "X", 0},
		{`A`, regex.IgnoreCase, "x", "aAbB", "xxbB", 0},
		{`(?i)a`, 0, "x", "aA", "xx", 0},
		{`a{,2}b`, 0, "x", "aaab", "ax", 0},
		{`[\w.-]+@[\d-]`, 0, "x", "a.b-c@5", "x", 0},
		{`[^]]+`, 0, "x", "ab]c", "x]x", 0},
		{`[[]x[]]`, 0, "y", "[x]", "y", 0},
		{`\.\*\[\]\-\_\/`, 0, "y", ".*[]-_/", "y", 0},
		{`end\Z`, 0, "y", "end end", "end y", 0},
		{"é+", 0, "e", "caféé", "cafe", 0},
		{`(?x) a  b # both
			c`, 0, "y", "abc", "y", 0},
		{`a`, 0, "x", "aaaa", "xxaa", 2},
		{`(?a:\w)`, 0, "x", "a", "x", 0},
		{`\u0041\x42\103`, 0, "y", "ABC", "y", 0},
		{`(?#note)a`, 0, `\\\n\t\.`, "a", "\\\n\t\\.", 0},
		{`x*?`, 0, "-", "xy", "---y-", 0},
		{`(?x)x*? # few`, 0, "-", "xy", "---y-", 0},
		{`(a*)*b`, 0, `<\1>`, "aab", "<>", 0},
		{`a$`, 0, "-", "a\n", "-\n", 0},
		{`(a)?(?(1)b|c)`, 0, "-", "ab c", "- -", 0},
		{`(?P<q>a)?(?(q)b|c)`, 0, "-", "ab c", "- -", 0},
		{`\w`, regex.Unicode, "x", "é!², ʰ", "x!x, x", 0},
		{`\w`, 0, "x", "é!", "é!", 0},
		{`[\d-]\s`, regex.Unicode, "x", "٣ 5\u2003", "xx", 0},
		{`(?a)\w`, regex.Unicode, "x", "éa", "éx", 0},
		{`\bé\b`, regex.Unicode, "x", "é été é", "x été x", 0},
	} {
		re, err := regex.Compile(tt.expr, tt.flags)
		if err != nil {
			t.Error(err)
			continue
		}
		by, err := re.Template(tt.repl)
		if err != nil {
			t.Error(err)
			continue
		}
		got, _, err := re.Sub([]byte(tt.text), by, tt.n)
		if string(got) != tt.want || err != nil {
			t.Errorf("%q by %q in %q: got %q, %v, want %q", tt.expr, tt.repl, tt.text, got, err, tt.want)
		}
	}
}

func TestBytesThatAreNoText(t *testing.T) {
	re, err := regex.Compile(`(?<=a)b`, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, n, err := re.Sub([]byte("\xffab\xfe"), regex.Literal("X"), 0)
	if string(got) != "\xffaX\xfe" || n != 1 || err != nil {
		t.Errorf("got %q, %d, %v", got, n, err)
	}
}

func TestFirstMatch(t *testing.T) {
	for _, tt := range []struct {
		expr, text     string
		search, begins string
	}{
		{`a|b`, "ba", "[0 1]", "[0 1]"},
		{`(b)|(c)`, "ac", "[1 2 -1 -1 1 2]", "[]"},
		{`x*`, "ax", "[0 0]", "[0 0]"},
		{`é(?=b)`, "aéb", "[1 3]", "[]"},
		{`(?=(a))`, "b", "[]", "[]"},
	} {
		re, err := regex.Compile(tt.expr, regex.Unicode)
		if err != nil {
			t.Error(err)
			continue
		}
		found, err := re.Search(tt.text)
		begins, bad := re.Begins(tt.text)
		if fmt.Sprint(found) != tt.search || fmt.Sprint(begins) != tt.begins || err != nil || bad != nil {
			t.Errorf("%s in %q: got %v, %v, %v, %v, want %s, %s", tt.expr, tt.text, found, err, begins, bad, tt.search, tt.begins)
		}
	}
}

func TestMatchesTakeTheirTime(t *testing.T) {
	re, err := regex.Compile(`(?=a)(a|aa)+$b`, regex.Unicode)
	if err != nil {
		t.Fatal(err)
	}
	want := "cannot decide the regular expression: it takes too long (more than 1s)"
	if _, err := re.Search(strings.Repeat("a", 40)); fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestManyTextsTakeNoMoreTimeThanOne(t *testing.T) {
	begins, err := regex.Beginning(`(?=a)(a|aa)+$b`, false)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 40)
	if _, err := begins(long); err == nil {
		t.Fatal("a text that takes too long is decided")
	}
	if _, err := begins("b"); err == nil {
		t.Error("after its time is over an expression is still tried")
	}
	if begins, err = regex.Beginning(`(?=a)a+`, false); err != nil {
		t.Fatal(err)
	}
	if ok, err := begins("aab"); !ok || err != nil {
		t.Errorf("another expression: got %v, %v", ok, err)
	}
}

func TestEscape(t *testing.T) {
	if got, want := regex.Escape("a.b_c-d é\n"), "a\\.b_c\\-d\\ é\\\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMistakes(t *testing.T) {
	for expr, want := range map[string]string{
		`(a`:      `cannot read the regular expression "(a": missing closing ): "(a"`,
		`a\`:      `cannot read the regular expression "a\\": it ends with a backslash`,
		`[a`:      `cannot read the regular expression "[a": the bracket at 0 is not closed`,
		`\2(a)`:   `cannot read the regular expression "\\2(a)": \2 refers to no group`,
		`\y`:      `cannot read the regular expression "\\y": \y means nothing`,
		`(?P=x)`:  `cannot read the regular expression "(?P=x)": there is no group "x"`,
		`(?<n>a)`: `cannot read the regular expression "(?<n>a)": "(?<n>a)" begins no group that is known`,
		`a++`:     `cannot read the regular expression "a++": possessive repeats are not known`,
	} {
		if _, err := regex.Compile(expr, 0); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", expr, err, want)
		}
	}
	re, err := regex.Compile(`(a)`, 0)
	if err != nil {
		t.Fatal(err)
	}
	for repl, want := range map[string]string{
		`\2`:     `cannot read the replacement "\\2": there is no group 2`,
		`\g<x>`:  `cannot read the replacement "\\g<x>": there is no group "x"`,
		`\q`:     `cannot read the replacement "\\q": \q means nothing`,
		`a\`:     `cannot read the replacement "a\\": it ends with a backslash`,
		`\g1`:    `cannot read the replacement "\\g1": \g wants <NAME>`,
		`\g<1>x`: "",
	} {
		if _, err := re.Template(repl); fmt.Sprint(err) != want && (err != nil || want != "") {
			t.Errorf("%s:\ngot  %v\nwant %s", repl, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`^#?(\w+)\s*=.*$`, `\1 = x`, "a = b\n")
	f.Add(`(?P<a>[^]\d]){,3}(?=b)`, `\g<a>`, "aab")
	f.Fuzz(func(t *testing.T, expr, repl, text string) {
		if len(text) > 100 || len(expr) > 50 || strings.Count(expr, "*")+strings.Count(expr, "+")+strings.Count(expr, "{") > 2 {
			return // what may take long is for its limit of time
		}
		re, err := regex.Compile(expr, regex.Multiline)
		if err != nil {
			return
		}
		by, err := re.Template(repl)
		if err != nil {
			return
		}
		_, _, _ = re.Sub([]byte(text), by, 3) // must not panic
	})
}

func TestErrorsShowNoLongExpression(t *testing.T) {
	_, err := regex.Compile(strings.Repeat("é", 10_000), 0)
	if err == nil || len(err.Error()) > 300 || !strings.Contains(err.Error(), "it is longer than 10000 characters") {
		t.Errorf("got %v", err)
	}
}
