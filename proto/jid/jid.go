// Package jid makes and reads job ids: Salt's 20 digits, UTC to the
// microsecond, such as 20260131120000000123.
package jid

import (
	"fmt"
	"sync"
	"time"
)

const layout = "20060102150405"

// Len is the length of every job id.
const Len = 20

// FromTime is the job id of a moment.
func FromTime(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%s%06d", t.Format(layout), t.Nanosecond()/1000)
}

// Time is the moment of a job id. It refuses anything but a real date in 20
// digits, so a checked id is safe in a subject, a file name and a query.
func Time(id string) (time.Time, error) {
	if len(id) != Len {
		return time.Time{}, fmt.Errorf("cannot read job id %q: want %d digits", id, Len)
	}
	for i := range Len {
		if c := id[i]; c < '0' || c > '9' {
			return time.Time{}, fmt.Errorf("cannot read job id %q: want %d digits", id, Len)
		}
	}
	year, month, day := number(id[:4]), number(id[4:6]), number(id[6:8])
	hour, minute, second := number(id[8:10]), number(id[10:12]), number(id[12:14])
	t := time.Date(year, time.Month(month), day, hour, minute, second, number(id[14:])*1000, time.UTC)
	// What is out of its range would have become another date.
	if y, m, d := t.Date(); y != year || int(m) != month || d != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, fmt.Errorf("cannot read job id %q: no such date", id)
	}
	return t, nil
}

func number(digits string) (n int) {
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}

// A Clock makes job ids that never go back nor repeat, even when the time
// does. The zero Clock is ready; it may be used from many goroutines.
type Clock struct {
	mu   sync.Mutex
	last time.Time
}

// Next returns the id of now, or of the first later microsecond that is free.
func (c *Clock) Next(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = now.UTC().Truncate(time.Microsecond)
	if !now.After(c.last) {
		now = c.last.Add(time.Microsecond)
	}
	c.last = now
	return FromTime(now)
}
