package iptables_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
)

// kernel is a host whose packet filter is a file in the form of iptables-save for each family.
type kernel struct {
	*hosttest.Host
	t   testing.TB
	ran []string

	loaded []string // modules; nil on a host without any
}

const rulesFile = "/kernel/"

func newKernel(t testing.TB, v4 string) *kernel {
	k := &kernel{Host: hosttest.New(t), t: t}
	k.Write(rulesFile+"iptables", v4)
	k.Write(rulesFile+"ip6tables", "")
	k.Grains.Put("os_family", "Debian")
	k.Exec = k.exec
	return k
}

func savedRules(t testing.TB) string {
	text, err := os.ReadFile("testdata/kernel.save")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newHost(t testing.TB) *hosttest.Host { return newKernel(t, savedRules(t)).Host }

func (k *kernel) exec(_ context.Context, c host.Command) (host.Output, error) {
	k.ran = append(k.ran, strings.Join(c.Argv, " "))
	program, save := strings.CutSuffix(c.Argv[0], "-save")
	lines := strings.Split(strings.TrimSuffix(k.Read(rulesFile+program), "\n"), "\n")
	switch {
	case program == "modprobe" && k.loaded != nil:
		for _, name := range c.Argv[6:] {
			if !slices.Contains(k.loaded, name) {
				return host.Output{Stdout: []byte("insmod /lib/modules/x/" + name + ".ko\n")}, nil
			}
		}
		return host.Output{}, nil
	case program != "iptables" && program != "ip6tables":
		return host.Output{}, os.ErrNotExist
	case save:
		return host.Output{Stdout: []byte(strings.Join(lines, "\n") + "\n")}, nil
	case c.Argv[1] == "--version":
		return host.Output{Stdout: []byte("iptables v1.8.9 (nf_tables)\n")}, nil
	}
	table, verb, args := c.Argv[3], c.Argv[4], c.Argv[5:]
	out := k.apply(&lines, table, verb, args)
	if out.Code == 0 && verb != "--check" {
		k.Write(rulesFile+program, strings.Join(lines, "\n")+"\n")
	}
	return out, nil
}

func refuse(code int, text string) host.Output {
	return host.Output{Code: code, Stderr: []byte(text + "\nTry `iptables -h' or 'iptables --help' for more information.\n")}
}

// apply does one command on the lines of a table.
func (k *kernel) apply(lines *[]string, table, verb string, args []string) host.Output {
	begin := slices.Index(*lines, "*"+table)
	if begin < 0 {
		*lines = append(*lines, "*"+table, ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT")
		begin = slices.Index(*lines, "*"+table)
	}
	end := begin + slices.Index((*lines)[begin:], "COMMIT")
	name, rest := "", []string{}
	if len(args) > 0 {
		name, rest = args[0], args[1:]
	}
	if slices.Contains(rest, "--nonsense") {
		return refuse(2, `iptables v1.8.9 (nf_tables): unknown option "--nonsense"`)
	}
	if i := slices.Index(rest, "--jump"); i >= 0 && rest[i+1] == "MISSING" {
		return refuse(2, "iptables v1.8.9 (nf_tables): Chain 'MISSING' does not exist")
	}
	if verb == "--check" {
		if rest[0] != "--modprobe=/bin/false" {
			k.t.Errorf("a check may load modules: %q", args)
		}
		rest = rest[1:]
	}
	line := "-A " + name + " " + quoted(rest)
	var of []int // the lines of the chain's rules
	for i := begin; i < end; i++ {
		if strings.HasPrefix((*lines)[i], "-A "+name+" ") || name == "" && strings.HasPrefix((*lines)[i], "-A ") {
			of = append(of, i)
		}
	}
	there := slices.Index((*lines)[begin:end], line) + begin
	switch verb {
	case "--check":
		if there < begin {
			return refuse(1, "iptables: Bad rule (does a matching rule exist in that chain?).")
		}
	case "-A":
		*lines = slices.Insert(*lines, end, line)
	case "-I":
		at, _ := strconv.Atoi(rest[0])
		if len(of) > 0 {
			end = append(of, of[len(of)-1]+1)[at-1]
		}
		*lines = slices.Insert(*lines, end, "-A "+name+" "+quoted(rest[1:]))
	case "-D":
		if n, err := strconv.Atoi(rest[0]); err == nil && len(rest) == 1 {
			there = of[n-1]
		}
		if there < begin {
			return refuse(1, "iptables: Bad rule (does a matching rule exist in that chain?).")
		}
		*lines = slices.Delete(*lines, there, there+1)
	case "-F":
		for _, i := range slices.Backward(of) {
			*lines = slices.Delete(*lines, i, i+1)
		}
	case "-N":
		*lines = slices.Insert(*lines, begin+1, ":"+name+" - [0:0]")
	case "-X":
		*lines = slices.DeleteFunc(*lines, func(l string) bool { return strings.HasPrefix(l, ":"+name+" ") })
	case "-P":
		for i := range *lines {
			if i > begin && i < end && strings.HasPrefix((*lines)[i], ":"+name+" ") {
				(*lines)[i] = ":" + name + " " + rest[0] + " [0:0]"
			}
		}
	default:
		k.t.Errorf("no one taught the kernel %s", verb)
	}
	return host.Output{}
}

func quoted(words []string) string {
	all := slices.Clone(words)
	for i, w := range all {
		if strings.ContainsAny(w, ` "'\`) {
			all[i] = fmt.Sprintf("%q", w)
		}
	}
	return strings.Join(all, " ")
}
