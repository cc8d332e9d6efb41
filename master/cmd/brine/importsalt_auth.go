package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// authRules are those of Salt's external_auth.
func authRules() map[string]saltRule {
	rules := map[string]saltRule{
		"external_auth":                           {becomes: "master.toml [external_auth]", take: externalAuth},
		"token_expire":                            {becomes: "master.toml [external_auth] valid", take: every("s", "external_auth", "valid")},
		"token_expire_user_override":              without("[external_auth] valid holds for everyone"),
		"keep_acl_in_token":                       without("rights are always those of the configuration now"),
		"permissive_acl":                          without(`"*" is for those whom no other name means`),
		"eauth_acl_module":                        without("rights stand in [external_auth]"),
		"auth.pam.service":                        same("master.toml [auth.pam] service", "auth", "pam", "service"),
		"auth.pam.python":                         without("saslauthd asks PAM: see README"),
		"auth.ldap.bindpw":                        {becomes: "master.toml [auth.ldap] bindpw_file", take: bindPassword},
		"auth.ldap.anonymous":                     {becomes: "master.toml [auth.ldap] anonymous", take: anonymous},
		"auth.ldap.scope":                         without("the whole tree below basedn is searched"),
		"auth.ldap.no_verify":                     without("ca_file of [auth.ldap]: certificates are always verified"),
		"auth.ldap.freeipa":                       without("not needed: group_basedn and group_filter are enough"),
		"auth.ldap.persontype":                    without("filter of [auth.ldap]"),
		"auth.ldap.minion_stripdomains":           same("master.toml [auth.ldap] minion_stripdomains", "auth", "ldap", "minion_stripdomains"),
		"auth.ldap.auth_by_group_membership_only": without("a password is always asked for"),
	}
	for _, name := range []string{"basedn", "filter", "binddn", "groupou", "groupclass", "accountattributename", "groupattribute",
		"group_basedn", "group_filter", "activedirectory", "starttls"} {
		rules["auth.ldap."+name] = same("master.toml [auth.ldap] "+name, "auth", "ldap", name)
	}
	for _, name := range []string{"uri", "server", "port", "tls"} {
		rules["auth.ldap."+name] = same("master.toml [auth.ldap] uri", linkKey, name)
	}
	return rules
}

// linkKey is under what the parts of the addresses of directories wait to be put together. No setting has that name.
const linkKey = "\x00link"

// joinLinks makes of them the list that brine takes.
func joinLinks(master map[string]any) {
	link, ok := master[linkKey].(map[string]any)
	delete(master, linkKey)
	if !ok {
		return
	}
	uris := strings.Fields(fmt.Sprint(orElse(link["uri"], "")))
	if len(uris) == 0 {
		scheme, port := "ldap", "389"
		if link["tls"] == true {
			scheme, port = "ldaps", "636"
		}
		host := fmt.Sprint(orElse(link["server"], "localhost"))
		uris = []string{scheme + "://" + net.JoinHostPort(host, fmt.Sprint(orElse(link["port"], port)))}
	}
	put(master, uris, "auth", "ldap", "uri")
}

func orElse(v, otherwise any) any {
	if v == nil {
		return otherwise
	}
	return v
}

func bindPassword(into map[string]any, v any) (string, bool) {
	if v == nil || v == "" {
		return "it is empty", false
	}
	const file = "/etc/brine/ldap.password"
	put(into, file, "auth", "ldap", "bindpw_file")
	return "put the password into " + file + ": mode 600, of the user brine", true
}

func anonymous(into map[string]any, v any) (string, bool) {
	if v == true {
		put(into, true, "auth", "ldap", "anonymous")
	}
	return "", true
}

// externalAuth takes what users and groups are given, and names what can't be said here.
func externalAuth(into map[string]any, v any) (string, bool) {
	backends, ok := v.(map[string]any)
	if !ok {
		return "want a dictionary of backends", false
	}
	var notes []string
	taken := false
	for name, table := range backends {
		users, ok := table.(map[string]any)
		if name != "pam" && name != "ldap" || !ok {
			notes = append(notes, fmt.Sprintf("%s has no counterpart: pam or ldap", name))
			continue
		}
		rights, more := usersRights(name, users)
		notes = append(notes, more...)
		put(into, rights, "external_auth", name)
		taken = true
	}
	slices.Sort(notes)
	return strings.Join(notes, "; "), taken
}

// usersRights takes the rights of one backend.
func usersRights(backend string, users map[string]any) (rights map[string]any, notes []string) {
	rights = map[string]any{}
	unnamed := false
	for who, given := range users {
		names, note := userNames(who)
		unnamed = unnamed || len(names) == 0
		items, more := saltRights(given)
		for _, text := range append(more, note...) {
			notes = append(notes, fmt.Sprintf("%s %s: %s", backend, who, text))
		}
		for _, n := range names {
			rights[n] = items
		}
	}
	if _, ok := rights["*"]; ok && unnamed {
		delete(rights, "*") // else it would hold for those who are not named
		notes = append(notes, backend+" *: left out until all others are named")
	}
	return rights, notes
}

// userNames makes globs of one of Salt's names of users, which may be a glob or a regular expression.
func userNames(who string) (names, notes []string) {
	if strings.HasSuffix(who, "%") {
		return []string{who}, nil
	}
	for _, part := range strings.Split(who, "|") {
		name := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(part, "^"), "$"), ".*", "*")
		if name == "" || strings.ContainsAny(name, `\(){}+$^`) {
			return nil, []string{"the regular expression is no glob: name the users"}
		}
		names = append(names, name)
	}
	return names, nil
}

// saltRights takes the list that somebody is given.
func saltRights(given any) (items []any, notes []string) {
	list, ok := given.([]any)
	if !ok {
		return []any{}, []string{"want a list"}
	}
	items = []any{}
	for _, item := range list {
		switch item := item.(type) {
		case string:
			got, note := saltFunction(item)
			for _, f := range got {
				items = append(items, f)
			}
			notes = append(notes, note...)
		case map[string]any:
			for on, functions := range item {
				role, note := saltRole(on, functions)
				if role != nil {
					items = append(items, role...)
				}
				notes = append(notes, note...)
			}
		}
	}
	return items, notes
}

// saltFunction takes a right on all minions, or to the master.
func saltFunction(text string) (globs, notes []string) {
	if !strings.HasPrefix(text, "@") {
		return functionGlobs(text)
	}
	verbs := map[string][]string{
		"@wheel": {"@wheel.*", "@key.*"}, "@wheels": {"@wheel.*", "@key.*"}, "@key": {"@key.*"}, "@jobs": {"@job.*"},
		"@runner":  {"@runner.*", "@state.orchestrate", "@job.*", "@minion.*", "@master.list", "@master.refresh"},
		"@runners": {"@runner.*", "@state.orchestrate", "@job.*", "@minion.*", "@master.list", "@master.refresh"},
		"@manage":  {"@minion.*"}, "@fileserver": {"@master.refresh"},
	}[text]
	if verbs == nil {
		return nil, []string{text + " has no counterpart"}
	}
	return verbs, nil
}

// saltRole takes rights on some minions, or some of those to the master.
func saltRole(on string, functions any) (items []any, notes []string) {
	var globs []string
	for _, f := range saltFunctions(functions) {
		text, ok := f.(string)
		if !ok {
			notes = append(notes, fmt.Sprintf("%s: rights don't look at arguments", on))
			continue
		}
		if strings.HasPrefix(on, "@") {
			got, note := masterFunction(on, text)
			for _, verb := range got {
				items = append(items, verb)
			}
			notes = append(notes, note...)
			continue
		}
		got, note := functionGlobs(text)
		globs, notes = append(globs, got...), append(notes, note...)
	}
	if len(globs) == 0 {
		return items, notes
	}
	targets, ok := saltTargets(on)
	if !ok {
		return nil, append(notes, on+": rights are given on ids of minions: name them, or a glob")
	}
	if len(targets) == 1 {
		return []any{map[string]any{targets[0]: globs}}, notes
	}
	return []any{map[string]any{"functions": globs, "targets": targets}}, notes
}

func saltFunctions(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// masterFunction takes {"@runner": ["jobs.*"]} and its like.
func masterFunction(on, text string) (verbs, notes []string) {
	if text == ".*" || text == "*" {
		return saltFunction(on)
	}
	text = strings.TrimPrefix(text, "^")
	module, function, _ := strings.Cut(text, ".")
	all := text == module+".*" || text == module
	verb := map[string]string{"key": "@key.*", "jobs": "@job.*", "manage": "@minion.*"}[module]
	switch {
	case text == "fileserver.update" || text == "git_pillar.update":
		return []string{"@master.refresh"}, nil
	case on != "@runner" && on != "@runners" && on != "@wheel" && on != "@wheels":
		return nil, []string{fmt.Sprintf("%s %s has no counterpart", on, text)}
	case module == "state" && (all || slices.Contains([]string{"orchestrate", "orch", "sls"}, function)):
		verb = "@state.orchestrate"
	case !all && function == "" || !all && strings.ContainsFunc(text, notInName):
		return nil, []string{fmt.Sprintf("%s %s has no counterpart", on, text)}
	case !all:
		verb = ""
	}
	own := strings.TrimSuffix(on, "s") + "." + module + ".*"
	if !all {
		own = strings.TrimSuffix(on, "s") + "." + text
	}
	if verb != "" {
		return []string{own, verb}, nil
	}
	return []string{own}, nil
}

func notInName(r rune) bool {
	return r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// saltTargets are globs, lists of ids, and several of these with "or" between them.
func saltTargets(on string) (targets []string, ok bool) {
	if strings.HasPrefix(on, "ldap(") {
		return []string{on}, true
	}
	for _, part := range strings.Split(on, " or ") {
		part = strings.TrimSpace(part)
		if list, ok := strings.CutPrefix(part, "L@"); ok {
			targets = append(targets, strings.Split(list, ",")...)
			continue
		}
		targets = append(targets, part)
	}
	for _, t := range targets {
		if t == "" || len(t) > 1 && t[1] == '@' || strings.ContainsFunc(t, notInGlob) {
			return nil, false
		}
	}
	return targets, true
}

func notInGlob(r rune) bool {
	return !strings.ContainsRune("*?[]!._@+-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

const maxAlternatives = 32

// functionGlobs makes globs of the regular expression by which Salt gives functions. It gives no more than that:
// Salt only looks at how the name of a function begins, and takes a dot for any character.
func functionGlobs(text string) (globs, notes []string) {
	all, ok := alternatives(strings.TrimPrefix(text, "^"))
	for _, one := range all {
		glob, fits := functionGlob(one)
		globs, ok = append(globs, glob), ok && fits
	}
	if !ok {
		return nil, []string{fmt.Sprintf("%q is no glob: name the functions", text)}
	}
	return globs, nil
}

// alternatives writes out what stands with | beside one another, also in one pair of brackets.
func alternatives(text string) (all []string, ok bool) {
	before, rest, group := strings.Cut(text, "(")
	if !group {
		return strings.Split(text, "|"), true
	}
	inner, after, closed := strings.Cut(rest, ")")
	if !closed || strings.ContainsAny(inner, "(?") || strings.ContainsAny(before+after, "()|") {
		return nil, false
	}
	for _, one := range strings.Split(inner, "|") {
		all = append(all, before+one+after)
	}
	return all, len(all) <= maxAlternatives
}

// functionGlob makes a glob of an expression of letters, dots, ".*" and ".+".
func functionGlob(text string) (string, bool) {
	text = strings.TrimSuffix(text, "$")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		next := text[i+1:]
		switch {
		case c == '\\' && strings.HasPrefix(next, "."):
			b.WriteByte('.')
			i++
		case c == '.' && next == "*" && b.Len() > 0 && !strings.ContainsAny(b.String(), ".*"):
			b.WriteString(".*") // of a module all functions
			i++
		case c == '.' && strings.HasPrefix(next, "*"):
			b.WriteByte('*')
			i++
		case c == '.' && strings.HasPrefix(next, "+"):
			b.WriteString("?*")
			i++
		case c == '.' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			b.WriteByte(c)
		default:
			return "", false
		}
	}
	glob := b.String()
	switch {
	case glob == "":
		return "", false
	case !strings.ContainsAny(glob, ".*"):
		return glob + ".*", true // the name of a module gives all of it
	case strings.HasSuffix(glob, "."):
		return glob + "*", true
	}
	return glob, true
}
