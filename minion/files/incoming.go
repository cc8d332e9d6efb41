package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var errDamaged = errors.New("what came is not the content that was asked for")

const (
	stretch   = 256 << 10 // of large content that is written at once
	writeBack = 8 << 20   // that is sent to the disk at once
)

// incoming is content on its way into a file.
type incoming struct {
	file   *os.File
	sum    string
	hash   hash.Hash
	size   int64
	begun  int64 // so much is on its way to the disk; negative: the disk need not have it
	broken error // the file cannot be written: no master can help
}

func newIncoming(file *os.File, sum string) *incoming {
	return &incoming{file: file, sum: sum, hash: sha256.New(), begun: -1}
}

// Write adds to what has come so far.
func (in *incoming) Write(p []byte) (int, error) {
	n, err := in.file.Write(p)
	in.hash.Write(p[:n])
	in.size += int64(n)
	if err != nil {
		in.broken = err
	}
	if in.begun >= 0 && in.size-in.begun >= writeBack {
		// While the rest comes the disk has something to do; an error of it is told by whoever waits for all.
		_ = unix.SyncFileRange(int(in.file.Fd()), in.begun, in.size-in.begun, unix.SYNC_FILE_RANGE_WRITE)
		in.begun = in.size
	}
	return n, err
}

// complete tells whether all has come, and nothing else.
func (in *incoming) complete() bool { return hex.EncodeToString(in.hash.Sum(nil)) == in.sum }

// restart forgets what has come.
func (in *incoming) restart() error {
	in.hash.Reset()
	in.size, in.begun = 0, min(0, in.begun)
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		in.broken = err
		return err
	}
	in.broken = in.file.Truncate(0)
	return in.broken
}

func (in *incoming) copy(from io.Reader) error {
	_, err := io.Copy(in, from)
	return err
}

// pipe is copy for large content: while one stretch of it is hashed and written the next one comes.
func (in *incoming) pipe(from io.Reader) error {
	full, empty := make(chan []byte, 2), make(chan []byte, 2)
	written := make(chan error, 1)
	go func() {
		var err error
		for p := range full {
			if err == nil {
				_, err = in.Write(p)
			}
			if err != nil {
				p = nil
			}
			empty <- p[:cap(p)]
		}
		written <- err
	}()
	empty <- make([]byte, stretch)
	empty <- make([]byte, stretch)
	var err error
	for err == nil {
		p := <-empty
		if p == nil {
			break
		}
		var n int
		n, err = fill(from, p)
		full <- p[:n]
	}
	close(full)
	if err := <-written; err != nil {
		return err
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fill reads until p is full. It returns the error of from as it is, unlike io.ReadFull.
func fill(from io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = from.Read(p[n:])
		n += more
	}
	return n, err
}
