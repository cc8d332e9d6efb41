//go:build e2e

package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// hostCommands are what the scripts of whole hosts have besides those of commands_test.go. Each script has a network of
// its own, whose hosts are there until it ends:
//
//	boot NAME...          make hosts, or start them again, with the programs in /usr/bin
//	site MASTER MINION... make a site of hosts that run, by the packaged units
//	join MASTER NEW...    make hosts further masters of the site of one
//	operator MASTER HOST  let root of a host be the operator that root of a master is
//	on HOST ARG...        run a command in a host; with ! it must fail
//	until-on RE HOST ARG... run it again and again until its output matches
//	put HOST FILE DEST    copy a file into a host
//	exits-on N HOST ARG... run a command in a host; it must exit with N
//	power HOST            cut its power, and start it again
//	cut HOST              cut its power
//	network VERB HOST...  partition or heal hosts, unplug or plug one
var hostCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"boot":     boot,
	"site":     site,
	"join":     join,
	"operator": operator,
	"on":       on,
	"until-on": untilOn,
	"put":      put,
	"power":    power,
	"cut":      cut,
	"exits-on": exitsOn,
	"network":  network,
}

// families are packages of what manages other families' packages and services: a script that sets TH_PACKAGES=$FAMILIES
// before boot has hosts with them.
const families = "dnf rpm createrepo-c zypper pacman-package-manager libarchive-tools openrc"

// zabbix are packages of a Zabbix that keeps its data in PostgreSQL, for a script that sets TH_PACKAGES=$ZABBIX. php-cgi is there for
// php, which would bring a web server otherwise.
const zabbix = "zabbix-server-pgsql zabbix-frontend-php php-cli php-cgi php-pgsql postgresql"

// TestHosts needs root, and what scripts/testhost names. It makes real hosts with systemd, so it runs only there.
func TestHosts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whole hosts need root")
	}
	testhost, err := filepath.Abs("../testhost")
	if err != nil {
		t.Fatal(err)
	}
	for _, packages := range []string{"", families, zabbix} {
		base := exec.Command(testhost, "create-base")
		base.Env = append(os.Environ(), "TH_PACKAGES="+packages)
		if out, err := base.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	all := maps.Clone(commands)
	maps.Copy(all, hostCommands)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/hosts",
		Cmds:                all,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTHOST", testhost)
			env.Setenv("TH_QUIET", "1")
			env.Setenv("FAMILIES", families)
			env.Setenv("ZABBIX", zabbix)
			sum := sha256.Sum256([]byte(env.WorkDir))
			env.Setenv("TH_LAB", fmt.Sprintf("e%x", sum[:3]))
			b := &background{running: map[string]*process{}}
			env.Values[backgroundKey{}] = b
			env.Defer(b.end)
			return nil
		},
	})
}

// testhost runs scripts/testhost for the script's own network.
func testhost(ts *testscript.TestScript, args ...string) error {
	return ts.Exec("timeout", append([]string{"120", ts.Getenv("TESTHOST")}, args...)...)
}

func mustTesthost(ts *testscript.TestScript, args ...string) {
	if err := testhost(ts, args...); err != nil {
		ts.Fatalf("testhost %q: %v", args, err)
	}
}

func boot(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "boot NAME...")
	ts.Defer(func() {
		if err := testhost(ts, "destroy"); err != nil {
			ts.Logf("hosts are left: %v", err)
		}
	})
	for _, name := range args {
		start(ts, name)
		mustTesthost(ts, "exec", name, "sh", "-c", "ln -sf /opt/brine/brine* /usr/bin/")
	}
	mustTesthost(ts, "tie", strconv.Itoa(os.Getpid())) // they end also when this process dies
}

func start(ts *testscript.TestScript, name string) {
	bin, err := filepath.Abs(*programs)
	ts.Check(err)
	mustTesthost(ts, "up", name, "--bind", bin+":/opt/brine:ro")
}

func site(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "site MASTER MINION...")
	master := args[0]
	unit(ts, master, "brine-master")
	mustTesthost(ts, "exec", master, "sh", "-ec", `
		umask 077; echo secret >/root/passphrase; umask 022
		brine-master init --passphrase-file /root/passphrase
		mkdir -p /srv/salt
		printf '[file_roots]\nbase = ["/srv/salt"]\n' >/etc/brine/master.d/50-files.toml
		systemctl start brine-master
		brine key token --uses 100 --out txt`)
	token := lastLine(ts)
	for _, minion := range args[1:] {
		unit(ts, minion, "brine-minion")
		mustTesthost(ts, "exec", minion, "sh", "-ec", `brine-minion enrol "$1"; systemctl enable --now brine-minion`, "sh", token)
	}
}

// unit puts the packaged unit of a program into a host, with what its package makes there.
func unit(ts *testscript.TestScript, name, program string) {
	packaging, err := filepath.Abs("../packaging")
	ts.Check(err)
	file := program + ".service"
	mustTesthost(ts, "put", name, filepath.Join(packaging, file), "/etc/systemd/system/"+file)
	if program == "brine-master" {
		mustTesthost(ts, "exec", name, "sh", "-ec", `
			useradd --system --home-dir /var/lib/brine --shell /usr/sbin/nologin brine
			mkdir -p /etc/brine/master.d`)
	}
}

func lastLine(ts *testscript.TestScript) string {
	out := strings.TrimSpace(ts.ReadFile("stdout"))
	return out[strings.LastIndexByte(out, '\n')+1:]
}

func join(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "join MASTER NEW...")
	for _, name := range args[1:] {
		mustTesthost(ts, "exec", args[0], "brine", "master", "invite", name, "--passphrase-file", "/root/passphrase", "--out", "txt")
		token := lastLine(ts)
		unit(ts, name, "brine-master")
		mustTesthost(ts, "exec", name, "sh", "-ec", `brine-master join "$1"; systemctl start brine-master`, "sh", token)
	}
}

func operator(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "operator MASTER HOST")
	mustTesthost(ts, "exec", args[0], "sh", "-ec", "cd /etc/brine && tar -c operator.* | base64")
	mustTesthost(ts, "exec", args[1], "sh", "-ec", `mkdir -p /etc/brine; echo "$1" | base64 -d | tar -xC /etc/brine`, "sh", ts.ReadFile("stdout"))
}

func on(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: on HOST ARG...")
	}
	err := testhost(ts, append([]string{"exec"}, args...)...)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if (err != nil) != neg {
		ts.Fatalf("on %q: %v", args, err)
	}
}

func untilOn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "until-on RE HOST ARG...")
	re := pattern(ts, args[0])
	var out string
	ok := wait(func() bool {
		_ = testhost(ts, append([]string{"exec"}, args[1:]...)...) // it may fail as long as the host is down
		out = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return re.MatchString(out)
	})
	if !ok {
		ts.Fatalf("on %q: no %q within %v in\n%s", args[1:], args[0], patience, out)
	}
}

func put(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "put HOST FILE DEST")
	mustTesthost(ts, "put", args[0], ts.MkAbs(args[1]), args[2])
}

func power(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "power HOST")
	mustTesthost(ts, "down", args[0], "--kill")
	start(ts, args[0])
}

func cut(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "cut HOST")
	mustTesthost(ts, "down", args[0], "--kill")
}

func exitsOn(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "exits-on N HOST ARG...")
	code := 0
	err := testhost(ts, append([]string{"exec"}, args[1:]...)...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("on %q: exit code %d, want %s", args[1:], code, args[0])
	}
}

func network(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "network partition|heal|unplug|plug HOST...")
	mustTesthost(ts, args...)
}
