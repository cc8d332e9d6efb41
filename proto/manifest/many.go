package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Many small contents travel in one answer. Who wants them posts their SHA-256s, 32 bytes each and nothing between, to
// ManyPath. The answer is those contents that are at hand and small, one after the other: SHA-256, size as four bytes,
// the highest first, and the bytes. What is not sent has to be asked for by itself.
const (
	ManyPath = "/blobs"
	ManyMost = 256       // contents that one request may name
	ManySize = 256 << 10 // the largest content that is sent in this way
)

// EncodeMany is the request for contents whose hashes CheckHash accepts.
func EncodeMany(sums []string) ([]byte, error) {
	if len(sums) > ManyMost {
		return nil, fmt.Errorf("cannot ask for %d contents at once, at most for %d", len(sums), ManyMost)
	}
	return hex.DecodeString(joined(sums))
}

func joined(sums []string) string {
	text := make([]byte, 0, len(sums)*2*sha256.Size)
	for _, s := range sums {
		text = append(text, s...)
	}
	return string(text)
}

// ParseMany reads a request: the hashes in lower-case hexadecimal digits, in their order.
func ParseMany(r io.Reader) (sums []string, err error) {
	const most = ManyMost * sha256.Size
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the hashes: %w", err)
	case len(data) > most:
		return nil, fmt.Errorf("cannot send more than %d contents at once", ManyMost)
	case len(data)%sha256.Size != 0:
		return nil, fmt.Errorf("cannot read the hashes: %d bytes are no multiple of %d", len(data), sha256.Size)
	}
	for ; len(data) > 0; data = data[sha256.Size:] {
		sums = append(sums, hex.EncodeToString(data[:sha256.Size]))
	}
	return sums, nil
}

// manyHead is what precedes each content of an answer.
type manyHead [sha256.Size + 4]byte

// WriteOne adds a content to an answer. It has at most ManySize bytes.
func WriteOne(w io.Writer, sum string, data []byte) error {
	var head manyHead
	if _, err := hex.Decode(head[:sha256.Size], []byte(sum)); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(head[sha256.Size:], uint32(len(data)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// ReadMany calls take for each content of an answer, which is only valid meanwhile. Nothing of it is verified but its
// size. An error of take ends it and is returned.
func ReadMany(r io.Reader, take func(sum string, data []byte) error) error {
	from := bufio.NewReader(r)
	var head manyHead
	var buf []byte
	for {
		if _, err := io.ReadFull(from, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("cannot read the answer: %w", err)
		}
		size := binary.BigEndian.Uint32(head[sha256.Size:])
		if size > ManySize {
			return fmt.Errorf("cannot read the answer: a content of %d bytes came, at most %d were asked for", size, ManySize)
		}
		if int(size) > cap(buf) {
			buf = make([]byte, size)
		}
		if _, err := io.ReadFull(from, buf[:size]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("cannot read the answer: %w", err)
		}
		if err := take(hex.EncodeToString(head[:sha256.Size]), buf[:size]); err != nil {
			return err
		}
	}
}
