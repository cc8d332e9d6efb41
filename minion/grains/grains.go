// Package grains finds out what a minion's host is: the facts that Salt calls
// grains, under Salt's names and with Salt's values and types.
//
// A Machine knows what its system calls and files tell, and what name servers
// say of it. A Source lays over that what the site adds for one minion:
// programs, the file of custom grains, and the minion's configuration, each of
// which counts more than the one before.
package grains

import (
	"cmp"
	"context"
	"slices"

	"brine/states/value"
)

// A fact is one grain or a few that are found together. find puts what it
// finds; what it can't find is left out, as Salt does, or has the value that
// Salt gives to what is not known.
type fact struct {
	names string // what it may put
	find  func(*probe)
}

// facts is all that is asked of a machine, in this order: what stands further
// down may use what was found above. Names that no line lists are found by
// lookUp (fqdn and what hangs on it) and by Source (id, master, server_id).
var facts = []fact{
	{"cpuarch kernel kernelrelease kernelversion localhost nodename", kernel},
	{"kernelparams", kernelParams},
	{"lsb_distrib_codename lsb_distrib_description lsb_distrib_id lsb_distrib_release " +
		"os os_family oscodename osfinger osfullname osmajorrelease osrelease osrelease_info", system},
	{"osarch", osArch},
	{"cpu_flags cpu_model num_cpus", cpu},
	{"mem_total swap_total", memory},
	{"biosreleasedate biosvendor biosversion boardname manufacturer productname serialnumber uuid", hardware},
	{"gpus num_gpus", gpus},
	{"disks ssds", disks},
	{"mdadm", raid},
	{"efi efi-secure-boot", firmware},
	{"virtual virtual_subtype", virtual},
	{"machine_id", machineID},
	{"init", initSystem},
	{"systemd", systemd},
	{"transactional", transactional},
	{"selinux", selinux},
	{"hwaddr_interfaces ip4_interfaces ip6_interfaces ip_interfaces ipv4 ipv6", interfaces},
	{"ip4_gw ip6_gw ip_gw", gateways},
	{"dns", resolverConfig},
	{"locale_info", localeInfo},
	{"cwd gid groupname path pid ps shell systempath uid username", process},
	{"pythonversion saltpath saltversion saltversioninfo", versions},
}

// A probe is one look at a machine.
type probe struct {
	ctx   context.Context
	tree  tree
	sys   System
	found *value.Dict
}

func (p *probe) put(name string, v any) { p.found.Put(name, v) }

// text is a grain that was found already, when it is text.
func (p *probe) text(name string) string {
	v, _ := p.found.Get(name)
	s, _ := v.(string)
	return s
}

// texts makes a list of texts.
func texts(all []string) *value.List {
	l := value.NewList()
	for _, s := range all {
		l.Items = append(l.Items, s)
	}
	return l
}

// sorted is a dict with the same entries in order of their names.
func sorted(d *value.Dict) *value.Dict {
	keys := d.Keys()
	slices.SortFunc(keys, func(a, b any) int {
		x, _ := a.(string)
		y, _ := b.(string)
		return cmp.Compare(x, y)
	})
	out := &value.Dict{}
	for _, k := range keys {
		v, _ := d.Get(k)
		_ = out.Set(k, v) // it was a key already
	}
	return out
}
