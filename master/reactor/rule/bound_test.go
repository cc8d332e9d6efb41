package rule_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"brine/master/reactor/rule"
)

// most is what one expression may allocate at most: some times what its meter counts, for what the library makes beside.
const most = 128 << 20

// costly are expressions that would take all memory, or hours.
var costly = []string{
	`reduce(1..60000, #acc + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "") == ""`,
	`reduce(1..60, #acc + #acc, "x") == ""`,
	`reduce(1..60, [#acc, #acc], "x") == reduce(1..60, [#acc, #acc], "x")`,
	`toJSON(reduce(1..60, [#acc, #acc], "x")) == ""`,
	`string(reduce(1..60, ({"a": #acc, "b": #acc}), "x")) == ""`,
	`len(flatten(reduce(1..60, [#acc, #acc], "x"))) > 1`,
	`max(reduce(1..60, [#acc, #acc], 1)) > 1`,
	`toJSON(reduce(1..90000, [#acc], "x")) == ""`,
	`len(reduce(1..60, concat(#acc, #acc), [1])) > 1`,
	`all(1..3000, all(1..3000, all(1..3000, # > 0)))`,
	`any(event.data.list, any(event.data.list, any(event.data.list, any(event.data.list, # == -1))))`,
	`len(map(1..90000, event.data.text + "x")) > 1`,
	`len(map(1..90000, upper(event.data.text))) > 1`,
	`len(map(1..90000, toJSON(event))) > 1`,
	`len(map(1..90000, toJSON($env))) > 1`,
	`len(map(1..90000, ({"a": #, "b": {"c": #}}))) > 1`,
	`repeat("xxxxxxxxxx", 999999) == ""`,
	`repeat(event.data.text, 999999) == ""`,
	`replace(event.data.text, "", event.data.text) == ""`,
	`join(split(event.data.text, ""), event.data.text) == ""`,
	`join(map(1..90000, event.data.text)) == ""`,
	`let a = event.data.text; let b = a + a; let c = b + b; let d = c + c; let e = d + d; let f = e + e; let g = f + f; let h = g + g; h + h == ""`,
	`len(uniq(1..90000)) > 1`,
	`any(1..90000, (# + 1) in event.data.list)`,
	`any(1..90000, event.data.text contains "b")`,
	`any(1..90000, event.data.text != event.data.text + "")`,
	`any(1..90000, len(event.data.text) == 1)`,
	`any(1..90000, event.data.text matches "(a|b)*c$")`,
	`any(1..90000, event.data.text matches ("x{1000}" + string(#)))`,
	`event.data.text matches ("(" + repeat("x{1000}|", 500) + "y)")`,
	`len(sortBy(map(1..20000, event.data.text), #)) > 1`,
	`len(sort(map(1..20000, event.data.text))) > 1`,
	`len(groupBy(1..90000, event.data.text)) > 1`,
	`len(fromJSON("[" + repeat("{},", 200000) + "1]")) > 1`,
	`trim(event.data.text, event.data.text + "é") == "x"`,
	`any(1..90000, timezone("Europe/Berlin") == nil)`,
	`any(1..90000, event.at.Format(event.data.text) == "x")`,
	`event.at.Format(repeat("January", 200000)) == "x"`,
	`count(1..2000000) > 1`,
	`len(1..9223372036854775807) > 1`,
	`sum(map(1..90000, sum(1..90000))) > 1`,
	`any(1..90000, keys(grains) == [#])`,
}

// big is an event with something in it to multiply.
func big() *rule.Event { return sized(20_000) }

func sized(n int) *rule.Event {
	list := strings.TrimSuffix(strings.Repeat("1,", n), ",")
	return event("x", "web1", fmt.Sprintf(`{"text": %q, "list": [%s], "n": 3}`, strings.Repeat("a", 10*n), list))
}

func TestCostlyExpressionsEndSoon(t *testing.T) {
	for _, text := range costly {
		set := parse(t, fmt.Sprintf("[[rule]]\nname = \"r\"\ntag = \"x\"\ncondition = '''%s'''%s", text, action))
		e := big()
		e.Payload()
		before, began := allocated(), time.Now()
		hits := set.Hits(e)
		took, made := time.Since(began), allocated()-before
		if len(hits) != 1 || hits[0].Problem == nil {
			t.Errorf("%s: it is worked out: %v", text, hits)
		} else if problem := hits[0].Problem.Error(); !strings.Contains(problem, text[:20]) || !strings.Contains(problem, "(column ") {
			t.Errorf("%s: %s does not say where", text, problem)
		}
		if made > most || took > 10*time.Second {
			t.Errorf("%s: it took %v and %d MiB", text, took, made>>20)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestWhatAnExpressionMayCostIsEnough(t *testing.T) {
	for _, text := range []string{
		`any(event.data.list, # == 1) && all(event.data.list, # < 2)`,
		`len(filter(event.data.list, # > 0)) == 20000 && sum(event.data.list) == 20000`,
		`event.data.text contains "aaa" and event.data.text startsWith "a" and event.data.text matches "^a+$"`,
		`len(event.data.text + event.data.text) == 400000 && upper(event.data.text[:2]) == "AA"`,
		`toJSON(grains) contains "Debian" && "os" in keys(grains) && "os" in grains && 3 in 1..5 && grains.os in ["Debian", "Ubuntu"]`,
		`sortBy([{"n": 2}, {"n": 1}], #.n)[0].n == 1 && join(map(1..3, string(#)), ",") == "1,2,3" && uniq([1, 1]) == [1]`,
		`reduce(1..1000, #acc + #, 0) == 500500 && event.at.Year() > 2000 && (event.data.none ?? "x") == "x" && event.data?.none?.deep == nil`,
		`date("2026-01-02", "2006-01-02", "Europe/Berlin").Format("Jan") == "Jan" && duration("5m").Minutes() == 5.0`,
		`replace("aXb", "X", "-") == "a-b" && repeat("ab", 2) == "abab" && split("a,b", ",")[1] == "b" && trim(" x ") == "x"`,
		`event.data.n in [1, 2, 3] && not (event.data.n in [4]) && event.tag matches event.tag && !(event.data.none matches "x")`,
	} {
		set := parse(t, fmt.Sprintf("[[rule]]\nname = \"r\"\ntag = \"x\"\ncondition = '''%s'''%s", text, action))
		if hits := set.Hits(big()); len(hits) != 1 || hits[0].Problem != nil || !hits[0].Opens {
			t.Errorf("%s: got %v", text, hits)
		}
	}
}

func TestWhatAnActionIsGivenIsBounded(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(`"${event.data.text}", `, 100), ", ")
	for _, c := range []string{
		`{run = "test.echo", args = [` + many + `]}`,
		`{run = "test.echo", args = [[[` + many + `]]]}`,
		`{run = "test.echo", args = ["` + strings.Repeat("${event.data.text}", 100) + `"]}`,
		`{run = "test.echo", args = ["${event.data.text}"], kwargs = {x = [` + many + `]}}`,
		`{run = "test.echo", args = ["${reduce(1..15, [#acc, #acc], event.data.text)}"]}`,
	} {
		set := parse(t, "[[rule]]\nname = \"r\"\ntag = \"x\"\naction = "+c)
		before := allocated()
		args, err := set.Rule("r").Action.Arguments(big())
		if err == nil || !strings.Contains(err.Error(), "it makes the action's arguments larger than") {
			t.Errorf("%.60s: got %d arguments, %v", c, len(args), err)
		}
		if made := allocated() - before; made > most {
			t.Errorf("%.60s: it took %d MiB", c, made>>20)
		}
	}
	set := parse(t, "[[rule]]\nname = \"r\"\ntag = \"x\"\nkey = \"event.data.text\""+action)
	if hits := set.Hits(big()); len(hits) != 1 || hits[0].Problem == nil {
		t.Errorf("a key of any length: %v", hits)
	}
}

func TestExpressionsThatAreNotRead(t *testing.T) {
	for text, want := range map[string]string{
		`event.tag matches "((x{1000}){1000})"`:                           "invalid repeat count",
		`event.tag matches "` + strings.Repeat("x{1000}", 20) + `"`:       "a regular expression is too large",
		`event.tag matches "` + strings.Repeat("x", 6000) + `"`:           "a regular expression has more than",
		strings.Repeat("(", 1_000_000) + "true":                           "an expression has more than",
		strings.Repeat("(", 15_000) + "true" + strings.Repeat(")", 15000): "an expression has more than",
		strings.Repeat("!", 16_000) + "true":                              "maximum allowed nodes",
	} {
		before := allocated()
		_, problems := rule.Parse("test", []rule.File{{Name: "r.toml", Text: []byte(fmt.Sprintf("[[rule]]\nname = \"r\"\ntag = \"x\"\ncondition = '''%s'''%s", text, action))}})
		if len(problems) != 1 || problems[0].Line != 4 || !strings.Contains(problems[0].Text, want) {
			t.Errorf("%.40s: got %.200v, want %s", text, problems, want)
		}
		if made := allocated() - before; made > most {
			t.Errorf("%.40s: it took %d MiB", text, made>>20)
		}
	}
}

// FuzzExpression works out any expression: none may take much.
func FuzzExpression(f *testing.F) {
	for _, text := range costly {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, _ := rule.Parse("fuzz", []rule.File{{Name: "f.toml", Text: []byte(fmt.Sprintf("[[rule]]\nname = \"r\"\ntag = \"x\"\nkey = %q\naction = {run = \"test.echo\", args = [%q]}", text, "${"+text+"}"))}})
		e := sized(1000)
		e.Payload()
		before, began := allocated(), time.Now()
		set.Hits(e)
		if r := set.Rule("r"); r != nil {
			_, _ = r.Action.Arguments(e)
		}
		if made, took := allocated()-before, time.Since(began); made > 2*most || took > 20*time.Second {
			t.Errorf("it took %v and %d MiB", took, made>>20)
		}
	})
}
