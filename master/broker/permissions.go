package broker

import "brine/proto/subject"

// Role is what a connection is to the bus.
type Role int

// The roles. RoleNone is turned away.
const (
	RoleNone Role = iota
	RoleUnaccepted
	RoleMinion
	RoleOperator
)

// String is the role's name in logs.
func (r Role) String() string {
	return [...]string{"none", "unaccepted", "minion", "operator"}[r]
}

// Permissions lists the subjects that a connection may use. Nothing else is
// allowed, and there are no exceptions from it.
type Permissions struct {
	Subscribe []string
	Publish   []string
}

// permissions is the whole table. token is the minion's or operator's; nkey is
// the public key of a minion that is not accepted, or of who has none that counts yet.
func permissions(role Role, token, nkey string) Permissions {
	switch role {
	case RoleMinion:
		return Permissions{
			Subscribe: []string{subject.JobAll, subject.Job(token), subject.Inbox(token) + ".>",
				subject.PulsePermission(token)},
			Publish: []string{"ret." + token + ".>", subject.RelayPermission(token), "req." + token + ".>",
				"evt." + token + ".>", subject.Grains(token), subject.Mine(token)},
		}
	case RoleOperator:
		return Permissions{
			Subscribe: []string{subject.Inbox(token) + ".>"},
			Publish:   []string{"api.>"},
		}
	case RoleUnaccepted:
		return Permissions{
			Subscribe: []string{subject.EnrolReply(nkey), subject.SignInReply(nkey)},
			Publish:   []string{subject.EnrolRequest(nkey), subject.SignInPermission(nkey)},
		}
	}
	return Permissions{}
}
