package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

// users are one or several; none stands for all.
type users struct {
	names []string
	one   bool
}

func (*users) ArgType() string { return "text or list" }

// ParseArg implements module.ArgParser.
func (u *users) ParseArg(v module.Value) error {
	_, isList := v.Items()
	u.one = !isList
	for _, item := range v.Each() {
		name, err := item.Str()
		if err != nil {
			return v.Want("a user, or a list of users")
		}
		u.names = append(u.names, name)
	}
	return nil
}

// all are the names of the users that are meant.
func (u *users) all(ctx context.Context, h *host.Host) ([]string, error) {
	if len(u.names) > 0 {
		return u.names, nil
	}
	var names []string
	accounts, err := h.Accounts(ctx, "passwd")
	for _, f := range accounts {
		names = append(names, f[0])
	}
	return names, err
}

type authKeysArgs struct {
	User   users    `arg:"user" doc:"a user, or a list of users; absent is all"`
	Config string   `arg:"config" default:".ssh/authorized_keys" doc:"the file: an absolute path, or one in the home directory; %h is that, %u the user"`
	Hash   hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made: sha256, md5, sha1 or sha512"`
}

// authKeys tells of several users also whose keys can't be read, in place of them.
func authKeys(ctx context.Context, h *host.Host, a authKeysArgs) (*value.Dict, error) {
	names, err := a.User.all(ctx, h)
	if err != nil {
		return nil, err
	}
	all := &value.Dict{}
	for _, name := range names {
		keys, err := a.of(ctx, h, name)
		switch {
		case errors.Is(err, host.ErrNoAccount):
			keys = nil
		case err != nil && a.User.one:
			return nil, err
		case err != nil:
			all.Put(name, err.Error())
			continue
		}
		if a.User.one {
			return keys, nil
		}
		if keys.Len() > 0 {
			all.Put(name, keys)
		}
	}
	return all, nil
}

func (a *authKeysArgs) of(ctx context.Context, h *host.Host, user string) (*value.Dict, error) {
	d := &value.Dict{}
	p, err := authorized(ctx, h, user, a.Config)
	if err != nil {
		return d, err
	}
	l, err := p.read(h)
	for _, line := range l {
		if k, ok := parse(line); ok {
			options := &value.List{}
			if k.options != "" {
				for o := range strings.SplitSeq(k.options, ",") {
					options.Items = append(options.Items, o)
				}
			}
			d.Put(k.blob, value.NewDict("enc", k.enc, "comment", k.comment, "options", options, "fingerprint", a.Hash.of(k.blob)))
		}
	}
	return d, err
}

type keyFuncArgs struct {
	User    string   `arg:"user,required" doc:"whose keys"`
	Key     string   `arg:"key,required" doc:"the key: itself, with its type before and its comment behind, or a whole line with options"`
	Enc     string   `arg:"enc" doc:"its type; absent is the one that the key itself tells"`
	Comment string   `arg:"comment" doc:"its comment"`
	Options []string `arg:"options" doc:"its options"`
	Config  string   `arg:"config" default:".ssh/authorized_keys" doc:"the file: an absolute path, or one in the home directory; %h is that, %u the user"`
	Hash    hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made; here nothing depends on it"`
}

func (a *keyFuncArgs) state() *presentArgs {
	return &presentArgs{Name: a.Key, userFile: userFile{User: a.User, Config: a.Config},
		keyArgs: keyArgs{Enc: a.Enc, Comment: a.Comment, Options: a.Options}}
}

func checkKey(ctx context.Context, h *host.Host, a keyFuncArgs) (string, error) {
	found, err := a.state().statuses(ctx, h)
	if err != nil {
		return "", err
	}
	for _, s := range found.All() {
		return s.(string), nil
	}
	return "", nil
}

// statuses are what there is to do about the keys of a state, by key.
func (a *presentArgs) statuses(ctx context.Context, h *host.Host) (*value.Dict, error) {
	if err := a.CheckArgs(); err != nil {
		return nil, err
	}
	keys, err := a.keys(ctx, h)
	if err != nil {
		return nil, err
	}
	p, err := authorized(ctx, h, a.User, a.Config)
	if err != nil {
		return nil, err
	}
	l, err := p.read(h)
	d := &value.Dict{}
	for _, k := range keys {
		d.Put(k.blob, string(l.put(k)))
	}
	return d, err
}

type keyFileArgs struct {
	User   string   `arg:"user,required" doc:"whose keys"`
	Source string   `arg:"source,required" doc:"a file of keys: salt://PATH, https://HOST/PATH or a path of this host"`
	Config string   `arg:"config" default:".ssh/authorized_keys" doc:"the file: an absolute path, or one in the home directory; %h is that, %u the user"`
	Env    string   `arg:"saltenv" doc:"taken for Salt's sake: salt://PATH?saltenv=NAME says so too"`
	Hash   hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made; here nothing depends on it"`
}

func (a *keyFileArgs) state() *presentArgs {
	source := a.Source
	if a.Env != "" && strings.HasPrefix(source, "salt://") && !strings.Contains(source, "?saltenv=") {
		source += "?saltenv=" + a.Env
	}
	return &presentArgs{Name: a.Source, userFile: userFile{User: a.User, Config: a.Config}, keyArgs: keyArgs{Source: source}}
}

func checkKeyFile(ctx context.Context, h *host.Host, a keyFileArgs) (*value.Dict, error) {
	return a.state().statuses(ctx, h)
}

func setAuthKey(ctx context.Context, h *host.Host, a keyFuncArgs) (string, error) {
	return a.state().set(ctx, h)
}

func setAuthKeyFile(ctx context.Context, h *host.Host, a keyFileArgs) (string, error) {
	return a.state().set(ctx, h)
}

// set has the keys of a state there, and says what that was.
func (a *presentArgs) set(ctx context.Context, h *host.Host) (string, error) {
	found, err := a.statuses(ctx, h)
	if err != nil {
		return "", err
	}
	plan, err := planPresent(ctx, h, *a)
	for _, s := range plan.Steps {
		if err == nil {
			_, err = s.Do(ctx)
		}
	}
	was := "no change"
	for _, s := range found.All() {
		switch {
		case s == string(update):
			was = "replace"
		case s == string(add) && was != "replace":
			was = "new"
		}
	}
	return was, err
}

type rmKeyArgs struct {
	User   string   `arg:"user,required" doc:"whose keys"`
	Key    string   `arg:"key,required" doc:"the key"`
	Config string   `arg:"config" default:".ssh/authorized_keys" doc:"the file: an absolute path, or one in the home directory; %h is that, %u the user"`
	Hash   hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made; here nothing depends on it"`
}

func rmAuthKey(ctx context.Context, h *host.Host, a rmKeyArgs) (string, error) {
	return remove(ctx, h, absentArgs{Name: a.Key, userFile: userFile{User: a.User, Config: a.Config}})
}

func rmAuthKeyFile(ctx context.Context, h *host.Host, a keyFileArgs) (string, error) {
	s := a.state()
	return remove(ctx, h, absentArgs{Name: s.Name, userFile: s.userFile, keyArgs: s.keyArgs})
}

// remove does what the state absent does.
func remove(ctx context.Context, h *host.Host, a absentArgs) (string, error) {
	if err := a.CheckArgs(); err != nil {
		return "", err
	}
	plan, err := planAbsent(ctx, h, a)
	if err != nil || len(plan.Steps) == 0 {
		return "Key not present", err
	}
	_, err = plan.Steps[0].Do(ctx)
	return "Key removed", err
}

type encryptedArgs struct {
	Key string `arg:"key,required" doc:"the file of a private key"`
}

// keyIsEncrypted looks into the key: OpenSSH's own format says in base64 by what it is encrypted.
func keyIsEncrypted(_ context.Context, h *host.Host, a encryptedArgs) (bool, error) {
	data, err := file.GetFor(h, a.Key)
	switch {
	case err != nil:
		return false, err
	case data == nil:
		return false, fmt.Errorf("cannot read %s: there is no such file", a.Key)
	case !bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return false, fmt.Errorf("cannot tell whether %s is encrypted: it is no private key", a.Key)
	case bytes.Contains(data, []byte("ENCRYPTED")):
		return true, nil
	case !bytes.Contains(data, []byte("BEGIN OPENSSH PRIVATE KEY")):
		return false, nil
	}
	// openssh-key-v1, a zero byte, the length 4, and the name of the cipher
	return !bytes.Contains(data, []byte("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU")), nil
}
