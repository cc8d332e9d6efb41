// Package clock finds out whether this machine's clock can be right: what is
// signed counts for about a minute.
package clock

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// Slack is how far two clocks of a site may differ.
const Slack = time.Minute

// Kernel tells what is wrong with the clock as far as the system knows: that
// nothing keeps it right. Where the system may not be asked it is nil.
func Kernel() error {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return nil
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return fmt.Errorf("nothing keeps this machine's clock right: check NTP")
	}
	return nil
}

// Compare asks the HTTPS listener at address what time it is there, and returns
// how far that is ahead of the clock here. It is sure to about a second.
func Compare(ctx context.Context, web *http.Client, address string, now func() time.Time) (ahead time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+address+"/", nil)
	if err != nil {
		return 0, err
	}
	before := now()
	resp, err := web.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	after := now()
	there, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("cannot read the time of %s: %w", address, err)
	}
	there = there.Add(500 * time.Millisecond) // the header has whole seconds
	return there.Sub(before.Add(after.Sub(before) / 2)), nil
}

// Differs is the warning about a clock that is so far ahead of the one here; nil
// within Slack.
func Differs(whose string, ahead time.Duration) error {
	if ahead.Abs() <= Slack {
		return nil
	}
	return fmt.Errorf("clock of %s differs by %.0f s: check NTP there and here", whose, ahead.Seconds())
}
