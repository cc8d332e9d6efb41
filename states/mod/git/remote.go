package git

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// refs are the hashes of a repository by the names of its references.
type refs map[string]string

func parseRefs(text string, separator string) refs {
	all := refs{}
	for line := range strings.Lines(text) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), separator)
		if ok && !strings.HasPrefix(sum, "ref:") {
			all[strings.TrimSpace(name)] = sum
		}
	}
	return all
}

// remoteRefs asks a repository elsewhere.
func (c *client) remoteRefs(ctx context.Context, source string, filter ...string) (refs, error) {
	text, err := c.run(ctx, "", append([]string{"ls-remote", "--", source}, filter...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the repository %s: %w", withoutSecrets(source), err)
	}
	return parseRefs(text, "\t"), nil
}

// A revision is what rev means in the remote repository.
type revision struct {
	sum    string // of the commit; may be short where rev is one that no reference has
	branch string // "" for none
	tag    string
}

// resolve finds rev as Salt does: HEAD, a branch, a tag, a commit.
func (r refs) resolve(rev string) (revision, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(rev, "refs/heads/"), "refs/tags/")
	switch {
	case rev == "HEAD" && r["HEAD"] == "":
		return revision{}, errors.New("cannot find HEAD in the remote repository: it has no commit")
	case rev == "HEAD":
		return revision{sum: r["HEAD"]}, nil
	case r["refs/heads/"+name] != "" && !strings.HasPrefix(rev, "refs/tags/"):
		return revision{sum: r["refs/heads/"+name], branch: name}, nil
	case r["refs/tags/"+name+"^{}"] != "" && !strings.HasPrefix(rev, "refs/heads/"):
		return revision{sum: r["refs/tags/"+name+"^{}"], tag: name}, nil
	case r["refs/tags/"+name] != "" && !strings.HasPrefix(rev, "refs/heads/"):
		return revision{sum: r["refs/tags/"+name], tag: name}, nil
	case r[rev] != "":
		return revision{sum: r[rev]}, nil
	case regexp.MustCompile(`^[0-9a-fA-F]{7,64}$`).MatchString(rev):
		return revision{sum: strings.ToLower(rev)}, nil
	}
	return revision{}, fmt.Errorf("cannot find %q in the remote repository: it is no branch, no tag and no commit there", rev)
}

// tags are the tags with the hashes of what they name.
func (r refs) tags() refs {
	all := refs{}
	for name, sum := range r {
		if tag, ok := strings.CutPrefix(name, "refs/tags/"); ok && !strings.HasSuffix(tag, "^{}") {
			all[tag] = sum
		}
	}
	return all
}

func (r refs) names() []string {
	names := []string{}
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// missing are the names of r that other has not, or has for something else.
func (r refs) missing(other refs) []string {
	var names []string
	for name, sum := range r {
		if other[name] != sum {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// short is a hash as it is shown.
func short(sum string) string { return sum[:min(len(sum), 7)] }

// same tells whether a full hash is meant by one that may be short.
func same(full, sum string) bool { return full != "" && sum != "" && strings.HasPrefix(full, sum) }
