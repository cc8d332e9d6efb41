package moment_test

import (
	"testing"
	"time"

	"brine/proto/moment"
)

func TestPast(t *testing.T) {
	now := time.Date(2026, 11, 30, 14, 0, 0, 0, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		"90m":                  "2026-11-30T12:30:00+01:00",
		"3d":                   "2026-11-27T14:00:00+01:00",
		"2w":                   "2026-11-16T14:00:00+01:00",
		"0s":                   "2026-11-30T14:00:00+01:00",
		"2026-11-29":           "2026-11-29T00:00:00+01:00",
		"2026-11-29 08:15":     "2026-11-29T08:15:00+01:00",
		"2026-11-29 08:15:01":  "2026-11-29T08:15:01+01:00",
		"2026-11-29T08:15:00Z": "2026-11-29T09:15:00+01:00",
		"20261129081500000001": "2026-11-29T09:15:00+01:00",
		"":                     "", "yesterday": "", "-3h": "", "3": "", "d": "", "-1d": "", "99999999999d": "", "2026-13-01": "",
	} {
		got, err := moment.Past(text, now)
		if want == "" {
			if err == nil {
				t.Errorf("Past(%q) = %s", text, got)
			}
			continue
		}
		if at := got.In(now.Location()).Format(time.RFC3339); err != nil || at != want {
			t.Errorf("Past(%q) = %s, %v, want %s", text, at, err, want)
		}
	}
}
