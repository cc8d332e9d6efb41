// Package pki holds what trust in brine rests on: keys and their
// fingerprints, the site key, signed envelopes, the trust bundle, sealing,
// and the TLS configurations of masters, minions and operators.
//
// A site is its site key: an ed25519 key that is also the X.509 authority of
// the masters' certificates. Its fingerprint, a hash of the public key alone,
// is the site's name in everything that is signed, and what minions pin.
//
// Each signature is over a label that names its purpose and the site. Every
// label begins with a zero byte, which no TLS transcript, certificate or
// login nonce begins with; so no signature serves elsewhere.
package pki
