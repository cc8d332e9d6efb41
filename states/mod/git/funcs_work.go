package git

import (
	"context"

	"brine/states/host"
)

type addArgs struct {
	repoArgs
	Filename string `arg:"filename,required" doc:"a file or a directory, below the repository"`
	common
}

// ofFile makes a function of a command that takes a file.
func ofFile(command ...string) func(context.Context, *host.Host, addArgs) (string, error) {
	return func(ctx context.Context, h *host.Host, a addArgs) (string, error) {
		a.Opts = append(a.Opts, "--")
		return a.git(ctx, h, a.Cwd, command, a.Filename)
	}
}

type commitArgs struct {
	repoArgs
	Message  string `arg:"message,required" doc:"what the commit says"`
	Filename string `arg:"filename" doc:"commit this file alone; absent: what was added"`
	common
}

func commit(ctx context.Context, h *host.Host, a commitArgs) (string, error) {
	command := []string{"commit", "--message=" + a.Message}
	if a.Filename == "" {
		return a.git(ctx, h, a.Cwd, command)
	}
	a.Opts = append(a.Opts, "--")
	return a.git(ctx, h, a.Cwd, command, a.Filename)
}

type pushArgs struct {
	repoArgs
	Remote string `arg:"remote" default:"origin" doc:"name of the remote, or its URL"`
	Ref    string `arg:"ref,required" doc:"a branch or a tag, or LOCAL:REMOTE"`
	common
}

func push(ctx context.Context, h *host.Host, a pushArgs) (string, error) {
	c, err := a.client(ctx, h, &a.Remote)
	if err != nil {
		return "", err
	}
	a.HTTPSUser, a.HTTPSPass = c.HTTPSUser, c.HTTPSPass
	return a.git(ctx, h, a.Cwd, []string{"push", "--porcelain"}, a.Remote, a.Ref)
}

type nameArgs struct {
	repoArgs
	Name string `arg:"name" doc:"its name; may be absent where opts say what to do"`
	common
}

// ofName makes a function of a command that takes a name.
func ofName(command ...string) func(context.Context, *host.Host, nameArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
		var rest []string
		if a.Name != "" {
			rest = []string{a.Name}
		}
		_, err := a.git(ctx, h, a.Cwd, command, rest...)
		return err == nil, err
	}
}

type tagArgs struct {
	repoArgs
	Name    string `arg:"name,required" doc:"the tag"`
	Ref     string `arg:"ref" default:"HEAD" doc:"what it names"`
	Message string `arg:"message" doc:"make an annotated tag that says this"`
	common
}

func tag(ctx context.Context, h *host.Host, a tagArgs) (string, error) {
	command := []string{"tag"}
	if a.Message != "" {
		command = append(command, "--message="+a.Message)
	}
	return a.git(ctx, h, a.Cwd, command, a.Name, a.Ref)
}

type mergeArgs struct {
	repoArgs
	Rev string `arg:"rev" doc:"branch, tag or commit; absent: what the branch follows"`
	common
}

// ofOther makes a function of a command that takes another revision than the one that is checked out.
func ofOther(command ...string) func(context.Context, *host.Host, mergeArgs) (string, error) {
	return func(ctx context.Context, h *host.Host, a mergeArgs) (string, error) {
		var rest []string
		if a.Rev != "" {
			rest = []string{a.Rev}
		}
		return a.git(ctx, h, a.Cwd, command, rest...)
	}
}
