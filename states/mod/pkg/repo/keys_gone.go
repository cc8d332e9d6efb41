package repo

import (
	"context"
	"fmt"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// endKeys plans that the keys which keyid and keyid_ppa name are trusted no more, as the repository is not there any more.
// A file stays that a source names which stays.
func (a *Args) endKeys(ctx context.Context, h *host.Host, left []*aptFile, edit *Edit) error {
	ids := []string(a.KeyID)
	if a.KeyIDPPA && a.launchpad() {
		id, err := a.launchpadKey(ctx, h)
		if err != nil {
			return err
		}
		ids = []string{id}
	}
	var found []string
	for _, name := range keyFiles(h, a.SignedBy) {
		data, err := file.Get(h, name)
		if err != nil {
			return err
		}
		packets, err := Dearmor(data)
		if err != nil {
			continue // it holds none
		}
		kept, gone := WithoutKeys(packets, ids)
		if len(gone) == 0 {
			continue
		}
		if by := namedBy(left, name); by != "" {
			edit.Warnings = append(edit.Warnings, fmt.Sprintf("the key %s stays in %s, which %s names", strings.Join(gone, ", "), name, by))
			continue
		}
		if strings.HasSuffix(name, ".asc") && len(kept) > 0 {
			kept = Armor(kept)
		}
		found = append(found, gone...)
		edit.files = append(edit.files, written{name: name, data: string(kept), gone: len(kept) == 0})
	}
	switch {
	case len(found) > 0:
		edit.Changes.Put("keyid", strings.Join(ids, ", "))
	case len(ids) > 0 && len(edit.Warnings) == 0:
		edit.Warnings = append(edit.Warnings, fmt.Sprintf("the key %s is in none of apt's files of keys", strings.Join(ids, ", ")))
	}
	return nil
}

// keyFiles are the files in which apt has keys, and one more.
func keyFiles(h *host.Host, more string) []string {
	all := []string{"/etc/apt/trusted.gpg"}
	for _, dir := range []string{"/etc/apt/trusted.gpg.d", "/etc/apt/keyrings"} {
		all = append(all, under(h, dir, ".gpg", ".asc")...)
	}
	if dir := path.Dir(more); more != "" && dir != "/etc/apt/trusted.gpg.d" && dir != "/etc/apt/keyrings" {
		all = append(all, more)
	}
	return all
}

// namedBy is the file of the first source that is signed by a file of keys; "" for none.
func namedBy(left []*aptFile, name string) string {
	for _, f := range left {
		for _, e := range f.entries {
			if e.Source != nil && e.Source.Option("signed-by") == name {
				return f.name
			}
		}
	}
	return ""
}
