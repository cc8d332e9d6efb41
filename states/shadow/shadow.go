// Package shadow makes hashes of passwords as /etc/shadow holds them; see crypt(5).
package shadow

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// letters are the 64 of all hashes, in the order of their values.
const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// maxPassword is the longest password in bytes: the work grows with its square.
const maxPassword = 512

// blowfishCost is that of Python's crypt. Tests make it less.
var blowfishCost = 12

// Algorithms are the names that Hash knows, the best first.
var Algorithms = []string{"sha512", "sha256", "blowfish", "md5"}

// Hash hashes a password. The salt is made at random when it is ""; that of sha512 and sha256 may begin with
// "rounds=N$", and blowfish takes none. The error names what is wrong, never the password.
func Hash(algorithm, salt, password string) (string, error) {
	switch {
	case strings.ContainsAny(password, "\x00"):
		return "", fmt.Errorf("cannot hash a password with a NUL character in it")
	case len(password) > maxPassword:
		return "", fmt.Errorf("cannot hash a password of %d bytes: at most %d are allowed", len(password), maxPassword)
	case strings.ContainsAny(salt, ":\n\x00"):
		return "", fmt.Errorf("cannot hash with the salt %q: a colon, newline or NUL can't be in it", salt)
	}
	switch algorithm {
	case "sha512":
		return shaHash(sha512.New, "$6$", order512, salt, password)
	case "sha256":
		return shaHash(sha256.New, "$5$", order256, salt, password)
	case "md5":
		return md5Hash(salt, password)
	case "blowfish":
		if salt != "" {
			return "", fmt.Errorf("cannot hash with blowfish and a given salt: it makes its own")
		}
		h, err := bcrypt.GenerateFromPassword([]byte(password), blowfishCost)
		if err != nil {
			return "", fmt.Errorf("cannot hash a password with blowfish: %v", err)
		}
		return "$2b$" + strings.TrimPrefix(string(h), "$2a$"), nil // the same for all passwords below 256 bytes
	}
	return "", fmt.Errorf("cannot hash with %q: known are %s", algorithm, strings.Join(Algorithms, ", "))
}

func makeSalt(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[b[i]%64]
	}
	return string(b)
}

// cutSalt takes off what is no salt: more letters than count, or a hash that follows.
func cutSalt(salt string, most int) string {
	if salt == "" {
		return makeSalt(most)
	}
	salt, _, _ = strings.Cut(salt, "$")
	return salt[:min(len(salt), most)]
}

// encode writes bytes six bits at a time, three bytes to four letters in the order given.
func encode(sum []byte, order [][3]int) string {
	var b strings.Builder
	for _, o := range order {
		var w, n int
		for _, i := range o {
			w <<= 8
			if i >= 0 {
				w |= int(sum[i])
				n++
			}
		}
		for range n + 1 {
			b.WriteByte(letters[w&63])
			w >>= 6
		}
	}
	return b.String()
}

func total(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// stretch repeats a sum until it is n bytes long.
func stretch(sum []byte, n int) []byte {
	out := make([]byte, 0, n+len(sum))
	for len(out) < n {
		out = append(out, sum...)
	}
	return out[:n]
}

// readRounds reads the rounds=N$ before a salt.
func readRounds(salt string) (rounds int, prefix, rest string, err error) {
	text, ok := strings.CutPrefix(salt, "rounds=")
	if !ok {
		return 5000, "", salt, nil
	}
	digits, rest, ok := strings.Cut(text, "$")
	rounds, bad := strconv.Atoi(digits)
	if !ok || bad != nil || rounds < 1000 || rounds > 9_999_999 {
		return 0, "", "", fmt.Errorf("cannot hash with the salt %q: rounds must be from 1000 to 9999999", salt)
	}
	return rounds, "rounds=" + strconv.Itoa(rounds) + "$", rest, nil
}

// shaHash is Ulrich Drepper's scheme of 2007 for sha256 and sha512.
func shaHash(make func() hash.Hash, ident string, order [][3]int, salt, password string) (string, error) {
	rounds, prefix, salt, err := readRounds(salt)
	if err != nil {
		return "", err
	}
	salt = cutSalt(salt, 16)
	h, key, s := make(), []byte(password), []byte(salt)
	b := total(h, key, s, key)
	parts := [][]byte{key, s, stretch(b, len(key))}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			parts = append(parts, b)
		} else {
			parts = append(parts, key)
		}
	}
	a := total(h, parts...)
	p := stretch(repeated(h, key, len(key)), len(key))
	s = stretch(repeated(h, s, 16+int(a[0])), len(s))
	for i := range rounds {
		a = round(h, i, a, p, s)
	}
	return ident + prefix + salt + "$" + encode(a, order), nil
}

func repeated(h hash.Hash, b []byte, n int) []byte {
	h.Reset()
	for range n {
		h.Write(b)
	}
	return h.Sum(nil)
}

// round mixes once more; what goes in depends on the round's number.
func round(h hash.Hash, i int, sum, key, salt []byte) []byte {
	first, last := sum, key
	if i%2 == 1 {
		first, last = key, sum
	}
	parts := [][]byte{first}
	if i%3 != 0 {
		parts = append(parts, salt)
	}
	if i%7 != 0 {
		parts = append(parts, key)
	}
	return total(h, append(parts, last)...)
}

// md5Hash is Poul-Henning Kamp's scheme of 1994.
func md5Hash(salt, password string) (string, error) {
	salt = cutSalt(salt, 8)
	h, key, s := md5.New(), []byte(password), []byte(salt)
	b := total(h, key, s, key)
	parts := [][]byte{key, []byte("$1$"), s, stretch(b, len(key))}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			parts = append(parts, []byte{0})
		} else {
			parts = append(parts, key[:1])
		}
	}
	sum := total(h, parts...)
	for i := range 1000 {
		sum = round(h, i, sum, key, s)
	}
	return "$1$" + salt + "$" + encode(sum, orderMD5), nil
}

var orderMD5 = [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}, {-1, -1, 11}}

var order256 = [][3]int{
	{0, 10, 20}, {21, 1, 11}, {12, 22, 2}, {3, 13, 23}, {24, 4, 14}, {15, 25, 5}, {6, 16, 26}, {27, 7, 17},
	{18, 28, 8}, {9, 19, 29}, {-1, 31, 30},
}

var order512 = [][3]int{
	{0, 21, 42}, {22, 43, 1}, {44, 2, 23}, {3, 24, 45}, {25, 46, 4}, {47, 5, 26}, {6, 27, 48}, {28, 49, 7},
	{50, 8, 29}, {9, 30, 51}, {31, 52, 10}, {53, 11, 32}, {12, 33, 54}, {34, 55, 13}, {56, 14, 35}, {15, 36, 57},
	{37, 58, 16}, {59, 17, 38}, {18, 39, 60}, {40, 61, 19}, {62, 20, 41}, {-1, -1, 63},
}
