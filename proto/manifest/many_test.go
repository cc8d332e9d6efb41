package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"brine/proto/manifest"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestManyAreAskedForByHash(t *testing.T) {
	want := []string{hashOf("b"), hashOf("a"), hashOf("b")}
	body, err := manifest.EncodeMany(want)
	if err != nil || len(body) != 3*sha256.Size {
		t.Fatalf("got %d bytes, %v", len(body), err)
	}
	if got, err := manifest.ParseMany(bytes.NewReader(body)); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestManyHasALimit(t *testing.T) {
	sums := slices.Repeat([]string{hashOf("a")}, manifest.ManyMost)
	body, err := manifest.EncodeMany(sums)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := manifest.ParseMany(bytes.NewReader(body)); err != nil || len(got) != manifest.ManyMost {
		t.Errorf("got %d, %v", len(got), err)
	}
	if _, err := manifest.EncodeMany(append(sums, hashOf("b"))); err == nil {
		t.Error("one more is asked for")
	}
	for _, bad := range [][]byte{append(body, body[:32]...), body[:33]} {
		if got, err := manifest.ParseMany(bytes.NewReader(bad)); err == nil {
			t.Errorf("%d bytes: got %d hashes", len(bad), len(got))
		}
	}
}

func answer(t *testing.T, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		if err := manifest.WriteOne(&b, hashOf(text), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestManyAnswer(t *testing.T) {
	want := []string{"one", "", strings.Repeat("x", manifest.ManySize), "two"}
	var got []string
	err := manifest.ReadMany(bytes.NewReader(answer(t, want...)), func(sum string, data []byte) error {
		if sum != hashOf(string(data)) {
			t.Errorf("got hash %s of %.20q", sum, data)
		}
		got = append(got, string(data))
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d contents, %v", len(got), err)
	}
}

func TestBrokenAnswersOfMany(t *testing.T) {
	whole := answer(t, "one", "two")
	head := len(whole)/2 - 3
	for _, at := range []int{1, head - 1, head, head + 1, len(whole)/2 + 1, len(whole) - 1} {
		err := manifest.ReadMany(bytes.NewReader(whole[:at]), func(string, []byte) error { return nil })
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: got %v", at, err)
		}
	}
	if err := manifest.ReadMany(bytes.NewReader(answer(t, strings.Repeat("x", manifest.ManySize+1))), nil); err == nil {
		t.Error("too large a content is taken")
	}
	stop := errors.New("enough")
	if err := manifest.ReadMany(bytes.NewReader(whole), func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadMany(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		_ = manifest.ReadMany(bytes.NewReader(data), func(sum string, data []byte) error {
			n += len(data) + sha256.Size + 4
			return manifest.CheckHash(sum)
		})
		if n > len(data) {
			t.Errorf("got %d bytes out of %d", n, len(data))
		}
	})
}
