package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units are those of durations that people write, beside Go's.
var units = map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// Duration reads a duration as Go writes them (90s, 1h30m), or in whole or broken days and weeks: 2d, 1.5w.
func Duration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	for unit, d := range units {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(text, unit), 64); err == nil && strings.HasSuffix(text, unit) && n >= 0 && n < 100_000 {
			return time.Duration(n * float64(d)), nil
		}
	}
	return 0, fmt.Errorf("want a duration such as 30s, 5m, 2h, 7d or 2w, got %q", text)
}

// layouts are those of times; without a zone they are local.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// Moment reads a time, or how long ago it was.
func Moment(text string, now time.Time) (time.Time, error) {
	if d, err := Duration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want how long ago, such as 90s, 2h or 7d, or a time such as 2026-11-01 or 2026-11-01T10:00, got %q", text)
}

func moment(text string, now time.Time) (int64, error) {
	t, err := Moment(text, now)
	return t.UnixMicro(), err
}
