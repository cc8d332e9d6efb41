package gitfs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"brine/proto/role"
)

// A Remote is a repository and how its branches and tags become environments.
type Remote struct {
	Name  string `toml:"name"` // sets two remotes of one URL apart
	URL   string `toml:"url"`
	Root  string `toml:"root"`       // directory in the repository that is served; "" is all
	Mount string `toml:"mountpoint"` // where it appears in the tree
	Base  string `toml:"base"`       // branch, tag or commit that is environment base

	Saltenv        map[string]string `toml:"saltenv"`                 // environment -> branch, tag or commit
	AllSaltenvs    string            `toml:"all_saltenvs"`            // branch or tag that is every environment
	Unmapped       bool              `toml:"disable_saltenv_mapping"` // only base and saltenv are environments
	RefTypes       []string          `toml:"ref_types"`               // of "branch" and "tag", the first that has a name counts
	Allow          []string          `toml:"saltenv_allow"`           // environments: globs, or regular expressions for the whole name
	Deny           []string          `toml:"saltenv_deny"`
	UpdateInterval string            `toml:"update_interval"`
	FetchTimeout   string            `toml:"fetch_timeout"`

	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	Privkey      string   `toml:"privkey"`     // file of OpenSSH's private key
	Pubkey       string   `toml:"pubkey"`      // not needed; checked to be there
	KnownHosts   string   `toml:"known_hosts"` // file; "" is that of the user and the machine
	CAFile       string   `toml:"ca_file"`
	Insecure     bool     `toml:"insecure"` // http and git, which nothing proves
	RequireSign  []string `toml:"require_signed"`
}

// String is the remote's name, or its URL.
func (c Remote) String() string { return cmp.Or(c.Name, c.URL) }

const (
	defaultBase    = "master"
	defaultTimeout = 10 * time.Minute
	leastInterval  = time.Second
)

// CheckRemotes returns every mistake in a list of remotes; each begins with where.
func CheckRemotes(where string, list []Remote) []error {
	var errs []error
	seen := map[string]bool{}
	for i, c := range list {
		at := fmt.Sprintf("%s[%d]", where, i+1)
		for _, text := range c.problems() {
			errs = append(errs, fmt.Errorf("%s.%s", at, text))
		}
		if id := c.id(); seen[id] {
			errs = append(errs, fmt.Errorf("%s.name = %q: another remote has this url and name: give one of them another name", at, c.Name))
		} else {
			seen[id] = true
		}
	}
	return errs
}

// id names the directory of the copy.
func (c Remote) id() string {
	sum := sha256.Sum256([]byte(c.URL + "\x00" + c.Name))
	return hex.EncodeToString(sum[:8])
}

// problems are what is wrong with a remote, each beginning with the key.
func (c Remote) problems() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	scheme, err := c.scheme()
	switch {
	case err != nil:
		add("url = %q: %v", redacted(c.URL), err)
	case (scheme == "http" || scheme == "git") && !c.Insecure:
		add("url = %q: nobody proves what comes by %s: use https or ssh, or set insecure = true", c.URL, scheme)
	case c.PasswordFile != "" && scheme != "https" && scheme != "http":
		add("password_file: it is for https, and the url is of %s: ssh takes a privkey", scheme)
	case c.Privkey != "" && scheme != "ssh":
		add("privkey: it is for ssh, and the url is of %s", scheme)
	}
	if c.PasswordFile != "" && c.User == "" {
		add("user: it is missing, and there is a password_file")
	}
	for key, dir := range map[string]string{"root": c.Root, "mountpoint": c.mount()} {
		if dir != "" && (path.Clean(dir) != strings.TrimSuffix(dir, "/") || path.IsAbs(dir) || strings.HasPrefix(dir, "..")) {
			add("%s = %q: want a clean relative path", key, dir)
		}
	}
	for env := range c.Saltenv {
		if err := role.CheckEnvironment(env); err != nil {
			add("saltenv: %v", err)
		}
	}
	refs := map[string]string{"base": c.Base, "all_saltenvs": c.AllSaltenvs}
	for env, ref := range c.Saltenv {
		refs["saltenv."+env] = cmp.Or(ref, " ")
	}
	for key, ref := range refs {
		if ref != "" && !validRef(ref) {
			add("%s = %q: this is no name of a branch or tag", key, ref)
		}
	}
	for _, t := range c.RefTypes {
		if t != "branch" && t != "tag" {
			add("ref_types: %q is none of branch, tag", t)
		}
	}
	for key, list := range map[string][]string{"saltenv_allow": c.Allow, "saltenv_deny": c.Deny} {
		for _, p := range list {
			if _, err := regexp.Compile(p); err != nil && !validGlob(p) {
				add("%s: %q is no glob and no regular expression: %v", key, p, err)
			}
		}
	}
	for key, text := range map[string]string{"update_interval": c.UpdateInterval, "fetch_timeout": c.FetchTimeout} {
		if d, err := time.ParseDuration(text); text != "" && (err != nil || d < leastInterval) {
			add("%s = %q: want a duration of 1s or more, such as 60s", key, text)
		}
	}
	out = append(out, c.fileProblems()...)
	slices.Sort(out)
	return out
}

func (c Remote) fileProblems() []string {
	var out []string
	for key, file := range map[string]string{
		"password_file": c.PasswordFile, "privkey": c.Privkey, "pubkey": c.Pubkey, "known_hosts": c.KnownHosts, "ca_file": c.CAFile,
	} {
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			out = append(out, fmt.Sprintf("%s: %v", key, err))
			continue
		}
		if st, err := f.Stat(); err == nil && (key == "password_file" || key == "privkey") && st.Mode().Perm()&0o077 != 0 {
			out = append(out, fmt.Sprintf("%s: %s can be read by others (mode %04o): chmod 600 it", key, file, st.Mode().Perm()))
		}
		f.Close()
	}
	if c.Privkey != "" {
		if err := plainKey(c.Privkey); err != nil {
			out = append(out, fmt.Sprintf("privkey: %v", err))
		}
	}
	for _, k := range c.RequireSign {
		if _, err := readKeys(k); err != nil {
			out = append(out, fmt.Sprintf("require_signed: %v", err))
		}
	}
	return out
}

// scheme is how the remote is reached: https, http, ssh, git or file.
func (c Remote) scheme() (string, error) {
	if c.URL == "" {
		return "", fmt.Errorf("it is missing")
	}
	if strings.HasPrefix(c.URL, "-") || strings.ContainsAny(c.URL, "\n\x00") || strings.Contains(c.URL, "::") {
		return "", fmt.Errorf("this is no address of a repository")
	}
	if path.IsAbs(c.URL) {
		return "file", nil
	}
	scheme, _, ok := strings.Cut(c.URL, "://")
	if !ok { // user@host:path
		host, rest, ok := strings.Cut(c.URL, ":")
		if !ok || host == "" || rest == "" || strings.Contains(host, "@-") || strings.Contains(host, "/") {
			return "", fmt.Errorf("want https://, ssh://, user@host:path or an absolute path")
		}
		return "ssh", nil
	}
	if !slices.Contains([]string{"https", "http", "ssh", "git", "file"}, scheme) {
		return "", fmt.Errorf("want https://, ssh://, user@host:path or an absolute path")
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return "", fmt.Errorf("this is no URL")
	}
	if _, has := u.User.Password(); has {
		return "", fmt.Errorf("there is a password in it: put it into a file and name that as password_file")
	}
	if strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
		return "", fmt.Errorf("this is no name of a host")
	}
	return scheme, nil
}

// redacted is a URL without its password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "..."
	}
	if _, has := u.User.Password(); has {
		return u.Redacted()
	}
	return text
}

func (c Remote) mount() string { return strings.TrimPrefix(c.Mount, "salt://") }

// validRef follows the rules of git check-ref-format for one name, or is a commit.
func validRef(ref string) bool {
	if ref == "" || ref == "@" || ref[0] == '-' || ref[0] == '/' || strings.HasSuffix(ref, "/") || strings.HasSuffix(ref, ".") ||
		strings.Contains(ref, "..") || strings.Contains(ref, "//") || strings.Contains(ref, "@{") || strings.ContainsAny(ref, " ~^:?*[\\\x7f") {
		return false
	}
	for part := range strings.SplitSeq(ref, "/") {
		if strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.ContainsFunc(ref, func(r rune) bool { return r < ' ' })
}

func validGlob(p string) bool {
	_, err := path.Match(p, "")
	return err == nil
}

// exposed tells whether an environment is let through.
func (c Remote) exposed(env string) bool {
	return (len(c.Allow) == 0 || matches(c.Allow, env)) && !matches(c.Deny, env)
}

func matches(patterns []string, env string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if ok, err := path.Match(p, env); ok && err == nil {
			return true
		}
		re, err := regexp.Compile("^(?:" + p + ")$")
		return err == nil && re.MatchString(env)
	})
}

// mapped are the environments that the configuration gives, with the branch, tag or commit that each is.
func (c Remote) mapped() map[string]string {
	out := map[string]string{"base": cmp.Or(c.Base, defaultBase)}
	maps.Copy(out, c.Saltenv)
	return out
}

// environments are those that refs (heads/NAME, tags/NAME) make, each with its
// ref. A branch that is mapped is no environment of its own name, nor is one whose
// name is that of an environment which another is mapped to.
func (c Remote) environments(refs map[string]string) map[string]string {
	mapped := c.mapped()
	by := map[string][]string{} // ref's name -> environments
	for env, name := range mapped {
		by[name] = append(by[name], env)
	}
	out := map[string]string{}
	put := func(env, ref string) {
		if _, has := out[env]; !has && c.exposed(env) {
			out[env] = ref
		}
	}
	for _, kind := range c.kinds() {
		for ref := range refs {
			name, ok := strings.CutPrefix(ref, kind)
			if !ok {
				continue
			}
			for _, env := range by[name] {
				put(env, ref)
			}
			if _, taken := mapped[name]; len(by[name]) == 0 && !taken && !c.Unmapped && role.CheckEnvironment(name) == nil {
				put(name, ref)
			}
		}
	}
	for name, envs := range by {
		if _, ok := refs["commits/"+name]; ok {
			for _, env := range envs {
				put(env, "commits/"+name)
			}
		}
	}
	if c.AllSaltenvs != "" {
		one := c.find(refs, c.AllSaltenvs)
		for env := range out {
			out[env] = one
		}
		if one == "" {
			clear(out)
		} else {
			put("base", one)
		}
	}
	return out
}

// hidden tells of each ref that would be an environment of its own name, were that not one that nobody could name, or
// what the configuration gives to another ref.
func (c Remote) hidden(refs map[string]string) []string {
	var out []string
	mapped := c.mapped()
	named := slices.Collect(maps.Values(mapped))
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		kind, name, _ := strings.Cut(ref, "/")
		if kind == "commits" || slices.Contains(named, name) || c.Unmapped || c.AllSaltenvs != "" || !c.exposed(name) {
			continue
		}
		if err := role.CheckEnvironment(name); err != nil {
			out = append(out, fmt.Sprintf("%s makes no environment: %v", short(ref), err))
		}
		if other, taken := mapped[name]; taken {
			out = append(out, fmt.Sprintf("%s makes no environment: environment %s is %q by the configuration", short(ref), name, other))
		}
	}
	return out
}

// kinds are the beginnings of refs, in the order in which they count.
func (c Remote) kinds() []string {
	types := c.RefTypes
	if len(types) == 0 {
		types = []string{"branch", "tag"}
	}
	var out []string
	for _, t := range types {
		out = append(out, map[string]string{"branch": "heads/", "tag": "tags/"}[t])
	}
	return out
}

func (c Remote) find(refs map[string]string, name string) string {
	for _, kind := range c.kinds() {
		if _, ok := refs[kind+name]; ok {
			return kind + name
		}
	}
	return ""
}

// commits are the names in the configuration that are whole commit ids.
func (c Remote) commits() []string {
	var out []string
	for _, name := range c.named() {
		if _, err := hex.DecodeString(name); err == nil && (len(name) == 40 || len(name) == 64) {
			out = append(out, name)
		}
	}
	return out
}

// named are the refs that the configuration asks for by name.
func (c Remote) named() []string {
	if c.AllSaltenvs != "" {
		return []string{c.AllSaltenvs}
	}
	out := []string{}
	if _, mapped := c.Saltenv["base"]; !mapped && c.exposed("base") {
		out = append(out, cmp.Or(c.Base, defaultBase))
	}
	for env, name := range c.Saltenv {
		if c.exposed(env) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
