// Package nftables has tables, chains, rules and policies in the kernel's packet filter by its own language.
package nftables

import "brine/states/module"

// Module is the nftables module.
var Module = module.Module{
	Name: "nftables",
	Doc: `
		Have tables, chains, rules and policies in the kernel's packet filter by its own language.

		A rule that is there already is known however it is written: the kernel itself says what the rule comes to, in an empty
		network namespace of its own. What the arguments have no word for is written with rule, as nft takes it.`,
	Funcs: []module.Func{
		{Name: "append", Doc: "Add a rule at the end of a chain, unless it is there.",
			Example: "filter input rule='tcp dport 22 accept'", Do: module.Call(callAppend)},
		{Name: "build_rule", Doc: "Return the rule that arguments make, as nft takes it.",
			Example: "connstate=new proto=tcp dport=22 jump=accept", Do: module.Call(buildRule)},
		{Name: "check", Doc: "Return whether a chain has a rule.",
			Example: "filter input rule='tcp dport 22 accept'", Do: module.Call(callCheck)},
		{Name: "check_chain", Doc: "Return whether there is a chain.", Example: "filter input", Do: module.Call(checkChain)},
		{Name: "check_table", Doc: "Return whether there is a table.", Example: "filter", Do: module.Call(checkTable)},
		{Name: "delete", Doc: "Delete a rule.", Example: "filter input rule='tcp dport 22 accept'", Do: module.Call(callDelete)},
		{Name: "delete_chain", Doc: "Delete a chain.", Example: "filter web", Do: module.Call(deleteChain)},
		{Name: "delete_table", Doc: "Delete a table with all that is in it.", Example: "filter", Do: module.Call(deleteTable)},
		{Name: "flush", Doc: "Delete all rules of a chain, or of a table.", Example: "filter input", Do: module.Call(callFlush)},
		{Name: "get_policy", Doc: "Return the policy of a chain, or nothing when it has none.",
			Example: "filter input", Do: module.Call(getPolicy)},
		{Name: "get_rule_handle", Doc: "Return the handle of a rule.",
			Example: "filter input rule='tcp dport 22 accept'", Do: module.Call(getRuleHandle)},
		{Name: "get_rules", Doc: "Return the tables of a family as nft writes them.", Do: module.Call(getRules)},
		{Name: "get_rules_json", Doc: "Return the rules of a family as data.", Do: module.Call(getRulesJSON)},
		{Name: "get_saved_rules", Doc: "Return the lines of a file of rules, without comments.", Do: module.Call(getSavedRules)},
		{Name: "insert", Doc: "Add a rule before another one, or first in a chain, unless it is there.",
			Example: "filter input rule='tcp dport 22 accept'", Do: module.Call(callInsert)},
		{Name: "list_tables", Doc: "Return the tables of a family.", Do: module.Call(listTables)},
		{Name: "new_chain", Doc: "Create a chain.",
			Example: "filter input table_type=filter hook=input priority=0", Do: module.Call(newChain)},
		{Name: "new_table", Doc: "Create a table.", Example: "filter", Do: module.Call(newTable)},
		{Name: "save", Doc: "Keep all rules for the next boot.", Example: "/etc/nftables.conf", Do: module.Call(callSave)},
		{Name: "set_policy", Doc: "Set what happens to what no rule of a chain decides.",
			Example: "filter input drop", Do: module.Call(callSetPolicy)},
		{Name: "version", Doc: "Return the version of nft.", Do: module.Call(version)},
	},
	States: []module.State{
		{
			Name: "append", Doc: "Have a rule in a chain. It comes last, or stays where it is.",
			Example: `
				web:
				  nftables.append:
				    - table: filter
				    - chain: input
				    - proto: tcp
				    - dports: [80, 443]
				    - jump: accept`,
			Plan: module.Look(planAppend),
		},
		{
			Name: "chain_absent", Doc: "Have a chain not there, nor its rules.",
			Example: `
				old:
				  nftables.chain_absent:
				    - table: filter`,
			Plan: module.Look(planChainAbsent),
		},
		{
			Name: "chain_present", Doc: "Have a chain. One that is there stays as it is.",
			Example: `
				output:
				  nftables.chain_present:
				    - table: filter
				    - table_type: filter
				    - hook: output
				    - priority: 0`,
			Plan: module.Look(planChainPresent),
		},
		{
			Name: "delete", Doc: "Have a rule not in a chain, nor any copy of it.",
			Example: `
				no telnet:
				  nftables.delete:
				    - table: filter
				    - chain: input
				    - proto: tcp
				    - dport: 23
				    - jump: accept`,
			Plan: module.Look(planDelete),
		},
		{
			Name: "flush", Doc: "Have no rules in a chain, or in a table.",
			Example: `
				start anew:
				  nftables.flush:
				    - table: filter
				    - chain: input`,
			Plan: module.Look(planFlush),
		},
		{
			Name: "insert", Doc: "Have a rule in a chain. It comes first, or before the one whose handle is given, or stays where it is.",
			Example: `
				drop invalid:
				  nftables.insert:
				    - table: filter
				    - chain: input
				    - connstate: invalid
				    - jump: drop`,
			Plan: module.Look(planInsert),
		},
		{
			Name: "set_policy", Doc: "Have a policy for what no rule of a chain decides.",
			Example: `
				refuse the rest:
				  nftables.set_policy:
				    - table: filter
				    - chain: input
				    - policy: drop`,
			Plan: module.Look(planPolicy),
		},
		{
			Name: "table_absent", Doc: "Have a table not there, nor anything in it.",
			Example: `
				old:
				  nftables.table_absent:
				    - family: inet`,
			Plan: module.Look(planTable(false)),
		},
		{
			Name: "table_present", Doc: "Have a table.",
			Example: `
				filter:
				  nftables.table_present:
				    - family: ipv6`,
			Plan: module.Look(planTable(true)),
		},
	},
}
