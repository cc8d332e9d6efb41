package pkg

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/mod/pkg/manager"
	"brine/states/mod/pkg/repo"
	"brine/states/value"
)

func listRepos(_ context.Context, h *host.Host, _ noArgs) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	return repo.List(h, s)
}

type repoArgs struct {
	Name string `arg:"repo,alias=name,required" doc:"the repository: a line of apt, or its id"`
}

func getRepo(ctx context.Context, h *host.Host, a repoArgs) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	return repo.Get(ctx, h, s, repo.Args{Name: a.Name})
}

func modRepo(ctx context.Context, h *host.Host, a repo.Args) (*value.Dict, error) {
	s, err := manager.Of(h)
	if err != nil {
		return nil, err
	}
	edit, err := repo.Managed(ctx, h, s, a)
	if err != nil {
		return nil, err
	}
	if err := edit.Do(ctx, h); err != nil {
		return nil, fmt.Errorf("cannot change the repository %s: %w", a.Name, err)
	}
	s.Outdated()
	return repo.Get(ctx, h, s, a)
}

func delRepo(ctx context.Context, h *host.Host, a repoArgs) (string, error) {
	s, err := manager.Of(h)
	if err != nil {
		return "", err
	}
	edit, err := repo.Absent(ctx, h, s, repo.Args{Name: a.Name})
	if err != nil {
		return "", err
	}
	if edit.Empty() {
		return "", fmt.Errorf("cannot remove the repository %s: there is none", a.Name)
	}
	s.Outdated()
	return fmt.Sprintf("Repo '%s' has been removed", a.Name), edit.Do(ctx, h)
}
