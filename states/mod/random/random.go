// Package random makes random numbers, texts and password hashes.
package random

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"slices"
	"strings"

	"brine/proto/spell"
	"brine/states/host"
	"brine/states/module"
	"brine/states/shadow"
	"brine/states/value"
)

// Module is the random module.
var Module = module.Module{
	Name: "random",
	Doc: `
		Make random numbers, texts and password hashes. Without a seed they come from the system's
		secure source; with one, which is for spreading things and not for secrets, they are the same each time.`,
	Funcs: []module.Func{
		{
			Name: "get_str", Doc: "Return random text of letters, digits and punctuation.",
			Example: "32 punctuation=False", Do: module.Call(getStr),
		},
		{
			Name: "hash", Doc: "Return the hash of text in hexadecimal.",
			Example: "'some text' sha256", Do: module.Call(hashOf),
		},
		{
			Name: "rand_int", Doc: "Return a random integer, both ends included.",
			Example: "1 100", Do: module.Call(randInt),
		},
		{
			Name: "sample", Doc: "Return some members of a list, in random order.",
			Example: "'[a, b, c]' 2", Do: module.Call(sampleOf),
		},
		{
			Name:    "seed",
			Doc:     "Return a number from 0 to below range that is always the same for this minion, or for a hash.",
			Example: "60", Do: module.Call(seed),
		},
		{
			Name: "shadow_hash", Doc: "Return the hash of a password as /etc/shadow holds it.",
			Example: "password=secret", Do: module.Call(shadowHash),
		},
		{
			Name: "shuffle", Doc: "Return a list in random order.",
			Example: "'[a, b, c]' seed=x", Do: module.Call(shuffle),
		},
		{
			Name: "str_encode", Doc: "Return text in another encoding.",
			Example: "'some text' base64", Do: module.Call(strEncode),
		},
	},
}

const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	whitespace  = " \t\n\r\v\f"
)

type strArgs struct {
	Length      int    `arg:"length" default:"20" doc:"how many letters, at most 8192"`
	Chars       string `arg:"chars" doc:"the letters to take; the kinds below do not count then"`
	Lowercase   bool   `arg:"lowercase" default:"true" doc:"take small letters"`
	Uppercase   bool   `arg:"uppercase" default:"true" doc:"take capital letters"`
	Digits      bool   `arg:"digits" default:"true" doc:"take digits"`
	Punctuation bool   `arg:"punctuation" default:"true" doc:"take punctuation"`
	Whitespace  bool   `arg:"whitespace" doc:"take blanks and line ends"`
	Printable   bool   `arg:"printable" doc:"take all kinds"`
}

// alphabet is the letters to take.
func (a *strArgs) alphabet() []rune {
	if a.Chars != "" {
		return []rune(a.Chars)
	}
	var s string
	for _, kind := range []struct {
		take    bool
		letters string
	}{
		{a.Lowercase, lowercase}, {a.Uppercase, strings.ToUpper(lowercase)}, {a.Digits, digits},
		{a.Punctuation, punctuation}, {a.Whitespace, whitespace},
	} {
		if kind.take || a.Printable {
			s += kind.letters
		}
	}
	return []rune(s)
}

func getStr(_ context.Context, _ *host.Host, a strArgs) (string, error) {
	letters := a.alphabet()
	switch {
	case a.Length < 1 || a.Length > 8192:
		return "", fmt.Errorf("cannot make random text of length %d: it must be from 1 to 8192", a.Length)
	case len(letters) == 0:
		return "", errors.New("cannot make random text: every kind of letters is left out")
	}
	var b strings.Builder
	for range a.Length {
		b.WriteRune(letters[secure{}.below(uint64(len(letters)))])
	}
	return b.String(), nil
}

// secure draws from the system's source.
type secure struct{}

func (secure) below(n uint64) uint64 {
	r, err := rand.Int(rand.Reader, new(big.Int).SetUint64(n))
	if err != nil {
		panic("random: " + err.Error()) // crypto/rand never fails
	}
	return r.Uint64()
}

// drawing is the twister of a seed, or the secure source without one.
func drawing(seed any) (source, error) {
	if seed == nil {
		return secure{}, nil
	}
	return seeded(seed)
}

var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New,
	"sha384": sha512.New384, "sha512": sha512.New,
	"sha3_224": func() hash.Hash { return sha3.New224() }, "sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() }, "sha3_512": func() hash.Hash { return sha3.New512() },
}

type hashArgs struct {
	Value     string `arg:"value,required" doc:"the text"`
	Algorithm string `arg:"algorithm" default:"sha512" doc:"md5, sha1, sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384 or sha3_512"`
}

func hashOf(_ context.Context, _ *host.Host, a hashArgs) (string, error) {
	make := hashes[a.Algorithm]
	if make == nil {
		known := slices.Sorted(maps.Keys(hashes))
		return "", fmt.Errorf("cannot hash with %q: known are %s%s",
			a.Algorithm, strings.Join(known, ", "), spell.DidYouMean(a.Algorithm, known))
	}
	h := make()
	h.Write([]byte(a.Value))
	return hex.EncodeToString(h.Sum(nil)), nil
}

type intArgs struct {
	Start int64 `arg:"start" default:"1" doc:"the least"`
	End   int64 `arg:"end" default:"10" doc:"the greatest"`
	Seed  any   `arg:"seed" doc:"text or an integer that makes the result the same each time"`
}

func randInt(_ context.Context, _ *host.Host, a intArgs) (int64, error) {
	if a.End < a.Start || uint64(a.End)-uint64(a.Start) == 1<<64-1 {
		return 0, fmt.Errorf("cannot draw an integer from %d to %d", a.Start, a.End)
	}
	from, err := drawing(a.Seed)
	if err != nil {
		return 0, err
	}
	return int64(uint64(a.Start) + from.below(uint64(a.End)-uint64(a.Start)+1)), nil
}

type seedArgs struct {
	Range int64 `arg:"range" default:"10" doc:"how many numbers there are"`
	Hash  any   `arg:"hash" doc:"text or an integer that decides the number; the minion's id when absent"`
}

func seed(_ context.Context, h *host.Host, a seedArgs) (int64, error) {
	if a.Range < 1 {
		return 0, fmt.Errorf("cannot draw a number below %d", a.Range)
	}
	if a.Hash == nil {
		if a.Hash, _ = h.Grains.Get("id"); a.Hash == nil {
			return 0, errors.New("cannot draw a number for this minion: it has no grain \"id\"")
		}
	}
	from, err := seeded(a.Hash)
	if err != nil {
		return 0, err
	}
	return int64(from.below(uint64(a.Range))), nil
}

type listArgs struct {
	Value []any `arg:"value,required" doc:"the list"`
}

type seedOf struct {
	Seed any `arg:"seed" doc:"text or an integer that makes the result the same each time"`
}

type sampleArgs struct {
	listArgs
	Size int `arg:"size,required" doc:"how many members"`
	seedOf
}

func sampleOf(_ context.Context, _ *host.Host, a sampleArgs) (*value.List, error) {
	if a.Size < 0 || a.Size > len(a.Value) {
		return nil, fmt.Errorf("cannot take %d members of a list of %d", a.Size, len(a.Value))
	}
	from, err := drawing(a.Seed)
	if err != nil {
		return nil, err
	}
	return sample(from, a.Value, a.Size), nil
}

type shuffleArgs struct {
	listArgs
	seedOf
}

func shuffle(ctx context.Context, h *host.Host, a shuffleArgs) (*value.List, error) {
	return sampleOf(ctx, h, sampleArgs{a.listArgs, len(a.Value), a.seedOf})
}

type shadowArgs struct {
	Salt      string  `arg:"crypt_salt" doc:"the salt, with rounds=N$ before it for sha512 and sha256; a random one when absent"`
	Password  *string `arg:"password" doc:"the password; a random one that no one knows when absent"`
	Algorithm string  `arg:"algorithm" default:"sha512" doc:"sha512, sha256, blowfish or md5"`
}

func shadowHash(ctx context.Context, h *host.Host, a shadowArgs) (string, error) {
	if a.Password == nil {
		secret, err := getStr(ctx, h, strArgs{Length: 20, Printable: true})
		if err != nil {
			return "", err
		}
		a.Password = &secret
	}
	return shadow.Hash(a.Algorithm, a.Salt, *a.Password)
}

type encodeArgs struct {
	Value   string `arg:"value,required" doc:"the text"`
	Encoder string `arg:"encoder" default:"base64" doc:"base64, hex or utf-8"`
}

func strEncode(_ context.Context, _ *host.Host, a encodeArgs) (string, error) {
	switch strings.ReplaceAll(strings.ToLower(a.Encoder), "_", "-") {
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(a.Value)), nil
	case "hex":
		return hex.EncodeToString([]byte(a.Value)), nil
	case "utf-8", "utf8":
		return a.Value, nil
	}
	return "", fmt.Errorf("cannot encode to %q: known are base64, hex and utf-8", a.Encoder)
}
