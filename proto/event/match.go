package event

import (
	"strings"

	"brine/proto"
	"brine/proto/target"
)

// A Filter chooses events as a query says, but for its cause: who has the log knows what led to what.
type Filter struct {
	query                 *proto.EventQuery
	tags, origins, actors []*target.Glob
	texts                 []string // in small letters
}

// Compile makes a Filter. The error is about a glob.
func Compile(q *proto.EventQuery) (*Filter, error) {
	f := &Filter{query: q}
	for _, list := range []struct {
		into  *[]*target.Glob
		globs []string
	}{{&f.tags, q.GetTags()}, {&f.origins, q.GetOrigins()}, {&f.actors, q.GetActors()}} {
		for _, text := range list.globs {
			g, err := target.ParseGlob(text)
			if err != nil {
				return nil, err
			}
			*list.into = append(*list.into, g)
		}
	}
	for _, text := range q.GetTexts() {
		f.texts = append(f.texts, strings.ToLower(text))
	}
	return f, nil
}

// Match tells whether an event is chosen.
func (f *Filter) Match(e *proto.Event) bool {
	since, until := f.query.GetSince(), f.query.GetUntil()
	return e.At >= since && (until == 0 || e.At <= until) &&
		any(f.tags, e.Tag) && any(f.origins, e.Origin) && any(f.actors, e.Actor) && Has(e, f.texts)
}

func any(globs []*target.Glob, text string) bool {
	for _, g := range globs {
		if g.Match(text) {
			return true
		}
	}
	return len(globs) == 0
}

// Searched is how much of an event's data is looked through for texts, in bytes.
const Searched = 16 << 10

// Data is the part of an event's data that is looked through for texts.
func Data(e *proto.Event) string {
	return strings.ToValidUTF8(string(e.Data[:min(len(e.Data), Searched)]), "")
}

// Has tells whether each text, in small letters, stands in an event's tag or data.
func Has(e *proto.Event, texts []string) bool {
	if len(texts) == 0 {
		return true
	}
	tag, data := strings.ToLower(e.Tag), strings.ToLower(Data(e))
	for _, text := range texts {
		if !strings.Contains(tag, text) && !strings.Contains(data, text) {
			return false
		}
	}
	return true
}
