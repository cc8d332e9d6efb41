package file

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/states/module"
	"brine/states/regex"
)

type tidiedArgs struct {
	Name     string      `arg:"name,required" doc:"the absolute path of the directory; it stays itself"`
	Age      *int        `arg:"age" doc:"what is at least as many days old goes; when absent age does not count"`
	Size     *amount     `arg:"size" doc:"files that are at least as large go, such as 10M or 1GiB; when absent size does not count"`
	Operator logical     `arg:"age_size_logical_operator" default:"OR" doc:"OR: what is old or large goes; AND: what is both"`
	Only     ageSize     `arg:"age_size_only" doc:"age or size: only that counts of the two"`
	Matches  expressions `arg:"matches" doc:"only what one of these regular expressions fits from the start of its name; anything when absent"`
	Exclude  expressions `arg:"exclude" doc:"what one of these fits stays"`
	FullPath bool        `arg:"full_path_match" doc:"matches and exclude look at the whole path"`
	Dirs     bool        `arg:"rmdirs" doc:"directories go too, with all in them, unless something in them is young, excluded or a link that stays"`
	Links    bool        `arg:"rmlinks" default:"true" doc:"false: symbolic links stay"`
	Follow   bool        `arg:"followlinks" doc:"look into directories that symbolic links lead to"`
	Time     timeOf      `arg:"time_comparison" default:"atime" doc:"the time that age looks at: atime, mtime or ctime"`
}

// CheckArgs implements module.Checker.
func (a *tidiedArgs) CheckArgs() error {
	err := atPath("name", a.Name)
	if a.Age != nil && *a.Age < 0 {
		err = errors.Join(err, fmt.Errorf("argument %q: want a number of days, got %d", "age", *a.Age))
	}
	return err
}

// expressions are regular expressions that fit from the start.
type expressions []*regex.Regexp

func (x *expressions) ArgType() string { return "regular expression or list of them" }

func (x *expressions) ParseArg(v module.Value) error {
	if v.Data == nil {
		return nil
	}
	*x = expressions{} // a list without any is not the same as none
	var errs []error
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil || text == "" {
			return v.Want("a regular expression")
		}
		_, err = regex.Compile(text, 0)
		errs = append(errs, err)
		if re, err := regex.Compile(anchored(expression(text)), 0); err == nil {
			*x = append(*x, re)
		}
	}
	return errors.Join(errs...)
}

func (x expressions) fit(name string) (bool, error) {
	for _, re := range x {
		if ok, err := re.Match([]byte(name)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

var amountRegex = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]+|[0-9]*\.[0-9]+)\s*(?:b|([kmgtpe])(b|ib)?)?$`)
})

// An amount is a number of bytes.
type amount int64

func (n *amount) ArgType() string { return "size" }

// ParseArg reads numbers with a unit as Salt does: KB and its like are of ten, K and KiB of two.
func (n *amount) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a size such as 500, 10M or 1GiB")
	}
	m := amountRegex().FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return v.Want("a size such as 500, 10M or 1GiB")
	}
	number, err := strconv.ParseFloat(m[1], 64)
	base := 1024.0
	if m[3] == "b" {
		base = 1000
	}
	if m[2] != "" {
		number *= math.Pow(base, float64(strings.Index("kmgtpe", m[2])+1))
	}
	if err != nil || number >= math.MaxInt64 {
		return v.Want("a size such as 500, 10M or 1GiB")
	}
	*n = amount(number)
	return nil
}

// A logical is AND or OR.
type logical struct{ and bool }

func (l *logical) ArgType() string { return "OR or AND" }

func (l *logical) ParseArg(v module.Value) error {
	text, err := v.Str()
	l.and = strings.EqualFold(text, "and")
	if err != nil || !l.and && !strings.EqualFold(text, "or") {
		return v.Want("OR or AND")
	}
	return nil
}

// An ageSize names one of both, or none.
type ageSize string

func (a *ageSize) ArgType() string { return "age or size" }

func (a *ageSize) ParseArg(v module.Value) error {
	if v.Data == nil {
		return nil
	}
	text, err := v.Str()
	*a = ageSize(strings.ToLower(text))
	if err != nil || *a != "age" && *a != "size" && *a != "" {
		return v.Want("age or size")
	}
	return nil
}

// A timeOf is one of the times of a file.
type timeOf string

func (t *timeOf) ArgType() string { return "atime, mtime or ctime" }

func (t *timeOf) ParseArg(v module.Value) error {
	text, err := v.Str()
	*t = timeOf(strings.ToLower(text))
	if err != nil || *t != "atime" && *t != "mtime" && *t != "ctime" {
		return v.Want("atime, mtime or ctime")
	}
	return nil
}

func (t timeOf) of(i *info) time.Time {
	switch t {
	case "mtime":
		return time.Unix(i.Mtim.Unix())
	case "ctime":
		return time.Unix(i.Ctim.Unix())
	}
	return time.Unix(i.Atim.Unix())
}
