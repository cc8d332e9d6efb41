// Package hosts manages the names of hosts in /etc/hosts: the functions of module hosts, the states of module host.
package hosts

import "brine/states/module"

const doc = `
		Manage the names of hosts in /etc/hosts. Lines that are not changed stay as they are. The functions belong to the
		module hosts, the states to host, as in Salt.`

// Module is the hosts module, which has the functions.
var Module = module.Module{
	Name: "hosts",
	Doc:  doc,
	Funcs: []module.Func{
		{
			Name: "add_host", Doc: "Give an address another name.",
			Example: "192.0.2.7 db1", Do: module.Call(change(func(t *table, a pairArgs) { t.add(a.IP, a.Alias) })),
		},
		{Name: "get_alias", Doc: "Return the names of an address.", Example: "192.0.2.7", Do: module.Call(getAlias)},
		{Name: "get_ip", Doc: "Return the first address of a name, or nothing.", Example: "db1", Do: module.Call(getIP)},
		{
			Name: "has_pair", Doc: "Say whether an address has a name.",
			Example: "192.0.2.7 db1", Do: module.Call(hasPair),
		},
		{Name: "list_hosts", Doc: "Return the names and comments of all addresses.", Do: module.Call(listHosts)},
		{
			Name: "rm_host", Doc: "Take a name off an address.",
			Example: "192.0.2.7 db1", Do: module.Call(change(func(t *table, a pairArgs) { t.remove(a.IP, a.Alias) })),
		},
		{
			Name: "set_comment", Doc: "Set what stands behind an address; false when it is not there.",
			Example: "192.0.2.7 'the database'", Do: module.Call(setComment),
		},
		{
			Name: "set_host", Doc: "Give an address one name and take all others off.",
			Example: "192.0.2.7 db1", Do: module.Call(change(func(t *table, a pairArgs) { t.set(a.IP, []string{a.Alias}) })),
		},
	},
}

// StateModule is the host module, which has the states.
var StateModule = module.Module{
	Name: "host",
	Doc:  doc,
	States: []module.State{
		{
			Name: "absent", Doc: "Have a name not stand for an address.",
			Example: `
				old:
				  host.absent:
				    - ip: 192.0.2.7`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "only", Doc: "Have exactly these names stand for an address.",
			Example: `
				192.0.2.7:
				  host.only:
				    - hostnames: [db1.example.com, db1]`,
			Plan: module.Look(planOnly),
		},
		{
			Name: "present", Doc: "Have a name stand for an address, or for several.",
			Example: `
				db1:
				  host.present:
				    - ip: [192.0.2.7, '2001:db8::7']
				    - comment: the database`,
			Plan: module.Look(planPresent),
		},
	},
}
