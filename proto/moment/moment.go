// Package moment reads times as operators type them.
package moment

import (
	"fmt"
	"strconv"
	"time"

	"brine/proto/jid"
)

// layouts are those of times; without a zone they are those of this host's clock.
var layouts = []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339}

// Past reads a time: how long before now it was (90m, 3d, 2w), a date, a date and a time, or a job's id.
func Past(text string, now time.Time) (time.Time, error) {
	if at, err := jid.Time(text); err == nil {
		return at, nil
	}
	if ago, ok := Duration(text); ok {
		return now.Add(-ago), nil
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: want such as 90m, 3d, 2026-11-30, \"2026-11-30 14:00\" or a jid", text)
}

// Duration reads one that is not negative; it may be in days and weeks too, also in parts of them: 1.5d.
func Duration(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if unit := units[text[len(text)-1]]; unit > 0 {
		n, err := strconv.ParseFloat(text[:len(text)-1], 64)
		if err != nil || !(n >= 0 && n <= 36500) {
			return 0, false
		}
		return time.Duration(n * float64(unit)), true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}
