package account

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// Redacted stands in a result where a hash would.
const Redacted = "XXX-REDACTED-XXX"

// Unset is a number that an entry of shadow has not.
const Unset = -1

// A Shadow is an entry of shadow: the hash of a password, and days, counted from 1970 or each other.
type Shadow struct {
	Passwd                                     string
	LastChange, Min, Max, Warn, Inactive, Ends int64
}

// FindShadow reads the entry of a user; a host without shadow, or without an entry, has one in which all is unset.
func FindShadow(h *host.Host, name string) (Shadow, error) {
	none := Shadow{"", Unset, Unset, Unset, Unset, Unset, Unset}
	f, err := os.Open(h.Path("/etc/shadow"))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("cannot read the password of user %q: %w", name, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return parseShadow(rest), nil
		}
	}
	return none, lines.Err()
}

func parseShadow(rest string) Shadow {
	f := append(strings.Split(rest, ":"), make([]string, 8)...)
	n := func(i int) int64 {
		v, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return Unset
		}
		return v
	}
	return Shadow{f[0], n(1), n(2), n(3), n(4), n(5), n(6)}
}

// Info is what Salt tells of an entry. Its hash is not in it.
func (s Shadow) Info() *value.Dict {
	return value.NewDict("passwd", Redacted, "lstchg", s.LastChange, "min", s.Min, "max", s.Max, "warn", s.Warn,
		"inact", s.Inactive, "expire", s.Ends)
}

// HasPassword says whether anyone ever set a password: what programs write for none doesn't count.
func (s Shadow) HasPassword() bool {
	switch s.Passwd {
	case "", "!", "!!", "*", "x":
		return false
	}
	return true
}
