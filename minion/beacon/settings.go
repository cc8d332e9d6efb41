package beacon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/regex"
	"brine/states/value"
)

// attributes are the settings of a network interface by Salt's names, with the kernel's files of them.
func attributes() map[string]string {
	return map[string]string{
		"address": "address", "broadcast": "broadcast", "carrier": "carrier", "carrier_changes": "carrier_changes", "flags": "flags",
		"group": "netdev_group", "ifi_type": "type", "ifname": "", "index": "ifindex", "ipaddr": "", "linkmode": "link_mode", "mtu": "mtu",
		"num_rx_queues": "", "num_tx_queues": "", "operstate": "operstate", "promiscuity": "", "txqlen": "tx_queue_len",
	}
}

// A watchedFace is what is watched of the interfaces that a pattern means.
type watchedFace struct {
	pattern string
	attrs   []string
	only    map[string]any // the one value that is told of, by attribute
}

// networkSettings tells when settings of network interfaces change.
func networkSettings(s *section, _ *env) looker {
	faces, together := s.sub("interfaces"), s.bool("coalesce", false)
	if !s.has("interfaces") {
		s.wrong("", "want interfaces in it")
	}
	var all []watchedFace
	faces.each(func(name string, v any) { all = append(all, watchFace(faces.under(name, v), name)) })
	before, first := map[string]*value.Dict{}, true
	return func(_ context.Context, h *host.Host) ([]reading, error) {
		dir, err := os.ReadDir(h.Path("/sys/class/net"))
		if err != nil {
			return nil, fmt.Errorf("cannot look at network interfaces: %w", err)
		}
		changes := &value.Dict{}
		for _, e := range dir {
			w := meant(all, e.Name())
			if w == nil {
				continue
			}
			now := settingsOf(h, e.Name(), w.attrs)
			if changed := w.changed(before[e.Name()], now); changed.Len() > 0 && !first {
				changes.Put(e.Name(), changed)
			}
			before[e.Name()] = now
		}
		first = false
		return settingReadings(changes, together), nil
	}
}

func settingReadings(changes *value.Dict, together bool) (all []reading) {
	if together && changes.Len() > 0 {
		return []reading{{tag: "result", data: value.NewDict("changes", changes)}}
	}
	for k, v := range changes.All() {
		name := value.KeyText(k)
		all = append(all, reading{tag: name, data: value.NewDict("interface", name, "change", v)})
	}
	return all
}

func watchFace(s *section, name string) watchedFace {
	w := watchedFace{pattern: name, only: map[string]any{}}
	known := attributes()
	s.each(func(attr string, v any) {
		if _, ok := known[attr]; !ok {
			var names []string
			for n := range known {
				names = append(names, n)
			}
			slices.Sort(names)
			s.wrong(attr, "there is no such setting: want one of %s", strings.Join(names, ", "))
		}
		w.attrs = append(w.attrs, attr)
		if v != nil {
			one := s.under(attr, v)
			if only := one.any("onvalue"); only != nil {
				w.only[attr] = only
			}
			one.end()
		}
	})
	return w
}

// meant finds what is configured of an interface: by its name, or else by an expression or a pattern.
func meant(all []watchedFace, name string) *watchedFace {
	for n := range all {
		if all[n].pattern == name {
			return &all[n]
		}
	}
	for n := range all {
		if ok, _ := path.Match(all[n].pattern, name); ok {
			return &all[n]
		}
		if re, err := regex.Compile(all[n].pattern, 0); err == nil {
			if at, _ := re.Search(name); at != nil {
				return &all[n]
			}
		}
	}
	return nil
}

// changed are the attributes that are others now, with what they are.
func (w *watchedFace) changed(before, now *value.Dict) *value.Dict {
	d := &value.Dict{}
	for _, attr := range w.attrs {
		v, _ := now.Get(attr)
		old, had := before.Get(attr)
		only, limited := w.only[attr]
		if (!had || !value.Equal(old, v)) && (!limited || value.Equal(only, v)) {
			d.Put(attr, v)
		}
	}
	return d
}

func settingsOf(h *host.Host, name string, attrs []string) *value.Dict {
	d, files := &value.Dict{}, attributes()
	for _, attr := range attrs {
		switch attr {
		case "ifname":
			d.Put(attr, name)
		case "ipaddr":
			d.Put(attr, addressesOf(h, name))
		case "num_rx_queues", "num_tx_queues":
			queues, _ := filepath.Glob(h.Path("/sys/class/net/"+name+"/queues/") + "/" + attr[4:6] + "-*")
			d.Put(attr, int64(len(queues)))
		case "promiscuity":
			flags, _ := settingOf(h, name, "flags").(int64)
			d.Put(attr, flags>>8&1)
		case "operstate":
			text, _ := settingOf(h, name, attr).(string)
			d.Put(attr, strings.ToUpper(text))
		default:
			d.Put(attr, settingOf(h, name, files[attr]))
		}
	}
	return d
}

// settingOf is what a file of the kernel says of an interface: a number or text; nil for one that says nothing now.
func settingOf(h *host.Host, name, file string) any {
	data, err := os.ReadFile(h.Path("/sys/class/net/" + name + "/" + file))
	if err != nil {
		return nil // such as the carrier of one that is down
	}
	text := strings.TrimSpace(string(data))
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n
	}
	return text
}

// addressesOf are the addresses of an interface, each with the length of its prefix.
func addressesOf(h *host.Host, name string) *value.List {
	list := value.NewList()
	if !h.Real() {
		return list // the kernel knows those of this machine alone
	}
	face, err := net.InterfaceByName(name)
	if err != nil {
		return list // it has gone
	}
	addrs, _ := face.Addrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ones, _ := n.Mask.Size()
			list.Items = append(list.Items, value.NewList(n.IP.String(), int64(ones)))
		}
	}
	return list
}
