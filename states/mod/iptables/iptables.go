// Package iptables has rules, chains and policies in the kernel's packet filter, for IPv4 and IPv6.
package iptables

import "brine/states/module"

// Module is the iptables module.
var Module = module.Module{
	Name: "iptables",
	Doc: `
		Have rules, chains and policies in the kernel's packet filter, for IPv4 and IPv6.

		A rule is described by the long names of iptables' options. A rule that is there already is known however it is
		written; where that can't be told iptables is asked. With save the rules are kept for the next boot, where lines
		that match one of iptables.save_filters, regular expressions in the configuration, a grain or the pillar, are left
		out.`,
	Funcs: []module.Func{
		{Name: "append", Doc: "Add a rule at the end of a chain, unless it is there. Returns whether it was added.",
			Example: `filter INPUT rule='-p tcp --dport 80 -j ACCEPT'`, Do: module.Call(callAppend)},
		{Name: "build_rule", Doc: "Return the rule that options make, as iptables takes it.",
			Example: "match=state connstate=RELATED,ESTABLISHED jump=ACCEPT", Do: module.Call(buildRule)},
		{Name: "check", Doc: "Return whether a chain has a rule.",
			Example: `filter INPUT rule='-p tcp --dport 80 -j ACCEPT'`, Do: module.Call(callCheck)},
		{Name: "check_chain", Doc: "Return whether there is a chain.", Example: "filter INPUT", Do: module.Call(checkChain)},
		{Name: "delete", Doc: "Delete a rule. Returns whether it was there.",
			Example: "filter INPUT position=3", Do: module.Call(callDelete)},
		{Name: "delete_chain", Doc: "Delete a chain that is empty.", Example: "filter WEB", Do: module.Call(callDeleteChain)},
		{Name: "flush", Doc: "Delete all rules of a chain, or of a table.", Example: "filter INPUT", Do: module.Call(callFlush)},
		{Name: "get_policy", Doc: "Return the policy of a chain, or nothing when there is no such chain.",
			Example: "filter INPUT", Do: module.Call(getPolicy)},
		{Name: "get_rules", Doc: "Return the rules that hold now, by table and chain.", Do: module.Call(getRules)},
		{Name: "get_saved_policy", Doc: "Return the policy of a chain in a file.",
			Example: "filter INPUT conf_file=/etc/iptables.saved", Do: module.Call(getSavedPolicy)},
		{Name: "get_saved_rules", Doc: "Return the rules in a file, by table and chain.", Do: module.Call(getSavedRules)},
		{Name: "insert", Doc: "Add a rule at a position of a chain, unless it is there. Returns whether it was added.",
			Example: `filter INPUT position=3 rule='-p tcp --dport 80 -j ACCEPT'`, Do: module.Call(callInsert)},
		{Name: "new_chain", Doc: "Create a chain.", Example: "filter WEB", Do: module.Call(callNewChain)},
		{Name: "save", Doc: "Keep the rules that hold now for the next boot.", Example: "/etc/iptables.saved", Do: module.Call(callSave)},
		{Name: "set_policy", Doc: "Set what happens to what no rule of a chain decides.",
			Example: "filter INPUT ACCEPT", Do: module.Call(callSetPolicy)},
		{Name: "version", Doc: "Return the version of iptables.", Do: module.Call(version)},
	},
	States: []module.State{
		{
			Name: "append", Doc: "Have a rule in a chain. It comes last, or stays where it is.",
			Example: `
				web:
				  iptables.append:
				    - chain: INPUT
				    - proto: tcp
				    - match: [state, comment]
				    - connstate: NEW
				    - dports: [80, 443]
				    - source: '! 192.0.2.0/24'
				    - comment: web of all but guests
				    - jump: ACCEPT`,
			Plan: module.Look(planAppend),
		},
		{
			Name: "chain_absent", Doc: "Have a chain not there, nor its rules.",
			Example: `
				OLD:
				  iptables.chain_absent:
				    - table: filter`,
			Plan: module.Look(planChainAbsent),
		},
		{
			Name: "chain_present", Doc: "Have a chain.",
			Example: `
				WEB:
				  iptables.chain_present:
				    - table: filter`,
			Plan: module.Look(planChainPresent),
		},
		{
			Name: "delete",
			Doc: `
				Have a rule not in a chain, nor any copy of it.

				Without a description of the rule the one at a position is deleted, at every run.`,
			Example: `
				no telnet:
				  iptables.delete:
				    - chain: INPUT
				    - proto: tcp
				    - dport: 23
				    - jump: ACCEPT`,
			Plan: module.Look(planDelete),
		},
		{
			Name: "flush", Doc: "Have no rules in a chain, or in a table.",
			Example: `
				start anew:
				  iptables.flush:
				    - chain: OUTPUT`,
			Plan: module.Look(planFlush),
		},
		{
			Name: "insert", Doc: "Have a rule in a chain. It comes in at a position, or stays where it is.",
			Example: `
				drop invalid:
				  iptables.insert:
				    - position: 1
				    - chain: INPUT
				    - match: conntrack
				    - ctstate: INVALID
				    - jump: DROP`,
			Plan: module.Look(planInsert),
		},
		{
			Name: "set_policy", Doc: "Have a policy for what no rule of a chain decides.",
			Example: `
				forward nothing:
				  iptables.set_policy:
				    - chain: FORWARD
				    - policy: DROP`,
			Plan: module.Look(planPolicy),
		},
	},
}
