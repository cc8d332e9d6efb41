package pip

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A version is one of Python's packages, as PEP 440 orders them.
type version struct {
	epoch   int
	release []int
	pre     phase // a, b or rc and a number
	post    int   // -1: none
	dev     int   // -1: none
	local   []string
}

type phase struct {
	kind   string
	number int
}

var versionForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)` +
		`(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?` +
		`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?` +
		`(?:[-_.]?(dev)[-_.]?(\d*))?` +
		`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)
})

func parseVersion(text string) (version, error) {
	f := versionForm().FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if f == nil {
		return version{}, fmt.Errorf("%q is no version as PEP 440 has them", text)
	}
	v := version{epoch: number(f[1]), post: -1, dev: -1}
	for part := range strings.SplitSeq(f[2], ".") {
		v.release = append(v.release, number(part))
	}
	if kind := f[3]; kind != "" {
		kind = map[string]string{"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}[kind]
		v.pre = phase{cmp.Or(kind, f[3]), number(f[4])}
	}
	if f[5] != "" || f[6] != "" {
		v.post = number(f[5] + f[7])
	}
	if f[8] != "" {
		v.dev = number(f[9])
	}
	if f[10] != "" {
		v.local = strings.FieldsFunc(f[10], func(r rune) bool { return strings.ContainsRune("-_.", r) })
	}
	return v, nil
}

// number is 0 for no digits; of too many it is the greatest.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// compare orders versions, their local parts too.
func (v version) compare(w version) int {
	return cmp.Or(v.comparePublic(w), slices.CompareFunc(v.local, w.local, compareLocal))
}

func (v version) comparePublic(w version) int {
	return cmp.Or(cmp.Compare(v.epoch, w.epoch), compareRelease(v.release, w.release),
		slices.Compare(v.rank(), w.rank()))
}

func compareRelease(a, b []int) int {
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

func at(release []int, i int) int {
	if i < len(release) {
		return release[i]
	}
	return 0
}

// rank orders what has the same release: dev before a, b, rc, the release itself, post.
func (v version) rank() []int {
	const last = int(^uint(0) >> 1)
	stage, number := 4, 0
	switch {
	case v.pre.kind != "":
		stage, number = map[string]int{"a": 1, "b": 2, "rc": 3}[v.pre.kind], v.pre.number
	case v.post < 0 && v.dev >= 0:
		stage = 0
	}
	dev := last
	if v.dev >= 0 {
		dev = v.dev
	}
	return []int{stage, number, v.post, dev}
}

// compareLocal puts numbers after words.
func compareLocal(a, b string) int {
	n, errA := strconv.Atoi(a)
	m, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(n, m)
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	}
	return strings.Compare(a, b)
}

// A specifier is one condition, such as >=1.2 or ==1.*.
type specifier struct{ operator, version string }

var specifierForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;]+)$`)
})

func parseSpecifiers(text string) ([]specifier, error) {
	var all []specifier
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		f := specifierForm().FindStringSubmatch(part)
		if f == nil {
			return nil, fmt.Errorf("%q is no condition on a version, such as >=1.2", part)
		}
		s := specifier{f[1], f[2]}
		if err := s.check(); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s specifier) check() error {
	if s.operator == "===" {
		return nil
	}
	prefix, wild := strings.CutSuffix(s.version, ".*")
	if wild && s.operator != "==" && s.operator != "!=" {
		return fmt.Errorf("%s%s: only == and != may have .*", s.operator, s.version)
	}
	v, err := parseVersion(prefix)
	if err == nil && s.operator == "~=" && len(v.release) < 2 {
		return fmt.Errorf("~=%s: ~= wants two numbers or more", s.version)
	}
	return err
}

// has tells whether an installed version meets the condition. One that is no version meets only === itself.
func (s specifier) has(installed string) bool {
	if s.operator == "===" {
		return strings.EqualFold(s.version, installed)
	}
	v, err := parseVersion(installed)
	if err != nil {
		return false
	}
	prefix, wild := strings.CutSuffix(s.version, ".*")
	want, _ := parseVersion(prefix) // was checked
	if wild {
		return v.begins(want) == (s.operator == "==")
	}
	public := want.local == nil
	c := v.compare(want)
	if public {
		c = v.comparePublic(want)
	}
	switch s.operator {
	case "==":
		return c == 0
	case "!=":
		return c != 0
	case "<=":
		return v.comparePublic(want) <= 0
	case ">=":
		return v.comparePublic(want) >= 0
	case "<":
		return v.comparePublic(want) < 0 && (want.isPre() || !v.isPre() || compareRelease(v.release, want.release) != 0)
	case ">":
		return v.comparePublic(want) > 0 && (want.post >= 0 || v.post < 0 || compareRelease(v.release, want.release) != 0)
	}
	series := want // ~=
	series.release = want.release[:len(want.release)-1]
	return v.comparePublic(want) >= 0 && v.begins(version{epoch: series.epoch, release: series.release, post: -1, dev: -1})
}

func (v version) isPre() bool { return v.pre.kind != "" || v.dev >= 0 }

// begins tells whether v is of the series of want, as in ==1.2.*.
func (v version) begins(want version) bool {
	if v.epoch != want.epoch {
		return false
	}
	for i, n := range want.release {
		if at(v.release, i) != n {
			return false
		}
	}
	return want.pre.kind == "" || v.pre == want.pre
}

func hasAll(specifiers []specifier, installed string) bool {
	return !slices.ContainsFunc(specifiers, func(s specifier) bool { return !s.has(installed) })
}
