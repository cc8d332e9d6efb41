package job

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"brine/proto"
	"brine/proto/role"
)

const (
	treesAtOnce = 4   // that are read
	maxTreeWhy  = 300 // bytes of the reason why an environment has no files
)

// Trees are the file trees that a job names: that of its environment first.
func Trees(j *proto.Job) []string {
	var all []string
	if j.GetTree() != "" {
		all = append(all, j.Tree)
	}
	for _, e := range j.GetEnvironments() {
		if e.GetTree() != "" {
			all = append(all, e.Tree)
		}
	}
	return all
}

// filesOf are the trees and commits that a job for some minions names: of its own environment, of those that it asks for
// by name, and, where SLS are read, of all that its operator may use. What a top file or an include reaches only
// minions find out.
func (m *Manager) filesOf(ctx context.Context, q *request, ids []string) (*proto.Job, error) {
	files := &proto.Job{}
	if !needsFiles(q.JobRequest) {
		return files, nil
	}
	var err error
	if files.Tree, files.Commits, err = m.o.Tree(ctx, q.Environment); err != nil {
		return nil, refuse(proto.ApiError_BAD_DATA, "%v", err)
	}
	named := askedFor(q.JobRequest)
	files.Environments = m.beside(q, ids, named)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(treesAtOnce)
	for _, e := range files.Environments {
		if e.Why != "" {
			continue
		}
		work.Go(func() (err error) {
			e.Tree, e.Commits, err = m.o.Tree(ctx, e.Name)
			if err == nil || slices.Contains(named, e.Name) {
				return err
			}
			why := err.Error()
			e.Why = strings.ToValidUTF8(why[:min(len(why), maxTreeWhy)], "")
			return ctx.Err()
		})
	}
	if err := work.Wait(); err != nil {
		return nil, refuse(proto.ApiError_BAD_DATA, "%v", err)
	}
	return files, nil
}

// beside are the environments beside that of a request, without their trees: with the reason for those of which it has none.
func (m *Manager) beside(q *request, ids, named []string) []*proto.EnvironmentTree {
	own := cmp.Or(q.Environment, role.Base)
	var all []string
	if m.o.Environments != nil && slices.ContainsFunc(q.Asked(), func(c *proto.Call) bool { return readsSLS(c) || c.GetFunction() == "cp.envs" }) {
		all = slices.Clone(m.o.Environments())
	}
	reads := slices.ContainsFunc(q.Asked(), readsSLS)
	all = append(all, named...)
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(env string) bool { return env == own || len(env) > maxName })
	free := !reads || m.mayReach(q, ids, all...)
	var out []*proto.EnvironmentTree
	for _, env := range all {
		e := &proto.EnvironmentTree{Name: env}
		switch {
		case slices.Contains(named, env): // its right was asked for with those of the request
		case !reads:
			e.Why = "it does not ask for them; saltenv=" + env + " does"
		case !free && !m.mayReach(q, ids, env):
			e.Why = fmt.Sprintf("operator %q has no right to it", q.operator.GetName())
		}
		out = append(out, e)
	}
	return out
}

// mayReach tells whether the operator of a request may do all of it in some environments.
func (m *Manager) mayReach(q *request, ids []string, envs ...string) bool {
	return !slices.ContainsFunc(q.Asked(), func(c *proto.Call) bool {
		return m.o.Allowed(q.operator, c.GetFunction(), ids, envs...) != nil
	})
}

// readsSLS tells whether a function reads SLS, which may include those of other environments.
func readsSLS(c *proto.Call) bool { return strings.HasPrefix(c.GetFunction(), "state.") }

// servedIn finds environments in URLs of files.
var servedIn = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`salt://[^\s"'?]*\?saltenv=([^\s"'&,\]}]+)`) })

// askedFor are the environments whose files a request names: by saltenv of its functions, or in URLs.
func askedFor(q *proto.JobRequest) []string {
	var all []string
	for _, c := range q.Asked() {
		for _, a := range c.GetArgs() {
			if a.GetName() == "saltenv" && callNeedsFiles(c) {
				all = append(all, nameIn(a))
			}
			for _, m := range servedIn().FindAllStringSubmatch(a.GetText()+string(a.GetJson()), -1) {
				if env, err := url.QueryUnescape(m[1]); err == nil {
					all = append(all, env)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(env string) bool { return env == "" })
}

// nameIn is the text of an argument.
func nameIn(a *proto.Argument) string {
	name := a.GetText()
	if data := a.GetJson(); len(data) > 0 && json.Unmarshal(data, &name) != nil {
		name = string(data)
	}
	return name
}
