package repo

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	armorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

var errNoKey = errors.New("it is no OpenPGP key")

// Dearmor returns the packets of keys, whether they come in armor or not. Several blocks follow one another.
func Dearmor(data []byte) ([]byte, error) {
	text := string(data)
	if !strings.Contains(text, armorBegin) {
		if len(Fingerprints(data)) == 0 {
			return nil, errNoKey
		}
		return data, nil
	}
	var all []byte
	for {
		_, rest, ok := strings.Cut(text, armorBegin)
		if !ok {
			break
		}
		block, after, ok := strings.Cut(rest, armorEnd)
		if !ok {
			return nil, fmt.Errorf("%w: the end of its armor is missing", errNoKey)
		}
		packets, err := armored(block)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", errNoKey, err)
		}
		all, text = append(all, packets...), after
	}
	if len(Fingerprints(all)) == 0 {
		return nil, errNoKey
	}
	return all, nil
}

// armored decodes what is between the marks: headers, an empty line, base64, and a checksum after an equals sign.
func armored(block string) ([]byte, error) {
	block = strings.ReplaceAll(block, "\r", "")
	if headers, body, ok := strings.Cut(block, "\n\n"); ok && (strings.Contains(headers, ": ") || strings.TrimSpace(headers) == "") {
		block = body
	}
	var b strings.Builder
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "=") {
			b.WriteString(line)
		}
	}
	return base64.StdEncoding.DecodeString(b.String())
}

// Armor writes packets of keys as text.
func Armor(packets []byte) []byte {
	var b bytes.Buffer
	b.WriteString(armorBegin + "\n\n")
	text := base64.StdEncoding.EncodeToString(packets)
	for len(text) > 64 {
		b.WriteString(text[:64] + "\n")
		text = text[64:]
	}
	b.WriteString(text + "\n=")
	sum := binary.BigEndian.AppendUint32(nil, crc24(packets))[1:]
	b.WriteString(base64.StdEncoding.EncodeToString(sum) + "\n" + armorEnd + "\n")
	return b.Bytes()
}

// crc24 is the checksum of armor (RFC 4880, 6.1).
func crc24(data []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, c := range data {
		crc ^= uint32(c) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return crc & 0xffffff
}

// Fingerprints are those of the keys and subkeys among packets, in upper-case hex; none when these are no packets. Only
// keys of version 4 have one that is known here, which is what repositories use.
func Fingerprints(packets []byte) (all []string) {
	for len(packets) > 0 {
		tag, body, rest, ok := packet(packets)
		if !ok {
			return nil
		}
		const key, subkey = 6, 14
		if (tag == key || tag == subkey) && len(body) > 0 && body[0] == 4 && len(body) < 1<<16 {
			head := []byte{0x99, byte(len(body) >> 8), byte(len(body))}
			all = append(all, fmt.Sprintf("%X", sha1.Sum(append(head, body...))))
		}
		packets = rest
	}
	return all
}

// WithoutKeys leaves the keys out that one of ids names, by the key itself or a subkey, and returns their fingerprints.
func WithoutKeys(packets []byte, ids []string) (kept []byte, gone []string) {
	for len(packets) > 0 {
		one := oneKey(packets)
		packets = packets[len(one):]
		prints := Fingerprints(one)
		if slices.ContainsFunc(ids, func(id string) bool { return HasKey(prints, id) }) {
			gone = append(gone, prints[0])
		} else {
			kept = append(kept, one...)
		}
	}
	return kept, gone
}

// oneKey is the first key with all that belongs to it, up to the next key.
func oneKey(packets []byte) []byte {
	for rest := packets; ; {
		_, _, after, ok := packet(rest)
		if !ok || len(after) == 0 {
			return packets
		}
		if tag, _, _, ok := packet(after); ok && tag == 6 {
			return packets[:len(packets)-len(after)]
		}
		rest = after
	}
}

// packet splits the first packet off (RFC 4880, 4.2).
func packet(p []byte) (tag int, body, rest []byte, ok bool) {
	if len(p) < 2 || p[0]&0x80 == 0 {
		return 0, nil, nil, false
	}
	n, size := 0, 0
	if p[0]&0x40 != 0 {
		tag = int(p[0] & 0x3f)
		n, size = newLength(p[1:])
	} else {
		tag = int(p[0] >> 2 & 0xf)
		n, size = oldLength(p[0]&3, p[1:])
	}
	if size == 0 || n < 0 || n > len(p)-1-size {
		return 0, nil, nil, false
	}
	return tag, p[1+size : 1+size+n], p[1+size+n:], true
}

func newLength(p []byte) (n, size int) {
	switch c := int(p[0]); {
	case c < 192:
		return c, 1
	case c < 224 && len(p) >= 2:
		return (c-192)<<8 + int(p[1]) + 192, 2
	case c == 255 && len(p) >= 5:
		return int(binary.BigEndian.Uint32(p[1:])), 5
	}
	return 0, 0
}

func oldLength(kind byte, p []byte) (n, size int) {
	switch {
	case kind == 0:
		return int(p[0]), 1
	case kind == 1 && len(p) >= 2:
		return int(binary.BigEndian.Uint16(p)), 2
	case kind == 2 && len(p) >= 4:
		return int(binary.BigEndian.Uint32(p)), 4
	}
	return 0, 0
}

// HasKey says whether one of the fingerprints ends with a key's id, which may be a whole fingerprint.
func HasKey(fingerprints []string, id string) bool {
	id = strings.ToUpper(strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(id, " ", "")), "0x"))
	for _, f := range fingerprints {
		if len(id) >= 8 && strings.HasSuffix(f, id) {
			return true
		}
	}
	return false
}
