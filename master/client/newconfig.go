package client

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/pki"
)

// ConfigText is an operator.toml whose key lies in a file beside it.
func ConfigText(name, key string, site pki.Fingerprint, masters []string) string {
	quoted := make([]string, len(masters))
	for i, m := range masters {
		quoted[i] = fmt.Sprintf("%q", m)
	}
	return fmt.Sprintf("# The operator's side: who asks, and whom. Used by the command brine.\n"+
		"name = %q\nkey = %q # beside this file\nca_fingerprint = %q\nmasters = [%s]\n\n# confirm_over = 50 # ask before a job on more minions than this\n\n"+
		"# How the results of states are shown; --state-output and --state-verbose win.\n"+
		"# state_output = \"full\"        # full, terse, mixed, changes, filter; each also with _id\n"+
		"# state_verbose = true         # show states that succeeded without a change\n"+
		"# state_output_diff = false    # of changes show only the diff, where there is one\n"+
		"# state_output_profile = true  # show when states started and how long they took\n"+
		"# state_output_exclude = []    # of filter: results left out, \"True\" or \"None\"\n"+
		"# state_output_terse = []      # of filter: results in a line each\n",
		name, key, site, strings.Join(quoted, ", "))
}

// NewOperator makes a key and a configuration at path, with the key beside it,
// and returns the public key. It replaces neither.
func NewOperator(path, name string, site pki.Fingerprint, masters []string) (ed25519.PublicKey, error) {
	file := strings.TrimSuffix(path, ".toml") + ".key"
	for _, p := range []string{path, file} {
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("cannot make operator %q: %s exists already (name another place with --config)", name, p)
		}
	}
	key, err := pki.NewOperatorKey()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make operator %q: %w (name another place with --config)", name, err)
	}
	if err := pki.SaveOperatorKey(file, key); err != nil {
		return nil, err
	}
	text := ConfigText(name, filepath.Base(file), site, masters)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot write %s: %w", path, err), os.Remove(file))
	}
	return key.Public().(ed25519.PublicKey), nil
}
