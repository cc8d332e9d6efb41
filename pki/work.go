//go:build !race

package pki

// work is the logarithm of what a guess at the site key's passphrase costs
// (scrypt's N): 256 MiB and about a second.
const work = 18
