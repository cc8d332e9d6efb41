package account

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"brine/states/module"
)

// Days is a date: a number of days since 1970, or YYYY-MM-DD.
type Days int64

// ArgType names the type.
func (d *Days) ArgType() string { return "days since 1970 or YYYY-MM-DD" }

// ParseArg reads it.
func (d *Days) ParseArg(v module.Value) error {
	text, err := v.Str()
	if err != nil {
		return v.Want("a number of days since 1970, or YYYY-MM-DD")
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= -1 {
		*d = Days(n)
		return nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Unix() < 0 {
		return v.Want("a number of days since 1970, or YYYY-MM-DD")
	}
	*d = Days(t.Unix() / 86400)
	return nil
}

// Today is the day it is, as shadow counts them.
func Today() int64 { return time.Now().Unix() / 86400 }

// CheckHash refuses what is no hash: it would be in shadow for all time, and no password would fit it.
func CheckHash(text string) error {
	switch text {
	case "*", "!", "!!", "x", "NP", "*NP*", "*LK*":
		return nil
	}
	bare := strings.TrimLeft(text, "!")
	old := len(bare) == 13 && strings.Trim(bare, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
	if strings.ContainsAny(text, ":\n\x00 ") || !old && !strings.HasPrefix(bare, "$") && !strings.HasPrefix(bare, "_") {
		return errors.New("want a hash of a password as shadow has it")
	}
	return nil
}
