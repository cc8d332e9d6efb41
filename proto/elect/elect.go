// Package elect chooses which one of several does something, without asking: all who know the same names choose the same.
package elect

import "hash/fnv"

// First is the one of some names that is chosen for a key; "" of none. When a name comes or goes, few keys change hands.
func First(names []string, key string) string {
	best, most := "", uint64(0)
	for _, name := range names {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name + "\x00" + key)) // it never fails
		n := h.Sum64()
		n ^= n >> 33 // the last letters change too few bits of it
		n *= 0xff51afd7ed558ccd
		n ^= n >> 33
		if best == "" || n > most || n == most && name < best {
			best, most = name, n
		}
	}
	return best
}
