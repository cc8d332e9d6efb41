package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

const (
	purposeEnrol = "enrol"
	purposeJoin  = "join"
	tokenPrefix  = "brine-enrol-"
	maxTTL       = 366 * 24 * time.Hour
	maxKit       = 64 << 10
)

// Token makes an enrolment token for the site, for minions that reach it at
// one of masters. Only the hash of its secret is kept. Its uses are counted by
// each side for itself while masters are cut off from each other.
func (d *DB) Token(
	ctx context.Context, req *proto.TokenRequest, site pki.Fingerprint, masters []string,
) (string, error) {
	if req.Pattern == "" {
		return "", fmt.Errorf("cannot make a token: %w: it names no ids: use '*' for all", ErrInvalid)
	}
	if _, err := parsePatterns([]string{req.Pattern}); err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails
	hash := sha256.Sum256(secret)
	name := make([]byte, 4)
	rand.Read(name)
	t := &proto.TokenRecord{
		Name: "t" + hex.EncodeToString(name), Purpose: purposeEnrol,
		SecretSha256: hash[:], Uses: req.Uses, Pattern: req.Pattern,
	}
	if err := d.addToken(ctx, t, req.Ttl); err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	data, err := pb.Marshal(&proto.EnrolToken{CaFingerprint: site[:], Masters: masters, Secret: secret})
	if err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(data), nil
}

// Invite keeps a token with which one new master may join.
func (d *DB) Invite(ctx context.Context, req *proto.InviteRequest) error {
	if err := subject.CheckID(req.Name); err != nil {
		return fmt.Errorf("cannot invite: %w: %w", ErrInvalid, err)
	}
	if len(req.SecretSha256) != sha256.Size || len(req.Kit) == 0 || len(req.Kit) > maxKit {
		return fmt.Errorf("cannot invite %q: %w: the hash has %d bytes, the kit %d",
			req.Name, ErrInvalid, len(req.SecretSha256), len(req.Kit))
	}
	t := &proto.TokenRecord{
		Name: "j" + hex.EncodeToString(req.SecretSha256[:4]), Purpose: purposeJoin,
		SecretSha256: req.SecretSha256, Uses: 1, Pattern: req.Name, Kit: req.Kit,
	}
	if err := d.addToken(ctx, t, req.Ttl); err != nil {
		return fmt.Errorf("cannot invite %q: %w", req.Name, err)
	}
	return nil
}

// Join uses up the token of a master called name and returns its kit. The
// secret is what was hashed for Invite.
func (d *DB) Join(ctx context.Context, secret []byte, name string) (kit []byte, err error) {
	d.redeeming.Lock()
	d.mu.RLock()
	t, err := d.token(secret, purposeJoin, name)
	d.mu.RUnlock()
	var rec *proto.Record
	if err == nil {
		rec, err = store.NewRecord(d.o.Store.Stamp(), d.o.Master, spent(t))
	}
	if err == nil {
		err = d.o.Store.Append(ctx, rec)
	}
	d.redeeming.Unlock()
	if err != nil {
		return nil, fmt.Errorf("cannot let master %q join: %w", name, err)
	}
	if d.o.Commit != nil {
		d.o.Commit(ctx, []*proto.Record{rec})
	}
	d.log.Info("master joins", "name", name, "token", t.Name)
	return t.Kit, nil
}

// Invited tells of a master that was invited and has not joined.
func (d *DB) Invited(name string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := d.invited[name]
	return t != nil && !t.Withdrawn
}

func (d *DB) addToken(ctx context.Context, t *proto.TokenRecord, ttl int64) error {
	life := time.Duration(ttl) * time.Microsecond
	if ttl <= 0 || ttl > maxTTL.Microseconds() {
		return fmt.Errorf("%w: it must last between 1 second and %v", ErrInvalid, maxTTL)
	}
	t.NotAfter = d.o.Now().Add(life).UnixMicro()
	rec, err := store.NewRecord(d.o.Store.Stamp(), d.o.Master, t)
	if err != nil {
		return err
	}
	_, err = d.store(ctx, []*proto.Record{rec})
	return err
}

// token finds the token of a secret and tells why it does not serve. Call it
// with mu held.
func (d *DB) token(secret []byte, purpose, name string) (*proto.TokenRecord, error) {
	hash := sha256.Sum256(secret)
	t := d.tokens[string(hash[:])]
	if t == nil || t.Purpose != purpose {
		return nil, fmt.Errorf("%w: the token is unknown or used up", ErrNoKey)
	}
	if now := d.o.Now(); now.After(time.UnixMicro(t.NotAfter)) {
		again := "brine key token makes another"
		if purpose == purposeJoin {
			again = fmt.Sprintf("brine master revoke %s and then invite %s make another", name, name)
		}
		return nil, fmt.Errorf("%w: token %s expired %v ago: %s", ErrConflict, t.Name,
			now.Sub(time.UnixMicro(t.NotAfter)).Round(time.Second), again)
	}
	match, err := parsePatterns([]string{t.Pattern})
	if err != nil {
		return nil, err
	}
	if !match.any(name) {
		return nil, fmt.Errorf("%w: token %s is for %q, not for %q", ErrConflict, t.Name, t.Pattern, name)
	}
	return t, nil
}

// spent is a token after one more use. It is withdrawn with the last: a
// withdrawn token stays so, whatever its stamp.
func spent(t *proto.TokenRecord) *proto.TokenRecord {
	next := pb.CloneOf(t)
	if t.Uses > 0 {
		next.Uses--
		next.Withdrawn = next.Uses == 0
	}
	return next
}

// readTokens reads the tokens anew. Call it with following held.
func (d *DB) readTokens(ctx context.Context) error {
	list, err := d.o.Store.Tokens(ctx)
	if err != nil {
		return err
	}
	tokens, invited := make(map[string]*proto.TokenRecord, len(list)), map[string]*proto.TokenRecord{}
	for _, t := range list {
		if !t.Withdrawn {
			tokens[string(t.SecretSha256)] = t
		}
		if t.Purpose == purposeJoin && t.NotAfter >= invited[t.Pattern].GetNotAfter() {
			invited[t.Pattern] = t
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens, d.invited = tokens, invited
	return nil
}
