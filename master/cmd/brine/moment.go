package main

import (
	"fmt"
	"strconv"
	"time"

	"brine/proto/jid"
)

// moment reads a time in the past, in microseconds of Unix time: how long ago it was (90m, 3d, 2w), a date, a date
// and a time by the clock of this host, a time with its zone, or a job's id. "" is 0.
func moment(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if at, err := jid.Time(text); err == nil {
		return at.UnixMicro(), nil
	}
	if ago, ok := duration(text); ok {
		return now.Add(-ago).UnixMicro(), nil
	}
	for _, layout := range []string{
		time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339,
	} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: want such as 90m, 3d, 2026-11-30, \"2026-11-30 14:00\" or a jid", text)
}

// duration reads one that is not negative; it may be in days and weeks too.
func duration(text string) (time.Duration, bool) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if unit := units[text[len(text)-1]]; unit > 0 {
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
		return time.Duration(n) * unit, err == nil && n <= 36500
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}
