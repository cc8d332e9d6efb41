package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/regex"
	"brine/states/value"
	"golang.org/x/sys/unix"
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

// A tidying is a file.tidied that looks.
type tidying struct {
	tidiedArgs
	ctx   context.Context
	host  *host.Host
	today time.Time
	seen  map[identity]bool // directories that were looked into
	goes  []goner
}

// A goner is what is to be removed.
type goner struct {
	full string
	spot *spot
	info *info
}

func planTidied(ctx context.Context, h *host.Host, a tidiedArgs) (module.Plan, error) {
	t := &tidying{tidiedArgs: a, ctx: ctx, host: h, today: dayOf(time.Now()), seen: map[identity]bool{}}
	plan := module.Plan{
		Same:  fmt.Sprintf("Nothing to remove from directory %s", a.Name),
		Would: fmt.Sprintf("%s is set for tidy", a.Name),
	}
	s, i, err := present(h, a.Name, true)
	if err == nil {
		defer s.leave()
	}
	switch {
	case err != nil || !i.isDir():
		return plan, module.Unknown("%s does not exist or is not a directory.", a.Name)
	case s.path() == "/":
		return plan, fmt.Errorf("cannot tidy %q: it is the root directory", a.Name)
	}
	dir, err := s.openDir()
	if err != nil {
		return plan, err
	}
	defer unix.Close(dir)
	t.seen[i.identity()] = true
	if _, err := t.in(dir, path.Clean(a.Name), uint64(i.Dev)); err != nil {
		return plan, fmt.Errorf("cannot tidy %s: %w", a.Name, err)
	}
	if len(t.goes) == 0 {
		return plan, nil
	}
	plan.Did = fmt.Sprintf("Removed %d files or directories from directory %s", len(t.goes), a.Name)
	plan.Steps = []module.Step{{Changes: removed(t.goes), Do: t.remove}}
	return plan, nil
}

func removed(goes []goner) *value.Dict {
	list := &value.List{}
	for _, g := range goes {
		list.Items = append(list.Items, g.full)
	}
	return value.NewDict("removed", list)
}

func dayOf(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC) // each day has 24 hours there
}

// in looks at what is in an open directory of a device, and says whether all of it may go.
func (t *tidying) in(fd int, full string, dev uint64) (all bool, err error) {
	all = true
	err = eachIn(t.ctx, fd, full, func(name string, i *info) error {
		goes, err := t.one(fd, name, path.Join(full, name), dev, i)
		all = all && goes
		return err
	})
	if errors.Is(err, unix.EACCES) { // what can't be looked at stays
		return false, nil
	}
	return all, err
}

// one looks at one name, and says whether it may go with the directory that it is in. When it goes by itself it is noted.
func (t *tidying) one(fd int, name, full string, dev uint64, i *info) (may bool, err error) {
	before := len(t.goes)
	below := true
	if i.isDir() {
		below, err = t.below(fd, name, full, i)
	} else if i.isLink() && t.Follow {
		err = t.follow(full)
	}
	if err != nil {
		return false, err
	}
	shown := name
	if t.FullPath {
		shown = full
	}
	excluded, err1 := t.Exclude.fit(shown)
	fits, err2 := t.Matches.fit(shown)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	may = below && !excluded && t.due(i) && (t.Links || !i.isLink()) && uint64(i.Dev) == dev
	if may && (fits || t.Matches == nil) && (t.Dirs || !i.isDir()) {
		if i.isDir() {
			t.goes = t.goes[:before] // it stands for all in it
		}
		return true, t.note(full, i)
	}
	return may, nil
}

func (t *tidying) below(fd int, name, full string, i *info) (bool, error) {
	if t.seen[i.identity()] {
		return false, nil // a link led here before
	}
	t.seen[i.identity()] = true
	sub, err := unix.Openat(fd, name, dirOnly, 0)
	if err != nil {
		return false, nil // gone, or no directory any more, or not ours to enter
	}
	defer unix.Close(sub)
	return t.in(sub, full, uint64(i.Dev))
}

// follow looks into the directory that a link leads to. It may go with the link no more than any other.
func (t *tidying) follow(full string) error {
	s, i, err := at(t.ctx, t.host, full, true)
	if err != nil {
		return nil // it leads nowhere
	}
	defer s.leave()
	if i == nil || !i.isDir() || t.seen[i.identity()] {
		return nil
	}
	t.seen[i.identity()] = true
	dir, err := s.openDir()
	if err != nil {
		return nil // gone, or not ours to enter
	}
	defer unix.Close(dir)
	_, err = t.in(dir, full, uint64(i.Dev))
	return err
}

// due says whether something is old or large enough. What has no size, such as a directory, is never large.
func (t *tidying) due(i *info) bool {
	byAge, bySize := t.Age != nil && t.Only != "size", t.Size != nil && t.Only != "age"
	old := byAge && int(t.today.Sub(dayOf(t.Time.of(i))).Hours()/24) >= *t.Age
	large := bySize && i.isFile() && i.Size >= int64(*t.Size)
	switch {
	case !byAge && !bySize:
		return true
	case byAge && bySize && t.Operator.and:
		return old && large
	}
	return old || large
}

// note keeps what goes, by the directory in which it really is.
func (t *tidying) note(full string, i *info) error {
	s, err := find(t.host, full, false)
	if err != nil {
		return err
	}
	s.leave()
	t.goes = append(t.goes, goner{full, s, i})
	return nil
}

// remove removes what goes. What went away or was replaced meanwhile is left alone, and what can't be removed does not
// keep the rest.
func (t *tidying) remove(ctx context.Context) (done module.Done, err error) {
	var gone []goner
	var errs []error
	for _, g := range t.goes {
		if err := context.Cause(ctx); err != nil {
			errs = append(errs, err)
			break
		}
		switch err := g.remove(ctx); {
		case err == nil:
			gone = append(gone, g)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errReplaced):
			errs = append(errs, err)
		}
	}
	if len(errs) > 1 {
		errs = []error{fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)}
	}
	done = module.Done{Changes: removed(gone)}
	if len(gone) == 0 {
		done.Changes = &value.Dict{}
	}
	if len(gone) < len(t.goes) {
		done.Comment = fmt.Sprintf("Removed %d of %d files or directories from directory %s", len(gone), len(t.goes), t.Name)
	}
	return done, errors.Join(errs...)
}

func (g *goner) remove(ctx context.Context) error {
	if err := g.spot.enter(); err != nil {
		return err
	}
	defer g.spot.leave()
	if err := g.spot.still(g.info); err != nil {
		return err
	}
	return g.spot.remove(ctx)
}
