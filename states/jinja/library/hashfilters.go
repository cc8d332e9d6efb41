package library

import (
	"crypto/hmac"
	"crypto/md5"
	cryptorand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/big"
	"strings"
	"unicode/utf8"

	"brine/states/jinja/python"
)

var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

func bytesOf(v any) ([]byte, error) {
	if s, ok := python.Text(v); ok {
		return []byte(s), nil
	}
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	if _, err := python.Defined(v); err != nil {
		return nil, err
	}
	return nil, python.Errorf("TypeError", "expected str, bytes, or bytearray not %s", python.TypeName(v))
}

func hashed(name string) func(Host, *python.Call) (any, error) {
	return func(_ Host, c *python.Call) (any, error) {
		b, err := bytesOf(c.Args[0])
		if err != nil {
			return nil, err
		}
		h := hashes[name]()
		h.Write(b)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
}

func filterBase64Encode(_ Host, c *python.Call) (any, error) {
	b, err := bytesOf(c.Args[0])
	return base64.StdEncoding.EncodeToString(b), err
}

func filterBase64Decode(_ Host, c *python.Call) (any, error) {
	b, err := bytesOf(c.Args[0])
	if err != nil {
		return nil, err
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' {
			return r
		}
		return -1
	}, string(b))
	out, err := base64.StdEncoding.DecodeString(clean)
	if err != nil {
		return nil, python.Errorf("binascii.Error", "Incorrect padding")
	}
	if utf8.Valid(out) {
		return string(out), nil
	}
	return out, nil
}

func hmacOf(c *python.Call) ([]byte, error) {
	message, err := bytesOf(c.Args[0])
	if err != nil {
		return nil, err
	}
	secret, err := bytesOf(c.Args[1])
	if err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, secret)
	m.Write(message)
	return m.Sum(nil), nil
}

func filterHMAC(_ Host, c *python.Call) (any, error) {
	sum, err := hmacOf(c)
	if err != nil {
		return nil, err
	}
	challenge, err := bytesOf(c.Args[2])
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(sum)), challenge), err
}

func filterHMACCompute(_ Host, c *python.Call) (any, error) {
	sum, err := hmacOf(c)
	return hex.EncodeToString(sum), err
}

func filterRandomHash(_ Host, c *python.Call) (any, error) {
	size, err := intArg(c.Args[0])
	if err != nil {
		return nil, err
	}
	name := "md5"
	if ok, err := python.Truth(c.Args[1]); err != nil {
		return nil, err
	} else if ok {
		if name, err = text(c.Args[1]); err != nil {
			return nil, err
		}
	}
	newHash := hashes[name]
	if newHash == nil {
		return nil, python.Errorf("AttributeError", "module 'hashlib' has no attribute '%s'", name)
	}
	if size < 0 {
		return nil, python.Errorf("ValueError", "empty range")
	}
	n, err := cryptorand.Int(cryptorand.Reader, big.NewInt(int64(size)+1))
	if err != nil {
		return nil, err
	}
	h := newHash()
	h.Write([]byte(n.String()))
	return hex.EncodeToString(h.Sum(nil)), nil
}

func filterRandomStr(_ Host, c *python.Call) (any, error) {
	n, err := intArg(c.Args[0])
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 1<<20 {
		return nil, python.Errorf("ValueError", "the size must be from 0 to %d", 1<<20)
	}
	b := make([]byte, n)
	if _, err := cryptorand.Read(b); err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(b)[:n], nil
}

func filterToBytes(_ Host, c *python.Call) (any, error) {
	if b, ok := c.Args[0].([]byte); ok {
		return b, nil
	}
	b, err := bytesOf(c.Args[0])
	if err != nil || c.Args[1] == nil {
		return b, err
	}
	s := string(b)
	return python.FindMethod(s, "encode").Invoke(s, python.Args{Pos: c.Args[1:3]})
}

var uuidSpace = []byte("\x91\x63\x3E\xBF\x1C\x86\x5E\x33\x93\x5A\x28\x06\x1F\x4B\x48\x0E")

func filterUUID(_ Host, c *python.Call) (any, error) {
	b, err := bytesOf(c.Args[0])
	if err != nil {
		return nil, err
	}
	h := sha1.New()
	h.Write(uuidSpace)
	h.Write(b)
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}
