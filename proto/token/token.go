// Package token writes and reads the tokens that people carry from one host
// to another: to enrol a minion, or to let a further master in.
package token

import (
	"encoding/base64"
	"fmt"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

const (
	joinPrefix  = "brine-join-"
	enrolPrefix = "brine-enrol-"
	secretSize  = 32
	hashSize    = 32
)

// FormatJoin is the text of a join token.
func FormatJoin(t *proto.JoinToken) (string, error) { return format(joinPrefix, t) }

// ParseJoin reads a join token, and checks that nothing of it is missing.
func ParseJoin(text string) (*proto.JoinToken, error) {
	t := &proto.JoinToken{}
	if !parse(joinPrefix, text, t) || t.Name == "" || len(t.Masters) == 0 ||
		len(t.Secret) != secretSize || len(t.CaFingerprint) != hashSize {
		return nil, fmt.Errorf("cannot read the join token: want the whole line that `brine master invite` printed (%s...)", joinPrefix)
	}
	return t, nil
}

// FormatEnrol is the text of an enrolment token.
func FormatEnrol(t *proto.EnrolToken) (string, error) { return format(enrolPrefix, t) }

// ParseEnrol reads an enrolment token, and checks that nothing of it is missing.
func ParseEnrol(text string) (*proto.EnrolToken, error) {
	t := &proto.EnrolToken{}
	if !parse(enrolPrefix, text, t) || len(t.Masters) == 0 ||
		len(t.Secret) != secretSize || len(t.CaFingerprint) != hashSize {
		return nil, fmt.Errorf("cannot read the enrolment token: want the whole line that `brine key token` printed (%s...)", enrolPrefix)
	}
	return t, nil
}

func format(prefix string, m pb.Message) (string, error) {
	data, err := pb.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("cannot write a token: %w", err)
	}
	return prefix + base64.RawURLEncoding.EncodeToString(data), nil
}

func parse(prefix, text string, into pb.Message) bool {
	raw, ok := strings.CutPrefix(strings.TrimSpace(text), prefix)
	if !ok {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(raw)
	return err == nil && pb.Unmarshal(data, into) == nil
}
