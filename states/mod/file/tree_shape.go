package file

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
)

// A shaper tells of a directory of the masters what a list of its files does not.
type shaper interface {
	// Shape returns the directories below one that have no files, and where its links lead.
	Shape(ctx context.Context, url string) (empty []string, links map[string]string, err error)
}

// shape asks for directories without files, and links, as far as they are wanted.
func (t *tree) shape(ctx context.Context, url string) error {
	s, ok := t.host.Files.(shaper)
	if !ok || !t.Empty && !t.KeepLinks {
		return nil
	}
	empty, links, err := s.Shape(ctx, url)
	if t.Empty {
		t.empty = empty
	}
	if t.KeepLinks {
		t.links, t.leads = slices.Sorted(maps.Keys(links)), links
	}
	return err
}

// choose takes of all files, and of what shape found, what is wanted. What a link leads to is below it in the list, and is left out.
func (t *tree) choose(all []string) {
	var links []string
	for _, rel := range t.links {
		if t.wantsFile(rel) && !inside(links, rel) {
			links = append(links, rel)
		}
	}
	t.links = links
	dirs := map[string]bool{}
	for _, rel := range t.empty {
		dirs[rel] = true
	}
	for _, rel := range all {
		if inside(links, rel) {
			continue
		}
		if t.wantsFile(rel) {
			t.files = append(t.files, rel)
		}
		for dir := path.Dir(rel); t.Empty && !dirs[dir] && dir != "."; dir = path.Dir(dir) {
			dirs[dir] = true // all of its files may be left out
		}
	}
	t.empty = nil
	for _, rel := range slices.Sorted(maps.Keys(dirs)) {
		if (t.MaxDepth == nil || strings.Count(rel, "/") < *t.MaxDepth) && t.wantsFile(rel) && !inside(links, rel) {
			t.empty = append(t.empty, rel)
		}
	}
}

// inside says whether a path is one of those, or below it.
func inside(links []string, rel string) bool {
	return slices.ContainsFunc(links, func(link string) bool { return rel == link || strings.HasPrefix(rel, link+"/") })
}

// planLinks makes the links of the source.
func (t *tree) planLinks(ctx context.Context) error {
	for _, rel := range t.links {
		name := path.Join(t.Name, rel)
		plan, err := planSymlink(ctx, t.host, symlinkArgs{
			Name: name, Target: t.leads[rel], Force: t.Force, ownerArgs: t.ownerArgs, Makedirs: true, Mode: t.DirMode,
		})
		if err != nil {
			return err
		}
		t.add(name, plan.Steps)
	}
	return nil
}
