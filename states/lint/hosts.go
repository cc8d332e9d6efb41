package lint

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"brine/proto/spell"
	"brine/states/value"
	"brine/states/yaml"
)

// recorded are the grains of real hosts.
//
//go:embed hosts/*.json
var recorded embed.FS

// Default is the built-in host that a tree is checked for when none is named.
const Default = "debian12"

// Builtin returns the names of the built-in hosts, in order.
func Builtin() []string {
	entries, _ := fs.ReadDir(recorded, "hosts") // it is part of the program
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".json")
	}
	return names
}

// Named returns a built-in host. The error names the nearest one there is.
func Named(name string) (Host, error) {
	data, err := recorded.ReadFile("hosts/" + name + ".json")
	if err != nil {
		return Host{}, fmt.Errorf("there is no built-in host %q%s: there are %s", name, spell.DidYouMean(name, Builtin()),
			strings.Join(Builtin(), ", "))
	}
	d, err := ReadDict(name, data)
	if err != nil {
		return Host{}, err
	}
	d.Put("id", name)
	return Host{Name: name, Grains: d}, nil
}

// ReadHosts reads grains in JSON or YAML: those of one host by themselves, or those of several by their ids, as
// grains.items prints them here and in Salt. Hosts are in the order of the text.
func ReadHosts(name string, data []byte) ([]Host, error) {
	d, err := ReadDict(name, data)
	if err != nil {
		return nil, err
	}
	if inner, ok := dictOf(d, "minions"); ok {
		d = inner
	}
	if _, ok := d.Get("os"); ok {
		d = value.NewDict(name, d)
	}
	var hosts []Host
	for id, v := range d.All() {
		grains, _ := v.(*value.Dict)
		if inner, ok := dictOf(grains, "return"); ok {
			grains = inner
		}
		h := Host{Name: fmt.Sprint(id), Grains: grains}
		if own, _ := grains.Get("id"); own != nil {
			h.Name = fmt.Sprint(own)
		}
		if _, ok := grains.Get("os"); !ok {
			return nil, fmt.Errorf("cannot read grains of %q in %s: there is no \"os\" among them: want what \"brine-minion call grains.items --out json\" prints",
				h.Name, name)
		}
		grains.Put("id", h.Name)
		hosts = append(hosts, h)
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("cannot read grains of %s: it is empty", name)
	}
	return hosts, nil
}

// Renamed returns the host with another id.
func (h Host) Renamed(id string) Host {
	grains := &value.Dict{}
	for k, v := range h.Grains.All() {
		_ = grains.Set(k, v) // it was a key already
	}
	grains.Put("id", id)
	h.Name, h.Grains = id, grains
	return h
}

func dictOf(d *value.Dict, key string) (*value.Dict, bool) {
	v, _ := d.Get(key)
	inner, ok := v.(*value.Dict)
	return inner, ok
}

// ReadDict reads a dict of JSON or YAML; name is what errors call it.
func ReadDict(name string, data []byte) (*value.Dict, error) {
	n, err := yaml.Parse(name, data) // which JSON is too
	if err != nil {
		return nil, err
	}
	if n.IsNull() {
		return &value.Dict{}, nil
	}
	d, ok := n.Data().(*value.Dict)
	if !ok {
		return nil, fmt.Errorf("%s: want a dict, got %s", name, n.TypeName())
	}
	return d, nil
}
