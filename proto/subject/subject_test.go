package subject

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTokensAreOneTokenAndComeBack(t *testing.T) {
	for id, want := range map[string]string{
		"web1":           "web1",
		"db-03":          "db-03",
		"web1.example":   "web1_2eexample",
		"a_b":            "a_5fb",
		"root@host+x":    "root_40host_2bx",
		"*":              "_2a",
		">":              "_3e",
		"a b\n":          "a_20b_0a",
		"\xff":           "_ff",
		"_2e":            "_5f2e",
		"\u00e9":         "_c3_a9",
		"UPPER.and.2023": "UPPER_2eand_2e2023",
	} {
		if got := Token(id); got != want {
			t.Errorf("Token(%q): got %q, want %q", id, got, want)
		}
		if got, err := ID(want); got != id || err != nil {
			t.Errorf("ID(%q): got %q, %v, want %q", want, got, err, id)
		}
	}
}

func TestIDRefusesWhatTokenCannotMake(t *testing.T) {
	for _, token := range []string{"", "_", "a_", "a_2", "_2E", "_zz", "_61", "_2d", "a.b", "*", ">", "a b", "a_-1",
		"_2e_", "é"} {
		if id, err := ID(token); err == nil {
			t.Errorf("%q: got %q, want an error", token, id)
		}
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "web1.example.com", "A-Z_0+9@x", "0", "_", "@", strings.Repeat("a", MaxID)} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for id, want := range map[string]string{
		"":                            "empty",
		"-x":                          "begins with '-'",
		".x":                          "begins with '.'",
		"a/b":                         "byte 1",
		"a b":                         "byte 1",
		"web*":                        "byte 3",
		"a\x00":                       "byte 1",
		"é":                           "byte 0",
		"a:b":                         "byte 1",
		strings.Repeat("a", MaxID+1):  "129 bytes",
		strings.Repeat("\n", MaxID*9): "1152 bytes",
	} {
		if err := CheckID(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", id, err, want)
		}
	}
}

func TestSubjects(t *testing.T) {
	for got, want := range map[string]string{
		Job("web1"):                       "job.id.web1",
		Link("web1"):                      "_INBOX_web1.link",
		Ack("web1"):                       "_INBOX_web1.ack",
		Accepted("web1", "20260131"):      "ret.web1.20260131.acc",
		Progress("web1", "20260131"):      "ret.web1.20260131.prog",
		Part("web1", "20260131", 7):       "ret.web1.20260131.part.7",
		Final("web1", "20260131"):         "ret.web1.20260131.fin",
		Relay("m.1", Final("web1", "7")):  "relay.m_2e1.web1.fin",
		Relays("m.1"):                     "relay.m_2e1.>",
		RelayPermission("web1"):           "relay.*.web1.>",
		Pulse("m.1", "web1"):              "pulse.m_2e1.32",
		PulsePermission("web1"):           "pulse.*.32",
		Request("web1", Bundle):           "req.web1.bundle",
		Event("web1", "beacon/load/high"): "evt.web1.beacon.load.high",
		Grains("web1"):                    "grains.web1",
		Mine("web1"):                      "mine.web1",
		EnrolRequest("UA"):                "enrol.req.UA",
		EnrolReply("UA"):                  "enrol.res.UA",
		API("m.1", "job.run"):             "api.m_2e1.job.run",
		APIs("m.1"):                       "api.m_2e1.>",
		Peer("repl", "m1", "pull"):        "repl.m1.pull",
		PeerInbox("m1"):                   "_INBOX_m_m1",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReturnSubjectsComeBack(t *testing.T) {
	for subject, want := range map[string]ReturnKind{
		Accepted(Token("a.b"), "1"): KindAccepted,
		Progress(Token("a.b"), "1"): KindProgress,
		Part(Token("a.b"), "1", 3):  KindPart,
		Final(Token("a.b"), "1"):    KindFinal,
	} {
		minion, jid, kind, err := ParseReturn(subject)
		if minion != "a.b" || jid != "1" || kind != want || err != nil {
			t.Errorf("%q: got %q, %q, %v, %v", subject, minion, jid, kind, err)
		}
	}
	for _, bad := range []string{"", "ret", "ret.a.1", "ret.a.", "ret..fin", "ret._.fin", "ret.fin", "req.a.fin", "ret.a.1.x", "ret.a.1.acc.x", "ret.a.1.part", "ret.a.1.part.1.2",
		"req.a.1.acc", "ret._.1.acc", "ret..1.acc"} {
		if minion, _, _, err := ParseReturn(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, minion)
		}
	}
}

func TestMineSubjectsComeBack(t *testing.T) {
	if got, err := ParseMine(Mine(Token("a.b"))); err != nil || got != "a.b" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "mine", "mine.", "mine.a.b", "grains.a"} {
		if got, err := ParseMine(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

func TestRelayedSubjectsComeBack(t *testing.T) {
	for returned, want := range map[string]ReturnKind{
		Accepted(Token("a.b"), "1"): KindAccepted, Progress(Token("a.b"), "1"): KindProgress,
		Part(Token("a.b"), "1", 3): KindPart, Final(Token("a.b"), "1"): KindFinal,
	} {
		got, err := ParseRelay(Relay("m.1", returned))
		if err != nil {
			t.Fatal(err)
		}
		if minion, jid, kind, err := ParseReturn(got); minion != "a.b" || jid != "" || kind != want || err != nil {
			t.Errorf("%q: got %q, %q, %v, %v", got, minion, jid, kind, err)
		}
	}
	if got, err := ParseRelay("relay.m1.a.1.fin"); got != Final("a", "1") || err != nil { // as older minions send it
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "relay", "relay.m1", "ret.a.1.fin"} {
		if got, err := ParseRelay(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

func TestRequestSubjectsComeBack(t *testing.T) {
	if minion, verb, err := ParseRequest(Request(Token("a.b"), Seen)); minion != "a.b" || verb != Seen || err != nil {
		t.Errorf("got %q, %q, %v", minion, verb, err)
	}
	for _, bad := range []string{"", "req.a", "req.a.", "req.a.b.c", "ret.a.b", "req._.seen", "req..seen"} {
		if minion, _, err := ParseRequest(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, minion)
		}
	}
	if pub, err := ParseEnrol(EnrolRequest("UABC")); pub != "UABC" || err != nil {
		t.Errorf("got %q, %v", pub, err)
	}
	for _, bad := range []string{"", "enrol.req", "enrol.req.", "enrol.res.U", "enrol.req.U.x"} {
		if pub, err := ParseEnrol(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, pub)
		}
	}
}

func TestGrainsSubjectsComeBack(t *testing.T) {
	for _, id := range []string{"web1", "web1.example.com", "a_b"} {
		if got, err := ParseGrains(Grains(Token(id))); err != nil || got != id {
			t.Errorf("%s: got %s, %v", id, got, err)
		}
	}
	for _, bad := range []string{"grains", "grains.", "grains.a.b", "grain.web1", "evt.web1", "grains._zz"} {
		if got, err := ParseGrains(bad); err == nil {
			t.Errorf("%s: got %s, want an error", bad, got)
		}
	}
}

func TestOperatorsNeverShareAMinionsInbox(t *testing.T) {
	for _, name := range []string{"root", "op", "a_b", ""} {
		token := OperatorToken(name)
		if strings.ContainsAny(token, ".*> ") {
			t.Errorf("%q is not one token", token)
		}
		if id, err := ID(token); err == nil {
			t.Errorf("operator %q has the token of minion %q", name, id)
		}
	}
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{"web1", "web1_2eexample", "_", "op_op-root"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ID(s); err == nil && Token(id) != s {
			t.Errorf("%q has another spelling %q", s, Token(id))
		}
		if s == "" {
			return
		}
		token := Token(s)
		if id, err := ID(token); id != s || err != nil {
			t.Errorf("Token(%q) = %q comes back as %q, %v", s, token, id, err)
		}
		if strings.ContainsAny(token, ".*> \t\r\n\x00") || strings.HasPrefix(token, "$") {
			t.Errorf("Token(%q) = %q is not one plain token", s, token)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("ret.web1.20260131120000000123.part.3")
	f.Add("req.web1.seen")
	f.Add("enrol.req.U")
	f.Fuzz(func(t *testing.T, s string) {
		if minion, jid, kind, err := ParseReturn(s); err == nil && kind != KindPart {
			last := map[ReturnKind]string{KindAccepted: Accepted(Token(minion), jid),
				KindProgress: Progress(Token(minion), jid), KindFinal: Final(Token(minion), jid)}
			if last[kind] != s {
				t.Errorf("%q comes back as %q", s, last[kind])
			}
		}
		if minion, verb, err := ParseRequest(s); err == nil && Request(Token(minion), verb) != s {
			t.Errorf("%q comes back as %q", s, Request(Token(minion), verb))
		}
		if pub, err := ParseEnrol(s); err == nil && EnrolRequest(pub) != s {
			t.Errorf("%q comes back as %q", s, EnrolRequest(pub))
		}
	})
}

func FuzzCheckID(f *testing.F) {
	f.Add("web1.example.com")
	f.Add("-x")
	f.Fuzz(func(t *testing.T, id string) {
		if CheckID(id) == nil && (len(id) > MaxID || strings.ContainsAny(id, "/\\*?[]{} \x00\n$'\"`") || id == "..") {
			t.Errorf("%q passes", id)
		}
	})
}

func TestEachMinionHearsOneOfThePulses(t *testing.T) {
	all, used := Pulses("m1"), map[string]bool{}
	for i := range 1000 {
		s := Pulse("m1", Token(fmt.Sprintf("web%d.example.com", i)))
		if used[s] = true; !slices.Contains(all, s) || !IsPulse(s) {
			t.Fatalf("%q is none of a master's pulses", s)
		}
	}
	if len(used) != PulseGroups || len(all) != PulseGroups {
		t.Errorf("1,000 minions are in %d of %d groups", len(used), len(all))
	}
}
