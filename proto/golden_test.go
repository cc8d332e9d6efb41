package proto_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"brine/pki"
	"brine/proto"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew; read them before they are committed")

// TestWireBytes compares the bytes of every message with those that other
// versions of brine send and expect.
func TestWireBytes(t *testing.T) {
	files := map[string]map[string][]byte{}
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		d := mt.Descriptor()
		if d.ParentFile().Package() != "brine.v1" || d.IsMapEntry() {
			return true
		}
		msg := mt.New()
		fill(msg, 1, 0)
		data := encode(t, msg.Interface())
		name := strings.TrimPrefix(string(d.FullName()), "brine.v1.")
		back := mt.New().Interface()
		if err := pb.Unmarshal(data, back); err != nil || !pb.Equal(back, msg.Interface()) {
			t.Errorf("%s: does not come back: %v", name, err)
		}
		file := strings.TrimSuffix(filepath.Base(d.ParentFile().Path()), ".proto")
		if files[file] == nil {
			files[file] = map[string][]byte{}
		}
		files[file][name] = data
		return true
	})
	for file, messages := range files {
		golden(t, file, messages)
	}
}

func encode(t *testing.T, msg pb.Message) []byte {
	t.Helper()
	data, err := pb.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fill sets every field to a value that follows from its number, so that
// fields that change places, numbers or types show.
func fill(m protoreflect.Message, seed, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		n := seed*100 + int(f.Number())
		switch {
		case f.IsMap():
			key := protoreflect.ValueOfString(fmt.Sprintf("%s-%d", f.Name(), n)).MapKey()
			m.Mutable(f).Map().Set(key, scalar(f.MapValue(), n))
		case f.IsList() && f.Message() != nil:
			if depth < 3 {
				fill(m.Mutable(f).List().AppendMutable().Message(), seed+1, depth+1)
				fill(m.Mutable(f).List().AppendMutable().Message(), seed+2, depth+1)
			}
		case f.IsList():
			m.Mutable(f).List().Append(scalar(f, n))
			m.Mutable(f).List().Append(scalar(f, n+1))
		case f.Message() != nil:
			if depth < 3 {
				fill(m.Mutable(f).Message(), seed+1, depth+1)
			}
		default:
			m.Set(f, scalar(f, n))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("%s-%d", f.Name(), n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0xff, byte(n >> 8), byte(n), 0})
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(-n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n) << 33)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n) << 40)
	}
	panic(fmt.Sprintf("no value for %v of kind %v", f.FullName(), f.Kind()))
}

// TestSignedBytes pins down what is signed for each kind: label and body.
func TestSignedBytes(t *testing.T) {
	key := ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes......"))
	site := pki.Fingerprint{1, 2, 3}
	bodies := map[proto.Kind]pb.Message{
		proto.Kind_KIND_JOB: &proto.Job{}, proto.Kind_KIND_CANCEL: &proto.Cancel{},
		proto.Kind_KIND_NOTICE: &proto.Notice{}, proto.Kind_KIND_LINK_ORDER: &proto.LinkOrder{},
		proto.Kind_KIND_BUNDLE: &proto.Bundle{}, proto.Kind_KIND_JOB_REQUEST: &proto.JobRequest{},
		proto.Kind_KIND_API_REQUEST: &proto.ApiRequest{}, proto.Kind_KIND_PEER: &proto.PeerMessage{},
		proto.Kind_KIND_FILE_TOKEN: &proto.FileToken{}, proto.Kind_KIND_PILLAR: &proto.PillarReply{},
		proto.Kind_KIND_MINE: &proto.MineAnswer{}, proto.Kind_KIND_MINION_KEY: &proto.NewKey{},
		proto.Kind_KIND_MASTER_KEY: &proto.NewKey{}, proto.Kind_KIND_OPERATOR_KEY: &proto.NewKey{},
		proto.Kind_KIND_SIGN_IN: &proto.SignInDoor{},
	}
	envelopes := map[string][]byte{}
	for number, name := range proto.Kind_name {
		kind := proto.Kind(number)
		if kind == proto.Kind_KIND_UNSPECIFIED {
			continue
		}
		msg := bodies[kind]
		if msg == nil {
			t.Errorf("%s: say in this test what it signs", name)
			continue
		}
		fill(msg.ProtoReflect(), 1, 0)
		envelopes[name] = encode(t, pki.Sign(key, site, kind, encode(t, msg)))
	}
	golden(t, "signed", envelopes)
}

// golden compares messages with testdata/NAME.golden: of each its name, then
// its bytes in hexadecimal, 32 a line.
func golden(t *testing.T, name string, messages map[string][]byte) {
	t.Helper()
	var b strings.Builder
	for _, message := range slices.Sorted(maps.Keys(messages)) {
		b.WriteString(message + "\n")
		for chunk := range slices.Chunk(messages[message], 32) {
			b.WriteString("\t" + hex.EncodeToString(chunk) + "\n")
		}
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, old := split(b.String()), split(string(want))
	for message, data := range got {
		switch {
		case old[message] == "":
			t.Errorf("%s: %s is new: go test ./proto -update", path, message)
		case old[message] != data:
			t.Errorf("%s: the bytes of %s have changed: yesterday's masters and minions would not understand them "+
				"(was a field added and nothing else changed? go test ./proto -update)", path, message)
		}
	}
	for message := range old {
		if got[message] == "" {
			t.Errorf("%s: %s is gone: yesterday's masters and minions still send it", path, message)
		}
	}
}

// split returns the text of each message of a golden file.
func split(text string) map[string]string {
	messages := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if line[0] != '\t' {
			name = line
			messages[name] = "-" // of a message without fields
		} else {
			messages[name] += line
		}
	}
	return messages
}
