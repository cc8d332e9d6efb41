package file

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"sync"
)

// hashTypes are the hashes that sums are made with, the strongest last, as their hexadecimal digits tell.
var hashTypes = []struct {
	name   string
	digits int
	new    func() hash.Hash
}{
	{"md5", 2 * md5.Size, md5.New},
	{"sha1", 2 * sha1.Size, sha1.New},
	{"sha224", 2 * sha256.Size224, sha256.New224},
	{"sha256", 2 * sha256.Size, sha256.New},
	{"sha384", 2 * sha512.Size384, sha512.New384},
	{"sha512", 2 * sha512.Size, sha512.New},
}

func newHash(name string) (hash.Hash, error) {
	var names []string
	for _, t := range hashTypes {
		if strings.EqualFold(t.name, name) {
			return t.new(), nil
		}
		names = append(names, t.name)
	}
	return nil, fmt.Errorf("unknown hash %q: want one of %s", name, strings.Join(names, ", "))
}

// sums maps kinds of hashes to their hexadecimal digits.
type sums map[string]string

func (s sums) equal(t sums) bool {
	for name, sum := range s {
		if t[name] != sum {
			return false
		}
	}
	return len(s) == len(t)
}

func (s sums) text(verb string) string {
	for i := range hashTypes {
		name := hashTypes[len(hashTypes)-1-i].name
		if sum, ok := s[name]; ok {
			return strings.Join(strings.Fields(name+" "+verb+" "+sum), " ")
		}
	}
	return "content"
}

// until reads what from has, and ends with ctx: of a file of terabytes a job that is cancelled reads no more.
func until(ctx context.Context, from io.Reader) io.Reader { return untilReader{ctx, from} }

type untilReader struct {
	ctx  context.Context
	from io.Reader
}

func (r untilReader) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.from.Read(b)
}

// of reads f to its end and returns its sums of the same kinds.
func (s sums) of(ctx context.Context, f io.Reader) (sums, error) {
	hashes := s.hashes()
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(hashes.tee(io.Discard), until(ctx, f), buffer[:]); err != nil {
		return nil, err
	}
	return hashes.sums(), nil
}

// buffers are what files are read into: thousands of small ones would make much garbage.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

type hashes map[string]hash.Hash

func (s sums) hashes() hashes {
	all := make(hashes, len(s))
	for _, t := range hashTypes {
		if _, ok := s[t.name]; ok {
			all[t.name] = t.new()
		}
	}
	return all
}

func (h hashes) tee(to io.Writer) io.Writer {
	writers := []io.Writer{to}
	for _, one := range h {
		writers = append(writers, one)
	}
	return io.MultiWriter(writers...)
}

func (h hashes) sums() sums {
	all := make(sums, len(h))
	for name, one := range h {
		all[name] = hex.EncodeToString(one.Sum(nil))
	}
	return all
}

// parseSum reads a hash as an operator writes it: TYPE=DIGITS, TYPE:DIGITS, or digits whose number tells the type.
// False when text is none of these.
func parseSum(text string) (sums, bool) {
	text = strings.TrimSpace(text)
	kind, digits, typed := strings.Cut(strings.ReplaceAll(text, ":", "="), "=")
	if !typed {
		digits = text
	}
	digits = strings.ToLower(digits)
	for _, t := range hashTypes {
		if len(digits) == t.digits && isHex(digits) && (!typed || strings.EqualFold(kind, t.name)) {
			return sums{t.name: digits}, true
		}
	}
	return nil, false
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// sumIn finds the hash of a file in a text of hashes, such as the SHA256SUMS of a release: in the line that names it by
// one of the names given, else in the only line with a hash. The first name that is there counts; of several hashes
// for it the strongest.
func sumIn(text string, names ...string) (sums, error) {
	type line struct {
		sum   sums
		words []string
	}
	var all []line
	for l := range strings.Lines(text) {
		words := strings.FieldsFunc(l, func(r rune) bool { return strings.ContainsRune(" \t\r\n()=", r) })
		for _, word := range words {
			if sum, ok := parseSum(word); ok {
				all = append(all, line{sum, words})
				break
			}
		}
	}
	for _, name := range names {
		var best sums
		for _, l := range all {
			if namesFile(l.words, name) && len(l.sum.digits()) > len(best.digits()) {
				best = l.sum
			}
		}
		if best != nil {
			return best, nil
		}
	}
	if len(all) == 1 {
		return all[0].sum, nil
	}
	return nil, fmt.Errorf("it has no hash of %s among the %d that it lists", strings.Join(names, " or "), len(all))
}

func (s sums) digits() string {
	for _, digits := range s {
		return digits
	}
	return ""
}

func namesFile(words []string, name string) bool {
	if name == "" {
		return false
	}
	for _, word := range words {
		word = strings.TrimPrefix(word, "*")
		if word == name || path.Base(word) == name {
			return true
		}
	}
	return false
}
