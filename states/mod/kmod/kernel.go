package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// A mod is a module as it was asked for, such as "bonding mode=4".
type mod struct {
	name string // as the kernel has it
	line string // with its options
}

func (*mod) ArgType() string { return "module" }

// ParseArg implements module.ArgParser.
func (m *mod) ParseArg(v module.Value) error {
	text, err := v.Str()
	fields := strings.Fields(text)
	if err != nil || len(fields) == 0 || strings.ContainsAny(text, "\n/#") || text[0] == '-' {
		return v.Want("the name of a module such as br_netfilter")
	}
	fields[0] = kernelName(fields[0])
	*m = mod{fields[0], strings.Join(fields, " ")}
	return nil
}

func kernelName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// A use is a line of /proc/modules.
type use struct {
	name, size, count string
	by                []string
}

// loaded reads the modules that are loaded.
func loaded(h *host.Host) ([]use, error) {
	data, err := os.ReadFile(h.Path("/proc/modules"))
	if errors.Is(err, fs.ErrNotExist) { // a kernel that has none
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the modules that are loaded: %w", err)
	}
	var all []use
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) < 4 {
			continue
		}
		u := use{name: f[0], size: f[1], count: f[2]}
		if by := strings.Trim(f[3], ",-"); by != "" {
			u.by = strings.Split(by, ",")
		}
		all = append(all, u)
	}
	sort.Slice(all, func(i, k int) bool { return all[i].name < all[k].name })
	return all, nil
}

func names(all []use) []string {
	list := []string{}
	for _, u := range all {
		list = append(list, u.name)
	}
	return list
}

// listed reads a file of the kernel's modules: their paths, and what they need behind a colon.
func listed(h *host.Host, file string) ([]string, error) {
	release, _ := h.Grains.Get("kernelrelease")
	data, err := os.ReadFile(h.Path(fmt.Sprintf("/lib/modules/%v/%s", release, file)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list the modules of the kernel: %w", err)
	}
	var all []string
	for line := range bytes.Lines(data) {
		at, _, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		name, _, isModule := strings.Cut(path.Base(at), ".ko")
		if isModule {
			all = append(all, kernelName(name))
		}
	}
	return all, nil
}

// A kernel is what it has of modules.
type kernel struct{ loaded, builtin, others []string }

func look(h *host.Host) (kernel, error) {
	all, err := loaded(h)
	builtin, err2 := listed(h, "modules.builtin")
	others, err3 := listed(h, "modules.dep")
	return kernel{names(all), builtin, others}, errors.Join(err, err2, err3)
}

// runs says whether a module is loaded, or part of the kernel.
func (k kernel) runs(m mod) bool {
	return slices.Contains(k.loaded, m.name) || slices.Contains(k.builtin, m.name)
}

func (k kernel) has(m mod) bool { return k.runs(m) || slices.Contains(k.others, m.name) }
