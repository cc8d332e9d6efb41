package pki

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

var siteA, siteB = Fingerprint{1}, Fingerprint{2}

// fixedKey is the key of a constant seed.
func fixedKey(seed byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	for i := range s {
		s[i] = seed
	}
	return ed25519.NewKeyFromSeed(s)
}

func TestVerifyReturnsWhatWasSigned(t *testing.T) {
	for kind := range kinds {
		env := Sign(fixedKey(1), siteA, kind, []byte("body"))
		body, err := Verify(env, siteA, kind, nil)
		if err != nil || string(body) != "body" {
			t.Errorf("%v: got %q, %v", kind, body, err)
		}
	}
}

func TestEveryKindHasALabelOfItsOwn(t *testing.T) {
	seen := map[string]pb.Kind{}
	for n := range pb.Kind_name {
		kind := pb.Kind(n)
		if kind == pb.Kind_KIND_UNSPECIFIED {
			continue
		}
		message, ok := labelled(siteA, kind, nil)
		if !ok || message[0] != 0 || message[len(message)-1] != 0 || strings.Count(string(message), "\x00") != 2 {
			t.Errorf("%v: bad label %q", kind, message)
		}
		if other, taken := seen[string(message)]; taken {
			t.Errorf("%v and %v share the label %q", kind, other, message)
		}
		seen[string(message)] = kind
	}
}

// The bytes that are signed must never change: yesterday's minion has to
// understand today's master.
func TestLabelAndSignatureAreStable(t *testing.T) {
	message, _ := labelled(siteA, pb.Kind_KIND_JOB_REQUEST, []byte("x"))
	want := "\x00brine 1 job request 01" + strings.Repeat("00", 31) + "\x00x"
	if string(message) != want {
		t.Errorf("got %q, want %q", message, want)
	}
	env := Sign(fixedKey(1), siteA, pb.Kind_KIND_JOB_REQUEST, []byte("x"))
	got := hex.EncodeToString(env.Signature)
	const golden = "e305c4d805fa9c906dacf3d676b25f2a291a6426dee8eb4710779177dfa23426" +
		"eedf7f8f0beaee799e366d3f2fc5d0e852e4ba2f88d70b819fab7022d41f4702"
	if got != golden {
		t.Errorf("got signature %s, want %s", got, golden)
	}
}

func TestVerifyRefuses(t *testing.T) {
	good := Sign(fixedKey(1), siteA, pb.Kind_KIND_JOB, []byte("body"))
	edit := func(f func(*pb.Envelope)) *pb.Envelope {
		env := proto.CloneOf(good)
		f(env)
		return env
	}
	otherKey := fixedKey(2).Public().(ed25519.PublicKey)
	for name, c := range map[string]struct {
		env  *pb.Envelope
		site Fingerprint
		kind pb.Kind
	}{
		"nothing":          {nil, siteA, pb.Kind_KIND_JOB},
		"empty":            {&pb.Envelope{}, siteA, pb.Kind_KIND_JOB},
		"another kind":     {good, siteA, pb.Kind_KIND_CANCEL},
		"relabelled kind":  {edit(func(e *pb.Envelope) { e.Kind = pb.Kind_KIND_CANCEL }), siteA, pb.Kind_KIND_CANCEL},
		"no kind":          {edit(func(e *pb.Envelope) { e.Kind = 0 }), siteA, 0},
		"another site":     {good, siteB, pb.Kind_KIND_JOB},
		"no site":          {good, Fingerprint{}, pb.Kind_KIND_JOB},
		"changed body":     {edit(func(e *pb.Envelope) { e.Body[0] ^= 1 }), siteA, pb.Kind_KIND_JOB},
		"longer body":      {edit(func(e *pb.Envelope) { e.Body = append(e.Body, 0) }), siteA, pb.Kind_KIND_JOB},
		"another key":      {edit(func(e *pb.Envelope) { e.Key = otherKey }), siteA, pb.Kind_KIND_JOB},
		"short key":        {edit(func(e *pb.Envelope) { e.Key = e.Key[:31] }), siteA, pb.Kind_KIND_JOB},
		"no key":           {edit(func(e *pb.Envelope) { e.Key = nil }), siteA, pb.Kind_KIND_JOB},
		"short signature":  {edit(func(e *pb.Envelope) { e.Signature = e.Signature[:63] }), siteA, pb.Kind_KIND_JOB},
		"longer signature": {edit(func(e *pb.Envelope) { e.Signature = append(e.Signature, 0) }), siteA, pb.Kind_KIND_JOB},
		"bare signature": {edit(func(e *pb.Envelope) { e.Signature = ed25519.Sign(fixedKey(1), e.Body) }),
			siteA, pb.Kind_KIND_JOB},
	} {
		if body, err := Verify(c.env, c.site, c.kind, nil); err == nil || body != nil {
			t.Errorf("%s: got %q, %v, want an error", name, body, err)
		}
	}
}

func TestVerifyAsksTrustFirst(t *testing.T) {
	env := Sign(fixedKey(1), siteA, pb.Kind_KIND_JOB, nil)
	env.Signature[0] ^= 1
	denied := errors.New("denied")
	var asked ed25519.PublicKey
	_, err := Verify(env, siteA, pb.Kind_KIND_JOB, func(k ed25519.PublicKey) error { asked = k; return denied })
	if !errors.Is(err, denied) || !asked.Equal(fixedKey(1).Public()) {
		t.Errorf("got %v, asked about %x", err, asked)
	}
	if _, err := Verify(env, siteA, pb.Kind_KIND_JOB, nil); !errors.Is(err, ErrForged) {
		t.Errorf("got %v, want ErrForged", err)
	}
}

func TestNonceSignsNothingElse(t *testing.T) {
	key := fixedKey(1)
	for _, nonce := range []string{"abcDEF0123-_xyz", strings.Repeat("a", 11), strings.Repeat("a", 64)} {
		sig, err := SignNonce(key, []byte(nonce))
		if err != nil {
			t.Errorf("%q: %v", nonce, err)
		}
		if err := VerifyNonce(key.Public().(ed25519.PublicKey), []byte(nonce), sig); err != nil {
			t.Errorf("%q: %v", nonce, err)
		}
		if VerifyNonce(key.Public().(ed25519.PublicKey), []byte(nonce[1:]+"b"), sig) == nil {
			t.Errorf("%q: the signature fits another nonce", nonce)
		}
	}
	job, _ := labelled(siteA, pb.Kind_KIND_JOB, nil)
	for _, nonce := range []string{"", "short12345", strings.Repeat("a", 65), "with a space x", "abc=defghijkl",
		"\x00brine12345678", string(job), string(job[:40]), "dots.dots.dots"} {
		if _, err := SignNonce(key, []byte(nonce)); err == nil {
			t.Errorf("%q was signed", nonce)
		}
		sig := ed25519.Sign(key, []byte(nonce))
		if VerifyNonce(key.Public().(ed25519.PublicKey), []byte(nonce), sig) == nil {
			t.Errorf("%q was taken", nonce)
		}
	}
	if VerifyNonce(nil, []byte("abcDEF0123-_xyz"), nil) == nil {
		t.Error("no key was taken")
	}
}

func FuzzVerify(f *testing.F) {
	good, _ := proto.Marshal(Sign(fixedKey(1), siteA, pb.Kind_KIND_JOB, []byte("body")))
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		env := &pb.Envelope{}
		if proto.Unmarshal(data, env) != nil {
			return
		}
		body, err := Verify(env, siteA, pb.Kind_KIND_JOB, func(k ed25519.PublicKey) error {
			if !k.Equal(fixedKey(1).Public()) {
				return errors.New("unknown")
			}
			return nil
		})
		if err == nil && string(body) != "body" {
			t.Errorf("forged: %q", body)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	env := Sign(fixedKey(1), siteA, pb.Kind_KIND_JOB, make([]byte, 500))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(env, siteA, pb.Kind_KIND_JOB, nil); err != nil {
			b.Fatal(err)
		}
	}
}
