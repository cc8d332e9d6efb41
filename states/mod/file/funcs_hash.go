package file

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"brine/states/host"
	"brine/states/module"
)

var hashFuncs = []module.Func{
	{Name: "check_hash", Doc: "Tell whether the content of a file has a hash.",
		Example: "/etc/motd sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Do: module.Call(checkHash)},
	{Name: "chattr", Doc: "Add or take away attributes of files, as chattr(1) does.",
		Example: "/etc/app.conf operator=add attributes=i", Do: module.Call(chattr)},
	{Name: "get_hash", Doc: "Return the hash of a file's content.", Example: "/etc/motd sha256", Do: module.Call(getHash)},
	{Name: "get_sum", Doc: "Return the hash of a file's content, as get_hash does.", Example: "/etc/motd sha256", Do: module.Call(getSum)},
	{Name: "lsattr", Doc: "Return the attributes of a path as letters, as lsattr(1) shows them.", Example: "/etc/motd",
		Do: module.Call(lsattr)},
}

type getHashArgs struct {
	onePath
	Form  string `arg:"form" default:"sha256" doc:"md5, sha1, sha224, sha256, sha384 or sha512"`
	Chunk int    `arg:"chunk_size" default:"65536" doc:"accepted for Salt: how much is read at once is no one's business"`
}

type getSumArgs struct {
	File string `arg:"file,required,alias=path" doc:"the absolute path"`
	Form string `arg:"form" default:"sha256" doc:"md5, sha1, sha224, sha256, sha384 or sha512"`
}

func getHash(ctx context.Context, h *host.Host, a getHashArgs) (string, error) {
	s, _, err := there(ctx, h, a.Path, true)
	if err != nil {
		return "", err
	}
	defer s.leave()
	return hashAt(ctx, s, a.Form)
}

func getSum(ctx context.Context, h *host.Host, a getSumArgs) (string, error) {
	return getHash(ctx, h, getHashArgs{onePath: onePath{a.File}, Form: a.Form})
}

// hashAt is the hash of the file at a spot.
func hashAt(ctx context.Context, s *spot, form string) (string, error) {
	sum, err := newHash(form)
	if err != nil {
		return "", err
	}
	f, err := s.openRead()
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(sum, until(ctx, f)); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", s.path(), err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

type checkHashArgs struct {
	onePath
	Hash string `arg:"file_hash,required" doc:"digits, or TYPE=digits"`
}

func checkHash(ctx context.Context, h *host.Host, a checkHashArgs) (bool, error) {
	want, ok := parseSum(a.Hash)
	if !ok {
		return false, fmt.Errorf("argument %q: want a hash such as sha256=DIGITS, got %q", "file_hash", a.Hash)
	}
	s, _, err := there(ctx, h, a.Path, true)
	if err != nil {
		return false, err
	}
	defer s.leave()
	f, err := s.openRead()
	if err != nil {
		return false, err
	}
	defer f.Close()
	got, err := want.of(ctx, f)
	return got.equal(want), err
}

func lsattr(ctx context.Context, h *host.Host, a onePath) (map[string][]string, error) {
	s, i, err := there(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	letters := []string{}
	if !i.isFile() && !i.isDir() {
		return map[string][]string{a.Path: letters}, nil
	}
	f, err := s.openAny()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	bits, err := flagsOf(f)
	for _, letter := range flagLetters(bits) {
		letters = append(letters, string(letter))
	}
	return map[string][]string{a.Path: letters}, err
}

type chattrArgs struct {
	Files      []string `arg:"files,required,rest" doc:"the absolute paths"`
	Operator   string   `arg:"operator" default:"add" doc:"add, or remove"`
	Attributes string   `arg:"attributes" doc:"letters, such as i"`
}

func chattr(ctx context.Context, h *host.Host, a chattrArgs) (bool, error) {
	bits, err := flagBits(a.Attributes)
	if err != nil || a.Attributes == "" {
		return false, fmt.Errorf("argument %q: want letters of chattr, such as i, got %q", "attributes", a.Attributes)
	}
	set := bits
	switch a.Operator {
	case "add":
	case "remove":
		set = 0
	default:
		return false, fmt.Errorf("argument %q: want add or remove, got %q", "operator", a.Operator)
	}
	for _, name := range a.Files {
		s, _, err := there(ctx, h, name, true)
		if err != nil {
			return false, err
		}
		if err := s.setFlags(set, bits); err != nil {
			return false, err
		}
	}
	return true, nil
}
