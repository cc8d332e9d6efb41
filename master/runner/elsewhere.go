package runner

import "strings"

// elsewhere tells what does in brine what a function of Salt's masters does that is not here; "" when it is none of Salt's.
func elsewhere(kind, name string) string {
	module, _, _ := strings.Cut(name, ".")
	table := runnersElsewhere()
	if kind == Wheel {
		table = wheelsElsewhere()
	}
	if instead := table[name]; instead != "" {
		return instead
	}
	return table[module]
}

const (
	noCode    = "masters load no code from trees"
	noMachine = "a master does nothing on its own machine: have a minion do it, with brine run or salt.function"
	ownTool   = "give a minion the tool and call it with cmd.run"
)

// runnersElsewhere are functions and whole modules.
func runnersElsewhere() map[string]string {
	return map[string]string{
		"asam": ownTool, "bgp": ownTool, "cloud": ownTool, "ddns": ownTool, "digicertapi": ownTool, "drac": ownTool, "f5": ownTool, "lxc": ownTool,
		"smartos_vmadm": ownTool, "spacewalk": ownTool, "venafiapi": ownTool, "virt": ownTool, "vistara": ownTool,

		"auth":                      "operators have keys (brine operator) or sign in by PAM or LDAP (brine login)",
		"cache.clear_all":           "use cache.clear_mine; what masters know of a minion goes with its key: brine key delete",
		"cache.clear_git_lock":      "no process that ends leaves a lock behind",
		"cache.clear_grains":        "brine run TARGET saltutil.refresh_grains has minions tell them anew",
		"cache.cloud":               ownTool,
		"cache":                     "masters keep no other data: use the mine, or pillar",
		"config":                    "brine-master check-config reads and checks the configuration",
		"error":                     "test.fail_without_changes is a state that fails",
		"fileserver":                "files are served by their content, and nothing of them is kept that could be older: use fileserver.update",
		"git_pillar":                "fileserver.update has masters fetch repositories of pillar too",
		"http":                      "http.query is a state of orchestrations too, and a function of minions",
		"launchd":                   noMachine,
		"manage.bootstrap":          "brine reaches no host without a minion: brine key token lets new ones in",
		"manage.bootstrap_psexec":   "brine reaches no host without a minion: brine key token lets new ones in",
		"manage.key_regen":          "brine key rotate has minions make new keys",
		"manage.safe_accept":        "brine key ls shows fingerprints, brine key accept takes one",
		"mattermost":                "channels of master.toml tell people, by webhook or mail",
		"nacl":                      "values of pillar are encrypted for the masters with age: see README",
		"net":                       ownTool,
		"network":                   noMachine,
		"pagerduty":                 "channels of master.toml tell people, by webhook or mail",
		"pillar.clear_pillar_cache": "no pillar is kept that could be older than its files",
		"pillar.show_pillar_cache":  "no pillar is kept that could be older than its files: use pillar.show_pillar",
		"pkg":                       noMachine,
		"queue":                     "jobs that have to wait are queued by minions (queue=True), rules keep what they have to do in the log",
		"reactor":                   "brine rules ls shows rules and reactors",
		"saltutil":                  noCode + "; saltutil.sync_* of brine run has minions fetch theirs",
		"sdb":                       "values of pillar can be encrypted, or come from a program ([[pillar.external]])",
		"ssh":                       "brine reaches no host without a minion",
		"state.orchestrate_high":    "put the states into an SLS, or use state.orchestrate_single",
		"survey":                    "brine run --out json prints what each minion returned",
		"thin":                      "brine reaches no host without a minion",
		"vault":                     "values of pillar can come from a program ([[pillar.external]])",
		"winrepo":                   "there are no minions on Windows",
		"test.get_opts":             "brine-master check-config reads and checks the configuration",
		"test.metasyntactic":        "use test.arg",
		"test.stdout_print":         "use test.arg",
		"test.stream":               "use test.arg",
	}
}

// wheelsElsewhere are functions and whole modules.
func wheelsElsewhere() map[string]string {
	return map[string]string{
		"config":             "master.toml is changed by who manages the master's machine; brine-master check-config checks it",
		"error":              "test.fail_without_changes is a state that fails",
		"file_roots.find":    "use file_roots.list_env, or fileserver.file_list of brine runner",
		"file_roots.write":   "files come from git or from directories of masters",
		"key.gen":            "a minion makes its key itself; brine key token lets it in",
		"key.gen_accept":     "a minion makes its key itself; brine key token lets it in",
		"key.gen_keys":       "a minion makes its key itself; brine key token lets it in",
		"key.gen_signature":  "masters prove by the site's key who they are: brine master invite",
		"key.key_str":        "key.finger returns fingerprints",
		"key.master_key_str": "key.finger_master returns the fingerprint",
		"pillar_roots":       "pillar.show_top and pillar.show_pillar of brine runner show pillar; its files come from git or from directories of masters",
	}
}
