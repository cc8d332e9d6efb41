package subject

import (
	"fmt"
	"strings"
)

// MaxID is the length of the longest id, in bytes.
const MaxID = 128

// CheckOperator tells why name cannot be that of an operator. The name of one
// who signed in through a backend is the backend's, a colon and an id: so it
// is never that of an operator with a key of his own.
func CheckOperator(name, via string) error {
	if via == "" || via == "key" {
		return CheckID(name)
	}
	id, ok := strings.CutPrefix(name, via+":")
	if err := CheckID(via); err != nil || !ok {
		return fmt.Errorf("cannot use %q as the name of who signed in through %q: it must begin with that and a colon", name, via)
	}
	return CheckID(id)
}

// CheckID tells why id cannot name a minion or a master: it must have 1 to
// MaxID bytes out of A-Z a-z 0-9 . _ @ + - and begin with neither '-' nor '.'.
// So a checked id is safe as a file name, on a command line and in a glob.
func CheckID(id string) error {
	if id == "" {
		return fmt.Errorf("cannot use an empty id")
	}
	if len(id) > MaxID {
		return fmt.Errorf("cannot use id %q...: %d bytes, at most %d are allowed", id[:32], len(id), MaxID)
	}
	if id[0] == '-' || id[0] == '.' {
		return fmt.Errorf("cannot use id %q: it begins with %q", id, id[0])
	}
	for i := range len(id) {
		if c := id[i]; !plain(c) && c != '.' && c != '_' && c != '@' && c != '+' {
			return fmt.Errorf("cannot use id %q: byte %d is none of A-Z a-z 0-9 . _ @ + -", id, i)
		}
	}
	return nil
}
