package system

import (
	"context"
	"fmt"
	"os"
	"time"

	"brine/states/host"
)

type dateArgs struct {
	Date string `arg:"newdate,required" doc:"the date, such as 2026-11-26, 11/26/2026 or 2026/11/26"`
	offsetArgs
}

type timeArgs struct {
	Time string `arg:"newtime,required" doc:"the time, such as 17:30:00, 17:30 or 05:30 PM"`
	offsetArgs
}

type dateTimeArgs struct {
	Years   *int `arg:"years" doc:"the year"`
	Months  *int `arg:"months" doc:"the month, from 1 to 12"`
	Days    *int `arg:"days" doc:"the day, from 1 to 31"`
	Hours   *int `arg:"hours" doc:"the hour, from 0 to 23"`
	Minutes *int `arg:"minutes" doc:"the minute, from 0 to 59"`
	Seconds *int `arg:"seconds" doc:"the second, from 0 to 59"`
	offsetArgs
}

func parse(what, text string, layouts ...string) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot read the %s %q: want it as %s", what, text, layouts[0])
}

func setDate(ctx context.Context, h *host.Host, a dateArgs) (bool, error) {
	d, err := parse("date", a.Date, "2006-01-02", "2006/01/02", "01/02/2006", "01-02-2006", "01/02/06", "01-02-06")
	if err != nil {
		return false, err
	}
	year, month, day := d.Year(), int(d.Month()), d.Day()
	return setDateTime(ctx, h, dateTimeArgs{Years: &year, Months: &month, Days: &day, offsetArgs: a.offsetArgs})
}

func setTime(ctx context.Context, h *host.Host, a timeArgs) (bool, error) {
	t, err := parse("time", a.Time, "15:04:05", "15:04", "03:04:05 PM", "03:04 PM", "3:04 PM")
	if err != nil {
		return false, err
	}
	hour, minute, second := t.Hour(), t.Minute(), t.Second()
	return setDateTime(ctx, h, dateTimeArgs{Hours: &hour, Minutes: &minute, Seconds: &second, offsetArgs: a.offsetArgs})
}

func setDateTime(ctx context.Context, h *host.Host, a dateTimeArgs) (bool, error) {
	want, err := a.over(a.Offset.in(time.Now()))
	if err != nil {
		return false, err
	}
	if _, err := h.Run(ctx, "date", "--set", fmt.Sprintf("@%d", want.Unix())); err != nil {
		return false, err
	}
	if _, err := os.Stat(h.Path("/dev/rtc")); err != nil {
		return true, nil // no clock that goes on without power
	}
	_, err = h.Run(ctx, "hwclock", "--systohc")
	return err == nil, err
}

// over is a time with the parts given in place of its own.
func (a *dateTimeArgs) over(t time.Time) (time.Time, error) {
	pick := func(given *int, own int) int {
		if given != nil {
			return *given
		}
		return own
	}
	year, month, day := pick(a.Years, t.Year()), pick(a.Months, int(t.Month())), pick(a.Days, t.Day())
	hour, minute, second := pick(a.Hours, t.Hour()), pick(a.Minutes, t.Minute()), pick(a.Seconds, t.Second())
	want := time.Date(year, time.Month(month), day, hour, minute, second, 0, t.Location())
	if year < 1970 || want.Year() != year || int(want.Month()) != month || want.Day() != day ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return want, fmt.Errorf("cannot set the time to %04d-%02d-%02d %02d:%02d:%02d: there is no such one",
			year, month, day, hour, minute, second)
	}
	return want, nil
}
