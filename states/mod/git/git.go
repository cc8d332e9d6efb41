// Package git keeps clones of git repositories, and their configuration.
package git

import (
	"context"

	"brine/states/host"
	"brine/states/module"
)

// Module is the git module.
var Module = module.Module{
	Name: "git",
	Doc: `
		Keep clones of git repositories, and their configuration, by the program git. Git never waits for an answer: a password
		or a key that is missing is an error. Names and passwords, also those in URLs, reach git in its environment, and stand
		in no result and no file. Run git as the user who owns a repository: its settings are commands that git runs.`,
	Funcs: []module.Func{
		{Name: "add", Doc: "Put a file, or what is in a directory, into the index.", Example: "/srv/app app.conf", Do: module.Call(ofFile("add", "--verbose"))},
		{Name: "branch", Doc: "Make a branch, or with opts delete or rename one.", Example: "/srv/app hotfix", Do: module.Call(ofName("branch"))},
		{Name: "checkout", Doc: "Check out a branch, a tag or a commit.", Example: "/srv/app v1.2", Do: module.Call(checkout)},
		{Name: "clone", Doc: "Clone a repository.", Example: "/srv/app https://example.com/app.git", Do: module.Call(clone)},
		{Name: "commit", Doc: "Commit what is in the index, or a file.", Example: "/srv/app 'New settings'", Do: module.Call(commit)},
		{Name: "config_get", Doc: "Return a value of the configuration.", Example: "user.email /srv/app", Do: module.Call(configGet)},
		{
			Name: "config_set", Doc: "Set a value of the configuration, and return all values of the name.",
			Example: "user.email me@example.com repo=/srv/app", Do: module.Call(configSet),
		},
		{
			Name: "config_unset", Doc: "Take a value out of the configuration; say whether it was there.",
			Example: "user.email repo=/srv/app", Do: module.Call(configUnset),
		},
		{Name: "current_branch", Doc: "Return the branch that is checked out.", Example: "/srv/app", Do: module.Call(simple("rev-parse", "--abbrev-ref", "HEAD"))},
		{Name: "describe", Doc: "Return a name for a commit made of the last tag before it.", Example: "/srv/app", Do: module.Call(ofRev("describe", "--tags", "--always"))},
		{Name: "diff", Doc: "Return how files differ from the commit.", Example: "/srv/app", Do: module.Call(simple("diff"))},
		{Name: "fetch", Doc: "Fetch what a remote has.", Example: "/srv/app origin", Do: module.Call(fetch)},
		{Name: "init", Doc: "Make a repository.", Example: "/srv/app bare=true", Do: module.Call(initialise)},
		{Name: "list_branches", Doc: "Return the local branches.", Example: "/srv/app", Do: module.Call(lines("for-each-ref", "--format=%(refname:short)", "refs/heads/"))},
		{Name: "list_tags", Doc: "Return the tags.", Example: "/srv/app", Do: module.Call(lines("for-each-ref", "--format=%(refname:short)", "refs/tags/"))},
		{
			Name: "ls_remote", Doc: "Return the commits of a repository elsewhere by the names of its branches and tags.",
			Example: "remote=https://example.com/app.git", Do: module.Call(lsRemote),
		},
		{Name: "merge", Doc: "Merge another branch into the one that is checked out.", Example: "/srv/app hotfix", Do: module.Call(ofOther("merge"))},
		{Name: "pull", Doc: "Fetch and merge.", Example: "/srv/app opts=--ff-only", Do: module.Call(simple("pull"))},
		{Name: "push", Doc: "Push a branch or a tag.", Example: "/srv/app origin main", Do: module.Call(push)},
		{Name: "rebase", Doc: "Put the commits of the branch on top of another one.", Example: "/srv/app main", Do: module.Call(ofOther("rebase"))},
		{Name: "remote_get", Doc: "Return the URLs of a remote.", Example: "/srv/app", Do: module.Call(remoteGet)},
		{Name: "remote_set", Doc: "Set the URL of a remote, and return its URLs.", Example: "/srv/app https://example.com/app.git", Do: module.Call(remoteSet)},
		{Name: "remotes", Doc: "Return the URLs of all remotes.", Example: "/srv/app", Do: module.Call(remotes)},
		{Name: "reset", Doc: "Move the branch, and with opts=--hard the files.", Example: "/srv/app opts='--hard origin/main'", Do: module.Call(simple("reset"))},
		{Name: "rev_parse", Doc: "Return what git makes of a revision.", Example: "/srv/app HEAD~1", Do: module.Call(ofRev("rev-parse"))},
		{Name: "revision", Doc: "Return the commit of a revision.", Example: "/srv/app short=true", Do: module.Call(revisionOf)},
		{Name: "rm", Doc: "Remove a file, from the index too.", Example: "/srv/app old.conf", Do: module.Call(ofFile("rm"))},
		{Name: "stash", Doc: "Set changes of files aside, or with opts bring them back.", Example: "/srv/app", Do: module.Call(simple("stash"))},
		{Name: "status", Doc: "Return the names of changed files by what happened to them.", Example: "/srv/app", Do: module.Call(status)},
		{Name: "tag", Doc: "Make a tag of a commit, annotated where it has a message.", Example: "/srv/app v1.3", Do: module.Call(tag)},
		{Name: "version", Doc: "Return the version of git.", Do: module.Call(versionOf)},
	},
	States: []module.State{
		{
			Name: "cloned", Doc: "Make sure that a clone is there; it is never updated.",
			Example: `
				https://example.com/app.git:
				  git.cloned:
				    - target: /srv/app`,
			Plan: module.Look(planCloned),
		},
		{
			Name: "config_set", Doc: "Make sure that a name of the configuration has a value.",
			Example: `
				user.email:
				  git.config_set:
				    - value: me@example.com
				    - repo: /srv/repo`,
			Plan: module.Look(planConfigSet),
		},
		{
			Name: "config_unset", Doc: "Make sure that names are not in the configuration.",
			Example: `
				core\.old.*:
				  git.config_unset:
				    - repo: /srv/repo
				    - all: true`,
			Plan: module.Look(planConfigUnset),
		},
		{
			Name: "detached", Doc: "Make sure that a clone has a commit checked out, and no branch.",
			Example: `
				https://example.com/app.git:
				  git.detached:
				    - rev: v1
				    - target: /srv/app`,
			Plan: module.Look(planDetached),
		},
		{
			Name: "latest",
			Doc: `
				Make sure that a clone is there and has what a branch or a tag is at its remote now. What is only here, commits or
				changed files, is never discarded unless force_reset, force_checkout or force_clone say so.`,
			Example: `
				https://example.com/app.git:
				  git.latest:
				    - target: /srv/app
				    - rev: main`,
			Plan: module.Look(planLatest),
			Watch: module.React(func(ctx context.Context, h *host.Host, a latestArgs, _ []string) (module.Plan, error) {
				return planLatest(ctx, h, a)
			}),
		},
		{
			Name: "present", Doc: "Make sure that there is a repository, empty when it is made.",
			Example: `
				/srv/new.git:
				  git.present:
				    - shared: group`,
			Plan: module.Look(planPresent),
		},
	},
}
