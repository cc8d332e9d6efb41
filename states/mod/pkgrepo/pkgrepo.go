// Package pkgrepo makes sure of the repositories that packages come from.
package pkgrepo

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/mod/pkg/repo"
	"brine/states/module"
)

// Module is the pkgrepo module.
var Module = module.Module{
	Name: "pkgrepo",
	Doc: `
		Make sure of the repositories that packages come from: the sources of apt in both of their forms, with their keys;
		the .repo files of dnf, yum and zypper; the sections of pacman.conf; the lines of apk.

		What a file holds besides stays as it is.`,
	States: []module.State{
		{
			Name: "absent", Doc: "Make sure that a repository is not there. A file in which no other is left goes too.",
			Example: `
				deb http://example.org/debian stable main:
				  pkgrepo.absent`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "managed",
			Doc: `
				Make sure that a repository is there, and of what is said of it. One that is there in another file stays
				there.

				A key is written before its repository, and what the repository has is fetched at once, unless refresh
				says no. No other program is needed for keys.`,
			Example: `
				example:
				  pkgrepo.managed:
				    - name: deb [signed-by=/etc/apt/keyrings/example.asc] http://example.org/debian stable main
				    - file: /etc/apt/sources.list.d/example.list
				    - key_url: salt://example.asc`,
			Plan: module.Look(planManaged),
		},
	},
}

func planManaged(ctx context.Context, h *host.Host, a repo.Args) (module.Plan, error) {
	p := module.Plan{
		Same: fmt.Sprintf("Package repo '%s' already configured", a.Name),
		Would: fmt.Sprintf("Package repo '%s' would be configured. This may cause pkg states to behave differently than stated "+
			"if this action is repeated without test=True, due to the differences in the configured repositories.", a.Name),
		Did: fmt.Sprintf("Configured package repo '%s'", a.Name),
	}
	s, err := manager.Of(h)
	if err != nil {
		return p, err
	}
	if a.Consolidate {
		p.Warnings = []string{`argument "consolidate" has no effect: sources are never moved from file to file`}
	}
	edit, err := repo.Managed(ctx, h, s, a)
	if err != nil || edit.Empty() {
		return p, err
	}
	p.Steps = []module.Step{{Changes: edit.Changes, Do: func(ctx context.Context) (module.Done, error) {
		if err := edit.Do(ctx, h); err != nil {
			return module.Done{}, fmt.Errorf("cannot configure the repository %s: %w", a.Name, err)
		}
		comment, err := refresh(ctx, s, a)
		if comment != "" {
			comment = p.Did + "\n" + comment
		}
		return module.Done{Changes: edit.Changes, Comment: comment}, err
	}}}
	return p, nil
}

// refresh fetches what a changed repository has. It is an error when that could not be had; what other repositories
// could not is only told.
func refresh(ctx context.Context, s *manager.System, a repo.Args) (string, error) {
	s.Outdated()
	if wanted := cmp.Or(a.Refresh, a.RefreshDB); wanted != nil && !*wanted || !s.RefreshesApart() {
		return "", nil
	}
	if _, err := s.Refresh(ctx, manager.Refresh{ImportKeys: a.ImportKeys}); err != nil {
		return "", err
	}
	refusal := s.Refusal()
	for _, word := range append(strings.Fields(a.Name), a.URIs...) {
		if u, err := url.Parse(word); err == nil && u.Host != "" && strings.Contains(refusal, u.Host) {
			return "", fmt.Errorf("cannot fetch what the repository %s has: %s", a.Name, refusal)
		}
	}
	if refusal != "" {
		return "Not all repositories could be refreshed: " + refusal, nil
	}
	return "", nil
}

func planAbsent(ctx context.Context, h *host.Host, a repo.Args) (module.Plan, error) {
	p := module.Plan{
		Same: fmt.Sprintf("Package repo %s is absent", a.Name),
		Would: fmt.Sprintf("Package repo '%s' will be removed. This may cause pkg states to behave differently than stated "+
			"if this action is repeated without test=True, due to the differences in the configured repositories.", a.Name),
		Did: fmt.Sprintf("Removed repo %s", a.Name),
	}
	s, err := manager.Of(h)
	if err != nil {
		return p, err
	}
	edit, err := repo.Absent(ctx, h, s, a)
	if edit != nil {
		p.Warnings = edit.Warnings
	}
	if (len(a.KeyID) > 0 || a.KeyIDPPA) && s.Name() != "apt" {
		p.Warnings = append(p.Warnings, fmt.Sprintf("the key stays: with %s keys are not taken away", s.Name()))
	}
	if err != nil || edit.Empty() {
		return p, err
	}
	p.Steps = []module.Step{{Changes: edit.Changes, Do: func(ctx context.Context) (module.Done, error) {
		if err := edit.Do(ctx, h); err != nil {
			return module.Done{}, fmt.Errorf("cannot remove the repository %s: %w", a.Name, err)
		}
		_, err := refresh(ctx, s, repo.Args{Refresh: a.Refresh})
		return module.Done{}, err
	}}}
	return p, nil
}
