package file

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// labelFuncs are about SELinux labels, and about hashes of sources.
var labelFuncs = []module.Func{
	{Name: "get_selinux_context", Doc: "Return the SELinux label of a path.", Example: "/etc/hosts", Do: module.Call(getLabel)},
	{Name: "get_source_sum", Doc: "Return the hash that source_hash gives a source, and its type.",
		Example: "source=/srv/app.tar.gz source_hash=/srv/SHA256SUMS", Do: module.Call(hashOfSource)},
	{Name: "restorecon", Doc: "Give a path the SELinux label that the system's policy has for it, by restorecon(8).",
		Example: "/home/user/.ssh/authorized_keys", Do: module.Call(restorecon)},
	{Name: "set_selinux_context", Doc: "Change parts of the SELinux label of a path, and return the label.",
		Example: "/etc/yum.repos.d/epel.repo system_u object_r system_conf_t s0", Do: module.Call(setLabel)},
}

func getLabel(ctx context.Context, h *host.Host, a onePath) (string, error) {
	s, _, err := there(ctx, h, a.Path, true)
	if err != nil {
		return "", err
	}
	defer s.leave()
	f, err := s.openAny()
	if err != nil {
		return "", err
	}
	defer f.Close()
	label, ok := labelOf(f)
	if !ok {
		return fmt.Sprintf("No selinux context information is available for %s", a.Path), nil
	}
	return label, nil
}

type labelFuncArgs struct {
	onePath
	User    string `arg:"user" doc:"the user of the label; left alone when absent"`
	Role    string `arg:"role" doc:"the role; left alone when absent"`
	Type    string `arg:"type" doc:"the type; left alone when absent"`
	Range   string `arg:"range" doc:"the range; left alone when absent"`
	Persist bool   `arg:"persist" doc:"refused: add it to the policy by semanage(8), with cmd.run"`
}

func setLabel(ctx context.Context, h *host.Host, a labelFuncArgs) (any, error) {
	want := selinux{[4]string{a.User, a.Role, a.Type, a.Range}}
	switch {
	case want == selinux{}:
		return false, nil
	case a.Persist:
		return nil, errors.New(`cannot use "persist": add it to the policy by semanage(8), with cmd.run`)
	}
	s, i, err := thereToChange(ctx, h, a.Path, true)
	if err != nil {
		return nil, err
	}
	do, err := want.plan(s, i, &value.Dict{})
	s.leave()
	if err == nil {
		err = do()
	}
	if err != nil {
		return nil, err
	}
	return getLabel(ctx, h, a.onePath)
}

type restoreconArgs struct {
	onePath
	Recursive bool `arg:"recursive" doc:"also all below a directory"`
}

func restorecon(ctx context.Context, h *host.Host, a restoreconArgs) (bool, error) {
	s, _, err := thereToChange(ctx, h, a.Path, true)
	if err != nil {
		return false, err
	}
	s.leave()
	if h.Exec == nil {
		return false, errors.New("cannot run restorecon: this host runs no commands")
	}
	argv := []string{"restorecon", "-F"}
	if a.Recursive {
		argv = append(argv, "-R")
	}
	if _, err := h.Run(ctx, append(argv, "--", s.real())...); err != nil {
		return false, err
	}
	return true, nil
}

type sourceSumArgs struct {
	Name     string `arg:"file_name" doc:"the name that the file has here; another by which the file of hashes may know it"`
	Source   string `arg:"source,required" doc:"the source"`
	Hash     string `arg:"source_hash,required" doc:"hash: digits, TYPE=digits, or where a file of hashes is"`
	HashName string `arg:"source_hash_name" doc:"the name by which the file of hashes knows the source"`
	Saltenv  string `arg:"saltenv" doc:"environment to fetch the file of hashes from; the job's when absent"`
}

func hashOfSource(ctx context.Context, h *host.Host, a sourceSumArgs) (*value.Dict, error) {
	from := sourceArgs{SourceHash: a.Hash, HashName: a.HashName, Saltenv: a.Saltenv}
	if err := from.understood(); err != nil {
		return nil, err
	}
	sum, err := from.sum(ctx, h, a.Source, a.Name)
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for kind, digits := range sum {
		d = value.NewDict("hash_type", kind, "hsum", digits)
	}
	return d, nil
}
