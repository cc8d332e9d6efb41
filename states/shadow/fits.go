package shadow

import (
	"crypto/subtle"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Fits says whether a hash is that of a password; false too for a hash of a kind that Hash does not make.
func Fits(hash, password string) bool {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	algorithm := ""
	switch kind {
	case "6":
		algorithm = "sha512"
	case "5":
		algorithm = "sha256"
	case "1":
		algorithm = "md5"
	case "2a", "2b", "2y":
		return bcrypt.CompareHashAndPassword([]byte("$2a$"+rest), []byte(password)) == nil
	default:
		return false
	}
	salt := rest[:max(strings.LastIndexByte(rest, '$'), 0)]
	if salt == "" {
		return false
	}
	again, err := Hash(algorithm, salt, password)
	return err == nil && subtle.ConstantTimeCompare([]byte(again), []byte(hash)) == 1
}
