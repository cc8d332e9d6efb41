package nftables_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// kernel is a host whose packet filter is a file: a line for each table, chain and rule, the latter with its handle.
type kernel struct {
	*hosttest.Host
	t       testing.TB
	ran     []string
	unshare bool // whether namespaces can be made
}

const rulesFile = "/kernel/rules"

const filled = `table ip filter
chain ip filter input type filter hook input priority 0 policy accept
chain ip filter old
rule ip filter input 7 tcp dport 23 accept
rule ip filter input 8 tcp dport { 22, 443 } counter accept
rule ip filter input 9 tcp dport 23 accept
table inet old
`

func newKernel(t testing.TB, lines string) *kernel {
	k := &kernel{Host: hosttest.New(t), t: t, unshare: true}
	k.Write(rulesFile, lines)
	k.Grains.Put("os_family", "Debian")
	k.Exec = k.exec
	return k
}

func newHost(t testing.TB) *hosttest.Host { return newKernel(t, filled).Host }

func (k *kernel) lines() []string {
	return strings.Split(strings.TrimSuffix(k.Read(rulesFile), "\n"), "\n")
}

func (k *kernel) exec(_ context.Context, c host.Command) (host.Output, error) {
	line := strings.Join(c.Argv, " ")
	k.ran = append(k.ran, line)
	switch {
	case c.Argv[0] == "unshare":
		return k.scratch(c.Argv[5])
	case c.Argv[0] != "nft":
		return host.Output{}, os.ErrNotExist
	case line == "nft --version":
		return host.Output{Stdout: []byte("nftables v1.0.6 (Lester Gooch #5)\n")}, nil
	case line == "nft -j list ruleset", line == "nft -j list ruleset ip", line == "nft -j list tables ip":
		return host.Output{Stdout: k.json(strings.HasSuffix(line, "tables ip"))}, nil
	case strings.HasPrefix(line, "nft -s list ruleset"), strings.HasPrefix(line, "nft list table"):
		return host.Output{Stdout: []byte(k.Read(rulesFile))}, nil
	case strings.HasPrefix(line, "nft -s -a list chain "):
		return host.Output{Stdout: k.chain(strings.TrimPrefix(line, "nft -s -a list chain "))}, nil
	}
	check, lines := c.Argv[1] == "-c", k.lines()
	for _, command := range strings.Split(strings.TrimSpace(c.Argv[len(c.Argv)-1]), "\n") {
		if text := carryOut(&lines, command); text != "" {
			return host.Output{Code: 1, Stderr: []byte("Error: " + text + "\n" + command + "\n^^^\n")}, nil
		}
	}
	if !check {
		k.Write(rulesFile, strings.Join(lines, "\n")+"\n")
	}
	return host.Output{}, nil
}

func carryOut(lines *[]string, command string) string {
	f := strings.Fields(command)
	verb, what := f[0], f[1]
	missing := "Could not process rule: No such file or directory"
	has := func(prefix string) int {
		return slices.IndexFunc(*lines, func(l string) bool { return strings.HasPrefix(l+" ", prefix+" ") })
	}
	if what != "table" && has(strings.Join(append([]string{"table"}, f[2:4]...), " ")) < 0 {
		return missing
	}
	where := strings.Join(f[2:min(5, len(f))], " ")
	switch verb + " " + what {
	case "add table":
		*lines = append(*lines, "table "+where)
	case "delete table":
		*lines = slices.DeleteFunc(*lines, func(l string) bool { return strings.Contains(l+" ", " "+where+" ") })
	case "add chain":
		if i := has("chain " + where); i >= 0 {
			*lines = slices.Delete(*lines, i, i+1)
		}
		*lines = append(*lines, "chain "+where+" "+strings.NewReplacer(";", "", "{ ", "", " }", "").Replace(strings.Join(f[5:], " ")))
	case "delete chain":
		*lines = slices.DeleteFunc(*lines, func(l string) bool { return strings.HasPrefix(l+" ", "chain "+where+" ") })
	case "flush chain", "flush table":
		*lines = slices.DeleteFunc(*lines, func(l string) bool { return strings.HasPrefix(l, "rule "+where+" ") })
	case "delete rule":
		*lines = slices.DeleteFunc(*lines, func(l string) bool { return strings.HasPrefix(l, "rule "+where+" "+f[6]+" ") })
	case "add rule", "insert rule":
		if f[5] == "position" {
			f = slices.Delete(f, 5, 7)
		}
		rule := strings.Join(f[5:], " ")
		switch {
		case has("chain "+where) < 0 || strings.Contains(rule, "jump none"):
			return missing
		case strings.Contains(rule, "nonsense"):
			return "syntax error, unexpected string"
		}
		at := len(*lines)
		if i := has("rule " + where); verb == "insert" && i >= 0 {
			at = i
		}
		*lines = slices.Insert(*lines, at, fmt.Sprintf("rule %s %d %s", where, 100+len(*lines), canonical(rule)))
	}
	return ""
}

var one = regexp.MustCompile(`\{ ([^ ,]+) \}`)
var many = regexp.MustCompile(`\{ ([^}]+) \}`)

// canonical is a rule as the kernel lists it.
func canonical(rule string) string {
	return many.ReplaceAllStringFunc(one.ReplaceAllString(rule, "$1"), func(set string) string {
		parts := strings.Split(strings.Trim(set, "{ }"), ", ")
		slices.Sort(parts)
		return "{ " + strings.Join(parts, ", ") + " }"
	})
}

func (k *kernel) scratch(commands string) (host.Output, error) {
	if !k.unshare {
		return host.Output{Code: 1, Stderr: []byte("unshare: unshare failed: Operation not permitted")}, nil
	}
	_, rule, _ := strings.Cut(commands, "add rule ")
	f := strings.Fields(rule)
	if strings.Contains(rule, "nonsense") || strings.Contains(rule, "jump none") {
		return host.Output{Code: 1}, nil
	}
	return host.Output{Stdout: encode(map[string]any{"nftables": []any{map[string]any{"add": ruleJSON(f[:3], 4, strings.Join(f[3:], " "))}}})}, nil
}

func ruleJSON(where []string, handle int, text string) map[string]any {
	expr := []any{map[string]any{"counter": map[string]any{"packets": handle}}}
	for i, part := range strings.Split(strings.NewReplacer("{", "|", "}", "|").Replace(canonical(text)), "|") {
		if i%2 == 0 {
			expr = append(expr, strings.TrimSpace(part))
			continue
		}
		set := []any{}
		for _, member := range strings.Split(part, ",") {
			set = append([]any{strings.TrimSpace(member)}, set...)
		}
		expr = append(expr, map[string]any{"set": set})
	}
	return map[string]any{"rule": map[string]any{"family": where[0], "table": where[1], "chain": where[2], "handle": handle, "expr": expr}}
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func (k *kernel) json(tables bool) []byte {
	all := []any{map[string]any{"metainfo": map[string]any{"version": "1.0.6"}}}
	for _, line := range k.lines() {
		f := strings.Fields(line)
		switch {
		case len(f) > 0 && f[0] == "table":
			all = append(all, map[string]any{"table": map[string]any{"family": f[1], "name": f[2], "handle": 1}})
		case tables:
		case len(f) > 4 && f[0] == "chain":
			prio, err := strconv.Atoi(f[9])
			if err != nil {
				k.t.Error(line, err)
			}
			policy := "accept"
			if len(f) > 11 {
				policy = f[11]
			}
			all = append(all, map[string]any{"chain": map[string]any{"family": f[1], "table": f[2], "name": f[3], "type": f[5], "hook": f[7],
				"prio": prio, "policy": policy}})
		case len(f) > 0 && f[0] == "chain":
			all = append(all, map[string]any{"chain": map[string]any{"family": f[1], "table": f[2], "name": f[3]}})
		case len(f) > 0 && f[0] == "rule":
			handle, _ := strconv.Atoi(f[4])
			all = append(all, ruleJSON(f[1:4], handle, strings.Join(f[5:], " ")))
		}
	}
	return encode(map[string]any{"nftables": all})
}

func (k *kernel) chain(where string) []byte {
	var b strings.Builder
	for _, line := range k.lines() {
		if rest, ok := strings.CutPrefix(line, "rule "+where+" "); ok {
			handle, text, _ := strings.Cut(rest, " ")
			fmt.Fprintf(&b, "\t\t%s # handle %s\n", text, handle)
		}
	}
	return []byte(b.String())
}
