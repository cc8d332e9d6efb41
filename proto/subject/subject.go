// Package subject builds and parses the names of every NATS subject of brine.
// It is the only place where they are spelt out.
package subject

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Subjects without a variable part.
const (
	JobAll    = "job.all"     // master -> every minion
	Relayed   = "relayed"     // master -> masters: what minions said at it of jobs
	Heartbeat = "hb"          // master -> masters, in their own account
	Returns   = "ret.>"       // what masters subscribe to
	Requests  = "req.>"       // likewise
	Events    = "evt.>"       // likewise
	Enrols    = "enrol.req.*" // likewise
	AllGrains = "grains.*"    // likewise
	AllMines  = "mine.*"      // likewise
)

// Token escapes a minion's or master's id to one subject token: letters,
// digits and '-' stand for themselves, every other byte is '_' and two hex
// digits. Different ids have different tokens.
func Token(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('_')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

// ID is the inverse of Token. It refuses what Token cannot have made.
func ID(token string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if plain(c) {
			b.WriteByte(c)
			continue
		}
		if c != '_' || i+2 >= len(token) {
			return "", fmt.Errorf("cannot read subject token %q: bad escape at byte %d", token, i)
		}
		raw, err := hex.DecodeString(token[i+1 : i+3])
		if err != nil || plain(raw[0]) || strings.ToLower(token[i+1:i+3]) != token[i+1:i+3] {
			return "", fmt.Errorf("cannot read subject token %q: bad escape at byte %d", token, i)
		}
		b.WriteByte(raw[0])
		i += 2
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("cannot read an empty subject token")
	}
	return b.String(), nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}

// Job is where a minion hears jobs meant for it alone.
func Job(token string) string { return "job.id." + token }

// Inbox is the prefix, without a final dot, of everything sent to one minion
// or operator in answer.
func Inbox(token string) string { return "_INBOX_" + token }

// OperatorToken is the token of an operator. It contains "_o", which no id
// of a minion escapes to, so an operator never shares a minion's inbox.
func OperatorToken(name string) string { return "op_op-" + Token(name) }

// Link is where a minion's connection, a standby one too, hears LinkOrders.
func Link(token string) string { return Inbox(token) + ".link" }

// Ack is where a minion hears which returns a master has committed.
func Ack(token string) string { return Inbox(token) + ".ack" }

// PulseGroups is into how many groups the minions of a master fall, to each of
// which it says together what is stored.
const PulseGroups = 64

// pulseGroup is the group of the minion with this token.
func pulseGroup(token string) string {
	h := fnv.New32a()
	h.Write([]byte(token))
	return strconv.Itoa(int(h.Sum32() % PulseGroups))
}

// Pulse is where the minion with this token hears, with all others of its
// group, that a master to which it is connected lives, and what is stored.
func Pulse(master, token string) string { return pulse(master, pulseGroup(token)) }

func pulse(master, group string) string { return "pulse." + Token(master) + "." + group }

// Pulses is where a master tells all its minions that it lives, by group.
func Pulses(master string) []string {
	out := make([]string, PulseGroups)
	for i := range out {
		out[i] = pulse(master, strconv.Itoa(i))
	}
	return out
}

// PulsePermission allows the minion with this token to hear any master.
func PulsePermission(token string) string { return "pulse.*." + pulseGroup(token) }

// IsPulse tells whether a subject is one that Pulse makes.
func IsPulse(subject string) bool { return strings.HasPrefix(subject, "pulse.") }

// Return subjects. Accepted, Progress, Part and Final belong to one job on one minion.
func Accepted(token, jid string) string { return "ret." + token + "." + jid + ".acc" }

// Progress carries how far a state run is.
func Progress(token, jid string) string { return "ret." + token + "." + jid + ".prog" }

// Part carries piece n of a large return value.
func Part(token, jid string, n int) string {
	return "ret." + token + "." + jid + ".part." + strconv.Itoa(n)
}

// Final carries the Return.
func Final(token, jid string) string { return "ret." + token + "." + jid + ".fin" }

// Relay is where a minion publishes what has a return subject: to one master
// that it is connected to, which passes it on to the others. Masters
// do that for many at a time; a server would for each by itself. It is the
// same for all jobs, which the messages name too: what a server finds out
// about a subject it remembers.
func Relay(master, returned string) string {
	rest := strings.TrimPrefix(returned, "ret.")
	if f := strings.SplitN(rest, ".", 4); len(f) > 2 {
		rest = f[0] + "." + f[2]
	}
	return "relay." + Token(master) + "." + rest
}

// Relays is what a master subscribes to.
func Relays(master string) string { return "relay." + Token(master) + ".>" }

// RelayPermission allows the minion with this token to publish to any master.
func RelayPermission(token string) string { return "relay.*." + token + ".>" }

// ParseRelay returns the return subject of what was published for a relay.
func ParseRelay(subject string) (returned string, err error) {
	rest, ok := strings.CutPrefix(subject, "relay.")
	_, rest, more := strings.Cut(rest, ".")
	if !ok || !more {
		return "", fmt.Errorf("cannot read relayed subject %q", subject)
	}
	return "ret." + rest, nil
}

// ReturnKind tells which message a return subject carries.
type ReturnKind int

// The kinds of return subjects.
const (
	KindAccepted ReturnKind = iota + 1
	KindProgress
	KindPart
	KindFinal
)

func kindOf(word string) ReturnKind {
	switch word {
	case "acc":
		return KindAccepted
	case "prog":
		return KindProgress
	case "part":
		return KindPart
	case "fin":
		return KindFinal
	}
	return 0
}

// ParseReturn splits a return subject. The minion's permissions prove that
// the sender owns the token. What was relayed has a subject without a job,
// and jid is "".
func ParseReturn(subject string) (minion, jid string, kind ReturnKind, err error) {
	if token, word, ok := relayed(subject); ok {
		minion, err = ID(token)
		return minion, "", kindOf(word), err
	}
	f := strings.Split(subject, ".")
	if len(f) < 4 || f[0] != "ret" {
		return "", "", 0, fmt.Errorf("cannot read return subject %q", subject)
	}
	if minion, err = ID(f[1]); err != nil {
		return "", "", 0, err
	}
	switch kind = kindOf(f[3]); {
	case len(f) == 4 && kind != 0 && kind != KindPart:
	case len(f) == 5 && kind == KindPart:
	default:
		return "", "", 0, fmt.Errorf("cannot read return subject %q", subject)
	}
	return minion, f[2], kind, nil
}

// relayed splits ret.<t>.<word>, which ParseRelay makes of a subject without a job.
func relayed(subject string) (token, word string, ok bool) {
	rest, ok := strings.CutPrefix(subject, "ret.")
	token, word, more := strings.Cut(rest, ".")
	return token, word, ok && more && kindOf(word) != 0
}

// The verbs of req.<t>.<verb>.
const (
	Bundle = "bundle"
	File   = "file"
	Mined  = "mine"
	Pillar = "pillar"
	Push   = "push"
	Rotate = "rotate"
	Seen   = "seen"
	Tree   = "tree"
)

// Request is where a minion asks the masters for something.
func Request(token, verb string) string { return "req." + token + "." + verb }

// ParseRequest splits a minion's request subject.
func ParseRequest(subject string) (minion, verb string, err error) {
	f := strings.Split(subject, ".")
	if len(f) != 3 || f[0] != "req" || f[2] == "" {
		return "", "", fmt.Errorf("cannot read request subject %q", subject)
	}
	minion, err = ID(f[1])
	return minion, f[2], err
}

// Grains is where a minion tells every master its grains.
func Grains(token string) string { return "grains." + token }

// ParseGrains returns the minion of a subject that Grains made. The minion's
// permissions prove that the sender owns the token.
func ParseGrains(subject string) (minion string, err error) {
	token, ok := strings.CutPrefix(subject, "grains.")
	if !ok {
		return "", fmt.Errorf("cannot read grains subject %q", subject)
	}
	return ID(token)
}

// Mine is where a minion tells every master what other minions may ask of it.
func Mine(token string) string { return "mine." + token }

// ParseMine returns the minion of a subject that Mine made. The minion's
// permissions prove that the sender owns the token.
func ParseMine(subject string) (minion string, err error) {
	token, ok := strings.CutPrefix(subject, "mine.")
	if !ok {
		return "", fmt.Errorf("cannot read mine subject %q", subject)
	}
	return ID(token)
}

// Event is where a minion publishes an event with this tag, whose '/' become dots.
func Event(token, tag string) string {
	return "evt." + token + "." + strings.ReplaceAll(tag, "/", ".")
}

// batchTag stands for the tag in the subject of many events. No event has it: tags of minions do not begin with '_'.
const batchTag = "_batch"

// EventBatch is where a minion publishes many events, each with its tag.
func EventBatch(token string) string { return "evt." + token + "." + batchTag }

// IsEventBatch tells whether a subject is one that EventBatch makes.
func IsEventBatch(subject string) bool {
	rest, ok := strings.CutPrefix(subject, "evt.")
	_, tag, _ := strings.Cut(rest, ".")
	return ok && tag == batchTag
}

// ParseEvent splits an event's subject. The tag comes back with dots, as it
// stands in the subject.
func ParseEvent(subject string) (minion, tag string, err error) {
	rest, ok := strings.CutPrefix(subject, "evt.")
	token, tag, more := strings.Cut(rest, ".")
	if !ok || !more || tag == "" {
		return "", "", fmt.Errorf("cannot read event subject %q", subject)
	}
	minion, err = ID(token)
	return minion, tag, err
}

// EnrolRequest is where an unaccepted minion asks; pub is its nkey ("U...").
func EnrolRequest(pub string) string { return "enrol.req." + pub }

// EnrolReply is where it hears the answer.
func EnrolReply(pub string) string { return "enrol.res." + pub }

// ParseEnrol returns the nkey of an enrolment request's subject.
func ParseEnrol(subject string) (pub string, err error) {
	f := strings.Split(subject, ".")
	if len(f) != 3 || f[0] != "enrol" || f[1] != "req" || f[2] == "" {
		return "", fmt.Errorf("cannot read enrolment subject %q", subject)
	}
	return f[2], nil
}

// SignInRequest is where somebody without a key that counts asks a master to be let in; pub is the nkey of the connection.
func SignInRequest(master, pub string) string { return "signin.req." + Token(master) + "." + pub }

// SignInPermission allows the connection with this nkey to ask any master.
func SignInPermission(pub string) string { return "signin.req.*." + pub }

// SignIns is what a master subscribes to.
func SignIns(master string) string { return "signin.req." + Token(master) + ".*" }

// SignInReply is where the connection with this nkey hears the answer.
func SignInReply(pub string) string { return "signin.res." + pub }

// ParseSignIn returns the nkey of a request's subject. The connection's permissions prove that the sender owns it.
func ParseSignIn(subject string) (pub string, err error) {
	f := strings.Split(subject, ".")
	if len(f) != 4 || f[0] != "signin" || f[1] != "req" || f[3] == "" {
		return "", fmt.Errorf("cannot read sign-in subject %q", subject)
	}
	return f[3], nil
}

// API is where an operator asks master for verb, such as "job.run".
func API(master, verb string) string { return "api." + Token(master) + "." + verb }

// APIs is what a master subscribes to.
func APIs(master string) string { return "api." + Token(master) + ".>" }

// Peer is where masters ask one of them, in their own account: family is
// "repl" or "sys".
func Peer(family, master, verb string) string {
	return family + "." + Token(master) + "." + verb
}

// PeerInbox is the prefix of answers to a master, in the masters' own account.
func PeerInbox(master string) string { return "_INBOX_m_" + Token(master) }
