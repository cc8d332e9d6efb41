package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto"
)

// keys are the operator's key, and beside it the files of the next one, while it is
// changed, and of the one before, for masters that were away when it was.
type keys struct {
	path string

	mu  sync.Mutex // guards the field below
	key ed25519.PrivateKey
}

const (
	nextKey    = ".new"
	oldKey     = ".old"
	rotateTime = 10 * time.Second
)

func (k *keys) now() ed25519.PrivateKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key
}

// use goes on with a key that a master has let in; the next one takes its place in the file.
func (k *keys) use(key ed25519.PrivateKey, suffix string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key.Equal(k.key) {
		return nil
	}
	before := k.key
	k.key = key
	if suffix != nextKey {
		return nil
	}
	if err := pki.SaveOperatorKey(k.path+oldKey, before); err != nil {
		return err
	}
	return os.Rename(k.path+nextKey, k.path)
}

// dial signs in at a master with the operator's key, or with the one that is about to take its
// place, or had it before, whichever this master knows as an operator's.
func (c *Client) dial(addr string) (*nats.Conn, error) {
	conn, err := c.dialWith(addr, c.keys.now())
	if err == nil && isOperator(conn) {
		return conn, nil
	}
	for _, suffix := range []string{nextKey, "", oldKey} {
		key, e := pki.LoadOperatorKey(c.keys.path + suffix)
		if e != nil {
			continue // there is none
		}
		other, e := c.dialWith(addr, key)
		if e != nil {
			continue
		}
		if !isOperator(other) {
			other.Close()
			continue
		}
		if conn != nil {
			conn.Close()
		}
		return other, c.keys.use(key, suffix)
	}
	return conn, err
}

// isOperator tells whether the master knows the key of a connection as an operator's.
func isOperator(conn *nats.Conn) bool {
	sub, err := conn.SubscribeSync(conn.NewRespInbox())
	if err != nil {
		return false
	}
	defer func() { _ = sub.Unsubscribe() }()
	return conn.FlushTimeout(dialTimeout) == nil && !errors.Is(conn.LastError(), nats.ErrPermissionViolation)
}

// RotateKey makes a new key for the operator, has the masters take it in the place of the one
// in use, which they refuse from then on, and puts it into its file. It returns the new key's
// fingerprint. Whenever it is cut short, what lies beside the file serves.
func RotateKey(ctx context.Context, c *Client) (print pki.Fingerprint, unconfirmed []string, err error) {
	old := c.keys.now()
	next, err := pki.NewOperatorKey()
	if err == nil {
		err = pki.SaveOperatorKey(c.keys.path+nextKey, next)
	}
	if err != nil {
		return print, nil, err
	}
	change, err := pki.NewKeyChange(c.trust.Pin(), proto.Kind_KIND_OPERATOR_KEY, c.config.Name, old, next, nil)
	if err != nil {
		return print, nil, err
	}
	reply := &proto.KeyDecideReply{}
	within, cancel := context.WithTimeout(ctx, rotateTime)
	err = c.Call(within, "operator.rotate", change, reply)
	cancel()
	var refused *Error
	if errors.As(err, &refused) {
		return print, nil, errors.Join(err, os.Remove(c.keys.path+nextKey))
	}
	c.drop(nil)
	if err != nil { // it may be done all the same: the masters tell by which key they let in
		if _, e := c.connection(ctx, ""); e != nil || !c.keys.now().Equal(next) {
			return print, nil, fmt.Errorf("cannot change the operator's key: %w", err)
		}
	}
	return pki.KeyFingerprint(next.Public().(ed25519.PublicKey)), reply.Unconfirmed, c.keys.use(next, nextKey)
}
