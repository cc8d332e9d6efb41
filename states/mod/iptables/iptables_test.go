package iptables_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/mod/iptables"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, iptables.Module, moduletest.Options{Host: newHost}) }

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

// apply runs a state in test mode and then for real.
func apply(t *testing.T, k *kernel, line string) (test, done module.Result) {
	t.Helper()
	words := strings.Split(line, "|")
	s, err := module.NewIndex(iptables.Module).State("iptables." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words[1:]...))
	if err != nil {
		t.Fatal(line, err)
	}
	before := k.Snapshot()
	test = b.Run(t.Context(), k.Host.Host, true)
	if fmt.Sprint(before) != fmt.Sprint(k.Snapshot()) {
		t.Errorf("%s: test mode changed something", line)
	}
	return test, b.Run(t.Context(), k.Host.Host, false)
}

func call(t *testing.T, k *kernel, line string) any {
	t.Helper()
	words := strings.Split(line, "|")
	f, err := module.NewIndex(iptables.Module).Func("iptables." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), k.Host.Host, module.Words(words[1:]...))
	if err != nil {
		return err.Error()
	}
	if text, ok := r.Value.(string); ok {
		return text
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

// TestBuildRule compares with what Salt makes of the same options.
func TestBuildRule(t *testing.T) {
	text, err := os.ReadFile("testdata/build.txt")
	if err != nil {
		t.Fatal(err)
	}
	k := newKernel(t, "")
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		if got, want := call(t, k, "build_rule|"+lines[i]), strings.TrimSpace(lines[i+1]); got != want {
			t.Errorf("%s\n got %v\nwant %s", lines[i], got, want)
		}
	}
	for _, c := range [][2]string{
		{"build_rule|filter|INPUT|command=I|position=3|full=True|proto=tcp|dport=22|jump=ACCEPT",
			"iptables --wait -t filter -I INPUT 3 -p tcp --dport 22 --jump ACCEPT"},
		{"build_rule|filter|INPUT|command=append|full=True|family=ipv6|source=fe80::/64|jump=ACCEPT",
			"ip6tables --wait -t filter --append INPUT --source fe80::/64 --jump ACCEPT"},
		{"build_rule|dports=80|jump=ACCEPT", `cannot call iptables.build_rule: argument "dports": the protocol is missing: give "proto"`},
		{"build_rule|full=True|command=A|jump=ACCEPT", `cannot call iptables.build_rule: argument "chain" is missing: the whole command needs it`},
		{`build_rule|comment=say "hi" \ it|jump=ACCEPT`, `-m comment --comment "say \"hi\" \\ it" --jump ACCEPT`},
		{"build_rule|syn=True|random=False|j=DROP", "--syn --jump DROP"},
	} {
		if got := call(t, k, c[0]); got != c[1] {
			t.Errorf("%s\n got %v\nwant %s", c[0], got, c[1])
		}
	}
}

// TestKnownRules has rules that the kernel writes in another way than state files do. iptables is asked for its rules
// once, and not for each rule.
func TestKnownRules(t *testing.T) {
	for _, line := range []string{
		`append|name=r|chain=INPUT|proto=6|match=[state,comment]|connstate=ESTABLISHED,NEW|dport=80|comment=say "hi" it's \ ok|jump=REJECT`,
		"append|name=r|chain=INPUT|source=10.0.0.77/24,10.9.0.1/255.255.0.0|match=limit|limit=5/minute|limit-burst=5|jump=LOG|log-prefix='drop it: '|log-level=info",
		"append|name=r|chain=INPUT|source=! 10.0.0.5|if=!eth+|proto=TCP|dports=[80,443,'1000:2000']|jump=DROP",
		"append|name=r|chain=INPUT|proto=icmp|match=icmp|icmp-type=echo-request|jump=ACCEPT",
		"append|name=r|chain=INPUT|ctstate=ESTABLISHED,RELATED|match=conntrack|target=ACCEPT",
		"append|name=r|chain=INPUT|proto=tcp|tcp-flags=SYN,RST SYN|jump=ACCEPT",
		"insert|name=r|chain=INPUT|proto=tcp|syn=!|match=mac|mac-source=00:11:22:AA:BB:CC|jump=ACCEPT",
		"insert|name=r|chain=INPUT|position=3|proto=udp|sport=53|dport='1024:'|jump=ACCEPT",
		"append|name=r|table=nat|chain=PREROUTING|proto=tcp|dport=8080|jump=DNAT|to-destination=10.0.0.1:80",
		"append|name=r|table=nat|chain=POSTROUTING|out-interface=eth0|source=0.0.0.0/0|jump=MASQUERADE",
		"append|name=r|rules=[{chain: INPUT, proto: tcp, dport: 22, jump: WEB}, {table: nat, chain: POSTROUTING, of: eth0, jump: MASQUERADE}]",
	} {
		k := newKernel(t, savedRules(t))
		_, done := apply(t, k, line)
		if done.Result == nil || !*done.Result || done.Changes.Len() > 0 {
			t.Errorf("%s: got %s", line, told(done))
		}
		for _, ran := range k.ran {
			if ran != "iptables-save --modprobe=/bin/false" {
				t.Errorf("%s: ran %s", line, ran)
			}
		}
	}
}

// TestOtherRules has rules that are near to what is there, and are not it.
func TestOtherRules(t *testing.T) {
	for _, line := range []string{
		"append|name=r|chain=INPUT|source=10.0.0.5|if=!eth+|proto=tcp|dports=[80,443,'1000:2000']|jump=DROP",
		"append|name=r|chain=INPUT|proto=udp|sport=53|dport=1024|jump=ACCEPT",
		"append|name=r|chain=INPUT|proto=tcp|dport=22|jump=ACCEPT",
		"append|name=r|chain=FORWARD|proto=tcp|dport=22|jump=WEB",
		"append|name=r|chain=INPUT|match=conntrack|ctstate=RELATED|jump=ACCEPT",
		"append|name=r|chain=INPUT|proto=tcp|match=mac|syn=|mac-source=00:11:22:aa:bb:cc|jump=ACCEPT",
		"append|name=r|table=nat|chain=PREROUTING|proto=tcp|dport=8080|jump=DNAT|to-destination=10.0.0.1:81",
		"append|name=r|family=ipv6|chain=INPUT|proto=tcp|dport=22|jump=ACCEPT",
	} {
		k := newKernel(t, savedRules(t))
		test, done := apply(t, k, line)
		if test.Result != nil || done.Result == nil || !*done.Result || done.Changes.Len() == 0 {
			t.Errorf("%s: got %s, and %s", line, told(test), told(done))
		}
		if _, again := apply(t, k, line); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", line, told(again))
		}
	}
}

// TestNoModuleIsLoadedToLook: what the kernel would have to load for a rule, no rule uses.
func TestNoModuleIsLoadedToLook(t *testing.T) {
	for _, c := range []struct {
		line, want string
		asks       bool // iptables
	}{
		{"append|name=r|chain=INPUT|match=addrtype|src-type=LOCAL|jump=ACCEPT", "would", false},
		{"append|name=r|chain=INPUT|proto=sctp|match=known|dport=80|jump=AUDIT", "would", false},
		{"append|name=r|chain=INPUT|match=known|dport=80|jump=WEB", "would", true},
		{"append|name=r|table=raw|chain=OUTPUT|jump=ACCEPT", "would", false},
		{"append|name=r|chain=INPUT|proto=tcp|dport=9|jump=ACCEPT|modprobe=/usr/bin/touch", "would", true},
		{"append|name=r|chain=INPUT|match=addrtype|src-type=LOCAL|jump=missing", "false {} Chain 'missing' does not exist", false},
		{"delete|name=r|chain=INPUT|match=addrtype|src-type=LOCAL|jump=missing", "true {}", false},
	} {
		k := newKernel(t, savedRules(t))
		k.loaded = []string{"ipt_known"}
		test, _ := apply(t, k, c.line)
		asks := slices.ContainsFunc(k.ran, func(ran string) bool { return strings.Contains(ran, "--check") })
		if got := told(test); !strings.HasPrefix(got, c.want) || asks != c.asks {
			t.Errorf("%s: got %s and ran %q", c.line, got, k.ran)
		}
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, test, done string }{
		{"append|name=web|chain=INPUT|proto=tcp|dport=80|jump=ACCEPT",
			`would {"added":["iptables -t filter -A INPUT -p tcp --dport 80 --jump ACCEPT"]} iptables rule for web needs to be set ` +
				`(iptables -t filter -A INPUT -p tcp --dport 80 --jump ACCEPT) for ipv4`,
			`true {"added":["iptables -t filter -A INPUT -p tcp --dport 80 --jump ACCEPT"]} Set iptables rule for web to: ` +
				`iptables -t filter -A INPUT -p tcp --dport 80 --jump ACCEPT for ipv4`},
		{"insert|name=web|chain=INPUT|position=40|proto=tcp|dport=80|jump=ACCEPT",
			"false {} cannot insert rule web at position 40: chain INPUT has 12 rules", ""},
		{"append|name=web|chain=INPUT|nonsense=1|jump=ACCEPT",
			`false {} cannot check rule web (iptables -t filter -C INPUT --nonsense 1 --jump ACCEPT): unknown option "--nonsense"`, ""},
		{"append|name=web|chain=INPUT|jump=MISSING",
			`false {} cannot check rule web (iptables -t filter -C INPUT --jump MISSING): Chain 'MISSING' does not exist`, ""},
		{"append|name=web|chain=NONE|jump=ACCEPT", `false {} cannot find chain NONE in table filter of ipv4`, ""},
		{"delete|name=web|chain=NONE|jump=ACCEPT",
			`true {} iptables rule for web already absent for ipv4 (iptables -t filter -D NONE --jump ACCEPT)`, ""},
		{"delete|name=telnet|chain=INPUT|proto=tcp|dport=23|jump=ACCEPT",
			`would {"removed":["iptables -t filter -D INPUT -p tcp --dport 23 --jump ACCEPT"]} iptables rule for telnet needs to be deleted ` +
				`for ipv4 (iptables -t filter -D INPUT -p tcp --dport 23 --jump ACCEPT)`,
			`true {"removed":["iptables -t filter -D INPUT -p tcp --dport 23 --jump ACCEPT"]} Deleted iptables rule for telnet ` +
				`(iptables -t filter -D INPUT -p tcp --dport 23 --jump ACCEPT)`},
		{"delete|name=last|chain=INPUT|position=40", `true {} iptables rule for last already absent for ipv4 (iptables -t filter -D INPUT)`, ""},
		{"set_policy|name=p|chain=FORWARD|policy=drop",
			`true {} iptables default policy for chain FORWARD on table filter for ipv4 already set to DROP`, ""},
		{"set_policy|name=p|chain=INPUT|policy=DROP|save=/etc/rules",
			`would {"INPUT":{"old":"ACCEPT","new":"DROP"},"saved":["/etc/rules"]} iptables default policy for chain INPUT on table filter ` +
				"for ipv4 needs to be set to DROP\nThe rules of ipv4 would be saved to /etc/rules",
			`true {"INPUT":{"old":"ACCEPT","new":"DROP"},"saved":["/etc/rules"]} Set default policy for chain INPUT on table filter for ipv4 ` +
				"to DROP\nSaved the rules of ipv4 to /etc/rules"},
		{"set_policy|name=p|family=ipv6|chain=INPUT|policy=ACCEPT",
			`true {} iptables default policy for chain INPUT on table filter for ipv6 already set to ACCEPT`, ""},
		{"chain_present|name=NEW", `would {"NEW":{"old":"absent","new":"present"}} iptables NEW chain in filter table needs to be set for ipv4`,
			`true {"NEW":{"old":"absent","new":"present"}} iptables NEW chain in filter table created for ipv4`},
		{"chain_absent|name=WEB", `false {} cannot delete chain WEB: rules of INPUT lead to it`, ""},
		{"flush|name=f|chain=OUTPUT", `true {} iptables has no rules in table filter OUTPUT for ipv4`, ""},
		{"flush|name=f|table=nat",
			`would {"removed":["-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80","-A POSTROUTING -o eth0 -j MASQUERADE"]} ` +
				`iptables rules in table nat need to be flushed for ipv4`,
			`true {"removed":["-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80","-A POSTROUTING -o eth0 -j MASQUERADE"]} ` +
				`Flushed iptables rules in table nat for ipv4`},
	} {
		k := newKernel(t, savedRules(t))
		test, done := apply(t, k, c.state)
		if c.done == "" {
			c.done = c.test
		}
		if told(test) != c.test || told(done) != c.done {
			t.Errorf("%s:\n got %s\n and %s\nwant %s\n and %s", c.state, told(test), told(done), c.test, c.done)
		}
		if _, again := apply(t, k, c.state); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.state, told(again))
		}
	}
}

// TestSave keeps rules where the system reads them, once, without what a site filters out, and warns where nothing reads them.
func TestSave(t *testing.T) {
	k := newKernel(t, savedRules(t))
	k.Grains.Put("iptables.save_filters", value.NewList("-j WEB$", "^:WEB"))
	const line = "append|name=web|chain=INPUT|proto=tcp|dport=80|jump=ACCEPT|save=True"
	test, done := apply(t, k, line)
	if got := told(test); !strings.Contains(got, `"saved":["/etc/iptables/rules.v4"]`) || told(done)[4:60] != told(test)[5:61] {
		t.Errorf("got %s, and %s", got, told(done))
	}
	if len(done.Warnings) != 1 || !strings.Contains(done.Warnings[0], "install iptables-persistent") {
		t.Errorf("got warnings %q", done.Warnings)
	}
	text := k.Read("/etc/iptables/rules.v4")
	if !strings.Contains(text, "--dport 80 --jump ACCEPT\n") || strings.Contains(text, "WEB") {
		t.Errorf("got %s", text)
	}
	k.Write("/etc/iptables/rules.v4", strings.ReplaceAll(text, "[0:0]", "[1:1]")) // counters do not count
	if _, again := apply(t, k, line); again.Changes.Len() > 0 {
		t.Errorf("the second run changed %s", told(again))
	}
	k.Write("/etc/iptables/rules.v4", "")
	if _, again := apply(t, k, line); !strings.HasPrefix(told(again), `true {"saved":["/etc/iptables/rules.v4"]}`) {
		t.Errorf("got %s", told(again))
	}
	k.Grains.Put("os_family", "Suse")
	if _, again := apply(t, k, line); !strings.Contains(told(again), "name a file") {
		t.Errorf("got %s", told(again))
	}
}

// TestEveryCopyGoes deletes a rule that stands twice, and one that is written in another way than it is described.
func TestEveryCopyGoes(t *testing.T) {
	const one = "-A INPUT -p tcp --dport 23 --jump DROP\n"
	k := newKernel(t, "*filter\n:INPUT ACCEPT [0:0]\n"+one+"-A INPUT -p tcp -m tcp --dport 23 -j DROP\n"+one+"COMMIT\n")
	_, done := apply(t, k, "delete|name=r|chain=INPUT|proto=tcp|dport=23|jump=DROP")
	if got := k.Read(rulesFile + "iptables"); strings.Contains(got, "-A") || done.Result == nil || !*done.Result {
		t.Errorf("got %s, left %s", told(done), got)
	}
}

func TestSeveralRules(t *testing.T) {
	k := newKernel(t, savedRules(t))
	const line = `insert|name=many|chain=OUTPUT|rules=[{name: a, proto: tcp, dport: 1, jump: DROP, position: 1}, {name: b, proto: tcp, ` +
		`dport: 2, jump: DROP, position: -1}, {name: c, family: ipv6, proto: tcp, dport: 3, jump: DROP, save: /etc/six}]`
	test, done := apply(t, k, line)
	if told(test)[5:60] != told(done)[4:59] || k.Read("/etc/six") == "" {
		t.Errorf("got %s, and %s", told(test), told(done))
	}
	if got := k.Read(rulesFile + "iptables"); !strings.Contains(got, "-A OUTPUT -p tcp --dport 2 --jump DROP\n-A OUTPUT -p tcp --dport 1 --jump DROP\n") {
		t.Errorf("got %s", got)
	}
	if _, again := apply(t, k, line); again.Changes.Len() > 0 {
		t.Errorf("the second run changed %s", told(again))
	}
}

func TestFunctions(t *testing.T) {
	k := newKernel(t, savedRules(t))
	for _, c := range []struct{ line, want string }{
		{"version", "v1.8.9"}, {"version|ipv6", "v1.8.9"},
		{"check|filter|INPUT|rule=-p tcp --dport 23 -j ACCEPT", "true"}, {"check|filter|INPUT|rule=-p tcp --dport 24 -j ACCEPT", "false"},
		{"append|filter|INPUT|rule=-p tcp --dport 24 -j ACCEPT", "true"}, {"append|filter|INPUT|rule=-p tcp --dport 24 -j ACCEPT", "false"},
		{"insert|filter|FORWARD|1|-p tcp --dport 24 -j ACCEPT", "true"}, {"insert|filter|FORWARD|1|-p tcp --dport 24 -j ACCEPT", "false"},
		{"delete|filter|FORWARD|position=1", "true"}, {"delete|filter|FORWARD|position=1", "false"},
		{"delete|filter|INPUT|rule=-p tcp --dport 24 -j ACCEPT", "true"}, {"delete|filter|INPUT", `cannot call iptables.delete: give one of "position" and "rule"`},
		{"check_chain|filter|WEB", "true"}, {"check_chain|filter|NONE", "false"}, {"check_chain|raw|OUTPUT", "true"},
		{"new_chain|filter|NONE", "true"}, {"check_chain|filter|NONE", "true"}, {"delete_chain|filter|NONE", "true"},
		{"get_policy|filter|FORWARD", "DROP"}, {"get_policy|filter|NONE", "null"}, {"set_policy|filter|FORWARD|ACCEPT", "true"},
		{"get_policy|filter|FORWARD", "ACCEPT"}, {"set_policy|filter|WEB|ACCEPT",
			`argument "chain": only the kernel's own chains have a policy, and WEB is none of table filter`},
		{"flush|filter", "true"}, {"save", "Wrote the rules of ipv4 to /etc/iptables/rules.v4"},
		{"get_saved_policy|filter|FORWARD", "ACCEPT"},
		{"get_saved_rules", `{"filter":{"INPUT":{"policy":"ACCEPT","packet count":"12","byte count":"3456","rules":[],"rules_comment":{}},` +
			`"FORWARD":{"policy":"ACCEPT","packet count":"0","byte count":"0","rules":[],"rules_comment":{}},` +
			`"OUTPUT":{"policy":"ACCEPT","packet count":"0","byte count":"0","rules":[],"rules_comment":{}},` +
			`"WEB":{"policy":"-","packet count":"0","byte count":"0","rules":[],"rules_comment":{}}},` +
			`"nat":{"PREROUTING":{"policy":"ACCEPT","packet count":"0","byte count":"0","rules":[{"protocol":["tcp"],"match":["tcp"],` +
			`"destination_port":["8080"],"jump":["DNAT"],"to-destination":["10.0.0.1:80"]}],"rules_comment":{}},` +
			`"POSTROUTING":{"policy":"ACCEPT","packet count":"0","byte count":"0","rules":[{"out-interface":["eth0"],"jump":["MASQUERADE"]}],` +
			`"rules_comment":{}}}}`},
		{"get_saved_rules|/none", "cannot read /none: there is no such file"}, {"get_rules|ipv6", "{}"},
	} {
		if got := call(t, k, c.line); got != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.line, got, c.want)
		}
	}
}

func TestMistakesAreToldBeforeAnythingRuns(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"append|name=r|chain=INPUT", "the rule says nothing: give it at least a jump"},
		{"append|name=r|jump=DROP", `argument "chain" is missing`},
		{"append|name=r|chain=INPUT|table=flter|jump=DROP", `argument "table": want filter, nat, mangle, raw or security, got "flter"`},
		{"append|name=r|chain=INPUT|family=inet|jump=DROP", `argument "family": want ipv4 or ipv6, got "inet"`},
		{"append|name=r|chain=INPUT|source=fe80::1|jump=DROP", `argument "source": fe80::1 is no address of ipv4: set "family"`},
		{"append|name=r|chain=INPUT|sports=1|dports=2|jump=DROP", `argument "dports": the protocol is missing: give "proto"`},
		{"append|name=r|chain=INPUT|save=rules|jump=DROP", `argument "save": want true, false or an absolute path, got "rules"`},
		{"append|name=r|chain=INPUT|rules=[{chain: X Y, jump: DROP}]", `rule 1: argument "chain": want the name of a chain`},
		{"insert|name=r|chain=INPUT|position=0|jump=DROP", `argument "position": the first rule is 1`},
		{"delete|name=r|chain=INPUT", "cannot tell which rule is to be deleted"},
		{"set_policy|name=r|chain=WEB|policy=DROP", "only the kernel's own chains have a policy"},
		{"chain_present|name=a-name-of-more-than-28-letters", "of at most 28 characters"},
	} {
		words := strings.Split(c.line, "|")
		s, err := module.NewIndex(iptables.Module).State("iptables." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Bind(module.Words(words[1:]...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.line, err, c.want)
		}
	}
}
