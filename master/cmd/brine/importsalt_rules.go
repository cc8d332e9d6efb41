package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"brine/states/pillar"
)

// A saltRule says what becomes of a setting of Salt. One without take has no counterpart, and its note says what to do.
type saltRule struct {
	becomes string
	note    string
	take    func(into map[string]any, v any) (note string, ok bool)
}

func (r saltRule) apply(item *importedItem, into map[string]any, v any) {
	item.Note = r.note
	if r.take == nil {
		return
	}
	note, ok := r.take(into, v)
	if note != "" {
		item.Note = note
	}
	if ok {
		item.Becomes = r.becomes
	}
}

// same takes a value as it is.
func same(becomes string, keys ...string) saltRule {
	return saltRule{becomes: becomes, take: func(into map[string]any, v any) (string, bool) {
		if v == nil {
			return "it is empty", false
		}
		put(into, v, keys...)
		return "", true
	}}
}

func without(note string) saltRule { return saltRule{note: note} }

const (
	notNeeded = "not needed: brine has no such limit or choice"
	ownPorts  = "brine has its own listeners: [listen] of master.toml (4511 to 4513)"
)

// masterRules are those of Salt's master configuration.
func masterRules() map[string]saltRule {
	rules := map[string]saltRule{
		"file_roots":                     {becomes: "master.toml [file_roots]", take: roots("file_roots")},
		"file_recv":                      same("master.toml file_recv", "file_recv"),
		"file_recv_max_size":             same("master.toml file_recv_max_size", "file_recv_max_size"),
		"pillar_roots":                   {becomes: "master.toml [pillar_roots]", take: roots("pillar_roots")},
		"nodegroups":                     same("master.toml [nodegroups]", "nodegroups"),
		"pillar_merge_lists":             same("master.toml [pillar] merge_lists", "pillar", "merge_lists"),
		"pillar_source_merging_strategy": {becomes: "master.toml [pillar] merging", take: merging},
		"log_level":                      {becomes: "master.toml [log] level", take: logLevel},
		"log_level_logfile":              without("the log goes to one place: [log] level"),
		"log_file":                       without("brine logs to its standard error: the journal keeps it"),
		"keep_jobs":                      {becomes: "master.toml [store] retention_days", take: retention(24)},
		"keep_jobs_seconds":              {becomes: "master.toml [store] retention_days", take: retention(24 * 3600)},
		"interface":                      without("[listen] of master.toml says where a master listens"),
		"publish_port":                   without(ownPorts),
		"ret_port":                       without(ownPorts),
		"worker_threads":                 without(notNeeded),
		"max_open_files":                 without("LimitNOFILE of the unit brine-master.service"),
		"timeout":                        without("--timeout of brine run: it waits for every minion that is there"),
		"hash_type":                      without("always SHA-256"),
		"auto_accept":                    without("accept keys with brine key accept, or give minions a token: brine key token"),
		"autosign_file":                  without("give minions a token: brine key token --id 'web*'"),
		"open_mode":                      without("there is none: every key is accepted once"),
		"state_output":                   without("state_output in operator.toml"),
		"state_verbose":                  without("state_verbose in operator.toml"),
		"jinja_env":                      without("[templates] of minion.toml: minions render"),
		"jinja_sls_env":                  without("[templates] of minion.toml: minions render"),
		"jinja_trim_blocks":              without("[templates] of minion.toml: minions render"),
		"jinja_lstrip_blocks":            without("[templates] of minion.toml: minions render"),
		"state_top":                      without("the top file is top.sls; state.top takes another"),
		"publisher_acl":                  without("operators have keys and roles of their own"),
		"publisher_acl_blacklist":        without("an operator has only what a role gives"),
		"client_acl_blacklist":           without("an operator has only what a role gives"),
		"client_acl":                     without("operators have keys and roles of their own"),
		"ext_pillar":                     {becomes: "master.toml [[git_pillar]]", take: externalPillar},
		"ext_pillar_first":               same("master.toml [pillar] external_first", "pillar", "external_first"),
		"gpg_keydir":                     without("[pillar] gpg_home of master.toml: a copy of that directory, of the user brine with mode 700, such as /var/lib/brine/master/gpgkeys"),
		"reactor":                        {becomes: "master.toml [[reactor]]", take: reactors},
		"reactor_refresh_interval":       without(notNeeded),
		"reactor_worker_threads":         without(notNeeded),
		"reactor_worker_hwm":             without("not needed: events wait in the log until rules have looked at them"),
		"schedule":                       {becomes: "master.toml [schedule], of each master", take: masterSchedule},
		"fileserver_backend":             {becomes: "master.toml fileserver_backend", take: backends},

		"gitfs_remotes":           {becomes: "master.toml [[gitfs.remotes]]", take: gitRemotes},
		"gitfs_base":              same("master.toml [gitfs] base", "gitfs", "base"),
		"gitfs_privkey":           same("master.toml [gitfs] privkey", "gitfs", "privkey"),
		"gitfs_user":              same("master.toml [gitfs] user", "gitfs", "user"),
		"gitfs_update_interval":   {becomes: "master.toml [gitfs] update_interval", take: every("s", "gitfs", "update_interval")},
		"gitfs_saltenv_allowlist": same("master.toml [gitfs] saltenv_allow", "gitfs", "saltenv_allow"),
		"gitfs_saltenv_whitelist": same("master.toml [gitfs] saltenv_allow", "gitfs", "saltenv_allow"),
		"gitfs_saltenv_denylist":  same("master.toml [gitfs] saltenv_deny", "gitfs", "saltenv_deny"),
		"gitfs_saltenv_blacklist": same("master.toml [gitfs] saltenv_deny", "gitfs", "saltenv_deny"),
		"gitfs_provider":          without("not needed: the command git fetches"),
		"gitfs_pubkey":            without("not needed: privkey has it"),
		"gitfs_password":          without("password_file of [gitfs], a file of mode 600"),
		"gitfs_passphrase":        without("use a key without a passphrase that only the master can read"),
		"gitfs_ssl_verify":        without("certificates are always verified; a CA of your own goes into the host's store, or http.sslCAInfo of git"),
		"gitfs_root":              without("root of each [[gitfs.remotes]]"),
		"gitfs_mountpoint":        without("mountpoint of each [[gitfs.remotes]]"),
		"gitfs_saltenv":           without("saltenv of each [[gitfs.remotes]]"),
		"gitfs_ref_types":         without("ref_types of each [[gitfs.remotes]]"),

		"gitfs_disable_saltenv_mapping": without("disable_saltenv_mapping of each [[gitfs.remotes]]"),
		"gitfs_insecure_auth":           without("insecure of each [[gitfs.remotes]]"),
		"gitfs_fallback":                without("no counterpart: an environment has a branch or tag, or saltenv names one for it"),

		"git_pillar_base":            without("base of each [[git_pillar]]: master without it"),
		"git_pillar_branch":          without("branch of each [[git_pillar]]: master without it"),
		"git_pillar_env":             without("env of each [[git_pillar]]"),
		"git_pillar_root":            without("root of each [[git_pillar]]"),
		"git_pillar_user":            without("user of each [[git_pillar]]"),
		"git_pillar_privkey":         without("privkey of each [[git_pillar]]"),
		"git_pillar_password":        without("password_file of each [[git_pillar]], a file of mode 600"),
		"git_pillar_pubkey":          without("not needed: privkey has it"),
		"git_pillar_provider":        without("not needed: the command git fetches"),
		"git_pillar_update_interval": without("update_interval of [gitfs] holds for pillar too"),

		"order_masters":         without("masters of a site are equals: brine master invite adds one"),
		"syndic_master":         without("no counterpart"),
		"job_cache":             without("always on: results are kept on every master"),
		"master_job_cache":      without("results are kept on every master; a program that feeds another place: [returner] of master.toml"),
		"ext_job_cache":         without("a program that feeds another place: [returner] of master.toml"),
		"event_return":          without("a program that gets what jobs return: [returner] of master.toml"),
		"presence_events":       without("always on: brine event watch tag:salt/presence/*"),
		"autosign_grains_dir":   without("give minions a token: brine key token --id 'web*'"),
		"pillar_cache":          without("always on: pillar is made anew when files or grains are others"),
		"pillar_cache_ttl":      without("always on: pillar is made anew when files or grains are others"),
		"peer":                  without("no counterpart: minions send no jobs to others; the mine tells what others know"),
		"peer_run":              without("no counterpart: minions ask no master to run anything"),
		"rest_cherrypy":         without("no counterpart yet"),
		"netapi_enable_clients": without("no counterpart yet"),
		"master_sign_pubkey":    without("always on: what a master says is signed"),
		"sign_pub_messages":     without("always on: what a master says is signed"),
		"rotate_aes_key":        without("not needed: there is no key that all minions share"),
		"ping_on_rotate":        without("not needed: there is no key that all minions share"),
		"token_expire":          without("operators have keys of their own"),
		"zmq_backlog":           without(notNeeded),
		"pub_hwm":               without(notNeeded),
		"gather_job_timeout":    without("not needed: who is offline is known before a job is sent"),
		"con_cache":             without("not needed: who is offline is known before a job is sent"),
		"show_timeout":          without("always: a minion that gives no answer is named"),
		"cli_summary":           without("always shown"),
		"mine_interval":         without("minion.toml mine_interval, of each minion"),
		"runner_dirs":           without("no counterpart: a script that calls brine"),
		"module_dirs":           without("executables in _modules of the state tree: states/README.md"),
		"returner_dirs":         without("programs: [returner] of master.toml"),
		"return":                without("a program that gets what jobs return: [returner] of master.toml"),
		"renderer":              without("always jinja|yaml, unless the first line of a file names others"),
		"failhard":              without("failhard: true of a state"),
		"state_aggregate":       without("not needed: packages that stand together are installed together"),
		"state_events":          without("state_events of minion.toml; progress is always shown"),

		"top_file_merging_strategy": without("minion.toml [states] top_merging, of each minion"),
		"env_order":                 without("base comes first, then the others by name"),
		"default_top":               without("each environment has the top file that is in it"),
		"pillarenv_from_saltenv":    without("pillarenv= of a job"),

		"user":     without("the master runs as its unit says"),
		"root_dir": without("--root of brine-master"),
		"pki_dir":  without("keys are brine's own: minions enrol anew"),
		"cachedir": without("/var/lib/brine"),
	}
	maps.Copy(rules, authRules())
	return rules
}

// minionRules are those of Salt's minion configuration.
func minionRules() map[string]saltRule {
	return map[string]saltRule{
		"id":                        same("minion.toml id", "id"),
		"master":                    {becomes: "minion.toml masters", take: masters},
		"grains":                    same("minion.toml [grains]", "grains"),
		"startup_states":            same("minion.toml startup_states", "startup_states"),
		"sls_list":                  same("minion.toml sls_list", "sls_list"),
		"top_file":                  same("minion.toml top_file", "top_file"),
		"top_file_merging_strategy": {becomes: "minion.toml [states] top_merging", take: topMerging},
		"jinja_sls_env":             {becomes: "minion.toml [templates]", take: jinja("sls")},
		"jinja_env":                 {becomes: "minion.toml [templates]", take: jinja("files")},
		"jinja_trim_blocks":         {becomes: "minion.toml [templates] trim_blocks", take: jinjaAll("trim_blocks")},
		"jinja_lstrip_blocks":       {becomes: "minion.toml [templates] lstrip_blocks", take: jinjaAll("lstrip_blocks")},
		"allow_undefined":           same("minion.toml [templates] allow_undefined", "templates", "allow_undefined"),
		"log_level":                 {becomes: "minion.toml [log] level", take: logLevel},
		"log_level_logfile":         without("the log goes to one place: [log] level"),
		"log_file":                  without("brine logs to its standard error: the journal keeps it"),
		"file_client":               without("brine-minion call works without a master"),
		"file_roots":                without("--file-root of brine-minion call; else files come from the masters"),
		"pillar_roots":              without("--pillar-root of brine-minion call; else pillar comes from the masters"),
		"master_type":               without("not needed: a minion knows all masters and moves by itself"),
		"master_alive_interval":     without("not needed: [link] ping of minion.toml"),
		"random_master":             without("not needed: minions spread by themselves"),
		"retry_dns":                 without("not needed: a minion never gives up"),
		"master_port":               without(ownPorts),
		"publish_port":              without(ownPorts),
		"master_finger":             without("ca_fingerprint of minion.toml: brine key site tells it"),
		"hash_type":                 without("always SHA-256"),
		"environment":               without("saltenv= of a job"),
		"saltenv":                   without("saltenv= of a job"),
		"pillarenv":                 without("pillarenv= of a job"),
		"state_output":              without("state_output in operator.toml"),
		"state_verbose":             without("state_verbose in operator.toml"),
		"autosign_grains":           without("brine-minion enrol TOKEN"),
		"beacons":                   same("minion.toml [beacons]", "beacons"),
		"state_events":              same("minion.toml state_events", "state_events"),
		"schedule":                  same("minion.toml [schedule]", "schedule"),
		"mine_functions":            same("minion.toml [mine_functions]", "mine_functions"),
		"mine_interval":             {becomes: "minion.toml mine_interval", take: every("m", "mine_interval")},
		"use_superseded":            without("not needed: module.run takes both forms"),
		"providers":                 without("not needed: what manages packages and services is found out"),
		"disable_modules":           without("no counterpart"),
		"module_dirs":               without("executables in _modules of the state tree: states/README.md"),
		"return":                    without("a program that gets what jobs return: [returner] of master.toml"),
		"test":                      without("brine apply --test, brine plan"),
		"backup_mode":               without("backup: minion of a state"),
		"acceptance_wait_time":      without("not needed: a minion is told when its key is accepted"),
		"acceptance_wait_time_max":  without("not needed: a minion is told when its key is accepted"),
		"random_reauth_delay":       without(notNeeded),
		"recon_default":             without(notNeeded),
		"recon_max":                 without(notNeeded),
		"recon_randomize":           without(notNeeded),
		"auth_timeout":              without("not needed: a minion never gives up"),
		"auth_tries":                without("not needed: a minion never gives up"),
		"ipc_mode":                  without(notNeeded),
		"grains_cache":              without("not needed: grains are kept, and found out anew when they may be others"),
		"grains_refresh_every":      without("not needed: the host is looked at now and then"),
		"enable_fqdns_grains":       without("not needed: no grain asks the network"),
		"minion_id_caching":         without("always: the id of the first start is kept"),
		"pillar_raise_on_missing":   without("no counterpart: pillar.get without a default gives an empty text"),
		"master_tries":              without("not needed: a minion never gives up"),
		"verify_master_pubkey_sign": without("always on: what a master says is signed"),
		"multiprocessing":           without(notNeeded),
		"tcp_keepalive":             without(notNeeded),
		"ipv6":                      without(notNeeded),
		"user":                      without("the minion runs as its unit says"),
		"root_dir":                  without("--root of brine-minion"),
		"pki_dir":                   without("keys are brine's own: the minion enrols anew"),
		"cachedir":                  without("/var/cache/brine"),
	}
}

// merging takes a strategy that there is.
func merging(into map[string]any, v any) (string, bool) {
	text, ok := v.(string)
	if !ok {
		return "want the name of a strategy", false
	}
	if err := (pillar.Merging{Strategy: text}).Check(); err != nil {
		return err.Error(), false
	}
	put(into, text, "pillar", "merging")
	return "", true
}

// roots takes directories by environment.
func roots(key string) func(map[string]any, any) (string, bool) {
	return func(into map[string]any, v any) (string, bool) {
		envs, ok := v.(map[string]any)
		if !ok {
			return "want a dictionary of environments", false
		}
		var notes []string
		taken := map[string]any{}
		for env, dirs := range envs {
			if env == "__env__" && key != "pillar_roots" {
				notes = append(notes, "__env__ has no counterpart: name each environment")
				continue
			}
			taken[env] = texts(dirs)
		}
		if len(taken) == 0 {
			return strings.Join(notes, "; "), false
		}
		put(into, taken, key)
		return strings.Join(notes, "; "), true
	}
}

// masters takes one master or several, without Salt's ports.
func masters(into map[string]any, v any) (string, bool) {
	var all []string
	for _, m := range texts(v) {
		if host, _, err := net.SplitHostPort(m); err == nil {
			m = host
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return "want a name, or a list of names", false
	}
	put(into, all, "masters")
	return "they must run brine-master, on port 4511", true
}

func logLevel(into map[string]any, v any) (string, bool) {
	level, ok := map[string]string{
		"garbage": "trace", "all": "trace", "trace": "trace", "debug": "debug", "profile": "info", "info": "info",
		"warning": "warn", "error": "error", "critical": "error", "quiet": "error",
	}[fmt.Sprint(v)]
	if !ok {
		return fmt.Sprintf("%v is no level of a log", v), false
	}
	put(into, level, "log", "level")
	return "", true
}

// retention takes a time that has so many of its units a day.
func retention(day int64) func(map[string]any, any) (string, bool) {
	return func(into map[string]any, v any) (string, bool) {
		n, ok := v.(int64)
		if !ok || n <= 0 {
			return "want a time above 0; brine keeps 90 days where nothing is said", false
		}
		put(into, max(1, n/day), "store", "retention_days")
		return "", true
	}
}

// every takes a number of a unit of time as a duration.
func every(unit string, keys ...string) func(map[string]any, any) (string, bool) {
	return func(into map[string]any, v any) (string, bool) {
		n, ok := v.(int64)
		if !ok || n <= 0 {
			return "want a whole number above 0", false
		}
		put(into, fmt.Sprint(n, unit), keys...)
		return "", true
	}
}

// backends takes the order of file_roots and gitfs.
func backends(into map[string]any, v any) (string, bool) {
	var all []string
	for _, name := range texts(v) {
		switch name {
		case "roots", "gitfs":
			all = append(all, name)
		case "git":
			all = append(all, "gitfs")
		default:
			return fmt.Sprintf("there is no %q: there are roots and gitfs", name), false
		}
	}
	put(into, all, "fileserver_backend")
	return "", true
}

// environments are those that a remote maps to branches and tags: a list of NAME: [{ref: BRANCH}].
func environments(v any) (refs map[string]any, ok bool) {
	items, _ := v.([]any)
	refs = map[string]any{}
	for _, item := range items {
		pairs, _ := item.(map[string]any)
		for env, settings := range pairs {
			list, _ := settings.([]any)
			for _, s := range list {
				set, _ := s.(map[string]any)
				ref, isText := set["ref"].(string)
				if !isText || len(set) != 1 {
					return nil, false // it has settings for one environment alone
				}
				refs[env] = ref
			}
		}
	}
	return refs, len(refs) > 0
}

// gitRemotes takes repositories: each a URL, or a URL with a list of settings of its own.
func gitRemotes(into map[string]any, v any) (string, bool) {
	items, _ := v.([]any)
	var remotes []map[string]any
	var others []string
	for _, item := range items {
		switch item := item.(type) {
		case string:
			remotes = append(remotes, map[string]any{"url": item})
		case map[string]any:
			for url, settings := range item {
				remote := map[string]any{"url": url}
				others = append(others, gitSettings(remote, settings)...)
				remotes = append(remotes, remote)
			}
		}
	}
	if len(remotes) == 0 {
		return "want a list of URLs", false
	}
	put(into, remotes, "gitfs", "remotes")
	if len(others) > 0 {
		slices.Sort(others)
		return "no counterpart, or of another form: " + strings.Join(slices.Compact(others), ", "), true
	}
	return "", true
}

// gitSettings takes the settings of one repository that mean the same here, and returns the names of the others.
func gitSettings(remote map[string]any, settings any) (others []string) {
	items, _ := settings.([]any)
	for _, item := range items {
		pairs, _ := item.(map[string]any)
		for name, v := range pairs {
			switch name {
			case "name", "root", "mountpoint", "base", "all_saltenvs", "disable_saltenv_mapping", "ref_types", "privkey", "user":
				remote[name] = v
			case "update_interval":
				remote[name] = fmt.Sprint(v, "s")
			case "saltenv":
				if refs, ok := environments(v); ok {
					remote["saltenv"] = refs
				} else {
					others = append(others, name)
				}
			case "pubkey": // privkey has it
			default:
				others = append(others, name)
			}
		}
	}
	return others
}

func topMerging(into map[string]any, v any) (string, bool) {
	switch v {
	case "merge", "same", "merge_all":
		put(into, v, "states", "top_merging")
		return "", true
	}
	return "want merge, same or merge_all", false
}

// jinja takes what Salt says of the templates of SLS, or of files.
func jinja(of string) func(map[string]any, any) (string, bool) {
	return func(into map[string]any, v any) (string, bool) {
		options, ok := v.(map[string]any)
		if !ok {
			return "want a dictionary", false
		}
		var others []string
		for name, on := range options {
			switch name {
			case "trim_blocks", "lstrip_blocks":
				if on == true {
					widen(into, name, of)
				}
			default:
				others = append(others, name)
			}
		}
		if len(others) > 0 {
			return "no counterpart: " + strings.Join(others, ", "), true
		}
		return "", true
	}
}

func jinjaAll(name string) func(map[string]any, any) (string, bool) {
	return func(into map[string]any, v any) (string, bool) {
		if v == true {
			put(into, "all", "templates", name)
		}
		return "", true
	}
}

// widen has an option hold for SLS, for files, or for all once both are named.
func widen(into map[string]any, name, of string) {
	templates, _ := into["templates"].(map[string]any)
	if old, ok := templates[name].(string); ok && old != of {
		of = "all"
	}
	put(into, of, "templates", name)
}
