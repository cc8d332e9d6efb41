package pillar

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"brine/states/host"
)

// SecretOptions say what values of pillar are decrypted with.
type SecretOptions struct {
	AgeIdentities []string // files that age-keygen writes, which only their owner may read
	GPGHome       string   // the home directory of gpg; "" for none
	Exec          host.Exec
	// Setting is where an operator sets AgeIdentities or GPGHome, for messages.
	Setting func(what string) string
}

const (
	secretBytes = 64 << 20         // of what was decrypted that is kept
	secretTries = 10 * time.Second // how long what could not be decrypted is not tried again
	gpgLimit    = 20 * time.Second
	gpgAtOnce   = 4
	writable    = 2        // of access(2)
	blockLimit  = 16 << 20 // bytes of what a block holds
)

// Secrets decrypt what stands in SLS. What was decrypted is kept in memory, never elsewhere. Safe for concurrent use.
type Secrets struct {
	o       SecretOptions
	age     ager          // nil: there is gpg alone
	running chan struct{} // holds one for each gpg that runs

	mu    sync.Mutex // guards the fields below
	known map[[sha256.Size]byte]opened
	bytes int
}

// An ager knows age. It stands apart so that a program without keys of age does not contain it.
type ager interface {
	check() error
	open(block string) ([]byte, error)
}

// opened is what a block holds, or why that is not known.
type opened struct {
	text string
	err  error
	at   time.Time
}

// NewSecrets makes Secrets. No file is read yet.
func NewSecrets(o SecretOptions) *Secrets {
	s := NewGPG(o)
	s.age = &agePart{o: o, files: map[string]identityFile{}}
	return s
}

// NewGPG makes Secrets that know gpg alone.
func NewGPG(o SecretOptions) *Secrets {
	return &Secrets{o: o, running: make(chan struct{}, gpgAtOnce), known: map[[sha256.Size]byte]opened{}}
}

// Check tells what is wrong with the keys.
func (s *Secrets) Check() error {
	var err error
	if s.age != nil {
		err = s.age.check()
	}
	if s.o.GPGHome == "" {
		return err
	}
	if wrong := onlyOwner(s.o.GPGHome, true); wrong != nil {
		return errors.Join(err, wrong)
	}
	if wrong := syscall.Access(s.o.GPGHome, writable); wrong != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w: gpg has to write there, such as the socket of its agent", s.o.GPGHome, wrong))
	}
	return err
}

// Decrypt returns what a block holds, from its first line ("-----BEGIN AGE ENCRYPTED FILE-----" or
// "-----BEGIN PGP MESSAGE-----") to its last. An error shows nothing of it.
func (s *Secrets) Decrypt(ctx context.Context, block string) (string, error) {
	sum := sha256.Sum256([]byte(block))
	if o, ok := s.recall(sum); ok {
		return o.text, o.err
	}
	var data []byte
	var err error
	switch {
	case !strings.HasPrefix(block, begins(ageBlock)):
		data, err = s.gpg(ctx, block)
	case s.age == nil:
		err = errors.New("only masters have keys of age")
	default:
		data, err = s.age.open(block)
	}
	if err == nil && !utf8.Valid(data) {
		err = errors.New("what it holds is no text in UTF-8: encrypt the base64 of it, and use it by base64_decode")
	}
	if ctx.Err() != nil {
		return "", err // which says nothing about the block
	}
	o := opened{err: err, at: time.Now()}
	if err == nil {
		o.text = string(data)
	}
	s.remember(sum, o)
	return o.text, o.err
}

func (s *Secrets) recall(sum [sha256.Size]byte) (opened, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.known[sum]
	if ok && o.err != nil && time.Since(o.at) > secretTries {
		return opened{}, false
	}
	return o, ok
}

func (s *Secrets) remember(sum [sha256.Size]byte, o opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += len(o.text) + 200; s.bytes > secretBytes {
		clear(s.known)
		s.bytes = len(o.text)
	}
	s.known[sum] = o
}

// setting is where an operator sets something.
func (o SecretOptions) setting(what string) string {
	if o.Setting == nil {
		return what
	}
	return o.Setting(what)
}

// onlyOwner refuses what others than its owner may read.
func onlyOwner(path string, dir bool) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case st.IsDir() != dir:
		return fmt.Errorf("%s is %s", path, map[bool]string{true: "no directory", false: "a directory"}[dir])
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s can be read by others (mode %04o): chmod %s it", path, st.Mode().Perm(), map[bool]string{true: "700", false: "600"}[dir])
	}
	return nil
}
