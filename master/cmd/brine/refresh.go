package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
)

// gitItem is a git remote of a master in JSON.
type gitItem struct {
	Master   string            `json:"master"`
	Use      string            `json:"use"` // gitfs or git_pillar
	Remote   string            `json:"remote"`
	Fetched  string            `json:"fetched"`
	Commits  map[string]string `json:"commits"` // by environment
	Problems []string          `json:"problems"`
}

func (a *app) masterRefreshCommand() *cobra.Command {
	req := &proto.RefreshRequest{}
	c := &cobra.Command{
		Use: "refresh", Short: "Have all masters fetch their git remotes now, and show what they have", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.RefreshReply{}
			if err := cl.Call(c.Context(), "master.refresh", req, reply); err != nil {
				return err
			}
			items := make([]gitItem, 0, len(reply.Remotes))
			for _, g := range reply.Remotes {
				items = append(items, gitItem{
					g.Master, g.Use, g.Remote, stamp(g.Fetched), maps.Collect(maps.All(g.Commits)), append([]string{}, g.Problems...),
				})
			}
			if err := list(a, items, []string{"MASTER", "USE", "REMOTE", "FETCHED", "ENVIRONMENTS", "PROBLEMS"}, gitRow); err != nil {
				return err
			}
			for _, name := range ordered(reply.Unheard) {
				fmt.Fprintf(a.stderr, "%s did not answer\n", name)
			}
			failed := slices.DeleteFunc(reply.Remotes, func(g *proto.GitRemote) bool { return !slices.ContainsFunc(g.Problems, notFetched) })
			if len(failed) > 0 && !req.Show {
				return &exit{exitFailed, fmt.Errorf("not fetched: %s", plural(len(failed), "remote"))}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&req.Show, "show", false, "fetch nothing, only show")
	return a.outFlag(c)
}

// notFetched tells a remote that can't be read from one of which something is not to be served.
func notFetched(problem string) bool { return strings.HasPrefix(problem, "cannot fetch") }

func gitRow(g gitItem) []string {
	var envs []string
	for _, env := range slices.Sorted(maps.Keys(g.Commits)) {
		envs = append(envs, env+" "+short(g.Commits[env]))
	}
	return []string{g.Master, g.Use, g.Remote, g.Fetched, strings.Join(envs, ", "), strings.Join(g.Problems, "; ")}
}
