package pillar

import (
	"fmt"
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/sls"
	"brine/states/value"
)

// An Exposure is a secret that a target gives by what minions say of themselves: who has taken over any minion can say
// the same, and gets the secret.
type Exposure struct {
	Target string
	Grains []string // parts of the target that ask grains
	At     plan.Place
	SLS    string
	Key    string // where the secret is, with colons between keys
}

// String says what is wrong and what to do, for someone who has never thought of it.
func (x Exposure) String() string {
	return fmt.Sprintf("target %q gives the secret %q of SLS %q by a grain (%s): grains are what a minion says of itself, so that any minion, "+
		"once broken into, can get it: name ids instead, or a nodegroup of ids", x.Target, x.Key, x.SLS, strings.Join(x.Grains, ", "))
}

// exposures tells which secrets an SLS has that a target gives by grains.
func (r *reader) exposures(m sls.Mod, d *value.Dict) {
	if r.opts.Exposed == nil || d.Len() == 0 {
		return
	}
	for _, t := range r.byGrain[sls.Mod{Env: m.Env, Name: m.Name}] {
		if key := r.secret(d, nil); key != "" {
			r.opts.Exposed(Exposure{Target: t.target.Text, Grains: t.grains, At: t.target.At, SLS: m.Name, Key: key})
		}
	}
}

// A grainTarget is a target that asks grains.
type grainTarget struct {
	target sls.Target
	grains []string
}

// note remembers a target that asks grains.
func (r *reader) note(t sls.Target) {
	if r.opts.Exposed == nil || r.opts.Grains == nil || !t.Means {
		return
	}
	grains := r.opts.Grains(t.Kind, t.Text)
	if len(grains) == 0 {
		return
	}
	for _, m := range t.Mods {
		of := sls.Mod{Env: m.Env, Name: m.Name}
		r.byGrain[of] = append(r.byGrain[of], grainTarget{t, grains})
	}
}

// secret returns where the first secret in data is: a value that was decrypted, or one whose key says what it is.
func (r *reader) secret(v any, path []string) string {
	switch v := v.(type) {
	case *value.Dict:
		for k, item := range v.All() {
			name := fmt.Sprint(k)
			at := append(slices.Clip(path), name)
			if text, ok := item.(string); ok && text != "" && secretName(name) {
				return strings.Join(at, ":")
			}
			if found := r.secret(item, at); found != "" {
				return found
			}
		}
	case *value.List:
		for i, item := range v.Items {
			if found := r.secret(item, append(slices.Clip(path), fmt.Sprint(i))); found != "" {
				return found
			}
		}
	case string:
		if r.opened[v] {
			return strings.Join(path, ":")
		}
	}
	return ""
}

// secretName tells whether a key says that its value is a secret.
func secretName(key string) bool {
	key = strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	for _, end := range []string{"_file", "_path", "_dir", "_url", "_length", "_policy", "_name"} { // what is about a secret
		if strings.HasSuffix(key, end) {
			return false
		}
	}
	for _, word := range []string{
		"password", "passwd", "passphrase", "secret", "private_key", "privkey", "api_key", "apikey", "access_key", "credential",
	} {
		if strings.Contains(key, word) {
			return true
		}
	}
	for _, end := range []string{"token", "tokens", "pass", "pwd", "psk", "pw"} {
		if key == end || strings.HasSuffix(key, "_"+end) {
			return true
		}
	}
	return false
}

// plainName tells whether a key below one of secrets says that its value is none.
func plainName(key string) bool {
	switch strings.ToLower(key) {
	case "user", "username", "login", "name", "host", "port", "path", "file", "url", "type", "owner", "group", "mode", "id", "engine":
		return true
	}
	return false
}

// plainValue tells whether a value is none, whatever its key says: the name of a file or a setting.
func plainValue(text string) bool {
	switch strings.ToLower(text) {
	case "enabled", "disabled", "required", "optional", "default", "present", "absent", "prompt":
		return true
	}
	return slices.ContainsFunc([]string{"salt://", "/etc/", "/var/", "/usr/", "/opt/", "/srv/", "/root/", "/home/", "/run/"},
		func(start string) bool { return strings.HasPrefix(text, start) })
}
