package regex

import (
	"cmp"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"sync/atomic"
	"time"
)

// decides says whether RE2 finds in text what Python finds.
func (re *Regexp) decides(text []byte) bool {
	switch {
	case re.fast == nil, re.dollar && len(text) > 0 && text[len(text)-1] == '\n':
		return false
	case re.scripts:
		return isASCII(text)
	}
	return true
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Match says whether the expression matches anywhere in text.
func (re *Regexp) Match(text []byte) (bool, error) {
	if re.decides(text) {
		return re.fast.Match(text), nil
	}
	slow, err := re.slow()
	if err != nil {
		return false, err
	}
	ok, err := slow.MatchRunes(runes(text))
	return ok, re.timeout(err)
}

// Find returns where the expression matches, at most n times, without end for n < 1. Each match is pairs of
// the bytes where it and its groups begin and end; -1 for a group that has no part in it.
func (re *Regexp) Find(text []byte, n int) ([][]int, error) {
	if n < 1 {
		n = -1
	}
	if re.decides(text) && (n == 1 || !re.mayBeEmpty) {
		return re.fast.FindAllSubmatchIndex(text, n), nil
	}
	return re.backtrack(text, n)
}

// Search returns the first match in text as Find does, or nil.
func (re *Regexp) Search(text string) ([]int, error) {
	found, err := re.Find([]byte(text), 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Begins is Search for a match at the start of text, as Python's re.match finds it. It looks no further when text begins
// otherwise.
func (re *Regexp) Begins(text string) ([]int, error) {
	anchored, err := re.begins()
	if err != nil {
		return nil, err
	}
	return anchored.Search(text)
}

// Beginning reads an expression on text, and returns what tells whether a text begins with a match of it. Altogether it
// may take as long as for one text: who asks of many must not have them all looked at for so long. The error says only
// what is wrong, for callers who show the expression themselves.
func Beginning(expr string, ignoreCase bool) (func(text string) (bool, error), error) {
	flags := Unicode
	if ignoreCase {
		flags |= IgnoreCase
	}
	re, err := Compile(expr, flags)
	if err != nil {
		return nil, cmp.Or(errors.Unwrap(err), err)
	}
	var spent atomic.Int64 // of the time that there is
	return func(text string) (bool, error) {
		if re.fast == nil && spent.Load() > int64(re.limit) {
			return false, re.tooLong()
		}
		began := time.Now()
		m, err := re.Begins(text)
		spent.Add(int64(time.Since(began)))
		return m != nil, err
	}, nil
}

// backtrack finds matches by Python's rule: one that is empty may follow another at once, and after it one begins
// there only if it is not empty.
func (re *Regexp) backtrack(text []byte, n int) ([][]int, error) {
	in := runes(text)
	at := offsets(text, len(in))
	var all [][]int
	find := re.slow
	for pos := 0; n != len(all); {
		slow, err := find()
		if err != nil {
			return nil, err
		}
		m, err := slow.FindRunesMatchStartingAt(in, pos)
		if err != nil {
			return nil, re.timeout(err)
		}
		if m == nil {
			break
		}
		all = append(all, re.place(m, at))
		pos, find = m.Index+m.Length, re.slow
		if m.Length == 0 {
			find = re.further
		}
	}
	return all, nil
}

func (re *Regexp) place(m *regexp2.Match, at []int) []int {
	pairs := []int{at[m.Index], at[m.Index+m.Length]}
	for i := range re.count {
		g := m.GroupByNumber(i + 1)
		if g == nil || len(g.Captures) == 0 {
			pairs = append(pairs, -1, -1)
			continue
		}
		pairs = append(pairs, at[g.Index], at[g.Index+g.Length])
	}
	return pairs
}

// runes are the characters of text, or its bytes when it is no UTF-8.
func runes(text []byte) []rune {
	if utf8.Valid(text) {
		return []rune(string(text))
	}
	all := make([]rune, len(text))
	for i, b := range text {
		all[i] = rune(b)
	}
	return all
}

// offsets are where the runes of text begin in it, and where it ends.
func offsets(text []byte, n int) []int {
	at := make([]int, 0, n+1)
	if n == len(text) {
		for i := range n {
			at = append(at, i)
		}
	} else {
		for i := range string(text) {
			at = append(at, i)
		}
	}
	return append(at, len(text))
}

func (re *Regexp) timeout(err error) error {
	if err == nil {
		return nil
	}
	return re.tooLong()
}

func (re *Regexp) tooLong() error {
	return fmt.Errorf("cannot decide the regular expression: it takes too long (more than %v)", re.limit)
}
