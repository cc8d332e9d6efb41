package pillar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"

	"brine/states/host"
)

// gpg has the program decrypt a block. It never asks anyone for a passphrase.
func (s *Secrets) gpg(ctx context.Context, block string) ([]byte, error) {
	if s.o.GPGHome == "" {
		return nil, fmt.Errorf("there is no key for it here: set %s", s.o.setting("gpg_home"))
	}
	if err := onlyOwner(s.o.GPGHome, true); err != nil {
		return nil, err
	}
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, gpgLimit, fmt.Errorf("gpg took longer than %v, and was ended", gpgLimit))
	defer cancel()
	out, err := s.o.Exec(ctx, host.Command{
		Argv: []string{"gpg", "--homedir", s.o.GPGHome, "--batch", "--no-tty", "--pinentry-mode", "cancel", "--status-fd", "2", "--decrypt"},
		Env:  []string{"LC_ALL=C", "HOME=" + s.o.GPGHome}, Clean: true, Stdin: []byte(block), Bytes: true, Limit: blockLimit,
	})
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the program gpg is not there: install the package gnupg (gnupg2)")
	case err != nil:
		return nil, err
	case !bytes.Contains(out.Stderr, []byte("[GNUPG:] DECRYPTION_OKAY")):
		return nil, fmt.Errorf("gpg with the keys in %s: %s", s.o.GPGHome, complaint(out))
	case len(out.Stdout) >= blockLimit:
		return nil, fmt.Errorf("it holds over %d MiB", blockLimit>>20)
	}
	return out.Stdout, nil
}

// complaint is what gpg says of a failure, in one line.
func complaint(out host.Output) string {
	var said []string
	for line := range strings.Lines(string(out.Stderr)) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "gpg:"))
		if line != "" && !strings.HasPrefix(line, "[GNUPG:]") && len(said) < 4 {
			said = append(said, line[:min(len(line), 200)])
		}
	}
	if len(said) == 0 {
		return fmt.Sprintf("it ended with %d", out.Code)
	}
	return strings.Join(said, "; ")
}
