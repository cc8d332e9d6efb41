package token_test

import (
	"bytes"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/token"
)

func TestTokensComeBackWhole(t *testing.T) {
	want := &proto.JoinToken{
		Name: "m2", CaFingerprint: bytes.Repeat([]byte{1}, 32), Secret: bytes.Repeat([]byte{2}, 32), Masters: []string{"m1:4513"},
	}
	text, err := token.FormatJoin(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := token.ParseJoin(" " + text + "\n")
	if err != nil || !pb.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := token.ParseJoin(text[:len(text)-5]); err == nil {
		t.Error("a cut token was read")
	}
	if _, err := token.ParseEnrol(text); err == nil {
		t.Error("a join token was read as an enrolment token")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("brine-join-")
	f.Add("brine-enrol-CgNhYmM")
	f.Fuzz(func(t *testing.T, text string) {
		if j, err := token.ParseJoin(text); err == nil && (j.Name == "" || len(j.Secret) != 32) {
			t.Errorf("read a token that lacks something from %q", text)
		}
		if e, err := token.ParseEnrol(text); err == nil && len(e.Secret) != 32 {
			t.Errorf("read a token that lacks something from %q", text)
		}
	})
}
