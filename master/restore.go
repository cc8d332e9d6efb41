package master

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pb "google.golang.org/protobuf/proto"

	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/config"
)

// Restore puts a backup back under root. The master must not run. The store
// gets a new incarnation, so that the other masters tell it what it missed.
// Everything in the backup is checked before anything is changed. It returns
// where the store is kept that was there; "" when there was none.
func Restore(ctx context.Context, root, path string) (aside string, err error) {
	l := Layout{root}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the backup: %w", err)
	}
	defer f.Close()
	undo, err := probe(l)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	lock, err := acquire(l)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	staged, err := stage(ctx, l, f)
	if staged != nil {
		defer staged.close()
	}
	if err != nil {
		return "", fmt.Errorf("cannot use the backup %s: %w", path, err)
	}
	return staged.install()
}

// staged is a backup that was unpacked beside what it is to replace.
type staged struct {
	layout Layout
	dir    string // of the small files
	store  *store.Prepared
}

// stage unpacks a backup and checks it: first its small files, then, for the
// master that they are of, the store.
func stage(ctx context.Context, l Layout, f io.ReadSeeker) (*staged, error) {
	dir, err := os.MkdirTemp(l.State(), "restore-")
	if err != nil {
		return nil, err
	}
	s := &staged{layout: l, dir: dir}
	if err := s.unpack(f); err != nil {
		return s, err
	}
	id, err := s.check()
	if err != nil {
		return s, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return s, err
	}
	return s, eachEntry(f, func(name string, r io.Reader) (err error) {
		if name == storeEntry {
			s.store, err = store.PrepareRestore(ctx, l.Store(), id.Name, r)
		}
		return err
	})
}

const configEntry = "master.toml"

// unpack writes the small files. It reads the backup to its end.
func (s *staged) unpack(f io.Reader) error {
	missing := append([]string{storeEntry, configEntry}, backupFiles...)
	var sums, told string
	err := eachEntry(f, func(name string, r io.Reader) error {
		if name == sumsEntry && told == "" { // one without is of a master that wrote none
			data, err := io.ReadAll(io.LimitReader(r, 1<<20))
			told = string(data)
			return err
		}
		sum := sha256.New()
		r = io.TeeReader(r, sum)
		defer func() { sums += fmt.Sprintf("%x  %s\n", sum.Sum(nil), name) }()
		i := slices.Index(missing, name)
		if i < 0 {
			return errors.New("it does not belong into a backup, or is in it twice")
		}
		missing = slices.Delete(missing, i, i+1)
		if name == storeEntry {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		data, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(s.dir, name), data, 0o600)
	})
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return fmt.Errorf("not in it: %s", strings.Join(missing, ", "))
	case told != "" && told != sums:
		return errors.New("it is damaged: what is in it has other sums than when it was written")
	}
	return nil
}

// check tells what is wrong with the small files, and whose they are.
func (s *staged) check() (*pki.Identity, error) {
	id, err := pki.LoadIdentity(s.dir)
	if err != nil {
		return nil, err
	}
	read := func(name string, check func(data []byte) error) error {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil {
			err = check(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	return id, errors.Join(
		read("bundle", func(data []byte) error { return readOwnBundle(pki.NewTrust(id.Site()), id, data) }),
		read("site.key", pki.CheckSiteKey),
		read(configEntry, func([]byte) error {
			c := &Config{}
			if err := config.Load(c, filepath.Join(s.dir, configEntry), "", nil); err != nil {
				return err
			}
			if c.Name != "" && c.Name != id.Name { // it may stand in another file
				return fmt.Errorf("name = %q, but the certificate is of %q", c.Name, id.Name)
			}
			return nil
		}))
}

// readOwnBundle reads the trust bundle of a master into trust, and tells why it
// cannot begin with it.
func readOwnBundle(trust *pki.Trust, id *pki.Identity, data []byte) error {
	env := &proto.Envelope{}
	if err := pb.Unmarshal(data, env); err != nil {
		return err
	}
	if _, err := trust.Update(env); err != nil {
		return err
	}
	return trust.Check(id.Public())
}

// install puts everything in place. The configuration that is there stays: it
// is newer, and may have been changed on purpose.
func (s *staged) install() (aside string, err error) {
	if aside, err = s.store.Install(); err != nil {
		return "", err
	}
	for _, name := range backupFiles {
		if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.layout.State(), name)); err != nil {
			return aside, fmt.Errorf("cannot restore %s: %w", name, err)
		}
	}
	if _, err := os.Stat(s.layout.Config()); err == nil {
		return aside, nil
	}
	data, err := os.ReadFile(filepath.Join(s.dir, configEntry))
	if err != nil {
		return aside, err
	}
	return aside, writeFile(s.layout.Config(), data, 0o644)
}

func (s *staged) close() {
	if s.store != nil {
		_ = s.store.Close() // what it leaves is removed by the next one
	}
	_ = os.RemoveAll(s.dir)
}

func eachEntry(f io.Reader, do func(name string, r io.Reader) error) error {
	r := tar.NewReader(f)
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if head.Typeflag != tar.TypeReg || sparse(head) {
			return fmt.Errorf("%s: it is not a plain file", head.Name)
		}
		if err := do(head.Name, r); err != nil {
			return fmt.Errorf("%s: %w", head.Name, err)
		}
	}
}

// sparse tells of a file whose holes are not in the archive: a few bytes can
// stand for more than any disk holds.
func sparse(head *tar.Header) bool {
	for key := range head.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
