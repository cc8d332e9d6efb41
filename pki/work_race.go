//go:build race

package pki

// work is little, as scrypt takes half a minute under the race detector.
const work = 12
