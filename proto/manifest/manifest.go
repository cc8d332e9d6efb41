// Package manifest reads and writes the list of a tree's files. The list's
// own SHA-256 names the tree, so that whoever holds a tree's id can check
// every byte of it, from whichever master it came.
package manifest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	protobuf "google.golang.org/protobuf/proto"

	"brine/proto"
)

// Limits of a manifest.
const (
	MaxBytes = 64 << 20 // of the encoded manifest
	maxPath  = 4096     // bytes, as Linux has it
)

// Encode is EncodeAll of a tree that has nothing but files.
func Encode(files []*proto.File) (data []byte, tree string, err error) {
	return EncodeAll(files, nil, nil)
}

// EncodeAll orders files, directories without any and links by path and returns
// the manifest's bytes and the id of the tree. It refuses what Parse would refuse.
func EncodeAll(files []*proto.File, empty []string, links []*proto.Link) (data []byte, tree string, err error) {
	m := &proto.Manifest{Files: slices.Clone(files), Empty: slices.Sorted(slices.Values(empty)), Links: slices.Clone(links)}
	slices.SortFunc(m.Files, func(a, b *proto.File) int { return cmp.Compare(a.GetPath(), b.GetPath()) })
	slices.SortFunc(m.Links, func(a, b *proto.Link) int { return cmp.Compare(a.GetPath(), b.GetPath()) })
	if err := check(m); err != nil {
		return nil, "", err
	}
	data, err = protobuf.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, "", fmt.Errorf("cannot encode a manifest of %d files: %w", len(files), err)
	}
	if len(data) > MaxBytes {
		return nil, "", fmt.Errorf("cannot encode a manifest of %d files: %d bytes, at most %d are allowed",
			len(files), len(data), MaxBytes)
	}
	return data, ID(data), nil
}

// ID is the id of the tree whose manifest has these bytes: SHA-256 in
// lower-case hexadecimal digits.
func ID(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// CheckHash tells whether s is a SHA-256 in lower-case hexadecimal digits. A
// checked one is safe in a file name and a URL.
func CheckHash(s string) error {
	if len(s) != 2*sha256.Size {
		return fmt.Errorf("cannot use %.80q as a SHA-256: it has %d characters, want %d", s, len(s), 2*sha256.Size)
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("cannot use %q as a SHA-256: byte %d is none of 0-9 a-f", s, i)
		}
	}
	return nil
}

// Parse reads the manifest of tree. It refuses bytes that are not that
// tree's, and paths that could lead out of a directory.
func Parse(tree string, data []byte) (*proto.Manifest, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("cannot read the manifest of tree %s: %d bytes, at most %d are allowed",
			tree, len(data), MaxBytes)
	}
	if got := ID(data); got != tree {
		return nil, fmt.Errorf("cannot read the manifest of tree %s: its bytes are those of %s", tree, got)
	}
	m := &proto.Manifest{}
	if err := protobuf.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("cannot read the manifest of tree %s: %w", tree, err)
	}
	if err := check(m); err != nil {
		return nil, err
	}
	return m, nil
}

// Find returns the file at path, or nil when the tree has none.
func Find(m *proto.Manifest, path string) *proto.File {
	i, found := slices.BinarySearchFunc(m.Files, path, func(f *proto.File, path string) int {
		return strings.Compare(f.GetPath(), path)
	})
	if !found {
		return nil
	}
	return m.Files[i]
}

func check(m *proto.Manifest) error {
	last := ""
	for _, f := range m.Files {
		path := f.GetPath()
		if err := checkPath(path, last); err != nil {
			return err
		}
		switch {
		case len(f.GetSha256()) != sha256.Size:
			return fmt.Errorf("cannot use manifest path %q: its SHA-256 has %d bytes", path, len(f.GetSha256()))
		case f.GetSize() < 0 || f.GetMode() > 0o7777:
			return fmt.Errorf("cannot use manifest path %q: size %d, mode %o", path, f.GetSize(), f.GetMode())
		}
		last = path
	}
	last = ""
	for _, path := range m.Empty {
		if err := checkPath(path, last); err != nil {
			return err
		}
		last = path
	}
	last = ""
	for _, l := range m.Links {
		if err := checkPath(l.GetPath(), last); err != nil {
			return err
		}
		if to := l.GetTarget(); to == "" || len(to) > maxPath || strings.ContainsRune(to, 0) {
			return fmt.Errorf("cannot use manifest path %q: a link of %d bytes", l.GetPath(), len(to))
		}
		last = l.GetPath()
	}
	return nil
}

func checkPath(path, last string) error {
	switch {
	case path == "." || !fs.ValidPath(path) || strings.ContainsRune(path, 0):
		return fmt.Errorf("cannot use manifest path %q: it is not a clean relative path in UTF-8", path)
	case len(path) > maxPath:
		return fmt.Errorf("cannot use manifest path %q...: it has %d bytes, at most %d are allowed",
			path[:64], len(path), maxPath)
	case path <= last:
		return fmt.Errorf("cannot use manifest path %q: it follows %q", path, last)
	}
	return nil
}
