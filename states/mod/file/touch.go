package file

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

type touchArgs struct {
	Name     string   `arg:"name,required" doc:"the absolute path"`
	Atime    *float64 `arg:"atime" doc:"time of the last access in seconds since 1970; now when absent"`
	Mtime    *float64 `arg:"mtime" doc:"time of the last change in seconds since 1970; now when absent"`
	Makedirs bool     `arg:"makedirs" doc:"make the directories above it that are missing"`
}

func (a *touchArgs) manages() []string { return []string{a.Name} }
func (a *touchArgs) wholeTree() bool   { return false }

func planTouch(_ context.Context, h *host.Host, a touchArgs) (plan module.Plan, err error) {
	if err := absolute("touch", a.Name); err != nil {
		return plan, err
	}
	s, err := find(h, a.Name, true)
	if err != nil {
		return plan, fmt.Errorf("cannot touch %s: %w", a.Name, err)
	}
	defer s.leave()
	old, err := s.look()
	if err != nil {
		return plan, err
	}
	if len(s.missing) > 0 && !a.Makedirs {
		return plan, module.Unknown("Directory not present to touch file %s (makedirs makes it)", a.Name)
	}
	if old != nil && a.is(old) {
		plan.Same = fmt.Sprintf("File %s exists and has the correct times", a.Name)
		return plan, nil
	}
	what := "new"
	plan.Would, plan.Did = fmt.Sprintf("File %s is set to be created", a.Name), fmt.Sprintf("Created empty file %s", a.Name)
	if old != nil {
		what = "touched"
		plan.Would, plan.Did = fmt.Sprintf("Times set to be updated on %s %s", old.kind(), a.Name),
			fmt.Sprintf("Updated times on %s %s", old.kind(), a.Name)
	}
	plan.Steps = []module.Step{module.Change(what, a.Name, func(context.Context) error { return s.touch(a.Atime, a.Mtime) })}
	return plan, nil
}

// is says whether the times that are given are there already. Now never is.
func (a *touchArgs) is(old *info) bool {
	same := func(want *float64, have unix.Timespec) bool { return want == nil || timespec(*want) == have }
	return (a.Atime != nil || a.Mtime != nil) && same(a.Atime, old.Atim) && same(a.Mtime, old.Mtim)
}

func timespec(seconds float64) unix.Timespec {
	whole, part := math.Modf(seconds)
	return unix.NsecToTimespec(int64(whole)*int64(time.Second) + int64(part*1e9))
}

// touch sets the times of what is at the spot, and makes an empty file when nothing is. What time is not given stays
// when the other is, else both are now.
func (s *spot) touch(atime, mtime *float64) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.makeDirs(anyone); err != nil {
		return err
	}
	old, err := s.look()
	if err != nil {
		return err
	}
	if old == nil {
		if err := s.put(nil, anyone, func(io.Writer) error { return nil }); err != nil {
			return err
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	for i, t := range []*float64{atime, mtime} {
		if t != nil {
			times[i] = timespec(*t)
		} else if (atime != nil || mtime != nil) && old != nil {
			times[i] = unix.Timespec{Nsec: unix.UTIME_OMIT}
		}
	}
	if err := unix.UtimesNanoAt(s.fd, s.base, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "cannot set the times of", Path: s.path(), Err: err}
	}
	return s.touched()
}
