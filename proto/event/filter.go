// Package event is the language in which events are chosen.
package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/moment"
	"brine/proto/target"
)

// keysOfFilter are the keys of Parse's language.
const keysOfFilter = "actor, cause, master, minion, origin, since, tag, until"

// Parse reads a filter: words and texts in double quotes, each of which must stand in an event's tag or data, and
// conditions such as
//
//	tag:salt/beacon/*  minion:web*  master:m1  actor:rule*  cause:ID  since:2d  until:2026-11-01
//
// Of several conditions with one key one has to hold. A minion and a master are both the origin. Times count back from now,
// or stand for themselves. A value with spaces is quoted: since:"2026-11-01 10:00". The error shows the place.
func Parse(text string, now time.Time) (*proto.EventQuery, error) {
	q := &proto.EventQuery{}
	terms, err := split(text)
	if err != nil {
		return nil, err
	}
	for _, t := range terms {
		if err := t.add(q, now); err != nil {
			return nil, fmt.Errorf("cannot read the filter: %w\n    %s\n    %s^", err, text, strings.Repeat(" ", len([]rune(text[:t.at]))))
		}
	}
	if q.Since > 0 && q.Until > 0 && q.Since > q.Until {
		return nil, errors.New("cannot read the filter: what is since is after until: no event is both")
	}
	return q, nil
}

// Join is the filter that the words of a command line are, whose shell has taken the quotes off: a word with spaces is a text,
// or the value of a key, unless it is a filter by itself.
func Join(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quoted(w)
	}
	return strings.Join(all, " ")
}

// quoted gives a word with spaces its quotes back.
func quoted(word string) string {
	parts := strings.Fields(word)
	if len(parts) < 2 || strings.Contains(word, `"`) {
		return word
	}
	keys := 0
	for _, p := range parts {
		if key, _, ok := strings.Cut(p, ":"); ok && slices.Contains(strings.Split(keysOfFilter, ", "), key) {
			keys++
		}
	}
	key, value, _ := strings.Cut(word, ":")
	switch {
	case keys == 0:
		return `"` + word + `"`
	case keys > 1:
		return word
	case key == "actor", (key == "since" || key == "until") && len(parts) == 2 && strings.Contains(parts[1], ":"):
		return key + `:"` + value + `"`
	}
	return word
}

// A term is a part of a filter. key is empty for a text.
type term struct {
	at         int
	key, value string
}

// split finds the terms of a filter.
func split(text string) ([]term, error) {
	var all []term
	for i := 0; i < len(text); {
		if text[i] == ' ' || text[i] == '\t' || text[i] == '\n' {
			i++
			continue
		}
		t := term{at: i}
		if end := strings.IndexAny(text[i:], "\": \t\n"); end > 0 && text[i+end] == ':' {
			t.key = text[i : i+end]
			i += end + 1
		}
		if i < len(text) && text[i] == '"' {
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("cannot read the filter: a quote is not closed\n    %s\n    %s^", text, strings.Repeat(" ", len([]rune(text[:i]))))
			}
			t.value = text[i+1 : i+1+end]
			i += end + 2
		} else {
			end := strings.IndexAny(text[i:], " \t\n")
			if end < 0 {
				end = len(text) - i
			}
			t.value = text[i : i+end]
			i += end
		}
		all = append(all, t)
	}
	return all, nil
}

func (t term) add(q *proto.EventQuery, now time.Time) (err error) {
	if t.key != "" && t.value == "" {
		return fmt.Errorf("%s: has no value", t.key)
	}
	switch t.key {
	case "tag", "minion", "master", "origin", "actor":
		if _, err := target.ParseGlob(t.value); err != nil {
			return err
		}
	}
	switch t.key {
	case "":
		if t.value != "" {
			q.Texts = append(q.Texts, t.value)
		}
	case "tag":
		q.Tags = append(q.Tags, t.value)
	case "minion", "master", "origin":
		q.Origins = append(q.Origins, t.value)
	case "actor":
		q.Actors = append(q.Actors, t.value)
	case "cause":
		if q.Cause != "" {
			return errors.New("there can be one cause")
		}
		q.Cause = t.value
	case "since":
		q.Since, err = past(t.value, now)
	case "until":
		q.Until, err = past(t.value, now)
	default:
		return fmt.Errorf("there is no key %q: want one of %s; a text with a colon is quoted: %q", t.key, keysOfFilter, t.key+":"+t.value)
	}
	return err
}

func past(text string, now time.Time) (int64, error) {
	at, err := moment.Past(text, now)
	return at.UnixMicro(), err
}
