package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"brine/pki"
	"brine/proto"
)

// keys are the operator's key, and beside it the files of the next one, while it is
// changed, and of the one before, for masters that were away when it was.
type keys struct {
	path string // "": the key is in no file

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

func (k *keys) use(key ed25519.PrivateKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = key
}

// others are the keys that lie in files and are not key, each of which may be the one that a master knows.
func (k *keys) others(key ed25519.PrivateKey) (all []ed25519.PrivateKey) {
	if k.path == "" {
		return nil
	}
	for _, suffix := range []string{nextKey, "", oldKey} {
		if other, err := pki.LoadOperatorKey(k.path + suffix); err == nil && !other.Equal(key) {
			all = append(all, other)
		}
	}
	return all
}

// prepare keeps a next key, or returns the one that is kept: masters may have it already.
func (k *keys) prepare() (next ed25519.PrivateKey, err error) {
	defer k.lock(&err)()
	if next, err := pki.LoadOperatorKey(k.path + nextKey); err == nil || !errors.Is(err, os.ErrNotExist) {
		return next, err
	}
	if next, err = pki.NewOperatorKey(); err == nil {
		err = pki.SaveOperatorKey(k.path+nextKey, next)
	}
	if err != nil {
		return nil, err
	}
	return next, givenTo(k.path+nextKey, k.path)
}

// settle puts the next key, which masters have taken, into the place of the one in the file. It does
// nothing when another command has done so, or goes on since.
func (k *keys) settle(next ed25519.PrivateKey) (err error) {
	defer k.lock(&err)()
	waiting, err := pki.LoadOperatorKey(k.path + nextKey)
	if errors.Is(err, os.ErrNotExist) || err == nil && !waiting.Equal(next) {
		return nil
	}
	before, e := pki.LoadOperatorKey(k.path)
	if err = errors.Join(err, e); err != nil {
		return err
	}
	if !before.Equal(next) {
		err = pki.SaveOperatorKey(k.path+oldKey, before)
	}
	if err == nil {
		err = givenTo(k.path+oldKey, k.path)
	}
	if err != nil {
		return err
	}
	return os.Rename(k.path+nextKey, k.path)
}

// forget removes a next key that masters refuse.
func (k *keys) forget(next ed25519.PrivateKey) (err error) {
	defer k.lock(&err)()
	waiting, err := pki.LoadOperatorKey(k.path + nextKey)
	if err == nil && waiting.Equal(next) {
		err = os.Remove(k.path + nextKey)
	}
	return err
}

// lock keeps other commands from the files until the function that it returns is called.
func (k *keys) lock(err *error) func() {
	dir, e := os.Open(filepath.Dir(k.path))
	if e == nil {
		e = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX)
	}
	*err = e
	return func() { _ = dir.Close() }
}

// givenTo gives a file to the owner of another one, where root may: root may change a key that somebody else uses.
func givenTo(path, like string) error {
	info, err := os.Stat(like)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		err = os.Lchown(path, int(owner.Uid), int(owner.Gid))
	}
	return err
}

// A signedIn is a connection and the key that it was made with.
type signedIn struct {
	conn *nats.Conn
	key  ed25519.PrivateKey
}

// dial signs in at a master with the operator's key, or with the one that is about to take its
// place, or had it before, whichever this master knows as an operator's.
func (c *Client) dial(addr string) (signedIn, error) {
	key := c.keys.now()
	first, err := c.dialWith(addr, key)
	others := c.keys.others(key)
	if err != nil || len(others) == 0 || isOperator(first) {
		return signedIn{first, key}, err
	}
	for _, other := range others {
		conn, err := c.dialWith(addr, other)
		if err != nil {
			continue
		}
		if isOperator(conn) {
			first.Close()
			return signedIn{conn, other}, nil
		}
		conn.Close()
	}
	return signedIn{first, key}, nil
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
// fingerprint, and the masters that don't know it yet. Whenever it is cut short, what lies beside
// the file serves, and the next RotateKey goes on with it.
func RotateKey(ctx context.Context, c *Client) (print pki.Fingerprint, unconfirmed []string, err error) {
	if c.config.session != nil {
		return print, nil, invalid("cannot change the key of a sign-in: it ends by itself at %s; brine login makes another one, "+
			"brine logout ends it and leaves the key of %s, if it has one", c.config.session.NotAfter.Local().Format("2006-01-02 15:04:05 MST"), c.config.path)
	}
	// A change that was cut short is completed first, where masters have it; and a key that none knows is not changed.
	if err := c.Call(ctx, "operator.list", &proto.OperatorListRequest{Self: true}, &proto.OperatorListReply{}); err != nil {
		return print, nil, err
	}
	old := c.keys.now()
	next, err := c.keys.prepare()
	if err != nil {
		return print, nil, err
	}
	change, err := pki.NewKeyChange(c.trust.Pin(), proto.Kind_KIND_OPERATOR_KEY, c.config.Name, old, next, nil)
	if err != nil {
		return print, nil, err
	}
	if unconfirmed, err = c.rotate(ctx, change, next); err != nil {
		return print, nil, err
	}
	c.drop(nil)
	c.keys.use(next)
	print = pki.KeyFingerprint(next.Public().(ed25519.PublicKey))
	if err := c.keys.settle(next); err != nil {
		return print, unconfirmed, fmt.Errorf("the masters have the new key of operator %q, but it cannot be put into its place: %w: "+
			"it lies in %s, which brine uses as long as it is there: mend the cause and run any command, or move it to %s",
			c.config.Name, err, c.keys.path+nextKey, c.keys.path)
	}
	return print, unconfirmed, nil
}

// rotate asks the masters to take a change. It is done when there is no error.
func (c *Client) rotate(ctx context.Context, change *proto.KeyChange, next ed25519.PrivateKey) (unconfirmed []string, err error) {
	reply := &proto.KeyDecideReply{}
	within, cancel := context.WithTimeout(ctx, rotateTime)
	defer cancel()
	err = c.Call(within, "operator.rotate", change, reply)
	if err == nil {
		return reply.Unconfirmed, nil
	}
	// It may be done all the same: the masters tell by which key they let in.
	c.drop(nil)
	_, e := c.connection(ctx, "")
	if e == nil && c.keys.now().Equal(next) {
		return nil, nil
	}
	var refused *Error
	switch errors.As(err, &refused); {
	case refused == nil, refused.Code == proto.ApiError_UNAVAILABLE, errors.Is(err, ErrUnknownKey):
	case refused.Code == proto.ApiError_CONFLICT: // this one will never do
		return nil, errors.Join(err, c.keys.forget(next))
	default:
		return nil, err
	}
	return nil, fmt.Errorf("cannot change the operator's key: %w: whether a master has it is not known; brine goes on with the key that they accept, "+
		"and brine operator rotate-key with the change", err)
}
