package user

import (
	"context"
	"slices"

	"brine/states/account"
	"brine/states/host"
	"brine/states/value"
)

func info(ctx context.Context, h *host.Host, a who) (*value.Dict, error) {
	u, err := account.FindUser(ctx, h, a.Name, false)
	if account.Missing(err) {
		return &value.Dict{}, nil
	}
	if err != nil {
		return nil, err
	}
	return u.Info(), nil
}

type refreshArgs struct {
	Refresh bool `arg:"refresh" doc:"taken for Salt's sake: nothing is remembered"`
}

func all(ctx context.Context, h *host.Host, _ refreshArgs) (*value.List, error) {
	users, err := account.Users(ctx, h)
	list := value.NewList()
	for _, u := range users {
		list.Items = append(list.Items, u.Info())
	}
	return list, err
}

func listGroups(ctx context.Context, h *host.Host, a who) ([]string, error) {
	u, err := account.FindUser(ctx, h, a.Name, false)
	if err != nil {
		return nil, err
	}
	return u.Groups, nil
}

func listUsers(ctx context.Context, h *host.Host, _ struct{}) ([]string, error) {
	users, err := account.Users(ctx, h)
	names := []string{}
	for _, u := range users {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	return names, err
}

func primaryGroup(ctx context.Context, h *host.Host, a who) (string, error) {
	u, err := account.FindUser(ctx, h, a.Name, false)
	if err != nil {
		return "", err
	}
	return account.GroupName(ctx, h, u.GID), nil
}
