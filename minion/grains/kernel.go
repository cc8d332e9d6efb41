package grains

import (
	"cmp"
	"strings"

	"brine/states/value"
)

func kernel(p *probe) {
	name := p.tree.text("/proc/sys/kernel/hostname")
	p.put("kernel", cmp.Or(p.tree.text("/proc/sys/kernel/ostype"), "Linux"))
	p.put("nodename", name)
	p.put("localhost", name)
	p.put("kernelrelease", p.tree.text("/proc/sys/kernel/osrelease"))
	p.put("kernelversion", p.tree.text("/proc/sys/kernel/version"))
	p.put("cpuarch", p.sys.Arch())
}

// kernelParams are pairs: a name, and its value or nothing.
func kernelParams(p *probe) {
	data, err := p.tree.read("/proc/cmdline")
	if err != nil {
		return
	}
	list := value.NewList()
	for _, word := range shellWords(string(data)) {
		name, val, has := strings.Cut(word, "=")
		pair := value.NewList(name, nil)
		if has && !strings.Contains(val, "=") { // of a=b=c Salt keeps the name alone
			pair.Items[1] = strings.Trim(val, `"`)
		}
		list.Items = append(list.Items, pair)
	}
	p.put("kernelparams", list)
}

// shellWords splits at blanks outside of quotes, which are taken off.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, open = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == 0):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}
