// Package all lists every module of brine.
package all

import (
	"fmt"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/mod/aliases"
	"brine/states/mod/alternatives"
	"brine/states/mod/apache"
	"brine/states/mod/archive"
	"brine/states/mod/beacons"
	"brine/states/mod/cmd"
	"brine/states/mod/config"
	"brine/states/mod/cp"
	"brine/states/mod/cron"
	"brine/states/mod/debconf"
	"brine/states/mod/defaults"
	"brine/states/mod/disk"
	"brine/states/mod/dnsutil"
	"brine/states/mod/environ"
	"brine/states/mod/event"
	"brine/states/mod/file"
	"brine/states/mod/git"
	"brine/states/mod/grains"
	"brine/states/mod/group"
	"brine/states/mod/hashutil"
	"brine/states/mod/hosts"
	"brine/states/mod/http"
	"brine/states/mod/ini"
	"brine/states/mod/iptables"
	"brine/states/mod/kmod"
	"brine/states/mod/locale"
	"brine/states/mod/log"
	"brine/states/mod/match"
	"brine/states/mod/mine"
	modulemod "brine/states/mod/module"
	"brine/states/mod/mount"
	"brine/states/mod/network"
	"brine/states/mod/nftables"
	"brine/states/mod/pillar"
	"brine/states/mod/pip"
	"brine/states/mod/pkg"
	"brine/states/mod/pkgrepo"
	"brine/states/mod/postgres"
	"brine/states/mod/ps"
	"brine/states/mod/random"
	"brine/states/mod/saltutil"
	"brine/states/mod/schedule"
	"brine/states/mod/sdb"
	"brine/states/mod/service"
	"brine/states/mod/shadow"
	"brine/states/mod/slsutil"
	"brine/states/mod/ssh"
	"brine/states/mod/state"
	"brine/states/mod/status"
	"brine/states/mod/sys"
	"brine/states/mod/sysctl"
	"brine/states/mod/system"
	"brine/states/mod/test"
	"brine/states/mod/timezone"
	"brine/states/mod/user"
	"brine/states/mod/virtualenv"
	"brine/states/module"
)

// Modules returns every module, in order of name.
func Modules() []module.Module {
	return slices.Concat([]module.Module{
		aliases.StateModule,
		aliases.Module,
		alternatives.Module,
		apache.Module,
		apache.ConfModule,
		apache.ModuleModule,
		apache.SiteModule,
		archive.Module,
		beacons.StateModule,
		beacons.Module,
		cmd.Module,
		config.Module,
		cp.Module,
		cron.Module,
		debconf.Module,
		defaults.Module,
		dnsutil.Dig,
		disk.Module,
		dnsutil.Module,
		environ.Module,
		event.Module,
		file.Module,
		git.Module,
		grains.Module,
		group.Module,
		hashutil.Module,
		hosts.StateModule,
		hosts.Module,
		http.Module,
		ini.Module,
		iptables.Module,
		kmod.Module,
		locale.Module,
		log.Module,
		match.Module,
		mine.Module,
		modulemod.Module,
		mount.Module,
		network.Module,
		nftables.Module,
		pillar.Module,
		pip.Module,
		pkg.Module,
		pkgrepo.Module,
		postgres.Module,
	}, postgres.StateModules(), []module.Module{
		ps.Module,
		random.Module,
		saltutil.Module,
		schedule.Module,
		sdb.Module,
		service.Module,
		shadow.Module,
		slsutil.Module,
		ssh.Module,
		ssh.AuthModule,
		ssh.KnownHostsModule,
		state.Module,
		status.Module,
		sys.Module,
		sysctl.Module,
		system.Module,
		test.Module,
		timezone.Module,
		user.Module,
		virtualenv.Module,
	})
}

// Index returns an index of every module.
func Index() *module.Index { return module.NewIndex(Modules()...) }

// A Doc is the documentation of a function or a state.
type Doc struct {
	Name string
	Kind string // function or state
	Text string
}

// Docs returns the documentation of the functions and states of an index that pattern matches, in order of name,
// functions first; "" matches everything. The error says what is near when nothing matches.
func Docs(x *module.Index, pattern string) ([]Doc, error) {
	var patterns []string
	if pattern != "" {
		patterns = []string{pattern}
	}
	var docs []Doc
	for name, text := range x.FunctionDocs(patterns...).All() {
		docs = append(docs, Doc{name.(string), "function", text.(string)})
	}
	for name, text := range x.StateDocs(patterns...).All() {
		docs = append(docs, Doc{name.(string), "state", text.(string)})
	}
	if len(docs) == 0 {
		return nil, undocumented(x, pattern)
	}
	return docs, nil
}

// undocumented is the error of a name that no function, state or module has: it tells of the kind of which one is near.
func undocumented(x *module.Index, name string) error {
	functions, states := x.Functions(), x.States()
	near := spell.Nearest(name, slices.Concat(functions, states))
	if near != "" && !slices.Contains(functions, near) {
		_, err := x.State(name)
		return err
	}
	if !strings.Contains(name, ".") {
		if near = spell.Nearest(name, slices.Concat(x.Modules(), x.StateModules())); near != "" {
			return fmt.Errorf("unknown module %q (did you mean %q?)", name, near)
		}
	}
	_, err := x.Func(name)
	return err
}
