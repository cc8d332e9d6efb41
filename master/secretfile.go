package master

import (
	"fmt"
	"os"
	"strings"
)

// leastSecret is how long what somebody proves himself with must be.
const leastSecret = 16

// secretFile reads a secret by which others prove themselves.
func secretFile(file string) ([]byte, error) {
	text, err := privateFile(file)
	if err == nil && len(text) < leastSecret {
		return nil, fmt.Errorf("%s: the secret has %d characters, want %d or more", file, len(text), leastSecret)
	}
	return text, err
}

// privateFile reads a file that nobody else may read, without the space around its text.
func privateFile(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): chmod 600 it", file, st.Mode().Perm())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSpace(string(data))), nil
}
