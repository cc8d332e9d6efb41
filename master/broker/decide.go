package broker

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// Keys tells what is decided about public keys. It is asked from many
// goroutines at once, at each login.
type Keys interface {
	// Minion returns the id that key speaks for and its state; KEY_UNSPECIFIED for a key never seen.
	Minion(key ed25519.PublicKey) (id string, state proto.KeyState)
	// Operator returns the name of the operator with key.
	Operator(key ed25519.PublicKey) (name string, ok bool)
}

// ErrRevoked is in the error of a decision about a revoked key.
var ErrRevoked = errors.New("the key is revoked")

// Decision is what a login leads to. With an error the role is RoleNone.
type Decision struct {
	Role        Role
	ID          string // of the minion or operator; the nkey of one that is not accepted
	Token       string // for subjects; empty for a minion that is not accepted
	Permissions Permissions
	Err         error
}

// Decide judges a login: key is the nkey ("U..."), sig its signature of the
// server's nonce.
func Decide(keys Keys, key string, nonce, sig []byte) Decision {
	public, err := pki.ParseNKey(key)
	if err != nil {
		return Decision{Err: err}
	}
	if err := pki.VerifyNonce(public, nonce, sig); err != nil {
		return Decision{Err: err}
	}
	if name, ok := keys.Operator(public); ok {
		return granted(RoleOperator, name, subject.OperatorToken(name), key)
	}
	id, state := keys.Minion(public)
	switch state {
	case proto.KeyState_KEY_ACCEPTED:
		if err := subject.CheckID(id); err != nil {
			return Decision{Err: err}
		}
		return granted(RoleMinion, id, subject.Token(id), key)
	case proto.KeyState_KEY_REVOKED:
		return Decision{Err: fmt.Errorf("cannot let minion %q in: %w", id, ErrRevoked)}
	default: // never seen, pending, rejected or forgotten: it may ask
		return granted(RoleUnaccepted, key, "", key)
	}
}

func granted(role Role, id, token, nkey string) Decision {
	return Decision{Role: role, ID: id, Token: token, Permissions: permissions(role, token, nkey)}
}
