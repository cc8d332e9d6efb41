package repo

import (
	"errors"
	"fmt"
	"strings"

	"brine/states/module"
)

// Args say what a repository is to be.
type Args struct {
	Name      string `arg:"name,required" doc:"the repository: a line such as deb [signed-by=/etc/apt/keyrings/x.gpg] http://example.org stable main, ppa:OWNER/NAME, or the id of dnf, yum, zypper and pacman; for apk a URL"`
	File      string `arg:"file" doc:"the file for a new repository: .list, or .sources for the newer form; /etc/apt/sources.list when absent (apt)"`
	Humanname string `arg:"humanname" doc:"its name for people; name when absent (dnf, yum, zypper)"`
	PPA       string `arg:"ppa" doc:"OWNER/NAME of a PPA (Ubuntu)"`
	PPAAuth   string `arg:"ppa_auth" doc:"USER:PASSWORD of a private PPA (Ubuntu)"`
	Copr      string `arg:"copr" doc:"USER/PROJECT of Copr (dnf)"`

	Dist    words   `arg:"dist,alias=suites" doc:"the suite, instead of that in name (apt)"`
	Comps   words   `arg:"comps" doc:"the components, instead of those in name (apt)"`
	URIs    words   `arg:"uris" doc:"where it is, when name is no line (apt)"`
	Types   words   `arg:"types" doc:"deb, deb-src or both, when name is no line; deb when absent (apt)"`
	Arch    words   `arg:"architectures" doc:"only packages of these architectures (apt)"`
	Comment setting `arg:"comments" doc:"a comment on it"`

	Enabled  *bool `arg:"enabled" doc:"false: it is there and not used; it is used when absent"`
	Disabled *bool `arg:"disabled" doc:"the opposite of enabled"`

	SignedBy  string  `arg:"signedby,alias=signed-by" doc:"the file with the key that it is signed with (apt)"`
	KeyURL    string  `arg:"key_url,alias=key_uri" doc:"the key: salt://, a path of the host, or a URL, fetched when there is no key yet"`
	KeyText   string  `arg:"key_text" doc:"the key itself, in armor"`
	KeyID     words   `arg:"keyid" doc:"ids or fingerprints of keys that are fetched from keyserver; in pkgrepo.absent of those that are trusted no more (apt)"`
	KeyIDPPA  bool    `arg:"keyid_ppa" doc:"in pkgrepo.absent: the key is the one that Launchpad names for the PPA"`
	KeyServer string  `arg:"keyserver" default:"keyserver.ubuntu.com" doc:"where keys of keyid are fetched: a name, hkp://, hkps:// or a URL"`
	AptKey    bool    `arg:"aptkey" default:"true" doc:"a key without signedby counts for all repositories; false: it is kept in /etc/apt/keyrings and counts for this one"`
	Insecure  bool    `arg:"allow_insecure_key" default:"true" doc:"false: refuse a key_url of http"`
	GPGKey    setting `arg:"gpgkey" doc:"where keys are, one or several (dnf, yum, zypper)"`

	ImportKeys  bool  `arg:"gpgautoimport" doc:"trust the keys that it comes with (zypper)"`
	CleanFile   bool  `arg:"clean_file" doc:"leave nothing else in the file"`
	Consolidate bool  `arg:"consolidate" doc:"true only warns: sources are never moved from file to file"`
	Refresh     *bool `arg:"refresh" doc:"false: do not fetch what a changed repository has; with zypper whether it is refreshed by itself"`
	RefreshDB   *bool `arg:"refresh_db" doc:"old name of refresh, which has precedence"`

	iniArgs

	Others []module.Arg `arg:"kwargs,others" doc:"a setting that is written as it is (dnf, yum), or ignored"`
}

// iniArgs are settings of dnf, yum, zypper and pacman that are written as they are.
type iniArgs struct {
	BaseURL       setting `arg:"baseurl,alias=url" doc:"where it is, one or several (dnf, yum, zypper; pacman: its Server)"`
	MirrorList    setting `arg:"mirrorlist" doc:"where a list of mirrors is"`
	Metalink      setting `arg:"metalink" doc:"where its metalink is"`
	GPGCheck      setting `arg:"gpgcheck" doc:"whether signatures of packages are checked"`
	RepoGPGCheck  setting `arg:"repo_gpgcheck" doc:"whether its own signature is checked"`
	PkgGPGCheck   setting `arg:"pkg_gpgcheck" doc:"as gpgcheck (zypper)"`
	SigLevel      setting `arg:"siglevel" doc:"what has to be signed, such as Required (pacman)"`
	Priority      setting `arg:"priority" doc:"of several repositories the one with the lowest number wins"`
	Cost          setting `arg:"cost" doc:"of several with the same priority the cheapest wins"`
	Exclude       setting `arg:"exclude,alias=excludepkgs" doc:"packages that are not taken from it"`
	IncludePkgs   setting `arg:"includepkgs" doc:"the only packages that are taken from it"`
	SSLVerify     setting `arg:"sslverify" doc:"whether its certificate is checked"`
	SSLCACert     setting `arg:"sslcacert" doc:"the certificates that are trusted"`
	SSLClientCert setting `arg:"sslclientcert" doc:"our certificate"`
	SSLClientKey  setting `arg:"sslclientkey" doc:"its key"`
	Expire        setting `arg:"metadata_expire" doc:"how long what is known of it is new enough"`
	Proxy         setting `arg:"proxy" doc:"a proxy on the way"`
	ProxyUser     setting `arg:"proxy_username" doc:"who we are to the proxy"`
	ProxyPassword setting `arg:"proxy_password" doc:"and our password"`
	Username      setting `arg:"username" doc:"who we are"`
	Password      setting `arg:"password" doc:"and our password"`
	Skip          setting `arg:"skip_if_unavailable" doc:"go on when it cannot be had"`
	Failover      setting `arg:"failovermethod" doc:"how the next mirror is chosen"`
	Hotfixes      setting `arg:"module_hotfixes" doc:"take packages of modules that are not enabled"`
	KeepCache     setting `arg:"keepcache,alias=keeppackages" doc:"keep fetched packages"`
	Protect       setting `arg:"protect" doc:"other repositories do not replace its packages (yum)"`
	KeepAlive     setting `arg:"keepalive" doc:"fetch several files in one connection"`
	Throttle      setting `arg:"throttle" doc:"how fast it may be fetched from at most"`
	Timeout       setting `arg:"timeout" doc:"how many seconds it may be silent"`
	Retries       setting `arg:"retries" doc:"how often is tried again"`
	Groups        setting `arg:"enablegroups" doc:"whether its groups count"`
	FastestMirror setting `arg:"fastestmirror" doc:"take the fastest mirror"`
	Type          setting `arg:"type" doc:"of which type it is (zypper)"`
	Path          setting `arg:"path" doc:"where it is below baseurl (zypper)"`
	AutoRefresh   setting `arg:"autorefresh" doc:"whether it is refreshed by itself (zypper)"`
}

// CheckArgs implements module.Checker.
func (a *Args) CheckArgs() error {
	var errs []error
	exclude := func(one, other bool, names [2]string) {
		if one && other {
			errs = append(errs, fmt.Errorf("arguments %q and %q exclude one another: give one", names[0], names[1]))
		}
	}
	exclude(a.Enabled != nil, a.Disabled != nil, [2]string{"enabled", "disabled"})
	exclude(a.KeyURL != "", len(a.KeyID) > 0, [2]string{"key_url", "keyid"})
	exclude(a.KeyText != "", len(a.KeyID) > 0, [2]string{"key_text", "keyid"})
	exclude(a.KeyText != "", a.KeyURL != "", [2]string{"key_text", "key_url"})
	exclude(a.PPA != "", a.Copr != "", [2]string{"ppa", "copr"})
	if !a.Insecure && strings.HasPrefix(a.KeyURL, "http:") {
		errs = append(errs, errors.New(`argument "key_url": http is not allowed with allow_insecure_key: false`))
	}
	for _, arg := range [][2]string{{"file", a.File}, {"signedby", a.SignedBy}} {
		if arg[1] != "" && !strings.HasPrefix(arg[1], "/") {
			errs = append(errs, fmt.Errorf("argument %q: want an absolute path, got %q", arg[0], arg[1]))
		}
	}
	for _, other := range a.Others {
		if err := new(setting).ParseArg(other.Value); err != nil {
			errs = append(errs, fmt.Errorf("argument %q: %w", other.Name, err))
		}
	}
	return errors.Join(errs...)
}

// disabled says whether the repository is not to be used.
func (a *Args) disabled() bool {
	return a.Enabled != nil && !*a.Enabled || a.Disabled != nil && *a.Disabled
}

// words are words with commas or blanks between, or as a list.
type words []string

func (w *words) ArgType() string { return "text or list of text" }

func (w *words) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("text or a list of text")
		}
		*w = append(*w, strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })...)
	}
	return nil
}

// A setting is a value as it is written: true is 1, false is 0, a list has newlines.
type setting string

func (s *setting) ArgType() string { return "text, boolean or list of text" }

func (s *setting) ParseArg(v module.Value) error {
	var all []string
	for _, item := range v.Each() {
		if on, ok := item.Data.(bool); ok {
			all = append(all, map[bool]string{true: "1", false: "0"}[on])
			continue
		}
		text, err := item.Str()
		if err != nil {
			return v.Want("text, true or false, or a list of text")
		}
		all = append(all, strings.TrimSpace(text))
	}
	*s = setting(strings.Join(all, "\n"))
	return nil
}
