// Package tag says what the tags of events may be, and who may use which.
package tag

import (
	"fmt"
	"strings"

	"brine/proto/jid"
)

// Max bounds an event's tag, in bytes.
const Max = 512

// Check tells why a minion may not tell an event under a tag.
func Check(tag, minion string) error {
	switch {
	case !Plain(tag) || tag[0] == '_':
		return fmt.Errorf("cannot use the tag %.80q: want up to %d bytes without spaces, such as site/deploy/done", tag, Max)
	case Foreign(tag, minion):
		return fmt.Errorf("tag %q is not for minion %q to use: masters and other minions say by it what they did", tag, minion)
	}
	return nil
}

// Plain tells whether something can be a tag.
func Plain(tag string) bool {
	return tag != "" && len(tag) <= Max && !strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' })
}

// Foreign tells whether a tag belongs to the masters or to another minion. Who listens by subject sees no difference between
// '/' and '.'.
func Foreign(tag, minion string) bool {
	if isProgress(tag, minion) {
		return false
	}
	if ofMasters(tag) {
		return true
	}
	for _, family := range families() {
		if !strings.HasPrefix(dotted(tag), dotted(family)) {
			continue
		}
		rest, ok := strings.CutPrefix(tag, family)
		if !ok || rest != minion && !strings.HasPrefix(rest, minion+"/") {
			return true
		}
	}
	return false
}

// Reserved tells whether a tag is for masters and minions alone, who say by it what they did.
func Reserved(tag string) bool {
	for _, family := range families() {
		if begins(tag, strings.TrimSuffix(family, "/")) {
			return true
		}
	}
	return ofMasters(tag)
}

// families are the tags behind which a minion's id stands.
func families() []string { return []string{"salt/beacon/", "salt/minion/"} }

// ofMasters tells of the tags that only masters use.
func ofMasters(tag string) bool {
	for _, r := range []string{"salt/job", "salt/key", "salt/auth", "salt/presence", "salt/run", "salt/wheel", "salt/netapi",
		"brine/hook", "brine/notify", "brine/rule", "brine/rules"} {
		if begins(tag, r) {
			return true
		}
	}
	return false
}

func begins(tag, with string) bool {
	tag, with = dotted(tag), dotted(with)
	return tag == with || strings.HasPrefix(tag, with+".")
}

// isProgress tells whether a tag is that of a state which a minion has run in a job: salt/job/JID/prog/ID/NUMBER.
func isProgress(tag, minion string) bool {
	rest, ok := strings.CutPrefix(tag, "salt/job/")
	job, rest, more := strings.Cut(rest, "/")
	number, own := strings.CutPrefix(rest, "prog/"+minion+"/")
	_, err := jid.Time(job)
	return ok && more && own && err == nil && number != "" && strings.Trim(number, "0123456789") == ""
}

func dotted(tag string) string { return strings.ReplaceAll(tag, "/", ".") }
