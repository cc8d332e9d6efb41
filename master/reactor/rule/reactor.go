package rule

import (
	"fmt"
	"strings"
	"time"

	"brine/proto/target"
)

// Reactor makes the rule that stands for one of Salt's reactors: what happens under a tag is answered by reaction SLS. It acts at
// once, each time, within the guards that no rule is without.
func Reactor(name, where, tag string, sls []string) (*Rule, error) {
	g, err := target.ParseGlob(tag)
	if err != nil {
		return nil, fmt.Errorf("%s: reactor %q: %w", where, tag, err)
	}
	if tag == "" || len(sls) == 0 {
		return nil, fmt.Errorf("%s: a reactor wants a tag, and sls", where)
	}
	return &Rule{
		Name: name, About: "Salt's reactor of " + tag, File: where, Mode: Enforce, Salt: true, MaxAge: defaultAge,
		Match:  Match{Tags: []*target.Glob{g}, texts: []string{tag}, prefixes: []string{literal(tag)}},
		Action: Action{Kind: React, Reactions: sls, Timeout: time.Hour},
	}, nil
}

// reactorPrefix is what the names of rules begin with that stand for Salt's reactors.
const reactorPrefix = "reactor-"

// ReactorName makes a name of a tag, that none of others is.
func ReactorName(tag string, others []string) string {
	words := strings.FieldsFunc(tag, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	base := reactorPrefix + strings.Join(words, "-")
	base = base[:min(len(base), 56)]
	name := base
	for n := 2; ; n++ {
		taken := false
		for _, o := range others {
			taken = taken || o == name
		}
		if !taken {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
}

// With is a set with further rules; one whose name is taken is left out.
func (s *Set) With(more []*Rule) *Set {
	return NewSet(s.Source, append(append([]*Rule{}, s.Rules...), more...), s.Windows)
}
