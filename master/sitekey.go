package master

import (
	"errors"
	"fmt"
	"time"

	"brine/pki"
)

// ChangePassphrase encrypts the copy of the site key under root with another passphrase. The
// file is replaced as a whole; a master that runs reads it each time that it is asked for it.
func ChangePassphrase(root, before, next string) error {
	site, err := openSiteKey(root, before)
	if err != nil {
		return err
	}
	sealed, err := site.Encrypt(next)
	if err != nil {
		return err
	}
	return writeFile(Layout{root}.SiteKey(), sealed, 0o600)
}

// Renew gives the master under root, which must not run, a certificate that lasts a year from
// now, for the key that it has, and returns when it ends. It needs no other master.
func Renew(root, passphrase string, now time.Time) (until time.Time, err error) {
	l := Layout{root}
	lock, err := acquire(l)
	if err != nil {
		return until, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	id, err := pki.LoadIdentity(l.State())
	if err != nil {
		return until, err
	}
	site, err := openSiteKey(root, passphrase)
	if err != nil {
		return until, err
	}
	der, err := site.IssueMaster(id.Name, id.Public(), now)
	if err != nil {
		return until, err
	}
	next, err := id.Renew(l.State(), der)
	if err != nil {
		return until, err
	}
	return next.Certificate.NotAfter, nil
}

func openSiteKey(root, passphrase string) (*pki.SiteKey, error) {
	data, err := readFile(Layout{root}.SiteKey())
	if err != nil {
		return nil, fmt.Errorf("cannot read the site key: %w", err)
	}
	return pki.DecryptSiteKey(data, passphrase)
}
