package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"brine/states/module"
)

const (
	md5Way   = "md5"
	scramWay = "scram-sha-256"
)

// A way is how the server is to keep a password: md5, scram-sha-256, plain (as it was given, which the server then
// hashes), or "" for the way that the server prefers.
type way string

func (w *way) ArgType() string { return "true, false, md5 or scram-sha-256" }

func (w *way) ParseArg(v module.Value) error {
	switch v.Data {
	case nil:
	case true, md5Way:
		*w = md5Way
	case false:
		*w = "plain"
	case scramWay:
		*w = scramWay
	default:
		return v.Want("true, false, md5 or scram-sha-256")
	}
	return nil
}

// hashed says whether a password is already what the server keeps.
func hashed(password string) bool {
	return strings.HasPrefix(password, "SCRAM-SHA-256$") || len(password) == 35 && strings.HasPrefix(password, "md5")
}

// hash is what the server is to keep of a password of role.
func (w way) hash(role, password string) (string, error) {
	switch {
	case hashed(password) || w == "plain":
		return password, nil
	case w == md5Way:
		return md5Hash(role, password), nil
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	return scram(password, salt, 4096)
}

// keeps says whether what the server has of a role's password is that of password, in this way; "" takes either.
func (w way) keeps(role, password, kept string) bool {
	if hashed(password) {
		return kept == password
	}
	isSCRAM := strings.HasPrefix(kept, "SCRAM-SHA-256$")
	switch {
	case kept == "" || w == md5Way && isSCRAM || w == scramWay && !isSCRAM:
		return false
	case !isSCRAM:
		return same(kept, md5Hash(role, password)) || w == "plain" && same(kept, password)
	}
	parts := strings.SplitN(kept, "$", 3)
	rounds, salt, ok := strings.Cut(parts[1], ":")
	n, err1 := strconv.Atoi(rounds)
	raw, err2 := base64.StdEncoding.DecodeString(salt)
	if !ok || err1 != nil || err2 != nil || n < 1 || n > 10_000_000 {
		return false
	}
	want, err := scram(password, raw, n)
	return err == nil && same(kept, want)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func md5Hash(role, password string) string {
	sum := md5.Sum([]byte(password + role))
	return "md5" + hex.EncodeToString(sum[:])
}

// scram makes what RFC 5803 calls the stored value of a password.
func scram(password string, salt []byte, rounds int) (string, error) {
	for i := range len(password) {
		if password[i] >= 0x80 {
			return "", errors.New("cannot hash a password that has more than ASCII in it: give its hash, or encrypted: md5")
		}
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(what string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(what))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(sign("Server Key"))), nil
}
