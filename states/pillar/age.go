package pillar

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// agePart decrypts by age.
type agePart struct {
	o SecretOptions

	mu    sync.Mutex // guards the field below
	files map[string]identityFile
}

// An identityFile is one as it was read.
type identityFile struct {
	size int64
	mod  time.Time
	ids  []age.Identity
}

func (s *agePart) check() error {
	_, err := s.identities()
	return err
}

func (s *agePart) open(block string) ([]byte, error) {
	ids, err := s.identities()
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is no key for it here: set %s", s.o.setting("age_identities"))
	}
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(block)), ids...)
	if errors.As(err, new(*age.NoIdentityMatchError)) {
		return nil, fmt.Errorf("it is for none of the keys in %s", strings.Join(s.o.AgeIdentities, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, blockLimit+1))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if len(data) > blockLimit {
		return nil, fmt.Errorf("it holds over %d MiB", blockLimit>>20)
	}
	return data, nil
}

// identities are those of all files, each of which is read again when it has changed.
func (s *agePart) identities() ([]age.Identity, error) {
	var all []age.Identity
	var errs []error
	for _, name := range s.o.AgeIdentities {
		ids, err := s.identitiesIn(name)
		all, errs = append(all, ids...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

func (s *agePart) identitiesIn(name string) ([]age.Identity, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys of age: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read keys of age: %w", err)
	}
	if err := onlyOwner(name, false); err != nil {
		return nil, fmt.Errorf("cannot read keys of age: %w", err)
	}
	s.mu.Lock()
	known, ok := s.files[name]
	s.mu.Unlock()
	if ok && known.size == st.Size() && known.mod.Equal(st.ModTime()) {
		return known.ids, nil
	}
	ids, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys of age in %s: want lines of AGE-SECRET-KEY-..., as age-keygen writes them", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = identityFile{st.Size(), st.ModTime(), ids}
	return ids, nil
}
