package ssh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

type hostKeysArgs struct {
	Keydir  string `arg:"keydir" default:"/etc/ssh" doc:"where they lie"`
	Private bool   `arg:"private" doc:"also the private ones: they go to masters, which keep what jobs return"`
	Certs   bool   `arg:"certs" default:"true" doc:"also certificates"`
}

// hostKeys returns the keys by their type, with .pub behind for the public ones.
func hostKeys(_ context.Context, h *host.Host, a hostKeysArgs) (*value.Dict, error) {
	entries, err := os.ReadDir(h.Path(a.Keydir))
	if err != nil {
		return nil, fmt.Errorf("cannot list the keys of this host: %w", err)
	}
	d := &value.Dict{}
	for _, e := range entries {
		kind, rest, ok := strings.Cut(strings.TrimPrefix(e.Name(), "ssh_host_"), "_key")
		switch {
		case !ok || !strings.HasPrefix(e.Name(), "ssh_host_"), rest == "" && !a.Private, rest == "-cert.pub" && !a.Certs,
			rest != "" && rest != ".pub" && rest != "-cert.pub":
			continue
		}
		text, err := file.Get(h, path.Join(a.Keydir, e.Name()))
		if err != nil {
			return nil, err
		}
		d.Put(kind+rest, strings.TrimSpace(string(text)))
	}
	return d, nil
}

// A keyFile is the name of a file of keys; none at all for false, and no name for all that have the usual ones.
type keyFile struct {
	name string
	none bool
}

func (*keyFile) ArgType() string { return "text or boolean" }

// ParseArg implements module.ArgParser.
func (k *keyFile) ParseArg(v module.Value) error {
	s, err := v.Str()
	k.name = s
	if b, ok := v.Data.(bool); ok {
		*k = keyFile{none: !b}
		return nil
	}
	if err != nil {
		return v.Want("the name of a file, true or false")
	}
	return nil
}

type userKeysArgs struct {
	User    users   `arg:"user" doc:"a user, or a list of users; absent is all"`
	Pubfile keyFile `arg:"pubfile" doc:"the public key, a path or a name in .ssh; false leaves public keys out; absent or true is all with a usual name"`
	Prvfile keyFile `arg:"prvfile" default:"false" doc:"also this private key, a path or a name in .ssh; true is all with a usual name. They go to masters, which keep what jobs return"`
}

// files are the names of the keys that are meant.
func (a *userKeysArgs) files() []string {
	var names []string
	for _, of := range []struct {
		keyFile
		end string
	}{{a.Pubfile, ".pub"}, {a.Prvfile, ""}} {
		switch {
		case of.name != "":
			names = append(names, of.name)
		case !of.none:
			for _, kind := range []string{"rsa", "dsa", "ecdsa", "ed25519"} {
				names = append(names, "id_"+kind+of.end)
			}
		}
	}
	return names
}

func userKeys(ctx context.Context, h *host.Host, a userKeysArgs) (*value.Dict, error) {
	names, err := a.User.all(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, name := range names {
		u, err := h.User(ctx, name)
		if errors.Is(err, host.ErrNoAccount) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d := &value.Dict{}
		for _, key := range a.files() {
			full := key
			if !path.IsAbs(key) {
				full = path.Join(u.Home, ".ssh", key)
			}
			if !path.IsAbs(full) {
				continue // who has no home directory has no keys
			}
			switch text, err := file.GetFor(h, full); {
			case err != nil && len(names) == 1:
				return nil, err
			case err == nil && text != nil:
				d.Put(path.Base(key), strings.TrimSpace(string(text)))
			}
		}
		if d.Len() > 0 {
			all.Put(name, d)
		}
	}
	return all, nil
}
