package nftables_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/mod/nftables"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, nftables.Module, moduletest.Options{Host: newHost}) }

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
	s, err := module.NewIndex(nftables.Module).State("nftables." + words[0])
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

func call(t *testing.T, k *kernel, line string) string {
	t.Helper()
	words := strings.Split(line, "|")
	f, err := module.NewIndex(nftables.Module).Func("nftables." + words[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), k.Host.Host, module.Words(words[1:]...))
	if err != nil {
		return err.Error()
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func TestBuildRule(t *testing.T) {
	k := newKernel(t, "")
	for _, c := range [][2]string{
		{"connstate=NEW,ESTABLISHED|jump=accept", "ct state { new, established } accept"},
		{"proto=tcp|dport=22|jump=ACCEPT", "tcp dport { 22 } accept"},
		{"if=eth0|of=eth1|proto=udp|sport='1024:2048'|counter=|jump=drop", "meta iifname eth0 meta oifname eth1 counter udp sport { 1024-2048 } drop"},
		{"proto=tcp|dports=80,443|source=10.0.0.0/8|destination=['!10.0.0.1']|jump=web", "ip saddr 10.0.0.0/8 ip daddr != 10.0.0.1 tcp dport { 80, 443 } jump web"},
		{"family=ipv6|source=fe80::/64|icmp-type=echo-request|jump=accept", "icmpv6 type { echo-request } ip6 saddr fe80::/64 accept"},
		{"family=inet|source=fe80::/64|jump=accept", "ip6 saddr fe80::/64 accept"},
		{"proto=icmp|jump=accept", "meta l4proto icmp accept"},
		{"proto=tcp|jump=reject|reject-with=tcp reset", "meta l4proto tcp reject with tcp reset"},
		{"proto=tcp|dport=80|jump=redirect|redirect-to=8080", "tcp dport { 80 } redirect to :8080"},
		{"proto=tcp|dport=80|jump=dnat|to-destination=10.0.0.1:80", "tcp dport { 80 } dnat 10.0.0.1:80"},
		{"pkttype=broadcast|jump=log prefix \"x; y\" drop|comment=why", `meta pkttype { broadcast } log prefix "x; y" drop comment "why"`},
		{"rule=ip saddr @bad  drop", "ip saddr @bad drop"},
		{"rule=accept; flush ruleset", "cannot call"}, {"dport=80|jump=accept", "cannot call"},
		{"command=insert|full=true|table=filter|chain=input|position=3|jump=accept", "nft insert rule ip filter input position 3 accept"},
	} {
		got := call(t, k, "build_rule|"+c[0])
		v, _ := value.MarshalJSON(c[1])
		if !strings.Contains(got, `"rule":`+string(v)) && (c[1] != "cannot call" || !strings.Contains(got, `"result":false`)) {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, test, done string }{
		{"append|name=web|chain=input|proto=tcp|dport=80|jump=accept",
			`would {"added":"nft add rule ip filter input tcp dport { 80 } accept"} nftables rule for web needs to be set (nft add rule ip filter input tcp dport { 80 } accept)`,
			`true {"added":"nft add rule ip filter input tcp dport { 80 } accept"} Set nftables rule for web to: nft add rule ip filter input tcp dport { 80 } accept`},
		{"append|name=web|chain=input|proto=tcp|dports=443,22|counter=|jump=accept",
			"would", "true"}, // the order of statements counts
		{"append|name=web|chain=input|rule=tcp dport { 443, 22 } counter accept",
			"true {} nftables rule for web already set (nft add rule ip filter input tcp dport { 443, 22 } counter accept)", ""},
		{"insert|name=web|chain=input|position=8|proto=tcp|dport=80|jump=accept|save=/etc/rules",
			`would {"added":"nft insert rule ip filter input position 8 tcp dport { 80 } accept","saved":"/etc/rules"}`,
			`true {"added":"nft insert rule ip filter input position 8 tcp dport { 80 } accept","saved":"/etc/rules"}`},
		{"append|name=web|chain=input|rule=nonsense", "false {} cannot add rule web (nft add rule ip filter input nonsense): nft refuses it: syntax error, unexpected string", ""},
		{"append|name=web|chain=input|jump=none", "false {} cannot add rule web (nft add rule ip filter input jump none): it names what is not there: ", ""},
		{"append|name=web|chain=none|jump=drop", "false {} cannot add rule web: there is no chain none in table filter of the family ip", ""},
		{"append|name=web|family=arp|chain=none|jump=drop", "false {} cannot add rule web: there is no table filter of the family arp", ""},
		{"delete|name=telnet|chain=input|proto=tcp|dport=23|jump=accept",
			`would {"removed":["nft delete rule ip filter input handle 7","nft delete rule ip filter input handle 9"]} nftables rule for telnet needs to be deleted`,
			`true {"removed":["nft delete rule ip filter input handle 7","nft delete rule ip filter input handle 9"]} Deleted nftables rule for telnet`},
		{"delete|name=h|chain=input|position=8", `would {"removed":["nft delete rule ip filter input handle 8"]}`,
			`true {"removed":["nft delete rule ip filter input handle 8"]}`},
		{"delete|name=h|chain=none|jump=drop", "true {} nftables rule for h already absent", ""},
		{"set_policy|name=p|chain=input|policy=DROP", `would {"input":{"old":"accept","new":"drop"}}`, `true {"input":{"old":"accept","new":"drop"}}`},
		{"set_policy|name=p|chain=old|policy=drop", "false {} cannot set the policy of ip filter old: it has no hook", ""},
		{"flush|name=f|table=filter", `would {"rules":{"old":3,"new":0}}`, `true {"rules":{"old":3,"new":0}}`},
		{"flush|name=f|table=none", "false {} cannot flush ip none: there is no table none of the family ip", ""},
		{"flush|name=f|table=none|ignore_absence=True", "true {} nftables has no rules in ip none", ""},
		{"chain_present|name=new|table_type=nat|hook=prerouting|priority=-100", `would {"new":{"old":"absent","new":"present"}}`,
			`true {"new":{"old":"absent","new":"present"}}`},
		{"chain_present|name=new|table=none", "false {} cannot create chain new: there is no table none of the family ip", ""},
		{"chain_absent|name=old", `would {"old":{"old":"present","new":"absent"}}`, `true {"old":{"old":"present","new":"absent"}}`},
		{"table_present|name=old|family=inet", "true {} nftables table old already exists for inet", ""},
		{"table_absent|name=filter", `would {"filter":{"old":"present","new":"absent"}}`, `true {"filter":{"old":"present","new":"absent"}}`},
	} {
		for _, unshare := range []bool{true, false} {
			k := newKernel(t, filled)
			k.unshare = unshare
			test, done := apply(t, k, c.state)
			want := c.done
			if want == "" {
				want = c.test
			}
			if !strings.HasPrefix(told(test), c.test) || !strings.HasPrefix(told(done), want) {
				t.Errorf("%s:\n got %s\n and %s\nwant %s\n and %s", c.state, told(test), told(done), c.test, want)
			}
			if _, again := apply(t, k, c.state); again.Changes.Len() > 0 {
				t.Errorf("%s: the second run changed %s", c.state, told(again))
			}
		}
	}
}

func TestSave(t *testing.T) {
	k := newKernel(t, filled)
	const line = "append|name=web|chain=input|rule=tcp dport 23 accept|save=True"
	test, done := apply(t, k, line)
	if !strings.HasPrefix(told(test), `would {"saved":"/etc/nftables.conf"}`) || !strings.HasPrefix(told(done), `true {"saved":"/etc/nftables.conf"}`) {
		t.Errorf("got %s, and %s", told(test), told(done))
	}
	if got := k.Read("/etc/nftables.conf"); !strings.HasPrefix(got, "#!/usr/sbin/nft -f\n\nflush ruleset\n\ntable ip filter\n") {
		t.Errorf("got %s", got)
	}
	if _, again := apply(t, k, line); again.Changes.Len() > 0 {
		t.Errorf("the second run changed %s", told(again))
	}
	_, done = apply(t, k, "chain_present|name=input|table_type=nat|hook=input|priority=0")
	if len(done.Warnings) != 1 {
		t.Errorf("got warnings %q", done.Warnings)
	}
}

func TestFunctions(t *testing.T) {
	k := newKernel(t, filled)
	for _, c := range [][2]string{
		{"version", `"v1.0.6"`}, {"check|filter|input|tcp dport { 23 } accept", `"result":true`}, {"check|filter|input|tcp dport 24 accept", `"result":false`},
		{"get_rule_handle|filter|input|tcp dport 23 accept", `{"result":true,"handle":7}`}, {"get_rule_handle|filter|input|drop", `"result":false`},
		{"append|filter|input|tcp dport 24 accept", `"result":true`}, {"append|filter|input|tcp dport 24 accept", `"result":false`},
		{"insert|filter|input|8|udp dport 24 accept", `"result":true`}, {"delete|filter|input|rule=tcp dport 24 accept", `"result":true`},
		{"delete|filter|input|rule=tcp dport 24 accept", `"result":false`}, {"delete|filter|input|8", `"result":true`},
		{"check_table|filter", `"result":true`}, {"check_table|none", `"result":false`}, {"new_table|none", `"result":true`},
		{"check_chain|none|web", `"result":false`}, {"new_chain|none|web|filter|input|0", `"result":true`}, {"new_chain|none|web", `"result":false`},
		{"get_policy|none|web", `"accept"`}, {"set_policy|none|web|drop", "true"}, {"get_policy|none|web", `"drop"`}, {"get_policy|none|none", "null"},
		{"delete_chain|none|web", `"result":true`}, {"delete_table|none", `"result":true`}, {"flush|filter|input", `"result":true`},
		{"list_tables", `"name":"filter"`}, {"get_rules_json", `"metainfo"`}, {"get_rules", `"table ip filter`},
		{"save", `"Wrote the rules to /etc/nftables.conf"`}, {"get_saved_rules", `"flush ruleset","table ip filter"`},
		{"get_saved_rules|/none", "cannot read /none: there is no such file"},
	} {
		if got := call(t, k, c[0]); !strings.Contains(got, c[1]) {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

func TestMistakesAreToldBeforeAnythingRuns(t *testing.T) {
	for _, c := range [][2]string{
		{"append|name=r|chain=input", "the rule says nothing"}, {"append|name=r|chain=input|dport=80|jump=drop", `ports need the argument "proto"`},
		{"append|name=r|chain=input|rule=accept; flush ruleset", "a rule ends at ';'"}, {"append|name=r|chain=a b|jump=drop", "want a name of letters"},
		{"append|name=r|chain=input|rule=tcp dport { 80 accept", "has no other"}, {"append|name=r|chain=input|family=ipx|jump=drop", "want ipv4, ipv6, inet"},
		{"delete|name=r|chain=input", "cannot tell which rule is to be deleted"}, {"chain_present|name=c|hook=input", "go together"},
		{"append|name=r|chain=input|prto=tcp|jump=drop", `unknown argument "prto" (did you mean "proto"?)`},
	} {
		words := strings.Split(c[0], "|")
		s, err := module.NewIndex(nftables.Module).State("nftables." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Bind(module.Words(words[1:]...)); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: got %v, want %s", c[0], err, c[1])
		}
	}
}
